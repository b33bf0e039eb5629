//! What a run should make: classes, or other objectives.

use std::path::Path;

use crate::Result;
use crate::bounded::read_at_most;
use crate::method::objective::ResolvedObjective;
use crate::method::{Objective, Settings};
use crate::networks::Network;

use super::classes::classes;
use super::record::{ClassRecord, Config};

/// Larger files are not directions: one with 2,048 channels has 8 KiB.
const MAX_DIRECTION_BYTES: u64 = 1 << 20;

/// What one prototype maximises.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The class, which also keys the random draws; class 0 for other objectives.
    pub(crate) class: usize,
    pub(crate) objective: Objective,
    /// The objective's terms in the network.
    pub(crate) resolved: ResolvedObjective,
    /// The class's name, or the objective.
    pub(crate) name: String,
    /// The name of its folder without the seed.
    pub(crate) slug: String,
}

/// The classes or objectives that were given, else those of the settings or the record, else the default of a built-in network. Each
/// once.
pub(crate) fn requests(
    given: &[String],
    objectives: &[Objective],
    settings: &Settings,
    config: Option<&Config>,
    network: &Network,
) -> Result<Vec<Request>> {
    let of_class = |class| Request::of_class(class, network);
    let objectives = match (given.is_empty(), objectives) {
        (true, []) => std::slice::from_ref(&settings.objective),
        (true, objectives) => objectives,
        (false, _) => &[],
    };
    if objectives.iter().all(Objective::is_class) {
        return classes(given, config, network)?.into_iter().map(of_class).collect();
    }
    let mut requests: Vec<Request> = Vec::new();
    for objective in objectives {
        // With a log-sum-exp in the loss, a class is more than its logit.
        let request = match objective.lone_class(network)?.filter(|_| settings.logsumexp_weight == 0.0) {
            Some(class) => of_class(class)?,
            None => Request::of_objective(objective, network)?,
        };
        if requests.iter().all(|other| !request.is(other)) {
            requests.push(request);
        }
    }
    Ok(requests)
}

impl Request {
    /// A request for a class.
    pub(crate) fn of_class(class: usize, network: &Network) -> Result<Self> {
        let (labels, objective) = (network.labels(), Objective::class());
        let resolved = objective.resolve(network)?;
        let slug = format!("{class}_{}", labels.slug(class));
        Ok(Self { class, objective, resolved, name: labels.name(class).to_owned(), slug })
    }

    fn of_objective(objective: &Objective, network: &Network) -> Result<Self> {
        let read = |path: &Path| read_at_most(path, MAX_DIRECTION_BYTES, "direction");
        let objective = objective.with_files(read)?;
        let resolved = objective.resolve(network)?;
        Ok(Self { class: 0, name: objective.to_string(), slug: objective.slug(), objective, resolved })
    }

    /// Whether two are the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.class, &self.objective) == (other.class, &other.objective)
    }

    /// The class, if the objective is a class.
    pub(crate) fn class(&self) -> Option<ClassRecord> {
        self.resolved.is_class().then(|| ClassRecord { index: self.class, name: self.name.clone() })
    }

    /// The settings of a run with this objective.
    pub(crate) fn settings(&self, settings: &Settings) -> Settings {
        Settings { objective: self.objective.clone(), ..settings.clone() }
    }

    /// As errors name it: `class 3 (moth)`, or the objective.
    pub(crate) fn long_title(&self) -> String {
        match self.class() {
            Some(class) => format!("class {} ({})", class.index, class.name),
            None => self.name.clone(),
        }
    }

    /// As notes and reports name it: `moth (3)`, or the objective.
    pub(crate) fn title(&self) -> String {
        match self.class() {
            Some(class) => format!("{} ({})", class.name, class.index),
            None => self.name.clone(),
        }
    }
}
