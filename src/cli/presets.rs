//! `protogpu presets`: named settings to start from.

use crate::Result;
use crate::method::Preset;

use super::terminal::print;

/// List the presets, or print one as a JSON file
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::PRESETS)]
pub(crate) struct PresetsArgs {
    /// The preset to print: paper, paper-strict, lucent, or a JSON file. The settings that a file leaves out are added
    #[arg(value_name = "NAME|FILE.json")]
    preset: Option<Preset>,
}

impl PresetsArgs {
    /// Prints the list, or one preset.
    pub(crate) fn run(&self) -> Result<()> {
        let text = match &self.preset {
            None => Preset::BUILTIN.iter().map(|preset| format!("{preset:8} {}\n", preset.summary())).collect(),
            Some(preset @ Preset::File(_)) => {
                let settings = preset.settings()?;
                settings.validate()?;
                // A file starts from a built-in preset, not from another file.
                let settings = crate::method::Settings { preset: preset.base()?, ..settings };
                serde_json::to_string_pretty(&settings).expect("settings are plain data") + "\n"
            }
            Some(preset) => preset.text()?,
        };
        print(&text)
    }
}
