//! The state of a run between two steps: the contents of `checkpoint.safetensors`.
//!
//! Together with the weights, it determines all later steps bit by bit. Random draws have no state, because they depend on the step's
//! number. The checkpoint contains the settings, so that a run does not continue with others by mistake. Only the number of steps may
//! differ, if no finished step depended on it.

use std::collections::BTreeMap;

use super::history::{History, LOSS};
use super::schedule::adam_row;
use super::settings::Settings;
use super::terms::weights_of;
use crate::networks::{Network, Preprocessing};
use crate::ops::ConvAlgorithm;
use crate::tensor_file::{TensorFile, Tensors};
use crate::{Error, Result};

/// The name and version of the layout.
const FORMAT: &str = "protogpu checkpoint 1";

/// Longer lists of kernels are refused: a network has a few hundred lines.
const MAX_KERNELS_BYTES: usize = 1 << 20;

/// More columns are refused.
const MAX_COLUMNS: usize = 1 << 10;

/// The state of a run after `history.len()` steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The class that the image is optimised for.
    pub class: usize,
    /// The settings.
    pub settings: Settings,
    /// SHA-256 of the weights file.
    pub weights_sha256: String,
    /// SHA-256 of [`Network::statistics`], if the network has any.
    pub statistics_sha256: Option<String>,
    /// The preprocessing of the network's input. Older checkpoints do not have it; their networks used that of the weights file.
    pub input: Option<Preprocessing>,
    /// The adapter and driver that made the steps.
    pub adapter: String,
    /// The algorithm of each direction of each convolution, see [`crate::ops::ConvAlgorithms`].
    pub kernels: BTreeMap<String, ConvAlgorithm>,
    /// The shape of the image, `[C,H,W]`.
    pub shape: [usize; 3],
    /// The image.
    pub image: Vec<f32>,
    /// The parameters, if they are not the image itself, see [`ImageState::parameters`](super::ImageState).
    pub parameters: Option<Vec<f32>>,
    /// Adam's first moment.
    pub m: Vec<f32>,
    /// Adam's second moment.
    pub v: Vec<f32>,
    /// The losses so far.
    pub history: History,
}

impl Checkpoint {
    /// Steps done.
    pub fn step(&self) -> u32 {
        // Settings allow far fewer steps, and a file with more is refused.
        self.history.len() as u32
    }

    /// The bytes of the file.
    ///
    /// # Panics
    /// If the number of pixels or moments is not that of their shape.
    pub fn to_bytes(&self) -> Vec<u8> {
        let settings = serde_json::to_string(&self.settings).expect("settings are plain numbers and names");
        let mut file = TensorFile::default()
            .metadata("format", FORMAT)
            .metadata("step", self.step().to_string())
            .metadata("class", self.class.to_string())
            .metadata("seed", self.settings.seed.to_string())
            .metadata("settings", settings)
            .metadata("settings_digest", self.settings.digest())
            .metadata("weights_sha256", self.weights_sha256.as_str());
        if let Some(sha256) = &self.statistics_sha256 {
            file = file.metadata("natural_statistics_sha256", sha256.as_str());
        }
        if let Some(input) = &self.input {
            file = file.metadata("input", input.to_json());
        }
        file = file
            .metadata("adapter", self.adapter.as_str())
            .metadata("kernels", serde_json::to_string(&self.kernels).expect("names are plain data"));
        file = file.tensor("image", &self.shape, &self.image);
        if let Some(parameters) = &self.parameters {
            file = file.tensor("parameters", &[parameters.len()], parameters);
        }
        for (name, data) in [("m", &self.m), ("v", &self.v)] {
            let shape = if self.parameters.is_some() { &[data.len()][..] } else { &self.shape };
            file = file.tensor(name, shape, data);
        }
        let names: Vec<&str> = self.history.columns().map(|(name, _)| name).collect();
        if !names.is_empty() && names != usual_columns(&self.settings) {
            file = file.metadata("columns", serde_json::to_string(&names).expect("names are plain data"));
        }
        for (name, column) in self.history.columns() {
            file = file.tensor(name, &[column.len()], column);
        }
        file.to_bytes()
    }

