//! A sweep's points, one after the other.

use super::files::{Files, Kernels, POINT_FORMAT, Plan, Record, or_anew, read_json, write_json};
use super::grid::Point;
use super::natural::sides;
use super::request::SweepRequest;
use super::score::{Scored, Scorer};
use crate::analysis::similarity::Correlator;
use crate::gpu::{Context, describe_adapter};
use crate::lab::kernels::chosen;
use crate::lab::observer::{Note, Observer};
use crate::report::sweep::FailedPoint;
use crate::{Error, Result};

/// The results of the points.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) records: Vec<Record>,
    pub(crate) failed: Vec<FailedPoint>,
}

impl SweepRequest<'_> {
    /// Makes the points of a plan that are not `done`.
    ///
    /// # Errors
    /// If the device fails, or [`Error::Cancelled`] if the observer asked to stop; finished points are kept. Any other error belongs to
    /// its point, and the other points continue.
    pub(crate) fn make(
        &self,
        context: &Context,
        plan: &Plan,
        points: &[Point],
        done: Vec<Option<Record>>,
        observer: &dyn Observer,
    ) -> Result<Outcomes> {
        let files = Files::new(self.out);
        let adapter = describe_adapter(context.info());
        let prototypes = self.classes.len() * usize::from(self.seeds.get());
        let batch = prototypes.min(self.batch);
        let kept: Option<Kernels> = if self.force { None } else { read_json(&files.kernels()).map_err(or_anew)? };
        let kept = kept.filter(|kept| kept.adapter == adapter).map(|kept| kept.kernels);
        // The more coarse steps a point has, the more networks it shows its images to.
        let widest =
            points.iter().map(|point| &point.settings).max_by(|a, b| a.coarse_fraction.total_cmp(&b.coarse_fraction));
        let networks =
            widest.map_or_else(|| Ok(vec![self.network.clone()]), |settings| settings.networks(self.network))?;
        let algorithms = self.tune.algorithms(context, &networks, batch, kept.as_ref(), observer)?;
        let kernels = chosen(&networks, &algorithms)?;
        write_json(&files.kernels(), &Kernels { adapter: adapter.clone(), kernels })?;
        let pictures = prototypes.clamp(4, 16);
        let mut correlator = Correlator::new(context, self.network, pictures)?;
        let sides = sides(self, &mut correlator, observer)?;
        let mut scorer = Scorer {
            context,
            network: self.network,
            algorithms: &algorithms,
            correlator: &mut correlator,
            pictures,
            sides: &sides,
            seeds: self.seeds.get().into(),
            batch,
            semantics: self.semantics,
            over: self.over,
            observer,
        };
        let digest = plan.digest();
        let (mut outcomes, of) = (Outcomes::default(), points.len());
        for (at, (point, done)) in points.iter().zip(done).enumerate() {
            if let Some(record) = done {
                outcomes.records.push(record);
                continue;
            }
            let made = scorer.score(point).and_then(|Scored { score, pictures }| {
                let settings = point.settings.to_map();
                let (plan_sha256, adapter) = (digest.clone(), adapter.clone());
                let record = Record { format: POINT_FORMAT.into(), plan_sha256, settings, adapter, score };
                files.write(&record, &pictures)?;
                Ok(record)
            });
            match made {
                Ok(record) => {
                    observer.note(Note::PointMade { at: at + 1, of, score: &record.score });
                    outcomes.records.push(record);
                }
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => {
                    // Without the device, every other point would fail too.
                    if context.check_lost().is_err() {
                        let kept = format!(
                            "{}: {error}; finished points are kept, and the same command continues",
                            point.name
                        );
                        return Err(Error::Device(kept));
                    }
                    let (name, values) = (point.name.clone(), point.values.clone());
                    observer.note(Note::PointFailed { at: at + 1, of, name: &name, error: &error });
                    let error = observer.wording(&error);
                    // This may fail too, on a full disk. The table has the error in any case.
                    let _ = files.write_error(&name, &error);
                    outcomes.failed.push(FailedPoint { name, values, error });
                }
            }
        }
        Ok(outcomes)
    }
}
