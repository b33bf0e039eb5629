//! `protogpu weights`: what is in a weights file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use protogpu::Result;
use protogpu::nets::Inspection;
use protogpu::weights::Weights;
use serde::Serialize;

use super::terminal::{print, print_json};

/// Look into weights files
#[derive(clap::Subcommand, Debug)]
pub(crate) enum WeightsCommand {
    /// Say what network a file holds, and what is missing, unexpected, of the wrong shape or no number
    Inspect {
        /// A safetensors file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is found in a file.
#[derive(Serialize)]
struct Found<'a> {
    path: &'a std::path::Path,
    bytes: usize,
    sha256: &'a str,
    #[serde(flatten)]
    inspection: Inspection,
    parameters: usize,
    tensors: Vec<Row<'a>>,
    /// Tensors whose values cannot be used, each with the reason.
    unusable: Vec<String>,
    labels: Option<Vec<String>>,
    metadata: &'a BTreeMap<String, String>,
    usable: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    dtype: String,
    shape: &'a [usize],
}

impl WeightsCommand {
    /// Runs the subcommand.
    pub(crate) fn run(&self) -> Result<()> {
        let Self::Inspect { file, json } = self;
        let weights = Weights::open(file)?;
        let found = Found::of(&weights, file);
        if *json { print_json(&found) } else { print(&found.text()) }
    }
}

impl<'a> Found<'a> {
    fn of(weights: &'a Weights, path: &'a std::path::Path) -> Self {
        let inspection = Inspection::of(weights);
        let row = |(name, dtype, shape): (&'a str, _, &'a [usize])| Row { name, dtype: format!("{dtype}"), shape };
        // Counters are integers, and no network reads them.
        let read = weights.tensors().filter(|(name, ..)| !name.ends_with(".num_batches_tracked"));
        let mut unusable: Vec<String> =
            read.filter_map(|(name, ..)| weights.tensor_f32(name).err()).map(|error| error.to_string()).collect();
        let labels = weights.labels().unwrap_or_else(|error| {
            unusable.push(error.to_string());
            None
        });
        Self {
            path,
            bytes: weights.file_bytes(),
            sha256: weights.sha256(),
            usable: unusable.is_empty() && inspection.check(weights).is_ok(),
            inspection,
            parameters: weights.parameter_count(),
            tensors: weights.tensors().map(row).collect(),
            unusable,
            labels,
            metadata: weights.metadata(),
        }
    }

    fn text(&self) -> String {
        let Inspection { architecture, width, classes, misfits } = &self.inspection;
        let mut dtypes = BTreeMap::new();
        for row in &self.tensors {
            *dtypes.entry(row.dtype.as_str()).or_insert(0usize) += 1;
        }
        let dtypes: Vec<String> = dtypes.iter().map(|(dtype, count)| format!("{count} {dtype}")).collect();
        let mut text = format!("{}\n", self.path.display());
        let verdict = if self.usable { "" } else { ", but unusable as it is" };
        let _ = writeln!(text, "  network     {architecture} of width {width}, {classes} classes{verdict}");
        let _ = writeln!(text, "  tensors     {} ({})", self.tensors.len(), dtypes.join(", "));
        let _ = writeln!(text, "  parameters  {}", self.parameters);
        let _ = writeln!(text, "  size        {} bytes", self.bytes);
        let _ = writeln!(text, "  sha256      {}", self.sha256);
        if let Some(labels) = &self.labels {
            let more = if labels.len() > 5 { ", ..." } else { "" };
            let _ =
                writeln!(text, "  labels      {}: {}{more}", labels.len(), labels[..labels.len().min(5)].join(", "));
        }
        for (key, value) in self.metadata.iter().filter(|(key, _)| *key != "labels") {
            let _ = writeln!(text, "  metadata    {}: {}", shown(key), shown(value));
        }
        for problem in misfits.iter().map(ToString::to_string).chain(self.unusable.iter().cloned()) {
            let _ = writeln!(text, "  problem     {problem}");
        }
        text
    }
}

/// Text from a stranger's file, without what would steer the terminal.
fn shown(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
