//! Networks: detected from a file's tensors, with torchvision's names; or the graph of an ONNX file.

mod architecture;
mod builder;
mod definition;
pub mod embedded;
mod expected;
mod inception;
mod inspect;
mod modules;
mod naming;
mod onnx;
mod preprocessing;
mod resnet;
mod statistics;

use std::fmt;
use std::sync::Arc;

pub use architecture::Architecture;
pub(crate) use inspect::Inspection;
pub use modules::{Module, Norm, Semantics};
pub(crate) use naming::translated;
pub use preprocessing::Preprocessing;
pub use statistics::{LayerStatistics, Picture, Statistics};

use architecture::RGB_224;
use builder::{Builder, Built, Sizes};
use naming::Head;

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::labels::Labels;
use crate::ops::{Op, ScaleShift};
use crate::shape::{ImageSpec, Shape};
use crate::suggest::{near_misses, shown};
use crate::weights::Weights;

/// The longest side of a network's images, in pixels.
const MAX_SIDE: usize = 4096;

/// A network with its weights: a graph from pixels in `[0,1]` to logits, and the names of its modules.
#[derive(Clone)]
pub struct Network {
    architecture: Architecture,
    preprocessing: Preprocessing,
    graph: Graph,
    modules: Vec<Module>,
    norms: Vec<Norm>,
    statistics: Option<Arc<Statistics>>,
    labels: Labels,
    weights: Arc<Weights>,
    notes: Vec<String>,
    /// See [`Network::assumes_input`].
    assumes_input: bool,
    outputs: Outputs,
}

/// What the last layer of a network gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// A logit for each class.
    Classes,
    /// One logit z of yes or no, whose probability is its sigmoid. The graph has the logits −z/2 and z/2, of no and of yes: their softmax
    /// is that sigmoid.
    YesOrNo,
    /// The features of a network without a head, which are no classes.
    Features,
}

impl Network {
    /// Builds the network that a file's tensors describe, or the graph of an ONNX file. The labels are those in the file's metadata,
    /// ImageNet's for 1,000 classes, or numbers. The preprocessing is that of [`Preprocessing::of`]. Images are 224 x 224 pixels, unless
    /// the metadata has the key `image_size`, `[height, width]` in JSON, or the input of an ONNX model has a fixed size.
    ///
    /// # Errors
    /// If the tensors do not fit a known network (the error names every tensor that is missing, unexpected or misshaped), contain
    /// NaN or infinity, or if the number of labels is not the number of classes. If an operator of an ONNX model is not supported.
    pub fn from_weights(weights: Weights) -> Result<Self> {
        if weights.onnx().is_some() {
            return Self::from_weights_as(weights, Architecture::Onnx);
        }
        let weights = translated(weights)?;
        let inspection = Inspection::of(&weights);
        Self::inspected(weights, &inspection)
    }

    /// [`Network::from_weights`] with a given architecture in place of the detected one.
    ///
    /// # Errors
    /// Those of [`Network::from_weights`]; and if the file is an ONNX model and the architecture is not `onnx`, or the other way round.
    pub fn from_weights_as(weights: Weights, architecture: Architecture) -> Result<Self> {
        match (weights.onnx().is_some(), architecture) {
            (true, Architecture::Onnx) => Self::from_onnx(weights),
            (true, _) => Err(Error::input(format!(
                "{}: it is an ONNX model, which brings its own layers, and not a {architecture}: leave the architecture out",
                weights.name()
            ))),
            (false, Architecture::Onnx) => Err(Error::input(format!("{}: it is not an ONNX model", weights.name()))),
            (false, _) => {
                let weights = translated(weights)?;
                let inspection = Inspection::against(architecture, &weights);
                Self::inspected(weights, &inspection)
            }
        }
    }

