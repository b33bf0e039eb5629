//! The named modules of a network, and their outputs.

use std::sync::Arc;

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

/// A batch norm, and what it knows of photographs: `y = (x − mean) · scale + shift`, where x has the running mean and variance of the
/// network's training.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Its module's name.
    pub name: String,
    pub(crate) node: NodeId,
    /// `weight / √(variance + eps)` of each channel.
    pub scale: Arc<[f32]>,
    /// `bias` of each channel.
    pub shift: Arc<[f32]>,
    /// `running_mean` of each channel.
    pub mean: Arc<[f32]>,
    /// `running_var` of each channel.
    pub variance: Arc<[f32]>,
}

impl Norm {
    /// The node that holds its output, before anything works on that in place.
    pub fn node(&self) -> NodeId {
        self.node
    }
}
