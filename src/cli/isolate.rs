//! `protogpu isolate`: the smallest region of an image that keeps a class.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::args::{EngineArgs, PrintArgs};
use super::observer::Terminal;
use super::terminal::table;
use super::work::{NOTHING_WRITTEN, print_report, work};
use crate::Result;
use crate::analysis::isolate::{Comparison, Isolations};
use crate::analysis::study::Interval;
use crate::gpu::Context;
use crate::lab::isolate::{Background, Classes, Inputs, IsolateRequest};
use crate::lab::pictures::ImageFolder;
use crate::lab::similarity::choice::Choice;
use crate::method::isolation::IsolationSettings;

/// The rows of the summary.
const LISTED: usize = 40;

/// Find the smallest region of a photograph or prototype that keeps a class
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::ISOLATE)]
#[command(group = clap::ArgGroup::new("inputs").required(true).multiple(true).args(["image", "prototypes", "images"]))]
pub(crate) struct IsolateArgs {
    /// Image files, or folders of them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    /// Folders of prototypes made by `protogpu run`, or folders of such folders
    #[arg(long = "prototype", value_name = "FOLDER", num_args = 1..)]
    prototypes: Vec<PathBuf>,
    /// Photographs, one folder per class, named by the class's index, WordNet id or name
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Photographs per class
    #[arg(long, value_name = "N", default_value_t = 100, requires = "images", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    images_per_class: u32,
    /// The classes to keep: index, WordNet id or name; each in a region of its own [default: a prototype's class, a photograph's likeliest class]
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Keep the class of a photograph's folder and not its likeliest class
    #[arg(long, conflicts_with = "classes", requires = "images")]
    own_class: bool,
    /// The share of the class's probability in the whole image that a region must keep
    #[arg(long, value_name = "SHARE", default_value_t = 0.9, value_parser = share)]
    keep: f64,
    /// What stands where the image is not shown
    #[arg(long, value_enum, default_value = "blur")]
    background: Background,
    /// Steps of the optimisation
    #[arg(long, value_name = "N", default_value_t = IsolationSettings::default().steps, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,
    /// The learning rate
    #[arg(long, value_name = "LR", default_value_t = IsolationSettings::default().lr, value_parser = positive)]
    lr: f64,
    /// Cells of the mask along the image's longer side
    #[arg(long, value_name = "N", default_value_t = IsolationSettings::default().cells as u16, value_parser = clap::value_parser!(u16).range(2..=512))]
    cells: u16,
    /// The weight of the mask's total variation: the larger, the smoother the region
    #[arg(long, value_name = "W", default_value_t = IsolationSettings::default().smoothness, value_parser = weight)]
    smoothness: f64,
    /// The weight of the class's probability in the rest of the image; 0 only asks what suffices for the class, not what it needs
    #[arg(long, value_name = "W", default_value_t = IsolationSettings::default().rest, value_parser = weight)]
    rest_weight: f64,
    /// Measure insertion and deletion beside Grad-CAM and plain gradients
    #[arg(long)]
    evaluate: bool,
    /// The seed that selects photographs and resamples
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// The folder for the report
    #[arg(long, value_name = "DIR", default_value = "isolate")]
    out: PathBuf,
    /// Images per batch; each is two images to the network
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    /// Replace an earlier report
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl ValueEnum for Background {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Blur, Self::Mean]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Blur => PossibleValue::new("blur").help("The image, blurred"),
            Self::Mean => PossibleValue::new("mean").help("The mean colour that the network's input subtracts"),
        })
    }
}

impl IsolateArgs {
    /// Finds the regions, writes the report and prints a summary.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut inputs = Inputs::default();
        inputs.add_prototypes(&self.prototypes)?;
        inputs.add_files(&self.image)?;
        let network = self.engine.network.or_recorded(inputs.maker()).open()?;
        let folder = self.images.as_ref().map(|images| ImageFolder::open(images, network.labels())).transpose()?;
        if let Some(folder) = &folder {
            let (per_class, seed) = (self.images_per_class as usize, self.seed);
            inputs.add_photographs(&Choice { folder, per_class, different: None, seed, leave_one_out: false });
        }
        let given = self.classes.iter().map(|class| network.labels().find(class)).collect::<Result<Vec<_>>>()?;
        let request = IsolateRequest {
            network: &network,
            inputs: &inputs,
            classes: match given {
                given if !given.is_empty() => Classes::Given(given),
                _ if self.own_class => Classes::Own,
                _ => Classes::Likeliest,
            },
            settings: IsolationSettings {
                steps: self.steps,
                lr: self.lr,
                cells: self.cells.into(),
                smoothness: self.smoothness,
                rest: self.rest_weight,
                ..IsolationSettings::default()
            },
            background: self.background,
            keep: self.keep,
            evaluate: self.evaluate,
            seed: self.seed,
            batch: self.batch.into(),
            out: &self.out,
            force: self.force,
        };
        request.check()?;
        let terminal = Terminal::new(self.print.quiet);
        let run = |context: &Context| request.run(context, &terminal);
        work(&self.engine.adapter, NOTHING_WRITTEN, run, |isolations| {
            print_report(
                &self.print,
                &terminal,
                &isolations,
                [&isolations.skipped, &isolations.notes],
                || shown(&isolations),
                &self.out,
            )
        })
    }
}

/// The summary as text.
fn shown(isolations: &Isolations) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let header = ["image", "class", "p", "area", "p of region", "p of rest"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for one in isolations.images.iter().take(LISTED) {
        let mut row = vec![one.source.clone(), format!("{} {}", one.class_index, one.class), percent(one.probability)];
        row.push(if one.keeps { percent(one.area) } else { "all".to_owned() });
        row.extend([one.region_probability, one.rest_probability].map(percent));
        rows.push(row);
    }
    let mut text = table(&rows);
    if isolations.images.len() > LISTED {
        text += &format!("and {} more\n", isolations.images.len() - LISTED);
    }
    isolations.comparison.iter().for_each(|comparison| text += &compared(comparison));
    text
}

/// Insertion and deletion of each method.
fn compared(comparison: &Comparison) -> String {
    let header = ["method", "insertion", "isolation's gain", "deletion", "isolation's gain"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let interval = |Interval { value, low, high }: Interval| format!("{value:.3} [{low:.3}, {high:.3}]");
    let gain = |found: Option<Interval>| found.map_or_else(String::new, interval);
    for one in &comparison.methods {
        let (insertion, deletion) = (interval(one.insertion), interval(one.deletion));
        rows.push(vec![one.name.into(), insertion, gain(one.insertion_gain), deletion, gain(one.deletion_gain)]);
    }
    format!("{} images, with 95 % intervals:\n{}", comparison.images, table(&rows))
}

fn number(text: &str, suits: impl Fn(f64) -> bool, what: &str) -> Result<f64, String> {
    text.trim().parse().ok().filter(|&x: &f64| x.is_finite() && suits(x)).ok_or_else(|| format!("give {what}"))
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x <= 1.0, "a number above 0 and up to 1, such as 0.9")
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0, "a positive number")
}

fn weight(text: &str) -> Result<f64, String> {
    number(text, |x| x >= 0.0, "0 or a positive number")
}
