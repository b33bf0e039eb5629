//! Merges the parts of a sweep.

use std::path::{Path, PathBuf};

use crate::analysis::judge::JudgeRow;
use crate::bounded::{if_there, read_text_at_most};
use crate::report::sweep::{FailedPoint, SweepJudge};
use crate::{Error, Result};
use serde_json::{Map, Value};

use super::files::{
    Files, PLAN, PLAN_FORMAT, POINT_FORMAT, POINTS, Plan, Record, differences, read_picture, write_json,
};
use super::grid::{self, PRESET};
use super::judges::{fill, is_same, judges_of, keep, kept};
use super::make::Outcomes;
use crate::lab::disk::check_writable;

/// The most points that an error names.
const LISTED: usize = 5;
/// The longest reason for a failure that is read.
const MAX_ERROR_BYTES: u64 = 1 << 16;

/// The parts of a sweep, to be merged.
pub(crate) struct Merge<'a> {
    /// Their folders.
    pub(crate) parts: &'a [PathBuf],
    /// The folder of the result.
    pub(crate) out: &'a Path,
    /// Whether to replace another sweep in that folder.
    pub(crate) force: bool,
}

/// What the parts contain together.
pub(crate) struct Merged {
    pub(crate) plan: Plan,
    pub(crate) outcomes: Outcomes,
    pub(crate) judges: Vec<SweepJudge>,
}

/// A point in the parts.
enum Found<'a> {
    Finished(&'a Files, Box<Record>),
    Failed(String),
    Nothing,
}

impl Merge<'_> {
    /// Checks everything, then copies the points. The caller writes the table, of which `check` gets the judges and whether there are several
    /// prototypes of a class before anything is written.
    pub(crate) fn run(&self, check: impl FnOnce(&[SweepJudge], bool) -> Result<()>) -> Result<Merged> {
        let parts: Vec<Files> = self.parts.iter().map(|part| Files::new(part)).collect();
        let plan = self.plan(&parts)?;
        let mut found = Vec::new();
        for values in grid::combinations(&plan.grid)? {
            let name = grid::name(&values);
            found.push((of(&values, &plan, &parts)?, name, values));
        }
        refuse_missing(found.iter().filter(|(found, ..)| matches!(found, Found::Nothing)).map(|found| &found.1))?;
        let mut said = Vec::new();
        for (found, ..) in &found {
            said.push(if let Found::Finished(_, record) = found { said_of(&parts, record)? } else { Vec::new() });
        }
        let maker = plan.about.get("network").and_then(|network| network["sha256"].as_str());
        let judges = judges_of(said.iter().flatten(), maker.unwrap_or_default());
        check(&judges, plan.has_seeds())?;
        let out = Files::new(self.out);
        self.check_out(&out, &plan)?;
        out.begin(true)?;
        write_json(&out.plan(), &plan)?;
        let mut outcomes = Outcomes::default();
        for ((found, name, values), said) in found.into_iter().zip(said) {
            match found {
                Found::Finished(part, mut record) => {
                    out.write(&record, &pictures(part, &record)?)?;
                    fill(&mut record.score, &judges, &said);
                    if !said.is_empty() {
                        keep(&out, &record, said)?;
                    }
                    outcomes.records.push(*record);
                }
                Found::Failed(error) => {
                    out.write_error(&name, &error)?;
                    outcomes.failed.push(FailedPoint { name, values, error });
                }
                Found::Nothing => unreachable!("refused above"),
            }
        }
        Ok(Merged { plan, outcomes, judges })
    }

    /// The plan of the parts, which must be the same in all.
    fn plan(&self, parts: &[Files]) -> Result<Plan> {
        let mut first: Option<(PathBuf, Plan)> = None;
        for part in parts {
            let path = part.plan();
            let Some(plan) = Plan::read(&path)? else {
                return Err(Error::input(format!("{} is not a sweep's folder: it has no {PLAN}", part.out.display())));
            };
            if plan.format != PLAN_FORMAT {
                let (path, format) = (path.display(), plan.format);
                return Err(Error::input(format!(
                    "{path}: its format is {format}, but this program reads {PLAN_FORMAT}"
                )));
            }
            match &first {
                None => first = Some((path, plan)),
                Some((other, first)) => {
                    let mut what = differences(&plan.about, &first.about);
                    what.extend(differences(&plan.base, &first.base));
                    what.extend(differences(&axes(&plan), &axes(first)));
                    if what.is_empty() && plan != *first {
                        what.push("the grid's settings are in another order".into());
                    }
                    if !what.is_empty() {
                        let (path, other, what) = (path.display(), other.display(), what.join(", "));
                        return Err(Error::input(format!("{path} and {other} are not parts of one sweep: {what}")));
                    }
                }
            }
        }
        first.map(|first| first.1).ok_or_else(|| Error::input("there are no parts to merge"))
    }

    /// Checks that the folder of the result has no other sweep.
    fn check_out(&self, out: &Files, plan: &Plan) -> Result<()> {
        check_writable([self.out])?;
        let there: Option<Plan> = if self.force { None } else { Plan::read(&out.plan())? };
        match there {
            Some(there) if there != *plan => {
                Err(Error::input(format!("{} belongs to another sweep", out.plan().display()))
                    .advised(": choose another {out}, or replace it with {force}"))
            }
            _ => Ok(()),
        }
    }
}

