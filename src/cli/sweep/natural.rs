//! The natural side of a sweep, made once for all points.

use crate::Result;
use crate::analysis::similarity::Observer;
use crate::networks::Network;

use super::SweepArgs;
use super::score::Side;
use crate::cli::interrupt;
use crate::cli::progress::Counting;
use crate::lab::similarity::choice::Choice;
use crate::lab::similarity::natural::Naturals;
use crate::lab::sweep::files::Files;

impl SweepArgs {
    /// Every class's, from the folder of means or from its pictures; none if the user asked to stop.
    pub(super) fn sides(
        &self,
        files: &Files,
        network: &Network,
        choice: &Choice<'_>,
        classes: &[usize],
        observer: &mut Observer,
    ) -> Result<Option<Vec<Side>>> {
        let kept = self.means.clone().unwrap_or_else(|| files.out.join("means"));
        let naturals = Naturals { network, choice, kept: &kept, given: &[], force: self.force };
        let pictures = |&class: &usize| 2 * choice.same(class).len() + choice.different(class).len();
        let bar = Counting::new("pictures", classes.iter().map(pictures).sum::<usize>() as u64, self.show.quiet);
        let mut sides = Vec::new();
        for &class in classes {
            let mut progress = |count: usize| {
                bar.add(count as u64);
                interrupt::go_on()
            };
            let natural = naturals.of(class, observer, &mut progress);
            if interrupt::requested() {
                bar.end();
                self.note(&format!("stopped; {} keeps the means, and the same command continues", kept.display()));
                return Ok(None);
            }
            let natural = natural?;
            for reason in &natural.skipped {
                self.note(&format!("skipped: {reason}"));
            }
            let ranks = natural.mean.ranks(observer.layers())?;
            sides.push(Side { class, ranks, same: natural.same, different: natural.different });
        }
        bar.end();
        Ok(Some(sides))
    }
}