    /// Reads the bytes of such a file, which are not trusted.
    ///
    /// # Errors
    /// [`Error::Input`] if they are not a checkpoint of this version, or have values that no run writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut tensors = Tensors::from_bytes(bytes)?;
        let format = tensors.metadata("format")?;
        if format != FORMAT {
            return Err(Error::input(format!("the format is `{format}`, but this program reads `{FORMAT}`")));
        }
        let number = |key| {
            let text = tensors.metadata(key)?;
            text.parse().map_err(|_| Error::input(format!("metadata `{key}` is `{text}`, not a number")))
        };
        let (step, class): (usize, usize) = (number("step")?, number("class")?);
        let settings: Settings = serde_json::from_str(tensors.metadata("settings")?)
            .map_err(|source| Error::input(format!("metadata `settings`: {source}")))?;
        settings.validate()?;
        let weights_sha256 = tensors.metadata("weights_sha256")?.to_owned();
        let statistics_sha256 = tensors.optional_metadata("natural_statistics_sha256").map(str::to_owned);
        let input = tensors.optional_metadata("input").map(serde_json::from_str::<Preprocessing>).transpose();
        let input = input.map_err(|source| Error::input(format!("metadata `input`: {source}")))?;
        input.as_ref().map_or(Ok(()), Preprocessing::check)?;
        let adapter = tensors.metadata("adapter")?.to_owned();
        let kernels = tensors.metadata("kernels")?;
        if kernels.len() > MAX_KERNELS_BYTES {
            return Err(Error::input(format!(
                "metadata `kernels` has {} bytes, more than any network needs",
                kernels.len()
            )));
        }
        let kernels =
            serde_json::from_str(kernels).map_err(|source| Error::input(format!("metadata `kernels`: {source}")))?;
        let (shape, image) = tensors.take("image")?;
        let shape: [usize; 3] = shape
            .try_into()
            .map_err(|found| Error::input(format!("tensor `image` has shape {found:?}, not [C,H,W]")))?;
        let parameters = tensors.take("parameters").ok().map(|(_, values)| values);
        let moved = parameters.as_ref().map_or(shape.to_vec(), |values| vec![values.len()]);
        let (m, v) = (tensors.take_shaped("m", &moved)?, tensors.take_shaped("v", &moved)?);
        let names = match tensors.optional_metadata("columns") {
            Some(names) => columns_of(names)?,
            None if step == 0 => Vec::new(),
            None => usual_columns(&settings).iter().map(ToString::to_string).collect(),
        };
        let column = |name: String| tensors.take_shaped(&name, &[step]).map(|values| (name, values));
        let history = History::from_columns(names.into_iter().map(column).collect::<Result<Vec<_>>>()?);
        if step > settings.total_steps() as usize {
            return Err(Error::input(format!("it claims {step} steps of a run of {}", settings.total_steps())));
        }
        if let Some(at) = v.iter().position(|&x| x < 0.0) {
            return Err(Error::input(format!("tensor `v` holds squares, but is {} at index {at}", v[at])));
        }
        Ok(Self {
            class,
            settings,
            weights_sha256,
            statistics_sha256,
            input,
            adapter,
            kernels,
            shape,
            image,
            parameters,
            m,
            v,
            history,
        })
    }

    /// Checks that a run with this class, settings and network may continue from here.
    ///
    /// # Errors
    /// If not, with all differences.
    pub fn check_continues(&self, class: usize, settings: &Settings, network: &Network) -> Result<()> {
        let same_steps = Settings { steps: self.settings.steps, ..settings.clone() };
        let differences = same_steps.differences(&self.settings, "now", "in the checkpoint");
        // In advice, a single brace begins the name of a field.
        let mut differences: Vec<String> = differences.iter().map(|text| text.replace('{', "{{")).collect();
        if class != self.class {
            differences.push(format!("the class is {class} now but {} in the checkpoint", self.class));
        }
        if network.weights().sha256() != self.weights_sha256 {
            differences.push(format!("the weights are not those of the checkpoint (sha256 {})", self.weights_sha256));
        }
        let statistics = network.statistics().map(|statistics| &statistics.sha256);
        if statistics != self.statistics_sha256.as_ref() {
            let of = |sha256: Option<&String>| match sha256 {
                Some(sha256) => format!("those of sha256 {sha256}"),
                None => "none".to_owned(),
            };
            let (now, then) = (of(statistics), of(self.statistics_sha256.as_ref()));
            differences.push(format!("{{natural_statistics}} are {now} now but {then} in the checkpoint"));
        }
        let begun =
            self.input.clone().map_or_else(|| Preprocessing::of(network.weights(), network.architecture()), Ok)?;
        if *network.preprocessing() != begun {
            let now = network.preprocessing();
            differences.push(format!("the network's input is {now} now but {begun} in the checkpoint"));
        }
        if settings.total_steps() < self.step() {
            differences.push(format!("{{steps}} is {} now but {} are done", settings.steps, self.step()));
        } else if !same_schedule([settings, &same_steps], network, self.step().into()) {
            let (now, then) = (settings.steps, self.settings.steps);
            differences.push(format!(
                "{{steps}} is {now} now but {then} in the checkpoint, and the learning rate, the penalty or the network's image \
                     in the finished steps depends on it: use {{steps}} {then}"
            ));
        }
        if differences.is_empty() { Ok(()) } else { Err(Error::input("").advised(differences.join("; "))) }
    }
}

