//! Opening what most subcommands begin with: a network, an adapter, and what is recorded of both.

use std::path::Path;
use std::sync::Arc;

use protogpu::gpu::{AdapterInfo, Context, describe_adapter};
use protogpu::labels::Labels;
use protogpu::nets::{Network, embedded};
use protogpu::weights::Weights;
use protogpu::{Error, Result};

use super::args::{AdapterArgs, NetworkArgs};
use super::cache;
use super::run_record::{AdapterRecord, WeightsRecord};
use super::terminal::{FAILURE, note};

impl NetworkArgs {
    /// The file's network, the published one, the named embedded one, or the default, with the labels that were asked for.
    pub(crate) fn open(&self) -> Result<Network> {
        let network = match (&self.weights, &self.model) {
            (Some(_), _) if self.is_published() => {
                Network::from_weights(Weights::open(cache::imagenet(self.model())?)?)?
            }
            (Some(path), Some(name)) => {
                let path = path.display();
                return Err(Error::input(format!(
                    "--model {name} cannot be used with --weights {path}: a file's network is recognised by its tensors"
                )));
            }
            (Some(path), None) => Network::from_weights(Weights::open(path)?)?,
            (None, Some(name)) => embedded::open(name)?,
            (None, None) => embedded::default()?,
        };
        match &self.labels {
            Some(path) => network.with_labels(Labels::from_file(path)?),
            None => Ok(network),
        }
    }

    /// What a record says of the network that these options opened.
    pub(crate) fn record(&self, network: &Network) -> WeightsRecord {
        let is_named = self.weights.is_none() || self.is_published();
        WeightsRecord {
            model: is_named.then(|| self.model().to_owned()),
            path: self.weights.clone(),
            sha256: network.weights().sha256().to_owned(),
            architecture: network.architecture().to_string(),
            labels: self.labels.clone(),
        }
    }

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(embedded::NAMES[0])
    }

    /// Whether it is not a file that was named, but the published weights.
    fn is_published(&self) -> bool {
        self.weights.as_deref() == Some(Path::new(cache::IMAGENET))
    }
}

impl AdapterArgs {
    /// The adapter that was asked for, or the fastest kind there is.
    pub(crate) fn open(&self) -> Result<Context> {
        let choice = match &self.adapter {
            Some(text) => text.parse().unwrap_or_else(|never| match never {}),
            None => Default::default(),
        };
        let context = Context::new(&choice)?;
        // What the device refuses where nobody waits for the answer. wgpu's own handler would panic.
        let adapter = describe_adapter(context.info());
        context.device().on_uncaptured_error(Arc::new(move |error| {
            let error = error.to_string().replace('\n', " ");
            note(&format!("error: {adapter} refused work: {error}. Checkpoints are kept; --resume goes on"));
            std::process::exit(FAILURE.into());
        }));
        Ok(context)
    }
}

/// What a record says of an adapter.
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