    fn inspected(weights: Weights, inspection: &Inspection) -> Result<Self> {
        inspection.check(&weights)?;
        let &Inspection { architecture, width, .. } = inspection;
        let preprocessing = Preprocessing::of(&weights, architecture)?;
        let usual = architecture.usual_image(&weights);
        let image = image_of(&weights, usual.channels)?.unwrap_or(usual);
        let (sizes, head) = (Sizes { file: Some(&weights), image, width }, Head::of(&weights));
        let layers = architecture.definition().expect("it was inspected").layers;
        let mut built = Builder::build(layers, sizes, &head, &weights, &preprocessing)?;
        if usual.height != RGB_224.height {
            built.notes.push(format!(
                "its first convolution is 3x3, as in networks for CIFAR: it is taken to have no stride, with no pool after it; \
                 images are {}x{} pixels",
                image.height, image.width
            ));
        }
        let outputs = if head.layers.is_empty() { Outputs::Features } else { Outputs::Classes };
        Self::of(weights, architecture, preprocessing, built, outputs)
    }

    fn from_onnx(weights: Weights) -> Result<Self> {
        let model = weights.onnx().expect("it has been looked for");
        let preprocessing = Preprocessing::of(&weights, Architecture::Onnx)?;
        let (channels, size) = onnx::image_of(&weights, model)?;
        let image = match size {
            Some([height, width]) if height.max(width) > MAX_SIDE => {
                let name = weights.name();
                return Err(Error::input(format!(
                    "{name}: its images have {height}x{width} pixels, and at most {MAX_SIDE} a side are possible"
                )));
            }
            Some([height, width]) => {
                let fixed = ImageSpec { channels, height, width };
                if image_of(&weights, channels)?.is_some_and(|wanted| wanted != fixed) {
                    let name = weights.name();
                    return Err(Error::input(format!(
                        "{name}: its images are fixed to {height}x{width} pixels: export it again with a free height and width \
                         for other sizes"
                    )));
                }
                fixed
            }
            None => image_of(&weights, channels)?.unwrap_or(ImageSpec { channels, ..RGB_224 }),
        };
        let built = onnx::build(&weights, model, image, &preprocessing)?;
        Self::of(weights, Architecture::Onnx, preprocessing, built, Outputs::Classes)
    }

    fn of(
        weights: Weights,
        architecture: Architecture,
        preprocessing: Preprocessing,
        mut built: Built,
        mut outputs: Outputs,
    ) -> Result<Self> {
        if built.outputs() == 1 {
            built.give_two_sides()?;
            outputs = Outputs::YesOrNo;
        }
        let count = built.outputs();
        let Built { graph, modules, norms, mut notes } = built;
        match outputs {
            Outputs::Classes => {}
            Outputs::YesOrNo => notes.push(
                "it has one output: its sigmoid is the probability of class 1, and class 0 is the other side"
                    .to_owned(),
            ),
            Outputs::Features => notes.push(format!(
                "it has no head: its {count} outputs are the features of its last layer, and no classes"
            )),
        }
        let labels = match weights.labels()? {
            Some(names) => {
                let wrong = |error| Error::input(format!("{}: `labels` in its metadata: {error}", weights.name()));
                Labels::from_names(names).map_err(wrong)?
            }
            None => match (outputs, count) {
                (Outputs::YesOrNo, _) => Labels::no_and_yes("yes"),
                (Outputs::Features, _) => Labels::features(count),
                (_, 1000) => Labels::imagenet(),
                _ => Labels::numbered(count),
            },
        };
        let says_input = ["range", "mean", "std"].iter().any(|key| weights.metadata().contains_key(*key));
        // Published networks take RGB images of 224 pixels, and their input is known.
        let assumes_input =
            !says_input && (architecture == Architecture::Onnx || architecture.usual_image(&weights) != RGB_224);
        let weights = Arc::new(weights);
        let network = Self {
            architecture,
            preprocessing,
            graph,
            modules,
            norms,
            statistics: None,
            labels,
            weights,
            notes,
            assumes_input,
            outputs,
        };
        let labels = network.fitting(network.labels.clone())?;
        Ok(Self { labels, ..network })
    }

    /// A network of any width and number of classes with weights from a seed ([`Weights::generated`]), for tests and
    /// benchmarks without a file.
    ///
    /// # Errors
    /// If width or classes are zero.
    pub fn generated(architecture: Architecture, width: usize, classes: usize, seed: u64) -> Result<Self> {
        Self::from_weights(Weights::generated(&architecture.manifest(width, classes), seed)?)
    }

