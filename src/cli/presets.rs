//! `protogpu presets`: named settings to start from.

use crate::Result;
use crate::lab::presets;
use crate::method::{Preset, Settings};

use super::terminal::print;

/// List the presets, or print one as a JSON file
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::PRESETS)]
pub(crate) struct PresetsArgs {
    /// The preset to print: paper, paper-strict, natural, deepinversion, maco, lucent, or a JSON file. The settings that a file leaves out are added
    #[arg(value_name = "NAME|FILE.json")]
    preset: Option<Preset>,
}

impl PresetsArgs {
    /// Prints the list, or one preset.
    pub(crate) fn run(&self) -> Result<()> {
        let text = match &self.preset {
            None => Preset::BUILTIN.iter().map(|preset| format!("{preset:13} {}\n", preset.summary())).collect(),
            Some(Preset::File(path)) => {
                let file = presets::read(path)?;
                let settings = file.settings()?;
                settings.validate()?;
                // A file starts from a built-in preset, not from another file.
                let settings = Settings { preset: file.base().clone(), ..settings };
                serde_json::to_string_pretty(&settings).expect("settings are plain data") + "\n"
            }
            Some(builtin) => builtin.text().unwrap_or_default().to_owned(),
        };
        print(&text)
    }
}