/// The grid as a map, for comparisons.
fn axes(plan: &Plan) -> Map<String, Value> {
    plan.grid.iter().map(|axis| (axis.setting.clone(), Value::from(axis.values.clone()))).collect()
}

/// Finds a point in the parts. Several parts may have it if they agree.
fn of<'a>(values: &Map<String, Value>, plan: &Plan, parts: &'a [Files]) -> Result<Found<'a>> {
    let mut made: Option<(&Files, Record)> = None;
    let mut failed = None;
    for part in parts {
        let name = part.name(values);
        let path = part.record(&name);
        let Some(record) = Record::read(&path)? else {
            failed = failed.or(read_error(&part.error(&name))?);
            continue;
        };
        check(&record, &name, values, plan).map_err(|what| Error::input(format!("{}: {what}", path.display())))?;
        match &made {
            Some((other, first)) if *first != record => {
                let other = other.record(&first.score.name);
                let (path, other) = (path.display(), other.display());
                return Err(Error::input(format!("{path} and {other} differ: leave out the part that is wrong")));
            }
            Some(_) => {}
            None => made = Some((part, record)),
        }
    }
    Ok(match (made, failed) {
        (Some((part, record)), _) => Found::Finished(part, Box::new(record)),
        (None, Some(error)) => Found::Failed(error),
        (None, None) => Found::Nothing,
    })
}

/// What the judges of all parts said about a point, each judge once.
fn said_of(parts: &[Files], record: &Record) -> Result<Vec<JudgeRow>> {
    let mut said: Vec<JudgeRow> = Vec::new();
    for part in parts {
        for row in kept(part, record)? {
            if !said.iter().any(|other| is_same(other, &row)) {
                said.push(row);
            }
        }
    }
    Ok(said)
}

/// Checks that a record belongs to this point of this plan.
fn check(record: &Record, name: &str, values: &Map<String, Value>, plan: &Plan) -> std::result::Result<(), String> {
    if record.format != POINT_FORMAT || record.plan_sha256 != plan.digest() {
        return Err("it belongs to another sweep".into());
    }
    let mut expected = plan.base.clone();
    expected.extend(values.clone());
    // A point with its own preset has other settings, which the plan does not list.
    let differing = if values.contains_key(PRESET) { Vec::new() } else { differences(&record.settings, &expected) };
    if record.score.name != *name || record.score.values != *values || !differing.is_empty() {
        let what: String = differing.iter().map(|what| format!(": {what}")).collect();
        return Err(format!("it belongs to another point or was made with other settings{what}"));
    }
    let inside = format!("{POINTS}/{name}/");
    let is_inside = |path: &str| {
        path.strip_prefix(&inside).is_some_and(|file| !file.starts_with('.') && !file.contains(['/', '\\', ':']))
    };
    match record.pictures().find(|path| !is_inside(path)) {
        Some(path) => Err(format!("the image {path:?} is not in {inside}")),
        None => Ok(()),
    }
}

fn read_error(path: &Path) -> Result<Option<String>> {
    if_there(read_text_at_most(path, MAX_ERROR_BYTES, "error"))
}

fn refuse_missing<'a>(missing: impl Iterator<Item = &'a String>) -> Result<()> {
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let listed = missing.iter().take(LISTED).copied().collect::<Vec<_>>().join("; ");
    let more = missing.len().saturating_sub(LISTED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(Error::input(format!(
        "the parts lack {} of the grid's points ({listed}{more}): make them with `protogpu sweep`, or add the parts that \
             have them",
        missing.len()
    )))
}

/// The images of a point, by path.
fn pictures(part: &Files, record: &Record) -> Result<Vec<(String, Vec<u8>)>> {
    let read = |path: &String| {
        let file = part.picture(path);
        let bytes = read_picture(&file)?;
        bytes.map(|bytes| (path.clone(), bytes)).ok_or_else(|| {
            Error::input(format!(
                "{} is missing, although its point is finished: the same `protogpu sweep` makes it again",
                file.display()
            ))
        })
    };
    record.pictures().map(read).collect()
}
