//! Which kernels compute the convolutions of a network.

use std::collections::BTreeMap;
use std::time::Instant;

use super::cache;
use super::observer::{Note, Observer};
use crate::gpu::Context;
use crate::networks::Network;
use crate::ops::{ConvAlgorithm, ConvAlgorithms};
use crate::tuning::{Trial, TuningFile, tune};
use crate::{Error, Result};

/// What trials optimise for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TuneFor {
    /// For one image, whatever the batch: an image has the same bits alone and in any batch.
    #[default]
    Image,
    /// For the run's batch: faster, but an image's bits depend on its batch size.
    Batch,
    /// A fixed choice of kernels.
    Off,
}

impl TuneFor {
    /// The algorithms for some networks: those of a record if there is one, otherwise the fastest, timed now or earlier.
    pub(crate) fn algorithms(
        self,
        context: &Context,
        networks: &[Network],
        batch: usize,
        recorded: Option<&BTreeMap<String, ConvAlgorithm>>,
        observer: &dyn Observer,
    ) -> Result<ConvAlgorithms> {
        if let Some(recorded) = recorded {
            return Ok(ConvAlgorithms::known(context.capabilities(), recorded.clone()));
        }
        let batch = match self {
            Self::Off => return Ok(ConvAlgorithms::fixed(context.capabilities())),
            Self::Image => 1,
            Self::Batch => batch,
        };
        let (started, mut convolutions) = (Instant::now(), 0);
        let algorithms = remembered(context, networks, batch, false, observer, |_| convolutions += 1)?;
        if convolutions > 0 {
            observer.note(Note::KernelsTried { convolutions, seconds: started.elapsed().as_secs_f64() });
        }
        Ok(algorithms)
    }
}

/// The kept algorithms. Trials add what is missing, and their results are kept too. `anew` times everything again.
pub(crate) fn remembered(
    context: &Context,
    networks: &[Network],
    batch: usize,
    anew: bool,
    observer: &dyn Observer,
    mut report: impl FnMut(&Trial),
) -> Result<ConvAlgorithms> {
    let warn = |error: &Error| observer.note(Note::KernelsUnusable(error));
    let file = cache::folder().map(|folder| TuningFile::new(&folder, context, batch));
    let kept = match &file {
        Ok(file) if !anew => file.read(context).inspect_err(warn).ok(),
        _ => None,
    };
    let mut algorithms = kept.unwrap_or_else(|| ConvAlgorithms::fixed(context.capabilities()));
    let before = algorithms.clone();
    for network in networks {
        tune(context, &network.graph().fused()?, batch, &mut algorithms, &mut report)?;
    }
    if algorithms != before
        && let Err(error) = file.and_then(|file| file.write(&algorithms))
    {
        observer.note(Note::KernelsNotKept(&error));
    }
    Ok(algorithms)
}

/// The algorithm for each direction of each convolution of some networks, for a record from which a run is repeated.
pub(crate) fn chosen(networks: &[Network], algorithms: &ConvAlgorithms) -> Result<BTreeMap<String, ConvAlgorithm>> {
    let mut all = BTreeMap::new();
    for network in networks {
        all.extend(network.graph().fused()?.chosen(algorithms));
    }
    Ok(all)
}
