//! `protogpu figure6`: the same class or objective under growing regularisation, from none to all of it, as one strip.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::atomic::write_atomically;
use crate::gpu::Context;
use crate::method::{Settings, Transform};
use crate::networks::Network;
use crate::picture::read;
use crate::report::ContactSheet;
use crate::{Error, Result};
use serde_json::{Value, json};

use super::args::{AdapterArgs, NetworkArgs};
use super::interrupt;
use super::method::MethodArgs;
use super::open::adapter_record;
use super::run_batch::Run;
use super::run_many::{Done, make_all};
use super::terminal::{INTERRUPTED, note, print, print_json};
use super::top::percent;
use super::tuned::TuneArgs;
use crate::lab::run::folder::Existing;
use crate::lab::run::request::{Request, goals};
use crate::lab::run::slot::{Target, start, targets};

/// The layout's name and version.
const FORMAT: &str = "protogpu figure6 1";
const STRIP: &str = "figure6.png";
const RECORD: &str = "figure6.json";
/// Steps between two states that are kept, as in a run.
const CHECKPOINT_EVERY: u32 = 64;

/// Make one class with growing regularisation, side by side, as the paper's Figure 6
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::FIGURE6)]
pub(crate) struct Figure6Args {
    /// The class, by index, WordNet id or name [default: the first class of a built-in network; required with --weights]
    #[arg(long, value_name = "CLASS", conflicts_with = "objective")]
    class: Option<String>,
    /// Number of prototypes; the first has no regularisation, the last all of it
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=16))]
    count: u32,
    /// The output folder
    #[arg(long, value_name = "DIR", default_value = "figure6")]
    out: PathBuf,
    /// Continue from the checkpoints of an interrupted run
    #[arg(long)]
    resume: bool,
    /// Start again and replace the files of an earlier run
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print the record as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
    #[command(flatten)]
    tune: TuneArgs,
    #[command(flatten)]
    method: MethodArgs,
}

/// One prototype of the strip.
struct Level {
    share: f64,
    settings: Settings,
    /// Just one, as runs take them.
    targets: Vec<Target>,
}

impl Figure6Args {
    /// Makes the prototypes one after the other, then the strip.
    pub(crate) fn run(&self, launched: Instant) -> Result<ExitCode> {
        self.network.check_paths(&self.out)?;
        let full = self.full()?;
        let network = self.network.open()?;
        let given: Vec<String> = self.class.iter().cloned().collect();
        let goals = goals(&given, &self.method.objectives, &full, None, &network)?;
        let [goal] = &goals[..] else {
            let what = if given.is_empty() { "objectives" } else { "classes" };
            return Err(Error::input(format!("{} {what} were given, but a strip shows one", goals.len())));
        };
        if goal.aim.is_diverse() {
            return Err(Error::input(format!(
                "`{}` needs several images in one batch, but a strip makes its images one after the other",
                goal.name
            )));
        }
        let mut levels = self.levels(&full, goal, &network)?;
        if levels.iter().any(|level| !level.targets[0].finished) {
            let context = self.adapter.open()?;
            if let Some(stopped) = self.make(&context, &network, &full, &mut levels, launched)? {
                return Ok(stopped);
            }
        }
        self.write(&levels, &network)
    }

    /// The last one's settings.
    fn full(&self) -> Result<Settings> {
        let full = self.method.valid_settings(None)?;
        self.method.check_rivals()?;
        if !full.transforms.0.contains(&Transform::Affine) {
            return Err(Error::input(format!(
                "a regularization strip grows the reach of the affine warp, but --transforms is {}: use --transforms \
                     affine",
                full.transforms
            )));
        }
        Ok(full)
    }

    fn levels(&self, full: &Settings, goal: &Request, network: &Network) -> Result<Vec<Level>> {
        let existing = Existing::of(self.resume, self.force);
        let level = |at: u32| {
            let settings = regularised(full, at, self.count - 1);
            let share = f64::from(at) / f64::from(self.count - 1);
            let folder = self.out.join(format!("regularisation_{:03}", (share * 100.0).round()));
            let wanted = [(goal.clone(), settings.seed)];
            let steps_given = self.method.steps.is_some();
            let targets = targets(&wanted, &folder, existing, &settings, steps_given, network)?;
            Ok(Level { share, settings, targets })
        };
        (0..self.count).map(level).collect()
    }

