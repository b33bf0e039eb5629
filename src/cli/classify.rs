//! `protogpu classify`: the likeliest classes of pictures.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use protogpu::Result;
use protogpu::analysis::{Classifier, find_pictures};
use protogpu::picture::preprocess;
use serde::Serialize;

use super::args::{AdapterArgs, NetworkArgs};
use super::terminal::{print, print_json};
use super::top::{Top, top, top_table};

/// Print the likeliest classes of pictures
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::CLASSIFY)]
pub(crate) struct ClassifyArgs {
    /// Pictures, or folders of them
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// How many classes for each picture
    #[arg(long, value_name = "K", default_value = "5")]
    top: NonZeroUsize,
    /// How many pictures at once
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
    path: PathBuf,
    top: Vec<Top>,
}

impl ClassifyArgs {
    /// Text comes batch by batch, JSON at the end.
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.network.open()?;
        let paths = find_pictures(&self.images)?;
        let side = network.input().h();
        let batch = usize::from(self.batch).min(paths.len());
        // The first pictures before the adapter: a wrong path is found out at once.
        let read = |paths: &[PathBuf]| -> Result<Vec<f32>> {
            paths.iter().map(|path| preprocess(path, side)).collect::<Result<Vec<_>>>().map(|all| all.concat())
        };
        let (first, rest) = paths.split_at(batch);
        let first_pixels = read(first)?;
        let context = self.adapter.open()?;
        let classifier = Classifier::new(&context, &network, batch)?;
        let classified = |paths: &[PathBuf], pixels: &[f32]| -> Result<Vec<Classified>> {
            let logits = classifier.logits(pixels)?;
            let row = |(path, logits): (&PathBuf, &Vec<f32>)| Classified {
                path: path.clone(),
                top: top(logits, self.top.get(), network.labels()),
            };
            Ok(paths.iter().zip(&logits).map(row).collect())
        };
        let mut all = self.shown(classified(first, &first_pixels)?)?;
        for paths in rest.chunks(batch) {
            all.extend(self.shown(classified(paths, &read(paths)?)?)?);
        }
        if self.json { print_json(&serde_json::json!({ "images": all })) } else { Ok(()) }
    }

    /// Prints what is to be read by people, and gives on what is to be printed at the end.
    fn shown(&self, images: Vec<Classified>) -> Result<Vec<Classified>> {
        if self.json {
            return Ok(images);
        }
        let mut text = String::new();
        for Classified { path, top } in images {
            let _ = write!(text, "{}\n{}", path.display(), top_table(&top));
        }
        print(&text)?;
        Ok(Vec::new())
    }
}
