//! `protogpu similarity`: how close prototypes are to natural pictures, layer by layer.

mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::analysis::ImageFolder;
use crate::analysis::similarity::{
    ClassSimilarity, Layers, Likely, MeanActivations, Observed, Observer, Over, Scores, Targets,
};
use crate::networks::{Network, Semantics};
use crate::{Error, Result};

use super::args::{AdapterArgs, NetworkArgs};
use super::interrupt;
use super::progress::Counting;
use super::terminal::{INTERRUPTED, note};
use crate::lab::disk::{check_report, remove_leftovers};
use crate::lab::similarity::choice::Choice;
use crate::lab::similarity::inputs::{
    Control, GivenControl, Pixels, Prototype, controls, find, given_controls, prototypes, recorded,
};
use crate::lab::similarity::natural::{Natural, Naturals, read_mean};
use crate::lab::top::top;

/// What the report is called when it is complete; written last.
const REPORT: &str = "similarity.json";
/// Classes that are shown for each prototype.
const TOP: usize = 5;

/// Measure how similar prototypes are to natural images, layer by layer
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::SIMILARITY)]
pub(crate) struct SimilarityArgs {
    /// Prototype folders of `protogpu run`, or folders that contain such folders
    #[arg(long = "prototype", value_name = "FOLDER", required = true, num_args = 1..)]
    prototypes: Vec<PathBuf>,
    /// Natural images, one folder per class, named by the class's index, WordNet id or name
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The folder for the report
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Images of a class to average, and to compare with the mean
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    per_class: u32,
    /// Images of other classes to compare [default: as many as of the class]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    different: Option<u32>,
    /// Seed that selects the images and draws the noise
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Compare each image of the class with the mean of the others
    #[arg(long)]
    leave_one_out: bool,
    /// What a hook on a layer keeps: a copy of its output, or a reference that later in-place operations overwrite
    #[arg(long, value_name = "HOW", default_value = "snapshot")]
    semantics: Semantics,
    /// Average over module `names`, as in the paper, or over distinct `tensors`
    #[arg(long, value_name = "HOW", default_value = "names")]
    over: Over,
    /// How the network sees the prototypes' pixels
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Pixels::Float)]
    pixels: Pixels,
    /// Add a control: an image, or a folder with a prototype of every class, such as another method's; repeat it for more
    #[arg(long = "control", value_name = "NAME=PATH")]
    controls: Vec<String>,
    /// Use a class's mean activations from `protogpu activations mean` instead of computing them; repeat it for more
    #[arg(long = "mean", value_name = "FILE")]
    mean: Vec<PathBuf>,
    /// Folder that keeps means and correlations of natural images for the next run [default: OUT/means]
    #[arg(long, value_name = "DIR")]
    means: Option<PathBuf>,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    /// Replace an earlier report, and kept means that do not fit
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print similarity.json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl SimilarityArgs {
    /// Measures, and writes the report.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let found = find(&self.prototypes)?;
        let record = recorded(&found[0].0, &found[0].1)?;
        let network_args = self.network.or_recorded(Some(&record.weights));
        let network = network_args.open()?;
        let prototypes: Vec<(usize, Vec<Prototype>)> = prototypes(&found, &network, self.pixels)?.into_iter().collect();
        let classes: Vec<usize> = prototypes.iter().map(|(class, _)| *class).collect();
        let given = given_controls(&self.controls, &classes, &network, self.pixels)?;
        let folder = ImageFolder::open(&self.images, network.labels())?;
        self.check(&folder, &prototypes, &network)?;
        let context = self.adapter.open()?;
        let mut observer = Observer::new(&context, &network, self.batch.into())?;
        let means = self.given_means(&network, &observer)?;
        interrupt::listen()?;
        let choice = Choice {
            folder: &folder,
            per_class: self.per_class as usize,
            different: self.different.map(|n| n as usize),
            seed: self.seed,
            leave_one_out: self.leave_one_out,
        };
        let own = self.out.join("means");
        for folder in [&self.out, &own, &self.out.join("plots")] {
            remove_leftovers(folder)?;
        }
        let kept = self.means.clone().unwrap_or(own);
        let naturals = Naturals { network: &network, choice: &choice, kept: &kept, given: &means, force: self.force };
        let bar = Counting::new("pictures", self.pictures(&choice, &prototypes), self.quiet);
        let mut measured = Vec::new();
        for (class, prototypes) in prototypes {
            let mut progress = |count: usize| {
                bar.add(count as u64);
                interrupt::go_on()
            };
            let natural = match naturals.of(class, &mut observer, &mut progress) {
                Err(_) if interrupt::requested() => {
                    bar.end();
                    note(&format!(
                        "stopped; {} keeps what is finished, and the same command continues",
                        kept.display()
                    ));
                    return Ok(INTERRUPTED.into());
                }
                other => other?,
            };
            measured.push(self.measure(class, prototypes, natural, &mut observer, &given)?);
        }
        bar.end();
        let similarity = self.similarity(&measured, observer.layers(), &network, &folder);
        self.write(&similarity, &measured, observer.side())
    }

    /// All that can be found out before any work.
    fn check(&self, folder: &ImageFolder, prototypes: &[(usize, Vec<Prototype>)], network: &Network) -> Result<()> {
        for (class, _) in prototypes {
            let (root, name) = (self.images.display(), network.labels().name(*class));
            let count = folder.pictures(*class).len();
            if count < 2 {
                let found = if count == 0 { "no image" } else { "only one image" };
                return Err(Error::input(format!(
                    "{root} has {found} of class {class} ({name}), but its prototype needs at least two, in a folder named \
                         {class}_{}",
                    network.labels().slug(*class)
                )));
            }
            if folder.classes().all(|other| other == *class || folder.pictures(other).is_empty()) {
                return Err(Error::input(format!(
                    "{root} has images of {name} only; add images of other classes to compare with"
                )));
            }
        }
        check_report(&self.out, REPORT, self.force)
    }

    fn given_means(&self, network: &Network, observer: &Observer) -> Result<Vec<(PathBuf, MeanActivations)>> {
        let read = |path: &PathBuf| Ok((path.clone(), read_mean(path, network, observer)?));
        self.mean.iter().map(read).collect()
    }

    /// How many pictures go through the network if nothing is kept from before.
    fn pictures(&self, choice: &Choice<'_>, prototypes: &[(usize, Vec<Prototype>)]) -> u64 {
        let passes = if self.leave_one_out { 2 } else { 1 };
        let of = |(class, _): &(usize, Vec<Prototype>)| {
            (1 + passes) * choice.same(*class).len() + choice.different(*class).len()
        };
        prototypes.iter().map(of).sum::<usize>() as u64
    }

    /// The prototypes and controls of a class.
    fn measure(
        &self,
        class: usize,
        prototypes: Vec<Prototype>,
        mut natural: Natural,
        observer: &mut Observer,
        given: &[GivenControl],
    ) -> Result<Measured> {
        let ranks = natural.mean.ranks(observer.layers())?;
        let targets = Targets::Mean(&ranks);
        let controls = controls(class, self.seed, &natural.mean.pixels, observer.side(), given);
        let pixels: Vec<&[f32]> = prototypes
            .iter()
            .map(|p| p.pixels.as_slice())
            .chain(controls.iter().map(|c| c.pixels.as_slice()))
            .collect();
        let mut observed = Vec::new();
        for batch in pixels.chunks(self.batch.into()) {
            observed.extend(observer.correlate(&batch.concat(), &targets)?);
        }
        // Tens of megabytes a class, which are not needed any more.
        natural.mean.means = Vec::new();
        Ok(Measured { class, prototypes, controls, natural, observed })
    }
}

