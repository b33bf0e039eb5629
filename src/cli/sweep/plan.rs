//! What a sweep is to make, all of it checked before any work.

use crate::analysis::ImageFolder;
use crate::analysis::similarity::Picture;
use crate::digest::sha256_hex;
use crate::method::{Preset, Settings};
use crate::networks::Network;
use crate::report::sweep::SweepAxis;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

use super::SweepArgs;
use crate::lab::disk::check_writable;
use crate::lab::run::record::Config;
use crate::lab::similarity::choice::Choice;
use crate::lab::sweep::files::{
    CURE, Files, PLAN_FORMAT, POINT_FORMAT, Plan, Record, differences, or_anew, read_json, write_json,
};
use crate::lab::sweep::grid::{self, Point};

impl SweepArgs {
    /// The settings that a point changes: options over the file's over those of the preset.
    fn base(&self, config: Option<&Config>, preset: Option<&Value>) -> Result<Settings> {
        let named = preset.map(|name| name.as_str().unwrap_or_default().parse::<Preset>()).transpose()?;
        self.given.method.settings(named, config)
    }

    /// The classes, which must have pictures.
    pub(super) fn classes(&self, network: &Network, folder: &ImageFolder) -> Result<Vec<usize>> {
        let known: Vec<usize> = folder.classes().filter(|&class| folder.pictures(class).len() > 1).collect();
        let root = folder.root().display();
        let named = |class: usize| format!("{class} ({})", network.labels().name(class));
        let mut classes = match self.classes.as_slice() {
            [] => known.clone(),
            given => crate::lab::run::classes::classes(given, None, network)?,
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

    /// What the points have in common, and the points of the whole grid.
    pub(super) fn plan(
        &self,
        config: Option<&Config>,
        network: &Network,
        choice: &Choice<'_>,
        classes: &[usize],
    ) -> Result<(Plan, Vec<Point>)> {
        let base = self.base(config, None)?;
        let of = |preset: Option<&Value>| self.base(config, preset);
        let file = self.grid.as_ref().or(self.given.grid.as_ref());
        let file = file.map(|name| grid::read(name)).transpose()?.unwrap_or_default();
        let set = self.set.iter().map(|text| grid::set(text, &base)).collect::<Result<Vec<SweepAxis>>>()?;
        let axes = grid::axes(file, set, &of)?;
        let points = grid::points(&axes, &of)?;
        if let Some(point) = points.iter().find(|point| !point.settings.objective.is_class()) {
            return Err(Error::input(format!(
                "point {} has the objective `{}`, but only a class has natural images to compare with: drop the objective",
                point.name, point.settings.objective
            )));
        }
        for point in &points {
            crate::lab::run::classes::check_wanted(classes.len(), point.settings.seed, self.seeds.get().into())
                .map_err(|error| Error::input(format!("{}: {error}", point.name)))?;
        }
        let about = self.about(network, choice, classes);
        Ok((Plan { format: PLAN_FORMAT.into(), about, base: base.to_map(), grid: axes }, points))
    }

    /// Without paths: parts that were made on different machines are to be the same.
    fn about(&self, network: &Network, choice: &Choice<'_>, classes: &[usize]) -> Map<String, Value> {
        let class = |&class: &usize| {
            let pictures =
                [choice.same(class), choice.different(class)].map(|paths| Picture::of(choice.folder, &paths));
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
            "classes": classes.iter().map(class).collect::<Vec<_>>(),
            "seeds": self.seeds,
            "per_class": self.per_class,
            "different": self.different,
            "pictures_seed": self.pictures_seed,
            "semantics": self.semantics,
            "over": self.over,
        });
        match about {
            Value::Object(map) => map,
            _ => unreachable!("an object was written down"),
        }
    }

    /// What was made before, for each point; then the folder is begun. What does not fit is refused, or left out with `--force`.
    pub(super) fn begin(&self, files: &Files, plan: &Plan, points: &[Point]) -> Result<Vec<Option<Record>>> {
        check_writable([files.out.as_path()])?;
        let path = files.plan();
        let refuse = |path: &std::path::Path, what: Vec<String>| {
            Err(Error::input(format!("{} belongs to another sweep: {}; {CURE}", path.display(), what.join(", "))))
        };
        let kept: Option<Plan> =
            if self.force { read_json(&path).unwrap_or(None) } else { read_json(&path).map_err(or_anew)? };
        let same = kept.as_ref().is_some_and(|kept| kept.format == PLAN_FORMAT && kept.about == plan.about);
        if let Some(kept) = kept.as_ref().filter(|_| !same && !self.force) {
            return refuse(&path, differences(&plan.about, &kept.about));
        }
        let digest = plan.digest();
        let mut done = Vec::new();
        for point in points.iter() {
            let path = files.record(&point.name);
            let found: Option<Record> = if self.force { None } else { read_json(&path).map_err(or_anew)? };
            let settings = point.settings.to_map();
            if let Some(found) = &found {
                let mut what = differences(&settings, &found.settings);
                if found.format != POINT_FORMAT || found.plan_sha256 != digest {
                    what.push("it belongs to another plan".into());
                }
                if found.score.name != point.name || found.score.values != point.values {
                    what.push("it belongs to another point".into());
                }
                if !what.is_empty() {
                    return refuse(&path, what);
                }
            }
            // Without its pictures it is made again.
            done.push(found.filter(|found| found.pictures().all(|path| files.picture(path).is_file())));
        }
        files.begin(self.shard.is_none())?;
        if kept.as_ref() != Some(plan) {
            write_json(&path, plan)?;
        }
        Ok(done)
    }
}
