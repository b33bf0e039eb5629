//! `protogpu classify`: the likeliest classes of images.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::Result;
use crate::lab::classify::{Classified, ClassifyRequest};
use serde_json::json;

use super::args::EngineArgs;
use super::open::all_notes;
use super::terminal::{FAILURE, note, print, print_json};
use super::top::top_table;

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
    engine: EngineArgs,
}

impl ClassifyArgs {
    /// Prints text after every batch, or JSON at the end. Reports the images that cannot be read, and continues with the others.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let network = self.engine.network.open()?;
        let request = ClassifyRequest::new(&network, &self.images, self.top.get(), self.batch.into())?;
        let mut images = Vec::new();
        let context = self.engine.adapter.open()?;
        let passed = request.run(&context, |batch| {
            if !self.json {
                return print(&text(&batch));
            }
            images.extend(batch);
            Ok(())
        })?;
        let mut unreadable: Vec<String> = passed.reasons().chain(request.left_out()).collect();
        let notes: Vec<String> = passed.tally.note().into_iter().collect();
        // If no image can be read, the first one's error is that of the command.
        let is_none = passed.unreadable.len() == request.len();
        let none = passed.unreadable.into_iter().next().filter(|_| is_none).map(|(_, error)| error);
        if none.is_some() {
            unreadable.remove(0);
        } else if self.json {
            let notes = [&notes[..], &all_notes(&network)].concat();
            print_json(&json!({ "images": images, "unreadable": unreadable, "notes": notes }))?;
        }
        unreadable.iter().for_each(|why| note(&format!("skipped: {why}")));
        notes.iter().for_each(|text| note(&format!("note: {text}")));
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
