//! Compares the runs, and writes the report.

use std::path::{Path, PathBuf};

use super::inputs::{Inputs, Key};
use super::pictures::{Answers, answers, distance, seen};
use crate::analysis::compare::{Cell, Change, Comparison, Distance, NetworkRow, Row, RunRow, SeenBy, differing};
use crate::analysis::judge::{Recognition, Seen};
use crate::analysis::penultimate::Outputs;
use crate::gpu::Context;
use crate::lab::disk::{check_report, write_files};
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::{Tally, shown_png};
use crate::lab::run::record::WeightsRecord;
use crate::lab::top::top;
use crate::networks::Network;
use crate::report::compare_files;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The layout's name and version.
const FORMAT: &str = "protogpu compare 1";
/// The file that is written last, when the report is complete.
const REPORT: &str = "compare.json";
/// The most prototypes that the page shows.
const SHOWN: usize = 400;

/// Runs to compare.
pub(crate) struct CompareRequest<'a> {
    pub(crate) inputs: &'a Inputs,
    /// Opens the network of a record.
    pub(crate) open: &'a dyn Fn(&WeightsRecord) -> Result<Network>,
    /// Words the reason why a network cannot be opened.
    pub(crate) words: fn(&Error) -> String,
    pub(crate) batch: usize,
    pub(crate) out: &'a Path,
    /// Whether to replace an earlier report.
    pub(crate) force: bool,
}

/// The networks of the runs, with what they compute of every prototype.
struct Judges {
    rows: Vec<NetworkRow>,
    /// By network: how it sees the prototypes, by run and by class and seed.
    seen: Vec<Option<Vec<Vec<Option<SeenBy>>>>>,
    /// The outputs of the network whose features are compared.
    reference: Option<Answers>,
    /// Which prototypes were put on white.
    tally: Tally,
}

