//! The named modules of a network, and their outputs.

use crate::graph::NodeId;
use crate::named::named;

named! {
    /// How a forward hook keeps the output of a module.
    Semantics {
        /// A copy, made at the hook.
        Snapshot = "snapshot",
        /// A reference, which later in-place ReLUs and additions overwrite, as in most PyTorch hooks.
        TorchAlias = "torch-alias",
    }
}

/// A named module of torchvision's network, and the nodes that hold its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name in `named_modules()`; the root is called `root`.
    pub name: String,
    pub(crate) snapshot: NodeId,
    pub(crate) alias: NodeId,
}

impl Module {
    /// The node that holds the module's output.
    pub fn node(&self, semantics: Semantics) -> NodeId {
        match semantics {
            Semantics::Snapshot => self.snapshot,
            Semantics::TorchAlias => self.alias,
        }
    }
}
