//! `protogpu gradient`: how a class's logit changes with each pixel.

use std::io::Write;
use std::path::PathBuf;

use crate::Result;
use crate::analysis::gradient;
use crate::atomic::write_atomically;
use crate::picture::{preprocess, write_png};
use crate::tensor_file::TensorFile;
use serde_json::json;

use super::args::{AdapterArgs, NetworkArgs};
use super::terminal::{print, print_json};
use crate::lab::top::{percent, top};

/// Write the gradient of a class's logit with respect to the pixels of an image
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::GRADIENT)]
pub(crate) struct GradientArgs {
    /// The image file
    image: PathBuf,
    /// The class: index, WordNet id or name
    #[arg(long, value_name = "CLASS")]
    class: String,
    /// The safetensors file to write: `gradient` `[1,3,224,224]` for pixels in `[0,1]`, and `logits`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also draw the gradient; grey means zero
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Print the files and the class's logit and probability as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl GradientArgs {
    /// One forward, one backward, then the files.
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.network.open()?;
        let class = network.labels().find(&self.class)?;
        let spec = network.image();
        let pixels = preprocess(&self.image, spec)?;
        let context = self.adapter.open()?;
        let found = gradient(&context, &network, &pixels, class)?;
        let name = network.labels().name(class);
        let bytes = TensorFile::default()
            .metadata("format", "protogpu gradient 1")
            .metadata("class", class.to_string())
            .metadata("class_name", name)
            .metadata("image", self.image.display().to_string())
            .metadata("weights_sha256", network.weights().sha256())
            .metadata("input", network.preprocessing().to_json())
            .tensor("gradient", spec.batch(1).extents(), &found.gradient)
            .tensor("logits", &[1, found.logits.len()], &found.logits)
            .to_bytes();
        write_atomically(&self.out, |out| out.write_all(&bytes))?;
        if let Some(path) = &self.png {
            write_png(path, &drawn(&found.gradient), spec)?;
        }
        let all = top(&found.logits, usize::MAX, network.labels());
        let this = all.iter().find(|t| t.index == class).expect("all classes are there");
        let largest = largest(&found.gradient);
        let (out, png) = (self.out.display().to_string(), self.png.as_ref().map(|path| path.display().to_string()));
        if self.json {
            return print_json(&json!({"out": out, "png": png, "class": this, "largest": largest}));
        }
        let png = png.map(|path| format!(", drawn in {path}")).unwrap_or_default();
        let (logit, probability) = (this.logit, percent(this.probability));
        print(&format!(
            "{out}: the gradient of {name} ({class}; logit {logit:.3}, {probability}), at most {largest:.3e}{png}\n"
        ))
    }
}

fn largest(gradient: &[f32]) -> f32 {
    gradient.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// Zero in the middle of `[0,1]`, and three standard deviations at its ends: a single spike would leave the rest grey.
fn drawn(gradient: &[f32]) -> Vec<f32> {
    let squares: f64 = gradient.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let deviation = (squares / gradient.len() as f64).sqrt();
    let scale = if deviation > 0.0 { 1.0 / (6.0 * deviation) } else { 0.0 };
    gradient.iter().map(|&value| (0.5 + f64::from(value) * scale) as f32).collect()
}
