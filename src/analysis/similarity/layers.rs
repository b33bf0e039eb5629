//! The layers of a network: its modules, and the distinct tensors behind their names.

use crate::graph::NodeId;
use crate::named::named;
use crate::networks::{Module, Network, Semantics};

named! {
    /// How an average over all layers counts them.
    Over {
        /// Each module counts, as in the paper, so a tensor with several names counts several times.
        Names = "names",
        /// Each distinct tensor counts once.
        Tensors = "tensors",
    }
}

/// The modules of a network, and the tensors that they show under either semantics.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    modules: Vec<String>,
    /// For each module the tensor under `snapshot` and under `torch-alias`.
    shown: Vec<[usize; 2]>,
    /// Each with the name of the first module that shows it, and `@torch-alias` where only that does.
    tensors: Vec<(String, NodeId)>,
}

impl Layers {
    /// Those of a network, in the order of torchvision's `named_modules()`.
    pub(crate) fn of(network: &Network) -> Self {
        let mut layers = Self { modules: Vec::new(), shown: Vec::new(), tensors: Vec::new() };
        // First the tensors of hooks that copy. Hooks that keep a reference add a few more: a block's ReLU runs twice, and
        // only the later output is overwritten.
        let [copied, kept] = [Semantics::Snapshot, Semantics::TorchAlias].map(|semantics| {
            network.modules().iter().map(|module| layers.place(module, semantics)).collect::<Vec<_>>()
        });
        layers.shown = copied.into_iter().zip(kept).map(|(copied, kept)| [copied, kept]).collect();
        layers.modules = network.modules().iter().map(|module| module.name.clone()).collect();
        layers
    }

    fn place(&mut self, module: &Module, semantics: Semantics) -> usize {
        let node = module.node(semantics);
        self.tensors.iter().position(|known| known.1 == node).unwrap_or_else(|| {
            let name = match semantics {
                Semantics::Snapshot => module.name.clone(),
                Semantics::TorchAlias => format!("{}@{semantics}", module.name),
            };
            self.tensors.push((name, node));
            self.tensors.len() - 1
        })
    }

    /// The nodes of the distinct tensors.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.tensors.iter().map(|tensor| tensor.1).collect()
    }

    /// Names of the distinct tensors under either semantics: of the first module that shows each, and `@torch-alias` where none
    /// does that copies.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|tensor| tensor.0.as_str())
    }

    /// Each layer's name and the index of its tensor in [`Layers::tensors`].
    pub(crate) fn rows(&self, semantics: Semantics, over: Over) -> Vec<(&str, usize)> {
        let which = usize::from(semantics == Semantics::TorchAlias);
        let mut seen = vec![false; self.tensors.len()];
        let counts = |&(_, tensor): &(&str, usize)| over == Over::Names || !std::mem::replace(&mut seen[tensor], true);
        let rows = self.modules.iter().map(String::as_str).zip(self.shown.iter().map(|shown| shown[which]));
        rows.filter(counts).collect()
    }

    /// The shapes of the tensors for one image.
    pub(super) fn shapes(&self, network: &Network) -> Vec<[usize; 4]> {
        self.tensors.iter().map(|tensor| network.graph().node(tensor.1).shape.nchw()).collect()
    }

    /// The index of the tensor of the logits, which is the root's output.
    pub(crate) fn logits(&self) -> usize {
        self.shown[0][0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Architecture;

    #[test]
    fn as_many_rows_as_torchvision_has() {
        for (architecture, expected) in
            [(Architecture::ResNet18, [68, 52, 68, 43]), (Architecture::GoogLeNet, [224, 195, 224, 138])]
        {
            let layers = Layers::of(&Network::generated(architecture, 8, 10, 0).unwrap());
            let count = |semantics, over| layers.rows(semantics, over).len();
            let found = [Semantics::Snapshot, Semantics::TorchAlias]
                .map(|semantics| [Over::Names, Over::Tensors].map(|over| count(semantics, over)));
            assert_eq!(found.as_flattened(), expected, "{architecture}");
            assert_eq!(layers.rows(Semantics::Snapshot, Over::Names)[0], ("root", layers.logits()));
            let mut names: Vec<&str> = layers.tensors().collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), layers.tensors().count(), "two tensors of one name");
        }
    }
}
