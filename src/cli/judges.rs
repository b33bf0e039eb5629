//! Judges on the command line: what their names mean, and what is printed about them.

use std::path::{Path, PathBuf};

use super::args::NetworkArgs;
use super::terminal::table;
use crate::Result;
use crate::analysis::judge::{ClassRow, GroupRow, JudgeRow, Recognition, Unmapped};
use crate::analysis::pairwise::Variety;
use crate::analysis::study::Interval;
use crate::lab::cache;
use crate::lab::judge::NamedJudge;
use crate::lab::run::record::WeightsRecord;
use crate::networks::{Network, embedded};

/// Judges of the prototypes of a command.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct AskArgs {
    /// Also ask another network whether it recognises the prototypes: a weights file, the name of a built-in network, or imagenet:NAME for
    /// the weights that `protogpu weights pull NAME` downloaded. Repeat it for more
    #[arg(long = "judge", value_name = "FILE|NAME|imagenet:NAME")]
    pub(super) judges: Vec<PathBuf>,
}

impl AskArgs {
    /// Opens the judges. Weights that also make the prototypes are taken as `maker` takes them.
    pub(super) fn open(&self, maker: &WeightsRecord) -> Result<Vec<NamedJudge>> {
        let open = |judge: &PathBuf| {
            let network = open(named(judge), |sha256| Ok(Some(maker.clone()).filter(|maker| maker.sha256 == sha256)))?;
            Ok(NamedJudge { name: judge.display().to_string(), network })
        };
        self.judges.iter().map(open).collect()
    }
}

/// The network that a judge's name means: downloaded weights, a built-in network unless a file has its name, or a file.
pub(super) fn named(judge: &Path) -> NetworkArgs {
    let name = judge.to_str();
    if let Some(model) = name.and_then(|name| name.strip_prefix(cache::IMAGENET)?.strip_prefix(':')) {
        let weights = Some(PathBuf::from(cache::IMAGENET));
        return NetworkArgs { weights, model: Some(model.to_owned()), ..NetworkArgs::default() };
    }
    match name.filter(|name| embedded::NAMES.contains(name) && !judge.is_file()) {
        Some(name) => NetworkArgs { model: Some(name.to_owned()), ..NetworkArgs::default() },
        None => NetworkArgs { weights: Some(judge.to_owned()), ..NetworkArgs::default() },
    }
}

/// Opens a judge. `maker` returns how the prototypes that weights of this SHA-256 made take these weights, if they made some.
pub(super) fn open(
    mut args: NetworkArgs,
    maker: impl FnOnce(&str) -> Result<Option<WeightsRecord>>,
) -> Result<Network> {
    if let Some(maker) = maker(&args.sha256()?)? {
        if args.weights.is_some() {
            args.taken.architecture = args.taken.architecture.or(Some(maker.architecture));
        }
        // The label file of an earlier run may be gone.
        let labels = maker.labels.clone().filter(|path| path.is_file());
        args = args.or_recorded(Some(&WeightsRecord { labels, ..maker }));
    }
    args.open()
}

/// Whether the judge made the prototypes itself.
pub(super) fn stranger(group: &GroupRow) -> String {
    match group.made {
        0 => String::new(),
        made if made == group.each.len() => " (made them)".to_owned(),
        made => format!(" (made {made} of {})", group.each.len()),
    }
}

/// A line for each class that a judge does not know.
pub(super) fn unmapped(group: &GroupRow) -> String {
    let line = |Unmapped { name, prototypes, reason }: &Unmapped| {
        format!("unmapped: {name} (prototypes: {prototypes}): {reason}\n")
    };
    group.unmapped.iter().map(line).collect()
}

/// How different the prototypes of each class are from each other, as a table; empty if no class has two prototypes.
pub(super) fn varieties(group: &GroupRow) -> String {
    let Some(all) = group.variety else { return String::new() };
    let figure =
        |value: Option<f64>, digits: usize| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
    let header = ["distance between images of a class", "prototypes", "photographs", "ratio"].map(str::to_owned);
    let row = |name: String, one: Variety| {
        vec![name, figure(Some(one.prototypes), 3), figure(one.photographs, 3), figure(one.ratio, 2)]
    };
    let class = |class: &ClassRow| Some(row(format!("{} {}", class.index, class.name), class.variety?));
    let classes = group.classes.iter().filter_map(class);
    let rows: Vec<Vec<String>> =
        std::iter::once(header.to_vec()).chain(classes).chain([row("all".to_owned(), all)]).collect();
    table(&rows)
}

/// A line for each judge: what it says about the prototypes of all classes.
pub(super) fn short(judges: &[JudgeRow]) -> String {
    let groups = || judges.iter().flat_map(|judge| judge.groups.iter().map(move |group| (judge, group)));
    let has_variety = groups().any(|(_, group)| group.variety.is_some());
    let header = ["judge", "images", "top 1", "top 5", "probability", "rank"].into_iter();
    let header = header.chain(has_variety.then_some("distance")).map(str::to_owned).collect();
    let row = |(judge, group): (&JudgeRow, &GroupRow)| {
        let mut row = vec![format!("{}{}", judge.weights, stranger(group))];
        match group.prototypes {
            Some(Recognition { images, top1, top5, probability, rank }) => {
                row.extend([images.to_string(), share(top1), share(top5)]);
                row.extend([format!("{probability:.3}"), format!("{rank:.1}")]);
                row.extend(group.variety.map(|variety| format!("{:.3}", variety.prototypes)));
            }
            None => row.push("0".to_owned()),
        }
        row
    };
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(groups().map(row)).collect();
    let unmapped: String = groups().map(|(_, group)| unmapped(group)).collect();
    table(&rows) + &unmapped
}

/// `80.0 % [49.0, 94.3]`
pub(super) fn share(Interval { value, low, high }: Interval) -> String {
    let [value, low, high] = [value, low, high].map(|share| share * 100.0);
    format!("{value:.1} % [{low:.1}, {high:.1}]")
}