    /// Makes what is not made yet; the exit code where the user stopped it.
    fn make(
        &self,
        context: &Context,
        network: &Network,
        full: &Settings,
        levels: &mut [Level],
        launched: Instant,
    ) -> Result<Option<ExitCode>> {
        let start = start(full, None, full.image_side as usize)?;
        let weights = self.network.record(network);
        let adapter = adapter_record(context.info());
        if !self.quiet {
            note(&format!("{network:?}, on {}", adapter.description));
        }
        let choices = self.tune.choices(context, network, 1, None, self.quiet)?;
        interrupt::listen()?;
        for level in levels {
            let run = Run {
                context,
                network,
                settings: &level.settings,
                start: start.as_ref(),
                weights: &weights,
                adapter: &adapter,
                choices: &choices,
                snapshot_every: None,
                frames: Vec::new(),
                checkpoint_every: CHECKPOINT_EVERY,
                quiet: self.quiet,
                launched,
            };
            if !self.quiet && level.targets[0].is_open() {
                note(&format!("regularisation {:.0} %: {}", level.share * 100.0, words(&level.settings).join(", ")));
            }
            if let Done::Interrupted(step) = make_all(&run, &mut level.targets, 1, false)? {
                let out = self.out.display();
                note(&format!(
                    "stopped after step {step} of a prototype; {out} keeps the state, and --resume continues"
                ));
                return Ok(Some(INTERRUPTED.into()));
            }
            if let Some(error) = level.targets[0].failed.take() {
                return Err(error);
            }
        }
        Ok(None)
    }

    /// The strip and its numbers.
    fn write(&self, levels: &[Level], network: &Network) -> Result<ExitCode> {
        let side = network.input().w() as u32;
        let mut strip = ContactSheet::strip(levels.len(), side, 5)?;
        let mut rows = Vec::new();
        for level in levels {
            let target = &level.targets[0];
            let top = target.top();
            let mut lines = vec![format!("regularisation {:.0} %", level.share * 100.0)];
            lines.extend(words(&level.settings));
            lines.extend(top.first().map(|top| format!("seen as {} {}", top.name, percent(top.probability))));
            strip.place(Some(&read(target.folder.picture())?), &lines);
            let settings = &level.settings;
            rows.push(json!({
                "share": level.share, "hf_weight": settings.hf_weight, "weight_decay": settings.weight_decay,
                "rotation": settings.rotation, "translate": settings.translate, "scale": settings.scale,
                "folder": target.folder.path().strip_prefix(&self.out).unwrap_or(target.folder.path()), "top": top,
            }));
        }
        let target = &levels[0].targets[0];
        let record = json!({
            "format": FORMAT, "class": target.goal.class(), "objective": target.goal.objective, "seed": target.settings.seed,
            "steps": target.settings.total_steps(), "weights_sha256": network.weights().sha256(), "levels": rows,
        });
        let (png, path) = (strip.png()?, self.out.join(STRIP));
        write_atomically(&path, |file| file.write_all(&png))?;
        let text = serde_json::to_string_pretty(&record).expect("a record is plain data") + "\n";
        write_atomically(self.out.join(RECORD), |file| file.write_all(text.as_bytes()))?;
        self.say(&record, &path)
    }

    fn say(&self, record: &Value, strip: &std::path::Path) -> Result<ExitCode> {
        if self.json {
            print_json(record)?;
        } else if !self.quiet {
            print(&format!("{}\n", strip.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What of the settings keeps a picture natural, grown to `at` parts of `of`: the weight of the total variation, the decay
/// towards the mean colour, and how far the warps reach.
fn regularised(full: &Settings, at: u32, of: u32) -> Settings {
    // So that 0.05 in five parts is 0.01, 0.02, ... as one writes it.
    let part = |x: f64| (x * f64::from(at) / f64::from(of) * 1e12).round() / 1e12;
    let around_one = |x: f64| ((1.0 + part(x - 1.0)) * 1e12).round() / 1e12;
    Settings {
        hf_weight: part(full.hf_weight),
        weight_decay: part(full.weight_decay),
        rotation: part(full.rotation),
        translate: part(full.translate),
        scale: full.scale.map(around_one),
        ..full.clone()
    }
}

/// The settings that grow, as they stand below a picture.
fn words(settings: &Settings) -> Vec<String> {
    let [low, high] = settings.scale.map(short);
    let mut variation = format!("total variation {}", short(settings.hf_weight));
    if settings.weight_decay > 0.0 {
        variation += &format!(", decay {}", short(settings.weight_decay));
    }
    vec![
        variation,
        format!("rotation {}°, shift {}", short(settings.rotation), short(settings.translate)),
        format!("scale {low} to {high}"),
    ]
}

/// A number with four decimals at most; figure6.json has all of them.
fn short(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regularisation_grows_from_nothing_to_the_preset() {
        let full = Settings { hf_weight: 0.05, weight_decay: 0.5, scale: [0.7, 1.3], ..Settings::default() };
        let none = regularised(&full, 0, 5);
        assert_eq!((none.hf_weight, none.weight_decay, none.rotation, none.translate), (0.0, 0.0, 0.0, 0.0));
        assert_eq!(none.scale, [1.0, 1.0]);
        none.validate().unwrap();
        let some = regularised(&full, 2, 5);
        assert_eq!((some.hf_weight, some.scale), (0.02, [0.88, 1.12]));
        assert_eq!(regularised(&full, 5, 5), full);
        let third = regularised(&full, 1, 3);
        assert_eq!(words(&third)[0], "total variation 0.0167, decay 0.1667");
        assert_eq!((none.steps, none.lr, none.fill), (full.steps, full.lr, full.fill));
    }
}
