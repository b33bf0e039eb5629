//! `protogpu classify`: the likeliest classes of pictures.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::analysis::Classifier;
use crate::lab::pictures::{classify, find_pictures};
use crate::{Error, Result};
use serde::Serialize;
use serde_json::json;

use super::args::{AdapterArgs, NetworkArgs};
use super::terminal::{FAILURE, note, print, print_json};
use super::top::top_table;
use crate::lab::top::{Top, top};

/// Print the likeliest classes of images
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::CLASSIFY)]
pub(crate) struct ClassifyArgs {
    /// Image files, or folders of them
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Classes to print per image
    #[arg(long, value_name = "K", default_value = "5")]
    top: NonZeroUsize,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

#[derive(Serialize)]
struct Classified {
    path: String,
    top: Vec<Top>,
}

impl ClassifyArgs {
    /// Prints text after every batch, JSON at the end. Images that cannot be read are reported, and the others continue.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let network = self.network.open()?;
        let paths = find_pictures(&self.images)?;
        // Before the adapter: a wrong path is found out at once.
        for path in &self.images {
            std::fs::metadata(path).map_err(Error::io("read", path))?;
        }
        let batch = usize::from(self.batch).min(paths.len());
        let context = self.adapter.open()?;
        let classifier = Classifier::new(&context, &network, batch)?;
        let mut images = Vec::new();
        let mut unreadable = classify(&classifier, &paths, |batch| {
            for (index, logits) in batch {
                let path = paths[index].display().to_string();
                images.push(Classified { path, top: top(&logits, self.top.get(), network.labels()) });
            }
            if self.json { Ok(()) } else { print(&text(&std::mem::take(&mut images))) }
        })?;
        // Where none can be read, the first is the error.
        let none = (unreadable.len() == paths.len()).then(|| unreadable.remove(0).1);
        if self.json && none.is_none() {
            let unreadable: Vec<String> = unreadable.iter().map(|(_, error)| error.to_string()).collect();
            print_json(&json!({ "images": images, "unreadable": unreadable }))?;
        }
        for (_, error) in &unreadable {
            note(&format!("left out: {error}"));
        }
        match none {
            Some(error) => Err(error),
            None if unreadable.is_empty() => Ok(ExitCode::SUCCESS),
            None => Ok(FAILURE.into()),
        }
    }
}

/// The text output.
fn text(images: &[Classified]) -> String {
    let mut text = String::new();
    for Classified { path, top } in images {
        let _ = write!(text, "{path}\n{}", top_table(top));
    }
    text
}
