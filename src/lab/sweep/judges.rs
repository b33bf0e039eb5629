//! What judges say about the prototypes of a sweep. It is kept beside the images of each point, so that no judge is asked twice.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::files::{Files, JUDGES, POINTS, Record, or_anew, read_json, write_json};
use super::grid::Point;
use crate::analysis::judge::JudgeRow;
use crate::gpu::Context;
use crate::lab::disk::remove_leftovers;
use crate::lab::judge::{Inputs, Judges, NamedJudge, Unrecorded};
use crate::lab::observer::Observer;
use crate::lab::run::record::WeightsRecord;
use crate::labels::Labels;
use crate::report::sweep::{PointJudge, SweepJudge, SweepPoint};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The layout and version.
const FORMAT: &str = "protogpu sweep judges 1";
/// The number of points after whose judgement it is written down.
const AT_ONCE: usize = 8;

/// What judges say about a point, each with one group.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: String,
    judges: Vec<JudgeRow>,
}

/// The judges of a sweep.
pub(crate) struct SweepJudges<'a> {
    judges: Judges<'a>,
    pub(crate) named: Vec<SweepJudge>,
    files: &'a Files,
    maker: &'a WeightsRecord,
    labels: &'a Labels,
}

impl<'a> SweepJudges<'a> {
    /// The judges of prototypes of a network with these labels.
    ///
    /// # Errors
    /// If two judges are the same.
    pub(crate) fn new(
        judges: Judges<'a>,
        files: &'a Files,
        maker: &'a WeightsRecord,
        labels: &'a Labels,
    ) -> Result<Self> {
        let judge = |NamedJudge { name, network }: &NamedJudge| SweepJudge {
            name: String::new(),
            weights: name.clone(),
            sha256: network.weights().sha256().to_owned(),
            architecture: network.architecture().to_string(),
            input: network.preprocessing().clone(),
            made: network.weights().sha256() == maker.sha256,
        };
        let named: Vec<SweepJudge> = judges.judges.iter().map(judge).collect();
        for (at, judge) in named.iter().enumerate() {
            if let Some(other) = named[..at].iter().find(|other| other.sha256 == judge.sha256) {
                let (name, other) = (&judge.weights, &other.weights);
                let what = format!("the judges {other} and {name} have the same weights");
                return Err(Error::input(what).advised(": give each once with {judge}"));
            }
        }
        Ok(Self { judges, named: with_short_names(named), files, maker, labels })
    }

    /// Reads what is kept about these points, before any work.
    ///
    /// # Errors
    /// If a file is damaged.
    pub(crate) fn check(&self, points: &[Point]) -> Result<()> {
        let path = |point: &Point| path(self.files, &self.files.name(&point.values));
        let check = |point: &Point| read(&path(point)).map(|_| ()).map_err(or_anew);
        if self.named.is_empty() { Ok(()) } else { points.iter().try_for_each(check) }
    }