impl CompareRequest<'_> {
    /// Checks all that can be checked before any work.
    pub(crate) fn check(&self) -> Result<()> {
        check_report(self.out, REPORT, self.force)
    }

    /// Compares, and writes the report.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asked to stop; nothing is written then.
    pub(crate) fn run(&self, context: &Context, observer: &dyn Observer) -> Result<Comparison> {
        let keys = self.inputs.keys();
        let shown_rows = (SHOWN / self.inputs.runs.len()).max(1).min(keys.len());
        // Before the networks work, because a picture may be unreadable.
        let shown = keys[..shown_rows].iter().map(|key| self.pictures(key)).collect::<Result<Vec<_>>>()?;
        let judges = self.judges(&keys, context, observer)?;
        let comparison = self.comparison(&keys, judges)?;
        write_files(self.out, &compare_files(&comparison, &shown)?)?;
        Ok(comparison)
    }

    /// The pictures of a class and seed for the page, by run.
    fn pictures(&self, key: &Key) -> Result<Vec<Option<Vec<u8>>>> {
        self.inputs.runs.iter().map(|run| run.picture(key).map(|path| shown_png(&path)).transpose()).collect()
    }

    /// Shows all prototypes to each network, one network after the other.
    fn judges(&self, keys: &[Key], context: &Context, observer: &dyn Observer) -> Result<Judges> {
        let makers = self.inputs.makers();
        let prototypes: usize = self.inputs.runs.iter().map(|run| run.prototypes.len()).sum();
        let total = Some((makers.len() * prototypes) as u64);
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let mut judges = Judges { rows: Vec::new(), seen: Vec::new(), reference: None, tally: Tally::default() };
        let judged = makers.iter().try_for_each(|maker| {
            let network = (self.open)(maker);
            judges.rows.push(NetworkRow {
                weights: name(maker, &makers),
                sha256: maker.sha256.clone(),
                architecture: maker.architecture.to_string(),
                missing: network.as_ref().err().map(self.words),
            });
            let Ok(network) = network else {
                judges.seen.push(None);
                observer.tell(Event::Counted(prototypes as u64));
                return Ok(());
            };
            let answers = answers(self.inputs, keys, &network, self.batch, context, observer, &mut judges.tally)?;
            let view = |(key, outputs): (&Key, &Option<Outputs>)| {
                let logits = &outputs.as_ref()?.logits;
                let likeliest = top(logits, 1, network.labels()).remove(0).name;
                Some(SeenBy { seen: seen(key, logits, &network)?, top: likeliest })
            };
            let of_run = |outputs: &Vec<_>| keys.iter().zip(outputs).map(view).collect();
            judges.seen.push(Some(answers.iter().map(of_run).collect()));
            // The network of the last run comes last, unless an earlier run has it, too.
            let last = self.inputs.runs.last().is_some_and(|run| run.maker.sha256 == maker.sha256);
            let is_known = self.is_last_known(&judges.rows);
            if last || !is_known {
                judges.reference = Some(answers);
            }
            Ok(())
        });
        observer.tell(Event::CountingEnded);
        judged.map(|()| judges)
    }

    /// Whether the network of the last run is among these and could be opened.
    fn is_last_known(&self, rows: &[NetworkRow]) -> bool {
        let last = self.inputs.runs.last().map(|run| &run.maker.sha256);
        rows.iter().any(|row| Some(&row.sha256) == last && row.missing.is_none())
    }

    fn comparison(&self, keys: &[Key], judges: Judges) -> Result<Comparison> {
        let runs = &self.inputs.runs;
        let run = |run: &super::inputs::Run| RunRow {
            folder: run.folder.display().to_string(),
            network: judges.rows.iter().position(|row| row.sha256 == run.maker.sha256).expect("each run has a maker"),
            prototypes: run.prototypes.len(),
            missing: keys.len() - run.prototypes.len(),
            without_class: run.without_class.len(),
        };
        let recognised = |run: usize| {
            let by = |seen: &Option<Vec<Vec<Option<SeenBy>>>>| {
                let found: Vec<Seen> = seen.as_ref()?[run].iter().flatten().map(|one| one.seen).collect();
                Recognition::of(found.iter())
            };
            judges.seen.iter().map(by).collect()
        };
        let changes = (1..runs.len()).map(|to| self.change(keys, to, judges.reference.as_ref()));
        let (changes, distances): (Vec<Change>, Vec<Vec<Option<Distance>>>) =
            changes.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let cell = |at: usize, run: usize| {
            let folder = runs[run].prototypes.get(&keys[at])?.display().to_string();
            let seen = judges.seen.iter().map(|seen| seen.as_ref()?[run][at].clone()).collect();
            let distance = run.checked_sub(1).and_then(|before| distances[before][at]);
            Some(Cell { folder, seen, distance })
        };
        let row = |(at, key): (usize, &Key)| Row {
            index: key.index,
            name: key.name.clone(),
            seed: key.seed,
            cells: (0..runs.len()).map(|run| cell(at, run)).collect(),
        };
        let left_out = runs.iter().flat_map(|run| &run.without_class);
        Ok(Comparison {
            format: FORMAT.to_owned(),
            runs: runs.iter().map(run).collect(),
            differing: differing(&runs.iter().map(|run| run.settings.clone()).collect::<Vec<_>>()),
            recognised: (0..runs.len()).map(recognised).collect(),
            changes,
            rows: keys.iter().enumerate().map(row).collect(),
            settings: self.settings(),
            skipped: left_out.map(|folder| format!("{}: its objective is not a class", folder.display())).collect(),
            notes: judges.tally.note().into_iter().collect(),
            networks: judges.rows,
        })
    }

    /// From the run before `to`, with the distance of each class and seed.
    fn change(&self, keys: &[Key], to: usize, reference: Option<&Answers>) -> Result<(Change, Vec<Option<Distance>>)> {
        let runs = &self.inputs.runs;
        let outputs = |run: usize, at: usize| reference.and_then(|answers| answers[run][at].as_ref());
        let image = |run: usize, at: usize| Some((runs[run].picture(&keys[at])?, outputs(run, at)));
        let between = |a: (usize, usize), b: (usize, usize)| -> Result<Option<Distance>> {
            let both = image(a.0, a.1).zip(image(b.0, b.1));
            both.map(|((a, of_a), (b, of_b)): (_, (PathBuf, _))| distance((&a, of_a), (&b, of_b))).transpose()
        };
        let distances = (0..keys.len()).map(|at| between((to - 1, at), (to, at))).collect::<Result<Vec<_>>>()?;
        // Each prototype with the next one of its class, or of another class: as many pairs as prototypes, not their square.
        let own: Vec<usize> = (0..keys.len()).filter(|&at| runs[to].prototypes.contains_key(&keys[at])).collect();
        let yardstick = |is_same: bool| {
            let next = |&at: &usize| {
                let same = |&other: &usize| (keys[at].index == keys[other].index) == is_same && other != at;
                let (before, after): (Vec<usize>, Vec<usize>) = own.iter().filter(|&o| same(o)).partition(|&&o| o < at);
                after.first().or(before.first()).copied().map(|other| (at, other))
            };
            let pairs = own.iter().filter_map(next).map(|(at, other)| between((to, at), (to, other)));
            Ok(Distance::mean(&pairs.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect::<Vec<_>>()))
        };
        let found: Vec<Distance> = distances.iter().flatten().copied().collect();
        let change = Change {
            from: runs[to - 1].folder.display().to_string(),
            to: runs[to].folder.display().to_string(),
            pairs: found.len(),
            distance: Distance::mean(&found),
            other_seed: yardstick(true)?,
            other_class: yardstick(false)?,
        };
        Ok((change, distances))
    }

    fn settings(&self) -> Map<String, Value> {
        let folders: Vec<String> = self.inputs.runs.iter().map(|run| run.folder.display().to_string()).collect();
        [("version", json!(env!("CARGO_PKG_VERSION"))), ("runs", json!(folders))]
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}

/// The weights of a record: its file, or the name of a built-in or published network. A file that was overwritten between runs is told
/// apart by its SHA-256.
fn name(maker: &WeightsRecord, all: &[&WeightsRecord]) -> String {
    let plain = |maker: &WeightsRecord| match (&maker.path, &maker.model) {
        (Some(path), Some(model)) => format!("{}:{model}", path.display()),
        (Some(path), None) => path.display().to_string(),
        (None, model) => model.clone().unwrap_or_default(),
    };
    let name = plain(maker);
    match all.iter().filter(|other| plain(other) == name).count() {
        0 | 1 => name,
        _ => format!("{name} ({})", maker.sha256.chars().take(8).collect::<String>()),
    }
}