/// A class, with everything that was measured of it.
struct Measured {
    class: usize,
    prototypes: Vec<Prototype>,
    controls: Vec<Control>,
    natural: Natural,
    /// Of the prototypes, then of the controls.
    observed: Vec<Observed>,
}

impl Measured {
    /// The class's row.
    fn class(&self, network: &Network, layers: &Layers, semantics: Semantics, over: Over) -> ClassSimilarity {
        let (prototypes, controls) = self.observed.split_at(self.prototypes.len());
        let correlations = |observed: &[Observed]| observed.iter().map(|one| one.correlations.clone()).collect();
        let named = |(control, seen): (&Control, &Observed)| (control.name.clone(), seen.correlations.clone());
        let scores = Scores {
            prototypes: correlations(prototypes),
            same: self.natural.same.clone(),
            different: self.natural.different.clone(),
            controls: self.controls.iter().zip(controls).map(named).collect(),
        };
        let mut row = scores.class(self.class, network.labels().name(self.class), layers, semantics, over);
        row.pictures.mean = self.natural.mean.pictures.len();
        for ((one, prototype), seen) in row.prototypes.iter_mut().zip(&self.prototypes).zip(prototypes) {
            one.folder = prototype.folder.display().to_string();
            one.seed = prototype.seed;
            one.top = top(&seen.logits, TOP, network.labels()).into_iter().map(Likely::from).collect();
        }
        row
    }
}
