//! `protogpu gradient`: how a class's logit changes with each pixel.

use std::path::PathBuf;

use crate::Result;
use crate::lab::gradient::{Found, GradientRequest};
use crate::lab::top::percent;
use serde_json::json;

use super::args::EngineArgs;
use super::terminal::{note, print, print_json};

/// Write the gradient of a class's logit with respect to the pixels of an image
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::GRADIENT)]
pub(crate) struct GradientArgs {
    /// The image file
    image: PathBuf,
    /// The class: index, WordNet id or name
    #[arg(long, value_name = "CLASS")]
    class: String,
    /// The safetensors file to write: `gradient` `[1,C,H,W]` for pixels in `[0,1]`, and `logits`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also draw the gradient; grey means zero
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Print the files and the class's logit and probability as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl GradientArgs {
    /// Computes the gradient, and writes the files.
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.engine.network.open()?;
        let class = network.labels().find(&self.class)?;
        let request = GradientRequest::new(&network, &self.image, class)?;
        let context = self.engine.adapter.open()?;
        let Found { class: found, largest } = request.write(&context, &self.out, self.png.as_deref())?;
        let (out, png) = (self.out.display().to_string(), self.png.as_ref().map(|path| path.display().to_string()));
        let notes = request.note();
        if self.json {
            let notes = notes.as_slice();
            return print_json(&json!({"out": out, "png": png, "class": found, "largest": largest, "notes": notes}));
        }
        notes.iter().for_each(|text| note(&format!("note: {text}")));
        let name = network.labels().name(class);
        let png = png.map(|path| format!(", drawn in {path}")).unwrap_or_default();
        let (logit, probability) = (found.logit, percent(found.probability));
        print(&format!(
            "{out}: the gradient of {name} ({class}; logit {logit:.3}, {probability}), at most {largest:.3e}{png}\n"
        ))
    }
}
