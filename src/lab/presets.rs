//! Presets that are files.

use std::path::Path;

use crate::Result;
use crate::bounded::read_text_at_most;
use crate::method::presets::SettingsFile;
use crate::method::{Preset, Settings};

/// Larger files are not settings.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a file of settings.
///
/// # Errors
/// If the file cannot be read or is not an object of settings.
pub(crate) fn read(path: &Path) -> Result<SettingsFile> {
    SettingsFile::parse(path, &read_text_at_most(path, MAX_BYTES, "settings file")?)
}

/// The settings of a preset, built in or a file. They are not validated.
///
/// # Errors
/// If a file cannot be read, or its settings are unknown or unsuitable.
pub(crate) fn settings(preset: &Preset) -> Result<Settings> {
    match preset {
        Preset::File(path) => read(path)?.settings(),
        builtin => Ok(builtin.settings().expect("only files have none")),
    }
}
