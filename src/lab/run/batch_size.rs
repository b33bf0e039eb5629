//! The number of images in a batch: a given number, or as many as the adapter takes.

use std::str::FromStr;

use crate::Result;
use crate::gpu::Context;
use crate::method::objective::ResolvedObjective;
use crate::method::{MICROBATCH_IN_SOFTWARE, Session, Settings};
use crate::networks::Network;
use crate::ops::ConvAlgorithms;

/// The largest batch.
const MOST: usize = 256;
/// The most memory of a plan if adapter and system share memory, and the system does not tell how much is free.
const SHARED_BYTES: u64 = 2 << 30;

/// The size of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchSize {
    /// As many as fit, and not more than speed up the run.
    Auto,
    /// This many.
    Of(usize),
}

impl FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let size = text.parse().ok().filter(|size| (1..=MOST).contains(size));
        size.map(Self::Of).ok_or_else(|| format!("give a number from 1 to {MOST}, or auto"))
    }
}

impl BatchSize {
    /// The size of the first batch, out of `images`. An adapter with its own memory does not report its size, so a batch may turn out
    /// too large; `make_all` then halves it.
    ///
    /// # Errors
    /// If network and settings do not fit.
    pub(crate) fn of(
        self,
        images: usize,
        context: &Context,
        algorithms: &ConvAlgorithms,
        network: &Network,
        settings: &Settings,
        objective: &ResolvedObjective,
    ) -> Result<usize> {
        match self {
            Self::Of(size) => Ok(size.min(images).max(1)),
            Self::Auto => {
                let most = context.shares_memory().then(|| free_bytes().map_or(SHARED_BYTES, |free| free / 2));
                // On a software adapter, a larger batch is not faster, and its first image is done later.
                let useful = if context.is_software() { MICROBATCH_IN_SOFTWARE } else { MOST };
                largest(images.clamp(1, useful), |size| {
                    let summary = Session::summary_towards(objective, algorithms, network, settings, size)?;
                    Ok(summary.fits(context) && most.is_none_or(|most| summary.memory_bytes <= most))
                })
            }
        }
    }
}

/// The largest number up to `most` that fits. A number fits if a larger one does. At least 1, which fails later with a reason if it does
/// not fit.
fn largest(most: usize, mut fits: impl FnMut(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (1, most);
    while low < high {
        // The largest first, because it usually fits.
        let middle = if high == most { most } else { (low + high).div_ceil(2) };
        if fits(middle)? { low = middle } else { high = middle - 1 }
    }
    Ok(low)
}

/// The memory that is available to programs, if the system tells.
fn free_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    available(&text)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_or_auto() {
        assert_eq!("auto".parse(), Ok(BatchSize::Auto));
        assert_eq!("256".parse(), Ok(BatchSize::Of(256)));
        for odd in ["0", "257", "-1", "many", ""] {
            assert_eq!(odd.parse::<BatchSize>().unwrap_err(), "give a number from 1 to 256, or auto");
        }
    }

    #[test]
    fn the_largest_that_fits_is_found() {
        for most in 1..40 {
            for limit in 0..45 {
                let found = largest(most, |size| Ok(size <= limit)).unwrap();
                assert_eq!(found, limit.clamp(1, most), "{most} {limit}");
            }
        }
    }

    #[test]
    fn free_memory_is_read_from_what_linux_says() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   22000 kB\n"), Some(22_528_000));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(available("MemAvailable: x kB\n"), None);
    }

    #[test]
    fn a_batch_stays_below_what_adapters_refuse() {
        let network = crate::networks::embedded::default().unwrap();
        let (context, settings) = (Context::noop(), Settings { steps: 2, ..Settings::default() });
        let algorithms = ConvAlgorithms::fixed(context.capabilities());
        let class = settings.objective.resolve(&network).unwrap();
        let size = |images| BatchSize::Auto.of(images, &context, &algorithms, &network, &settings, &class).unwrap();
        assert_eq!((size(1), size(3)), (1, 3));
        assert!(!context.is_software() || size(MOST) == MICROBATCH_IN_SOFTWARE);
        let fits = |n| Session::summary(&algorithms, &network, &settings, n).unwrap().fits(&context);
        let most = largest(MOST, |n| Ok(fits(n))).unwrap();
        assert!((MICROBATCH_IN_SOFTWARE..MOST).contains(&most), "{most}");
        assert!(fits(most) && !fits(most + 1), "{most}");
    }
}
