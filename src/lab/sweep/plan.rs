//! The plan of a sweep, checked before any work.

use super::files::{CURE, Files, PLAN_FORMAT, POINT_FORMAT, Plan, Record, differences, or_anew, write_json};
use super::grid::{self, Point};
use super::request::SweepRequest;
use crate::digest::sha256_hex;
use crate::lab::disk::check_writable;
use crate::lab::pictures::ImageFolder;
use crate::lab::run::classes::{check_wanted, classes};
use crate::lab::similarity::stream::recorded;
use crate::method::Settings;
use crate::networks::Network;
use crate::report::sweep::SweepAxis;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The settings that points change: of the preset that a point names, or of the sweep's own if it names none.
pub(crate) type Base<'a> = &'a dyn Fn(Option<&Value>) -> Result<Settings>;

/// The classes of a sweep.
///
/// # Errors
/// If a class has too few images.
pub(crate) fn classes_with_pictures(given: &[String], network: &Network, folder: &ImageFolder) -> Result<Vec<usize>> {
    let known: Vec<usize> = folder.classes().filter(|&class| folder.pictures(class).len() > 1).collect();
    let root = folder.root().display();
    let named = |class: usize| format!("{class} ({})", network.labels().name(class));
    let mut classes = match given {
        [] => known.clone(),
        given => classes(given, None, network)?,
    };
    classes.sort_unstable();
    if let Some(&class) = classes.iter().find(|class| !known.contains(class)) {
        let listed: Vec<String> = known.iter().map(|&class| named(class)).collect();
        return Err(Error::input(format!(
            "{root} needs at least two images of class {}, in a folder named {class}_{}; it has enough of {}",
            named(class),
            network.labels().slug(class),
            if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
        )));
    }
    match classes.first() {
        None => Err(Error::input(format!("no class in {root} has at least two images"))),
        Some(&class) if folder.classes().all(|other| other == class || folder.pictures(other).is_empty()) => {
            Err(Error::input(format!(
                "{root} has images of class {} only; add images of other classes to compare with",
                named(class)
            )))
        }
        _ => Ok(classes),
    }
}

impl SweepRequest<'_> {
    /// The plan, and the points of the whole grid.
    pub(crate) fn plan(&self, grid: Option<&str>, set: &[String], base: Base<'_>) -> Result<(Plan, Vec<Point>)> {
        let plain = base(None)?;
        let file = grid.map(grid::read).transpose()?.unwrap_or_default();
        let set = set.iter().map(|text| grid::set(text, &plain)).collect::<Result<Vec<SweepAxis>>>()?;
        let axes = grid::axes(file, set, base)?;
        let points = grid::points(&axes, base)?;
        if let Some(point) = points.iter().find(|point| !point.settings.objective.is_class()) {
            return Err(Error::input(format!(
                "point {} has the objective `{}`, but only a class has natural images to compare with: drop the objective",
                point.name, point.settings.objective
            )));
        }
        for point in &points {
            check_wanted(self.classes.len(), point.settings.seed, self.seeds.get().into())
                .map_err(|error| error.within(format!("{}: ", point.name)))?;
        }
        let about = self.about();
        Ok((Plan { format: PLAN_FORMAT.into(), about, base: plain.to_map(), grid: axes }, points))
    }

    /// Has no paths, because parts that different machines make must agree.
    fn about(&self) -> Map<String, Value> {
        let (network, choice) = (self.network, &self.choice);
        let class = |&class: &usize| {
            let pictures = [choice.same(class), choice.different(class)].map(|paths| recorded(choice.folder, &paths));
            let digest = sha256_hex(serde_json::to_vec(&pictures).expect("pictures are plain data"));
            let (same, different) = (pictures[0].len(), pictures[1].len());
            json!({"index": class, "name": network.labels().name(class), "same": same, "different": different,
                "pictures_sha256": digest})
        };
        let weights = network.weights();
        let about = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "network": {"architecture": network.architecture(), "classes": network.classes(), "sha256": weights.sha256(),
                "input": network.preprocessing()},
            "classes": self.classes.iter().map(class).collect::<Vec<_>>(),
            "seeds": self.seeds,
            "per_class": choice.per_class,
            "different": choice.different,
            "pictures_seed": choice.seed,
            "semantics": self.semantics,
            "over": self.over,
        });
        match about {
            Value::Object(mut map) => {
                if let Some(statistics) = network.statistics() {
                    map.insert("natural_statistics_sha256".into(), statistics.sha256.as_str().into());
                }
                map
            }
            _ => unreachable!("an object was written down"),
        }
    }

    /// Prepares the folder. Returns the record of each point that is already made.
    ///
    /// # Errors
    /// If something in the folder belongs to another sweep, unless `force` is set.
    pub(crate) fn begin(&self, files: &Files, plan: &Plan, points: &[Point]) -> Result<Vec<Option<Record>>> {
        check_writable([files.out.as_path()])?;
        let path = files.plan();
        let refuse = |path: &std::path::Path, what: Vec<String>| {
            let what = what.join(", ");
            Err(Error::input(format!("{} belongs to another sweep: {what}", path.display())).advised(CURE))
        };
        let kept = if self.force { Plan::read(&path).unwrap_or(None) } else { Plan::read(&path).map_err(or_anew)? };
        let same = kept.as_ref().is_some_and(|kept| kept.format == PLAN_FORMAT && kept.about == plan.about);
        if let Some(kept) = kept.as_ref().filter(|_| !same && !self.force) {
            return refuse(&path, differences(&plan.about, &kept.about));
        }
        let digest = plan.digest();
        let mut done = Vec::new();
        for point in points.iter() {
            let name = files.name(&point.values);
            let path = files.record(&name);
            let found = if self.force { None } else { Record::read(&path).map_err(or_anew)? };
            let settings = point.settings.to_map();
            if let Some(found) = &found {
                let mut what = differences(&settings, &found.settings);
                if found.format != POINT_FORMAT || found.plan_sha256 != digest {
                    what.push("it belongs to another plan".into());
                }
                if found.score.name != name || found.score.values != point.values {
                    what.push("it belongs to another point".into());
                }
                if !what.is_empty() {
                    return refuse(&path, what);
                }
            }
            // A point without its images is made again.
            done.push(found.filter(|found| found.pictures().all(|path| files.picture(path).is_file())));
        }
        files.begin(self.shard.is_none())?;
        if kept.as_ref() != Some(plan) {
            write_json(&path, plan)?;
        }
        Ok(done)
    }
}
