//! `protogpu weights pull`: downloads published weights.

use serde_json::json;

use super::observer::Terminal;
use super::terminal::{print, print_json};
use crate::Result;
use crate::lab::cache::{IMAGENET, Published};
use crate::lab::pull::{Pull, Pulled};

/// Download published weights for --weights imagenet
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::PULL)]
pub(crate) struct PullArgs {
    /// resnet18 or googlenet
    model: String,
    /// Take the file from a mirror's URL or from a local file instead
    #[arg(long, value_name = "URL|FILE")]
    from: Option<String>,
    /// SHA-256 of that file, or at least its first eight digits, if it is not the published file
    #[arg(long, value_name = "HEX", requires = "from", value_parser = hash)]
    sha256: Option<String>,
    /// Download the file again even if it exists
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn hash(text: &str) -> Result<String, String> {
    let digits = text.to_ascii_lowercase();
    if (8..=64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digits)
    } else {
        Err("give at least the first 8 of the 64 hexadecimal digits of a SHA-256".into())
    }
}

impl PullArgs {
    /// Downloads the file if it does not exist.
    pub(crate) fn run(&self) -> Result<()> {
        let published = Published::of(&self.model)?;
        let (from, sha256) = (self.from.as_deref(), self.sha256.as_deref());
        let pull = Pull { published, from, sha256, force: self.force };
        self.report(published, &pull.run(&Terminal::new(self.quiet))?)
    }

    fn report(&self, published: &Published, pulled: &Pulled) -> Result<()> {
        let Pulled { path, weights, fetched } = pulled;
        let known = |key: &str| weights.metadata().get(key).map_or("unknown", String::as_str);
        let [source, source_sha256, licence] = ["source", "source_sha256", "license"].map(known);
        if self.json {
            return print_json(
                &json!({"model": published.model, "path": path.display().to_string(), "bytes": weights.file_bytes(),
                "sha256": weights.sha256(), "source": source, "source_sha256": source_sha256, "licence": licence}),
            );
        }
        if self.quiet {
            return Ok(());
        }
        let how = if *fetched { "verified and converted" } else { "existed already" };
        let (model, path) = (published.model, path.display());
        print(&format!(
            "{}\n  source   {source}\n           sha256 {source_sha256}\n  licence  {licence}\n  file     {path} ({how})\n  \
             use      protogpu run --model {model} --weights {IMAGENET} --class goldfish\n",
            published.about,
        ))
    }
}
