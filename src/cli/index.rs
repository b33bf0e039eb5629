//! `protogpu index`: a page and a contact sheet of all prototypes in a folder.

use std::path::PathBuf;

use super::terminal::{print, print_json};
use crate::Result;
use crate::lab::gallery::index;

/// Write index.html and contact.png, which show all prototypes in a folder
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::INDEX)]
pub(crate) struct IndexArgs {
    /// The --out folder of `protogpu run`
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print the contents of the page as JSON
    #[arg(long)]
    json: bool,
}

impl IndexArgs {
    /// Writes both files.
    pub(crate) fn run(&self) -> Result<()> {
        let (gallery, page) = index(&self.folder)?;
        if self.json {
            return print_json(&gallery);
        }
        let count = gallery.shown.len();
        print(&format!("{}: {count} prototype{}\n", page.display(), if count == 1 { "" } else { "s" }))
    }
}