    /// Whether every judge has seen these points.
    pub(crate) fn have_seen<'r>(&self, mut records: impl Iterator<Item = &'r Record>) -> Result<bool> {
        let seen = |record: &Record| {
            let rows = self.kept(record)?;
            Ok(self.named.iter().all(|judge| rows.iter().any(|row| is_of(row, judge))))
        };
        records.try_fold(true, |all, record| Ok(all && seen(record)?))
    }

    /// Asks each judge about the points that it has not seen, and keeps the answers.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asked to stop, or if an image cannot be read, or the device is lost. What was kept remains.
    pub(crate) fn ask(&self, records: &[Record], context: &Context, observer: &dyn Observer) -> Result<()> {
        for (judge, named) in self.judges.judges.iter().zip(&self.named) {
            let mut unseen = Vec::new();
            for record in records {
                if !self.kept(record)?.iter().any(|row| is_of(row, named)) {
                    unseen.push(record);
                }
            }
            let judge = Judges { judges: std::slice::from_ref(judge), ..self.judges };
            for records in unseen.chunks(AT_ONCE) {
                let groups = records.iter().map(|record| self.group(record)).collect();
                let inputs = Inputs::without_records(groups, self.maker, self.labels);
                for row in judge.ask(&inputs, context, observer)? {
                    for (record, group) in records.iter().zip(&row.groups) {
                        let row = JudgeRow { groups: vec![group.clone()], ..row.clone() };
                        keep(self.files, record, [self.kept(record)?, vec![row]].concat())?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what the judges said to the points.
    pub(crate) fn fill(&self, records: &mut [Record]) -> Result<()> {
        for record in records {
            let rows = self.kept(record)?;
            fill(&mut record.score, &self.named, &rows);
        }
        Ok(())
    }

    fn kept(&self, record: &Record) -> Result<Vec<JudgeRow>> {
        if self.named.is_empty() {
            return Ok(Vec::new());
        }
        kept(self.files, record).map_err(or_anew)
    }

    /// The prototypes of a point.
    fn group(&self, record: &Record) -> (String, Vec<Unrecorded>) {
        let classes = record.score.classes.iter();
        let all = classes.flat_map(|class| class.prototypes.iter().map(move |one| (class.index, &one.picture)));
        let image = |(class, name): (usize, &String)| Unrecorded {
            name: name.clone(),
            picture: self.files.picture(name),
            class,
        };
        (record.score.name.clone(), all.map(image).collect())
    }
}

/// The judges in some rows, each once.
pub(super) fn judges_of<'r>(rows: impl Iterator<Item = &'r JudgeRow>, maker_sha256: &str) -> Vec<SweepJudge> {
    let mut judges: Vec<SweepJudge> = Vec::new();
    for row in rows {
        if !judges.iter().any(|judge| is_of(row, judge)) {
            let JudgeRow { weights, sha256, architecture, input, groups: _ } = row.clone();
            let made = sha256 == maker_sha256;
            judges.push(SweepJudge { name: String::new(), weights, sha256, architecture, input, made });
        }
    }
    with_short_names(judges)
}

/// Names the judges by their files without folder and ending if these differ, else as they were given.
fn with_short_names(judges: Vec<SweepJudge>) -> Vec<SweepJudge> {
    let short = |judge: &SweepJudge| {
        let stem = Path::new(&judge.weights).file_stem().and_then(|stem| stem.to_str());
        stem.unwrap_or(&judge.weights).to_owned()
    };
    let names: Vec<String> = judges.iter().map(short).collect();
    let differ = names.iter().collect::<HashSet<_>>().len() == names.len();
    let name = |(judge, short): (SweepJudge, String)| SweepJudge {
        name: if differ { short } else { judge.weights.clone() },
        ..judge
    };
    judges.into_iter().zip(names).map(name).collect()
}

/// Adds what judges said to a point.
pub(super) fn fill(point: &mut SweepPoint, judges: &[SweepJudge], rows: &[JudgeRow]) {
    let said = |judge: &SweepJudge| {
        let group = rows.iter().find(|row| is_of(row, judge))?.groups[0].clone();
        Some(PointJudge {
            judge: judge.name.clone(),
            prototypes: group.prototypes,
            distance: group.variety.map(|variety| variety.prototypes),
            unmapped: group.unmapped,
            each: group.each,
        })
    };
    point.judges = judges.iter().filter_map(said).collect();
}

/// What is kept in a folder of what judges said about the images of a point.
pub(super) fn kept(files: &Files, record: &Record) -> Result<Vec<JudgeRow>> {
    let judges = read(&path(files, &record.score.name))?;
    let paths: HashSet<&String> = record.pictures().collect();
    let is_whole = |row: &JudgeRow| match &row.groups[..] {
        [group] => {
            let unmapped: usize = group.unmapped.iter().map(|class| class.prototypes).sum();
            group.each.len() + unmapped == paths.len() && group.each.iter().all(|one| paths.contains(&one.folder))
        }
        _ => false,
    };
    Ok(judges.into_iter().filter(is_whole).collect())
}

/// What a file says; nothing if it does not exist.
fn read(path: &Path) -> Result<Vec<JudgeRow>> {
    match read_json(path)? {
        None => Ok(Vec::new()),
        Some(Kept { format, judges }) if format == FORMAT => Ok(judges),
        Some(Kept { format, .. }) => {
            let path = path.display();
            Err(Error::input(format!("{path}: its format is {format}, but this program reads {FORMAT}")))
        }
    }
}

/// Keeps what judges said about a point.
pub(super) fn keep(files: &Files, record: &Record, judges: Vec<JudgeRow>) -> Result<()> {
    let path = path(files, &record.score.name);
    remove_leftovers(path.parent().unwrap_or(&files.out))?;
    write_json(&path, &Kept { format: FORMAT.to_owned(), judges })
}

/// Whether two rows are of one judge.
pub(super) fn is_same(a: &JudgeRow, b: &JudgeRow) -> bool {
    (&a.sha256, &a.architecture, &a.input) == (&b.sha256, &b.architecture, &b.input)
}

/// Whether a row is what the judge said.
fn is_of(row: &JudgeRow, judge: &SweepJudge) -> bool {
    (&row.sha256, &row.architecture, &row.input) == (&judge.sha256, &judge.architecture, &judge.input)
}

fn path(files: &Files, point: &str) -> PathBuf {
    files.out.join(POINTS).join(point).join(JUDGES)
}
