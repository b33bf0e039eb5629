//! `protogpu weights convert`: converts a PyTorch file to safetensors.

use std::path::PathBuf;

use crate::weights::PytorchFile;
use crate::{Error, Result};

use super::terminal::{note, print};

/// Convert a PyTorch file to safetensors, without Python and without running its code
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::CONVERT)]
pub(crate) struct ConvertArgs {
    /// A state dict or a whole checkpoint, saved by PyTorch 0.4 or newer
    #[arg(value_name = "IN.pth")]
    file: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT.safetensors")]
    out: PathBuf,
    /// The checkpoint's key for the network's tensors [default: state_dict, model and similar]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl ConvertArgs {
    /// Converts the file.
    pub(crate) fn run(&self) -> Result<()> {
        let checkpoint = PytorchFile::open(&self.file, self.key.as_deref())?;
        let same =
            |a: &PathBuf, b: &PathBuf| a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b);
        if same(&self.file, &self.out) {
            return Err(Error::input(format!(
                "{} is both input and output: name another output file",
                self.out.display()
            )));
        }
        for text in checkpoint.notes() {
            note(&format!("{}: {text}", self.file.display()));
        }
        checkpoint.write(&self.out, &[])?;
        let written = std::fs::metadata(&self.out).map_err(Error::io("read", &self.out))?.len();
        print(&format!("{}: {} tensors, {written} bytes\n", self.out.display(), checkpoint.tensors().len()))
    }
}
