//! Which kernels a run computes its convolutions with.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::gpu::Context;
use crate::networks::Network;
use crate::ops::{ConvAlgorithm, ConvAlgorithms};
use crate::tuning::{Trial, TuningFile, tune};
use crate::{Error, Result};

use super::terminal::note;
use crate::lab::cache;

/// What trials are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TuneFor {
    /// For one image, whatever the batch: an image has the same bits alone and in any batch
    #[default]
    Image,
    /// For the batch at hand: faster, but an image's bits depend on its batch size
    Batch,
    /// A fixed choice of kernels
    Off,
}

/// How kernels are chosen.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct TuneArgs {
    /// Use the kernels that are fastest on this adapter, timed in the first run and kept: for one image, for the batch at
    /// hand, or off
    #[arg(
        long,
        value_name = "FOR",
        value_enum,
        env = "PROTOGPU_TUNE",
        default_value = "image",
        hide_env_values = true
    )]
    tune: TuneFor,
    /// Same as --tune off
    #[arg(long)]
    no_tune: bool,
}

impl TuneArgs {
    fn wanted(self) -> TuneFor {
        if self.no_tune { TuneFor::Off } else { self.tune }
    }

    /// The choices for a network: those of the record, if there is one; or else the fastest, tried or remembered.
    pub(crate) fn choices(
        self,
        context: &Context,
        network: &Network,
        batch: usize,
        recorded: Option<&BTreeMap<String, ConvAlgorithm>>,
        quiet: bool,
    ) -> Result<ConvAlgorithms> {
        if let Some(recorded) = recorded {
            return Ok(ConvAlgorithms::known(context.capabilities(), recorded.clone()));
        }
        let batch = match self.wanted() {
            TuneFor::Off => return Ok(ConvAlgorithms::fixed(context.capabilities())),
            TuneFor::Image => 1,
            TuneFor::Batch => batch,
        };
        let started = Instant::now();
        let mut tried = 0;
        let choices = remembered(context, network, batch, false, |_| tried += 1)?;
        if tried > 0 && !quiet {
            let seconds = started.elapsed().as_secs_f64();
            note(&format!("timed the kernels of {tried} convolutions in {seconds:.1} s and kept the fastest"));
        }
        Ok(choices)
    }
}

/// The kept choices, with trials for what they lack, which are kept as well; `anew` tries everything.
pub(crate) fn remembered(
    context: &Context,
    network: &Network,
    batch: usize,
    anew: bool,
    report: impl FnMut(&Trial),
) -> Result<ConvAlgorithms> {
    let warn = |error: &Error| note(&format!("warning: {error}; timing the kernels again"));
    let file = cache::folder().map(|folder| TuningFile::new(&folder, context, batch));
    let kept = match &file {
        Ok(file) if !anew => file.read(context).inspect_err(warn).ok(),
        _ => None,
    };
    let mut choices = kept.unwrap_or_else(|| ConvAlgorithms::fixed(context.capabilities()));
    let before = choices.clone();
    tune(context, &network.graph().fused()?, batch, &mut choices, report)?;
    if choices != before
        && let Err(error) = file.and_then(|file| file.write(&choices))
    {
        note(&format!("warning: {error}; the kernels will be timed again next time"));
    }
    Ok(choices)
}