    /// The labels, if they fit. One label for one output is that of yes.
    fn fitting(&self, labels: Labels) -> Result<Labels> {
        if labels.len() == self.classes() {
            return Ok(labels);
        }
        if self.outputs == Outputs::YesOrNo && labels.len() == 1 {
            return Ok(Labels::no_and_yes(labels.name(0)));
        }
        let (name, have, want) = (self.weights.name(), labels.len(), self.classes());
        let (first, last) = (shown(labels.name(0)), shown(labels.name(have - 1)));
        let cure = match self.outputs {
            Outputs::Classes if have == want + 1 && labels.name(0).eq_ignore_ascii_case("background") => {
                "remove the first, which only some networks of TensorFlow have"
            }
            Outputs::Classes => "give one label for each class",
            Outputs::YesOrNo => "it has one output: give its label, or two, of no and of yes",
            Outputs::Features => "its outputs are features, since it has no head: leave the labels out",
        };
        Err(Error::input(format!(
            "{name} has {want} classes but there are {have} labels, from `{first}` to `{last}`: {cure}"
        )))
    }

    /// The same network with other labels.
    ///
    /// # Errors
    /// If there is not one label per class. One output takes one label, or two: those of no and of yes.
    pub fn with_labels(mut self, labels: Labels) -> Result<Self> {
        self.labels = self.fitting(labels)?;
        Ok(self)
    }

    /// What its last layer gives.
    pub fn outputs(&self) -> Outputs {
        self.outputs
    }

    /// The same network with other preprocessing. It has no [`Network::statistics`], because these depend on the preprocessing.
    ///
    /// # Errors
    /// If it does not suit the image's channels, or as [`Preprocessing::check`].
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Result<Self> {
        preprocessing.check_for(self.image().channels)?;
        let normalize = || -> Arc<dyn Op> { Arc::new(ScaleShift(preprocessing.normalize())) };
        self.graph = self.graph.map(|node| (node.name == builder::NORMALIZE).then(normalize))?;
        self.preprocessing = preprocessing;
        self.statistics = None;
        self.assumes_input = false;
        Ok(self)
    }

    /// The same network for images of half the height and width, rounded down. Nodes keep their ids.
    ///
    /// # Errors
    /// If they are too small for a layer.
    pub fn halved(&self) -> Result<Self> {
        let ImageSpec { channels, height, width } = self.image();
        let half = Shape::new(1, channels, height / 2, width / 2);
        let wrong = |e: Error| {
            e.within(format!(
                "images of {height}x{width} pixels are too small to show them to the network at half their size: "
            ))
        };
        Ok(Self { graph: self.graph.with_input(half).map_err(wrong)?, ..self.clone() })
    }

    /// The same network with another graph, such as one whose ops [`Graph::map`] has exchanged.
    ///
    /// # Errors
    /// If its input or output has another shape, or it has another number of nodes.
    pub fn with_graph(mut self, graph: Graph) -> Result<Self> {
        let ends = |g: &Graph| (g.nodes().len(), g.node(g.input()).shape, g.node(g.output()).shape);
        if ends(&graph) != ends(&self.graph) {
            let (new, old) = (ends(&graph), ends(&self.graph));
            return Err(Error::input(format!(
                "nodes, input and output are {new:?} in the new graph but {old:?} in the old"
            )));
        }
        self.graph = graph;
        Ok(self)
    }

    /// The architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The graph from pixels in `[0,1]`, `[1,C,H,W]`, to logits, `[1,K,1,1]`, with nothing fused.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// All named modules, in the order of torchvision's `named_modules()`, the root first. Those of an ONNX model are its nodes, except
    /// for reshapes and other work that costs nothing.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Its batch norms, in order.
    pub fn norms(&self) -> &[Norm] {
        &self.norms
    }

