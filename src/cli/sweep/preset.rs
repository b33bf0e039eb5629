//! `--preset` of a sweep, which may name a grid as well: `--preset table3` is `--preset paper --grid table3`.

use std::ffi::OsStr;

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use protogpu::Result;
use protogpu::optimize::Preset;

use super::grid;

const PRESET: &str = "preset";

/// The grid that `--preset` names, if it names one. Its option is that of the settings, which must come before.
#[derive(Debug, Default)]
pub(super) struct GridPreset(pub(super) Option<String>);

impl FromArgMatches for GridPreset {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.get_raw(PRESET).and_then(|mut raw| raw.next()).and_then(OsStr::to_str);
        Ok(Self(given.filter(|name| grid::is_named(name)).map(str::to_owned)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for GridPreset {
    fn augment_args(command: Command) -> Command {
        let or_grid =
            |text: &str| -> Result<Preset> { if grid::is_named(text) { Ok(Preset::Paper) } else { text.parse() } };
        let also = |arg: Arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.value_parser(ValueParser::from(or_grid))
                .help(format!("{help}; or table3, the paper's grid over its settings"))
        };
        command.mut_arg(PRESET, also)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
