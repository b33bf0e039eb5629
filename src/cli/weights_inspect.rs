//! `protogpu weights inspect`: describes a weights file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::networks::{Architecture, Inspection, Preprocessing, translated};
use crate::weights::Weights;
use serde::Serialize;

use super::args::architecture;
use super::terminal::{print, print_json};
use super::weights_inspect_onnx::OnnxFound;

/// Print the network in a file, and every tensor that is missing, unexpected, misshaped or not finite
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::INSPECT)]
pub(crate) struct InspectArgs {
    /// A safetensors, PyTorch or ONNX file
    file: PathBuf,
    /// Compare with this architecture [default: the one that fits best]
    #[arg(long, value_name = "NAME", value_parser = architecture())]
    architecture: Option<Architecture>,
    /// The checkpoint's key for the network's tensors, or the beginning of their names
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The description of a file.
#[derive(Serialize)]
struct Found<'a> {
    path: String,
    bytes: usize,
    sha256: &'a str,
    #[serde(flatten)]
    inspection: Inspection,
    /// Whether `--architecture` named the architecture.
    #[serde(skip)]
    named: bool,
    /// The expected input; `None` if the metadata is not valid.
    input: Option<Preprocessing>,
    parameters: usize,
    /// The number of tensors per dtype.
    dtypes: BTreeMap<String, usize>,
    tensors: Vec<Row<'a>>,
    /// Notes on how the file was read.
    notes: &'a [String],
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

impl InspectArgs {
    /// Describes the file.
    pub(crate) fn run(&self) -> Result<()> {
        let weights = Weights::open_under(&self.file, self.key.as_deref())?;
        if let Some(model) = OnnxFound::facts(&weights, &self.file) {
            let found = model.with_network(weights);
            return if self.json { print_json(&found) } else { print(&found.text()) };
        }
        let weights = translated(weights)?;
        let found = Found::of(&weights, &self.file, self.architecture);
        if self.json { print_json(&found) } else { print(&found.text()) }
    }
}

impl<'a> Found<'a> {
    fn of(weights: &'a Weights, path: &'a Path, named: Option<Architecture>) -> Self {
        let inspection = match named {
            Some(architecture) => Inspection::against(architecture, weights),
            None => Inspection::of(weights),
        };
        let row = |(name, dtype, shape): (&'a str, _, &'a [usize])| Row { name, dtype: format!("{dtype}"), shape };
        // Networks read no integer tensors, which are counters, and no tensors that they leave out.
        let is_read = |name: &str| {
            !name.ends_with(".num_batches_tracked") && !inspection.left_out.iter().any(|left_out| left_out == name)
        };
        let read = weights.tensors().filter(|(name, ..)| is_read(name));
        let mut unusable: Vec<String> =
            read.filter_map(|(name, ..)| weights.tensor_f32(name).err()).map(|error| error.to_string()).collect();
        let labels = weights.labels().unwrap_or_else(|error| {
            unusable.push(error.to_string());
            None
        });
        let input = Preprocessing::of(weights, inspection.architecture);
        let input = input.map_err(|error| unusable.push(error.to_string())).ok();
        let mut dtypes = BTreeMap::new();
        for (_, dtype, _) in weights.tensors() {
            *dtypes.entry(dtype.to_string()).or_insert(0) += 1;
        }
        Self {
            path: path.display().to_string(),
            bytes: weights.file_bytes(),
            sha256: weights.sha256(),
            usable: unusable.is_empty() && inspection.check(weights).is_ok(),
            inspection,
            named: named.is_some(),
            input,
            parameters: weights.parameter_count(),
            dtypes,
            notes: weights.notes(),
            tensors: weights.tensors().map(row).collect(),
            unusable,
            labels,
            metadata: weights.metadata(),
        }
    }

    fn text(&self) -> String {
        let Inspection { architecture, width, classes, misfits, left_out } = &self.inspection;
        let dtypes: Vec<String> = self.dtypes.iter().map(|(dtype, count)| format!("{count} {dtype}")).collect();
        let mut text = format!("{}\n", self.path);
        let verdict = if self.usable { "" } else { ", but unusable as it is" };
        let outputs = match classes {
            0 => "no head".to_owned(),
            1 => "one output, yes or no".to_owned(),
            classes => format!("{classes} classes"),
        };
        let _ = writeln!(text, "  network     {architecture} of width {width}, {outputs}{verdict}");
        if let Some(input) = &self.input {
            let _ = writeln!(text, "  input       {input}");
        }
        let _ = writeln!(text, "  tensors     {} ({})", self.tensors.len(), dtypes.join(", "));
        let _ = writeln!(text, "  parameters  {}", self.parameters);
        let _ = writeln!(text, "  size        {} bytes", self.bytes);
        let _ = writeln!(text, "  sha256      {}", self.sha256);
        if let Some(labels) = &self.labels {
            let more = if labels.len() > 5 { ", ..." } else { "" };
            let first: Vec<String> = labels.iter().take(5).map(|label| shown(label)).collect();
            let _ = writeln!(text, "  labels      {}: {}{more}", labels.len(), first.join(", "));
        }
        for (key, value) in self.metadata.iter().filter(|(key, _)| *key != "labels") {
            let _ = writeln!(text, "  metadata    {}: {}", shown(key), shown(value));
        }
        if !left_out.is_empty() {
            let (count, heads) = (left_out.len(), heads(left_out).join(", "));
            let _ =
                writeln!(text, "  left out    {count} tensors of auxiliary heads ({heads}), which only training needs");
        }
        if !misfits.is_empty() && !self.named {
            let _ = writeln!(
                text,
                "  note        {architecture} is the closest of {}; --architecture compares with another",
                Architecture::OF_TENSORS.join(", ")
            );
        }
        for note in self.notes {
            let _ = writeln!(text, "  note        {note}");
        }
        for problem in misfits.iter().map(ToString::to_string).chain(self.unusable.iter().cloned()) {
            let _ = writeln!(text, "  problem     {problem}");
        }
        text
    }
}

/// The modules that the tensors belong to, each once.
fn heads(tensors: &[String]) -> Vec<&str> {
    let mut heads: Vec<&str> = tensors.iter().filter_map(|name| name.split('.').next()).collect();
    heads.dedup();
    heads
}

/// Text from an untrusted file, without control characters for the terminal.
fn shown(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