    /// The module with this name.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none, with similar names.
    pub fn module(&self, name: &str) -> Result<&Module> {
        if let Some(module) = self.modules.iter().find(|module| module.name == name) {
            return Ok(module);
        }
        let similar = near_misses(name, self.modules.iter().map(|module| (module.name.as_str(), ())));
        let similar: Vec<_> = similar.into_iter().map(|(name, ())| name).collect();
        let hint = match similar.as_slice() {
            [] => "`protogpu modules` lists them".to_owned(),
            names => format!("did you mean {}?", names.join(", ")),
        };
        Err(Error::input(format!("{} has no module `{}`; {hint}", self.architecture, shown(name))))
    }

    /// The names of the classes.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Whether nothing says what input the network was trained for, so that its preprocessing is an assumption: that of an ONNX model, or
    /// of a network whose images are not RGB of 224 pixels.
    pub fn assumes_input(&self) -> bool {
        self.assumes_input
    }

    /// What was left out or assumed, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let assumed = || format!("nothing says what input it was trained for: {} is assumed", self.preprocessing);
        self.notes.iter().cloned().chain(self.assumes_input.then(assumed)).collect()
    }

    /// The weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.graph.node(self.graph.output()).shape.c()
    }

    /// The size and channels of its images.
    pub fn image(&self) -> ImageSpec {
        let input = self.graph.node(self.graph.input()).shape;
        ImageSpec { channels: input.c(), height: input.h(), width: input.w() }
    }

    /// The operations on pixels before the first layer.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }
}

/// The images that a file's metadata describe under the key `image_size`, `[height, width]` in JSON.
fn image_of(weights: &Weights, channels: usize) -> Result<Option<ImageSpec>> {
    let Some(text) = weights.metadata().get("image_size") else { return Ok(None) };
    match serde_json::from_str::<[usize; 2]>(text) {
        Ok([height, width]) if [height, width].iter().all(|side| (1..=MAX_SIDE).contains(side)) => {
            Ok(Some(ImageSpec { channels, height, width }))
        }
        _ => Err(Error::input(format!(
            "{}: `image_size` in its metadata is {}, and not [height, width] of 1 to {MAX_SIDE} pixels each",
            weights.name(),
            shown(text)
        ))),
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} classes from {}", self.architecture, self.classes(), self.weights.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_file::TensorFile;

    /// A narrow ResNet-18 for grey images, with these metadata.
    fn grey(metadata: &[(&str, &str)]) -> Result<Network> {
        let image = ImageSpec { channels: 1, ..RGB_224 };
        let layers = Architecture::ResNet18.definition().unwrap().layers;
        let manifest = Builder::manifest(layers, Sizes { file: None, image, width: 8 }, &Head::linear(0, 3));
        let weights = Weights::generated(&manifest, 1)?;
        let values: Vec<_> = manifest.iter().map(|(name, _)| weights.tensor_f32(name)).collect::<Result<_>>()?;
        let mut file = TensorFile::default();
        for (key, value) in metadata {
            file = file.metadata(key, *value);
        }
        for ((name, shape), values) in manifest.iter().zip(&values) {
            file = file.tensor(name, shape, values);
        }
        Network::from_weights(Weights::from_bytes("grey.safetensors", file.to_bytes())?)
    }

    #[test]
    fn images_have_the_channels_of_the_first_convolution_and_the_size_in_the_metadata() {
        assert_eq!(grey(&[]).unwrap().image(), ImageSpec { channels: 1, height: 224, width: 224 });
        let network = grey(&[("image_size", "[32, 48]"), ("mean", "[0.5]")]).unwrap();
        assert_eq!(network.image(), ImageSpec { channels: 1, height: 32, width: 48 });
        assert_eq!(network.classes(), 3);
        assert_eq!(network.preprocessing().to_string(), "grey 0..1, mean 0.5");
        for size in ["[32]", "[0, 48]", "[32, 5000]", "32"] {
            let error = grey(&[("image_size", size)]).unwrap_err();
            let expected = format!("grey.safetensors: `image_size` in its metadata is {size}, and not [height, width]");
            assert!(error.is_input() && error.to_string().starts_with(&expected), "{error}");
        }
        let error = grey(&[("mean", "[0.5, 0.5, 0.5]")]).unwrap_err().to_string();
        assert!(error.contains("`mean` has 3 values but the network's images have 1 channels"), "{error}");
    }
}