/// Whether two settings have the same sizes of images, rows of Adam and weights of terms in these first steps.
fn same_schedule(both: [&Settings; 2], network: &Network, steps: u64) -> bool {
    let [weights, others] = both.map(|settings| weights_of(settings, network));
    (0..steps).all(|step| {
        both[0].is_coarse(step) == both[1].is_coarse(step)
            && adam_row(both[0], step) == adam_row(both[1], step)
            && weights(step) == others(step)
    })
}

/// The columns of a checkpoint that does not name them.
fn usual_columns(settings: &Settings) -> &'static [&'static str] {
    if settings.objective.is_class() {
        &["loss", "loss_hf", "logit", "probability"]
    } else {
        &["loss", "loss_hf", "objective"]
    }
}

/// The names of columns from a file, which is not trusted.
fn columns_of(text: &str) -> Result<Vec<String>> {
    let names: Vec<String> =
        serde_json::from_str(text).map_err(|source| Error::input(format!("metadata `columns`: {source}")))?;
    if names.first().is_none_or(|first| first != LOSS) || names.len() > MAX_COLUMNS {
        return Err(Error::input(format!("metadata `columns` is {text}, not a list that begins with {LOSS}")));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::former_names::SETTINGS;
    use super::*;
    use crate::networks::Architecture;

    fn example() -> Checkpoint {
        let column = |x: f32| vec![x, x + 0.5];
        Checkpoint {
            class: 3,
            settings: Settings {
                steps: 5,
                lr: 0.1,
                lr_decay_fraction: 0.0,
                tv_start: 1.0,
                seed: u64::MAX,
                ..Settings::default()
            },
            weights_sha256: "ab".repeat(32),
            statistics_sha256: Some("cd".repeat(32)),
            input: Some(Preprocessing::caffe()),
            adapter: "software (1.0)".into(),
            kernels: [("3x3".to_owned(), ConvAlgorithm::Workgroup { slices: 1 })].into(),
            shape: [3, 2, 1],
            image: vec![0.1, -0.2, 1e-30, 0.4, 0.5, 7.0],
            parameters: None,
            m: vec![-1.0; 6],
            v: vec![1e-8; 6],
            history: History::from_columns(vec![
                ("loss", column(1.0)),
                ("loss_hf", column(2.0)),
                ("logit", column(3.0)),
                ("probability", column(0.0)),
            ]),
        }
    }

    #[test]
    fn bytes_round_trip_and_repeat() {
        let checkpoint = example();
        let bytes = checkpoint.to_bytes();
        assert_eq!(bytes, checkpoint.to_bytes());
        assert_eq!(Checkpoint::from_bytes(&bytes).unwrap(), checkpoint);
        let mut of_a_channel = checkpoint.clone();
        of_a_channel.settings.objective = "channel:layer1:2".parse().unwrap();
        of_a_channel.history =
            History::from_columns(["loss", "loss_hf", "objective"].map(|name| (name, vec![1.0, 2.0])).into());
        assert_eq!(Checkpoint::from_bytes(&of_a_channel.to_bytes()).unwrap(), of_a_channel);
        // The usual columns are not named, as in older checkpoints; others are.
        assert!(Tensors::from_bytes(&bytes).unwrap().optional_metadata("columns").is_none());
        let mut with_more = checkpoint.clone();
        with_more.history =
            History::from_columns(["loss", "sparsity", "logit"].map(|name| (name, vec![1.0, 2.0])).into());
        assert_eq!(Checkpoint::from_bytes(&with_more.to_bytes()).unwrap(), with_more);
        let fresh = Checkpoint { history: History::default(), input: None, ..checkpoint };
        assert_eq!(Checkpoint::from_bytes(&fresh.to_bytes()).unwrap(), fresh);
        let spectrum = Checkpoint { parameters: Some(vec![0.5; 4]), m: vec![-1.0; 4], v: vec![1e-8; 4], ..fresh };
        assert_eq!(Checkpoint::from_bytes(&spectrum.to_bytes()).unwrap(), spectrum);
    }

    #[test]
    fn one_with_former_names_of_settings_opens() {
        let mut checkpoint = example();
        (checkpoint.settings.tv_weight, checkpoint.settings.logsumexp_weight) = (0.5, 0.25);
        let bytes = checkpoint.to_bytes();
        let header = 8..8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let names = SETTINGS.iter().map(|(name, former)| (format!("\\\"{name}\\\""), format!("\\\"{former}\\\"")));
        let text = String::from_utf8(bytes[header.clone()].to_vec()).unwrap();
        let former = names.fold(text.clone(), |text, (name, former)| {
            assert!(text.contains(&name), "{name} is not in {text}");
            text.replace(&name, &former)
        });
        // A header may end in spaces.
        let former = format!("{former:<0$}", text.len());
        let older = [&bytes[..8], former.as_bytes(), &bytes[header.end..]].concat();
        assert_eq!(Checkpoint::from_bytes(&older).unwrap(), checkpoint);
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = example().to_bytes();
        for len in [0, 7, 8, 100, bytes.len() - 1] {
            assert!(Checkpoint::from_bytes(&bytes[..len]).is_err(), "{len}");
        }
        type Damage = fn(&mut Checkpoint);
        let cases: [(&str, Damage); 6] = [
            ("tensor `m` has shape [6], expected [2]", |c| c.parameters = Some(vec![0.5; 2])),
            ("tensor `m` has NaN at index 2", |c| c.m[2] = f32::NAN),
            ("tensor `v` holds squares, but is -1 at index 0", |c| c.v[0] = -1.0),
            ("tensor `logit` has shape [1], expected [2]", |c| {
                c.history = History::from_columns(
                    ["loss", "loss_hf", "logit", "probability"]
                        .map(|name| (name, vec![1.0; if name == "logit" { 1 } else { 2 }]))
                        .into(),
                );
            }),
            ("metadata `columns` is [\"x\"], not a list that begins with loss", |c| {
                c.history = History::from_columns(vec![("x", vec![])])
            }),
            ("it claims 2 steps of a run of 1", |c| c.settings.steps = 1),
        ];
        for (expected, damage) in cases {
            let mut checkpoint = example();
            damage(&mut checkpoint);
            let error = Checkpoint::from_bytes(&checkpoint.to_bytes()).unwrap_err();
            assert!(error.is_input(), "{expected}");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn only_the_same_run_continues() {
        let network = Network::generated(Architecture::InceptionV1, 8, 5, 0).unwrap();
        let weights_sha256 = network.weights().sha256().to_owned();
        let checkpoint = Checkpoint { weights_sha256, statistics_sha256: None, ..example() };
        let settings = checkpoint.settings.clone();
        checkpoint.check_continues(3, &settings, &network).unwrap();
        checkpoint.check_continues(3, &Settings { steps: 9, ..settings.clone() }, &network).unwrap();
        let refused = |class, settings: Settings, network: &Network| {
            checkpoint.check_continues(class, &settings, network).unwrap_err().to_string()
        };
        assert_eq!(refused(4, settings.clone(), &network), "the class is 4 now but 3 in the checkpoint");
        let other = Network::generated(Architecture::InceptionV1, 8, 5, 1).unwrap();
        assert!(refused(3, settings.clone(), &other).starts_with("the weights are not those of the checkpoint"));
        let other = Settings { lr: 0.2, ..settings.clone() };
        assert_eq!(refused(3, other, &network), "lr is 0.2 now but 0.1 in the checkpoint");
        assert_eq!(refused(3, Settings { steps: 1, ..settings.clone() }, &network), "`steps` is 1 now but 2 are done");
        let falling = |steps| Settings { steps, lr_decay_fraction: 1.0, ..settings.clone() };
        let decayed = Checkpoint { settings: falling(2), ..checkpoint.clone() };
        let error = decayed.check_continues(3, &falling(5), &network).unwrap_err().to_string();
        assert!(error.starts_with("`steps` is 5 now but 2 in the checkpoint, and the learning rate"), "{error}");
        let brighter =
            network.clone().with_preprocessing(Preprocessing { range: 1.0, ..Preprocessing::caffe() }).unwrap();
        let expected = "the network's input is RGB 0..1, mean 123 117 104 now but RGB 0..255, mean 123 117 104 in \
                        the checkpoint";
        assert_eq!(refused(3, settings.clone(), &brighter), expected);
        let measured = Checkpoint { statistics_sha256: Some("ab".into()), ..checkpoint.clone() };
        let error = measured.check_continues(3, &settings, &network).unwrap_err().to_string();
        assert_eq!(error, "`natural_statistics` are none now but those of sha256 ab in the checkpoint");
        // An older checkpoint without an input had that of the weights file.
        let older = Checkpoint { input: None, ..checkpoint.clone() };
        older.check_continues(3, &settings, &network).unwrap();
        assert_eq!(older.check_continues(3, &settings, &brighter).unwrap_err().to_string(), expected);
    }
}
