//! `protogpu synth`: draws synthetic images like those that the embedded networks were trained on.

use std::path::PathBuf;

use super::observer::Terminal;
use crate::lab::synth::{Order, write};
use crate::world::{Biases, Setting, biases, classes, find_class};
use crate::{Error, Result};
use serde_json::json;

use super::terminal::{print, print_json};
use crate::lab::disk::check_writable;

/// Draw synthetic images of the classes that the built-in networks know
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::SYNTH)]
pub(crate) struct SynthArgs {
    /// The output folder, which must be empty or absent
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Images to draw of each class
    #[arg(long = "images-per-class", alias = "per-class", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    per_class: u64,
    /// Seed of every random draw
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Draw only these classes, by index or name
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',')]
    classes: Vec<String>,
    /// Draw without planted biases: cue, light, companion, or all
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    without_bias: Vec<String>,
    /// Print the folder and its contents as JSON
    #[arg(long)]
    json: bool,
}

impl SynthArgs {
    /// Draws the images on all cores.
    pub(crate) fn run(&self) -> Result<()> {
        let order = Order {
            classes: self.class_indices()?,
            per_class: self.per_class,
            seed: self.seed,
            biases: self.biases()?,
            threads: None,
        };
        self.check_folder()?;
        let written = write(&self.out, &order, &Terminal::new(false))?;
        let out = self.out.display().to_string();
        if self.json {
            let names: Vec<&str> = order.classes.iter().map(|&index| classes()[index].name).collect();
            let without = &self.without_bias;
            let about = json!({"out": out, "pictures": written, "classes": names, "seed": self.seed});
            return print_json(&json!({"world": about, "without_bias": without}));
        }
        let count = order.classes.len();
        print(&format!("{out}: {written} images of {count} classes, listed in {out}/pictures.csv\n"))
    }

    fn class_indices(&self) -> Result<Vec<usize>> {
        if self.classes.is_empty() {
            return Ok(classes().iter().map(|class| class.index).collect());
        }
        let mut indices = Vec::new();
        for text in &self.classes {
            let index = find_class(text)?.index;
            if !indices.contains(&index) {
                indices.push(index);
            }
        }
        Ok(indices)
    }

    fn biases(&self) -> Result<Biases> {
        let all = biases().iter().map(|bias| bias.name);
        let names: Vec<&str> = match self.without_bias.iter().any(|name| name == "all") {
            true => all.collect(),
            false => self.without_bias.iter().map(String::as_str).collect(),
        };
        names.into_iter().try_fold(Biases::default(), |biases, name| biases.with(name, Setting::Removed))
    }

    fn check_folder(&self) -> Result<()> {
        let out = &self.out;
        if out.is_dir() && std::fs::read_dir(out).map_err(Error::io("read", out))?.next().is_some() {
            let out = out.display();
            return Err(Error::input(format!("{out} is not empty: choose an empty or new folder with --out")));
        }
        check_writable([out.as_path()])
    }
}
