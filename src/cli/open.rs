//! Opens networks and adapters, and makes their records.

use std::path::Path;
use std::sync::Arc;

use crate::gpu::{AdapterInfo, Context, describe_adapter};
use crate::labels::Labels;
use crate::networks::{Network, embedded};
use crate::weights::Weights;
use crate::{Error, Result};

use super::args::{AdapterArgs, NetworkArgs, TakenArgs};
use super::observer::tell;
use super::terminal::{FAILURE, note};
use crate::lab::cache;
use crate::lab::pipelines::Adapter;
use crate::lab::run::record::{AdapterRecord, WeightsRecord};

impl NetworkArgs {
    /// Opens the network that the options name: a file's, a published one, or an embedded one.
    pub(crate) fn open(&self) -> Result<Network> {
        let network = match (&self.weights, &self.model) {
            (Some(_), _) if self.is_published() => self.taken.open(&cache::imagenet(self.model())?)?,
            (Some(path), Some(name)) => {
                let path = path.display();
                return Err(Error::input(format!(
                    "--model {name} cannot be used with --weights {path}: a file's architecture is detected from its \
                         tensors, or set with --architecture"
                )));
            }
            (Some(path), None) => self.taken.open(path)?,
            (None, _) => self.taken.embedded(self.model())?,
        };
        match &self.labels {
            Some(path) => {
                let labels = Labels::from_file(path)?;
                for (name, indices) in labels.duplicates() {
                    let indices: Vec<String> = indices.iter().map(usize::to_string).collect();
                    note(&format!("{}: `{name}` is the name of classes {}", path.display(), indices.join(", ")));
                }
                let within = |error: Error| error.within(format!("{}: ", path.display()));
                network.with_labels(labels).map_err(within)
            }
            None => Ok(network),
        }
    }

    /// The SHA-256 of the weights, whatever network they are for.
    pub(crate) fn sha256(&self) -> Result<String> {
        let weights = match &self.weights {
            Some(_) if self.is_published() => Weights::open(&cache::imagenet(self.model())?)?,
            Some(path) => Weights::open_under(path, self.taken.key.as_deref())?,
            None => return Ok(embedded::open(self.model())?.weights().sha256().to_owned()),
        };
        Ok(weights.sha256().to_owned())
    }

    /// These options if they name a network, otherwise the network of a record.
    pub(crate) fn or_recorded(&self, recorded: Option<&WeightsRecord>) -> Self {
        let mut args = self.clone();
        let Some(recorded) = recorded else { return args };
        if args.weights.is_none() && args.model.is_none() {
            args.weights.clone_from(&recorded.path);
            args.model.clone_from(&recorded.model);
            // The architecture of a built-in network is fixed.
            if recorded.path.is_some() {
                args.taken.architecture = args.taken.architecture.or(Some(recorded.architecture));
            }
        }
        args.taken.key = args.taken.key.or_else(|| recorded.key.clone());
        args.taken.input_size = args.taken.input_size.or(recorded.image_size);
        if let Some(input) = recorded.input.clone() {
            args.taken = args.taken.or_input(input);
        }
        args.labels = args.labels.or_else(|| recorded.labels.clone());
        args
    }

    /// The record of the network that these options opened.
    pub(crate) fn record(&self, network: &Network) -> WeightsRecord {
        let is_named = self.weights.is_none() || self.is_published();
        WeightsRecord {
            model: is_named.then(|| self.model().to_owned()),
            path: self.weights.clone(),
            sha256: network.weights().sha256().to_owned(),
            architecture: network.architecture(),
            input: Some(network.preprocessing().clone()),
            key: self.taken.key.clone(),
            image_size: self.taken.input_size,
            labels: self.labels.clone(),
            notes: all_notes(network),
        }
    }

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(embedded::NAMES[0])
    }

    /// Whether `--weights` names the published weights rather than a file.
    fn is_published(&self) -> bool {
        self.weights.as_deref() == Some(Path::new(cache::IMAGENET))
    }
}

