//! `protogpu models`: the built-in networks, and the published ones to download.

use std::fmt::Write as _;

use crate::networks::{Architecture, Inspection, embedded};
use crate::weights::Weights;
use crate::{Error, Result};
use serde::Serialize;

use super::terminal::{print, print_json};
use crate::lab::cache::{IMAGENET, PUBLISHED, Published};

/// List the built-in networks, and those that `protogpu weights pull` downloads
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::MODELS)]
pub(crate) struct ModelsArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Models {
    embedded: Vec<EmbeddedRow>,
    published: Vec<PublishedRow>,
}

/// A network that is built in.
#[derive(Serialize)]
struct EmbeddedRow {
    name: &'static str,
    #[serde(flatten)]
    network: Held,
    /// The options that select it.
    options: String,
}

/// A published network, downloaded or not.
#[derive(Serialize)]
struct PublishedRow {
    name: &'static str,
    about: &'static str,
    /// The path of the file, whether or not it exists.
    path: Option<String>,
    pulled: bool,
    /// The network in the file, if protogpu can read it.
    #[serde(flatten)]
    network: Option<Held>,
    /// Why protogpu cannot read the file, if it exists.
    problem: Option<String>,
    /// The command that downloads it.
    pull: String,
    /// The options that select it.
    options: String,
}

/// A description of weights.
#[derive(Serialize)]
struct Held {
    architecture: Architecture,
    width: usize,
    classes: usize,
    parameters: usize,
    bytes: usize,
    sha256: String,
}

impl ModelsArgs {
    /// Describes both kinds.
    pub(crate) fn run(&self) -> Result<()> {
        let embedded = embedded::NAMES.iter().map(|name| EmbeddedRow::of(name)).collect::<Result<_>>()?;
        let models = Models { embedded, published: PUBLISHED.iter().map(PublishedRow::of).collect() };
        if self.json { print_json(&models) } else { print(&models.text()) }
    }
}

impl EmbeddedRow {
    fn of(name: &'static str) -> Result<Self> {
        let network = embedded::open(name)?;
        Ok(Self { name, network: Held::of(network.weights())?, options: format!("--model {name}") })
    }
}

impl PublishedRow {
    /// A file that cannot be read has a row too, with the reason.
    fn of(published: &Published) -> Self {
        let name = published.model;
        let path = published.path();
        let pulled = path.as_ref().is_ok_and(|path| path.exists());
        let held = match &path {
            Ok(path) if pulled => Weights::open(path).and_then(|weights| Held::of(&weights)).map(Some),
            Ok(_) => Ok(None),
            Err(error) => Err(Error::input(error.to_string())),
        };
        Self {
            name,
            about: published.about,
            pulled,
            problem: held.as_ref().err().map(ToString::to_string),
            network: held.ok().flatten(),
            path: path.ok().map(|path| path.display().to_string()),
            pull: format!("protogpu weights pull {name}"),
            options: format!("--weights {IMAGENET} --model {name}"),
        }
    }
}

impl Held {
    fn of(weights: &Weights) -> Result<Self> {
        let inspection = Inspection::of(weights);
        inspection.check(weights)?;
        let Inspection { architecture, width, classes, .. } = inspection;
        Ok(Self {
            architecture,
            width,
            classes,
            parameters: weights.parameter_count(),
            bytes: weights.file_bytes(),
            sha256: weights.sha256().to_owned(),
        })
    }

    fn text(&self) -> String {
        let Self { architecture, width, classes, parameters, bytes, sha256 } = self;
        let mut text = format!("  network     {architecture} of width {width}, {classes} classes\n");
        let _ = writeln!(text, "  parameters  {parameters}");
        let _ = writeln!(text, "  size        {bytes} bytes");
        let _ = writeln!(text, "  sha256      {sha256}");
        text
    }
}

impl Models {
    fn text(&self) -> String {
        let mut text = String::new();
        for EmbeddedRow { name, network, options } in &self.embedded {
            let _ = write!(text, "{name}, built in\n{}  use         {options}\n\n", network.text());
        }
        for row in &self.published {
            let state = match (row.pulled, &row.network) {
                (_, Some(_)) => "downloaded",
                (true, None) => "downloaded, but unusable",
                (false, _) => "not downloaded",
            };
            let _ = writeln!(text, "{}, {state}\n  about       {}", row.name, row.about);
            text.push_str(&row.network.as_ref().map(Held::text).unwrap_or_default());
            if let Some(path) = row.path.as_ref().filter(|_| row.pulled) {
                let _ = writeln!(text, "  file        {}", path);
            }
            if let Some(problem) = &row.problem {
                let _ = writeln!(text, "  problem     {}", problem.replace('\n', "\n              "));
            }
            if row.network.is_none() {
                let anew = if row.pulled { " --force" } else { "" };
                let _ = writeln!(text, "  download    {}{anew}", row.pull);
            }
            let _ = writeln!(text, "  use         {}\n", row.options);
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    }
}