impl TakenArgs {
    /// Opens the network in a file.
    pub(crate) fn open(&self, path: &Path) -> Result<Network> {
        let weights = Weights::open_under(path, self.key.as_deref())?;
        let notes = weights.notes().to_vec();
        let say = |notes: &[String]| notes.iter().for_each(|text| note(&format!("{}: {text}", path.display())));
        match self.built(weights) {
            Ok(network) => {
                say(&all_notes(&network));
                Ok(network)
            }
            Err(error) => {
                say(&notes);
                Err(error)
            }
        }
    }

    fn built(&self, weights: Weights) -> Result<Network> {
        let weights = match self.input_size {
            Some(size) => weights.with_image_size(size),
            None => weights,
        };
        self.expecting(match self.architecture {
            Some(architecture) => Network::from_weights_as(weights, architecture)?,
            None => Network::from_weights(weights)?,
        })
    }

    /// Opens an embedded network.
    fn embedded(&self, name: &str) -> Result<Network> {
        if !embedded::NAMES.contains(&name) {
            let (name, names) = (name.escape_debug(), embedded::NAMES.join(", "));
            return Err(Error::input(format!(
                "there is no built-in network `{name}`, only {names}; `protogpu models` lists these and those to download"
            )));
        }
        self.refuse_options_of_files(&format!("the embedded {name}"))?;
        self.expecting(match self.input_size {
            Some(size) => Network::from_weights(embedded::weights(name)?.with_image_size(size))?,
            None => embedded::open(name)?,
        })
    }

    /// Refuses `--architecture` and `--key` without a file.
    pub(crate) fn refuse_options_of_files(&self, what: &str) -> Result<()> {
        let architecture = self.architecture.map(|architecture| format!("--architecture {architecture}"));
        let key = self.key.as_ref().map(|key| format!("--key {key}"));
        let Some(option) = architecture.or(key) else { return Ok(()) };
        Err(Error::input(format!("{option} describes a file, but {what} is not a file: leave it out, or name a file")))
    }

    /// The network, with the given options in place of its own input.
    pub(crate) fn expecting(&self, network: Network) -> Result<Network> {
        let Self { input_range, input_mean, input_std, transform_input, .. } = self;
        if input_range.is_none() && input_mean.is_none() && input_std.is_none() && transform_input.is_none() {
            return Ok(network);
        }
        let input = self.over(network.preprocessing().clone());
        network.with_preprocessing(input)
    }
}

impl AdapterArgs {
    /// Opens the adapter of `--adapter`, or one of the fastest kind.
    pub(crate) fn open(&self) -> Result<Adapter> {
        let choice = match &self.adapter {
            Some(text) => text.parse().unwrap_or_else(|never| match never {}),
            None => Default::default(),
        };
        let context = Context::new(&choice)?;
        // For device errors that no call receives. wgpu's own handler would panic.
        let adapter = describe_adapter(context.info());
        context.device().on_uncaptured_error(Arc::new(move |error| {
            let error = error.to_string().replace('\n', " ");
            note(&format!("error: {adapter} refused work: {error}. --resume continues from the checkpoints"));
            std::process::exit(FAILURE.into());
        }));
        let keep = std::env::var_os("PROTOGPU_PIPELINES").is_none_or(|value| value != "off");
        Ok(Adapter::new(context, keep, |note| tell(note, false)))
    }
}

/// What was left out of a network's file, translated or assumed.
pub(crate) fn all_notes(network: &Network) -> Vec<String> {
    [network.weights().notes(), &network.notes()].concat()
}

/// The record of an adapter.
pub(crate) fn adapter_record(info: &AdapterInfo) -> AdapterRecord {
    AdapterRecord {
        description: describe_adapter(info),
        name: info.name.clone(),
        device_type: format!("{:?}", info.device_type),
        backend: info.backend.to_string(),
        driver: info.driver.clone(),
        driver_info: info.driver_info.clone(),
    }
}
