//! `--preset` of a sweep, which may also name a grid: `--preset table3` is `--preset paper --grid table3`.

use std::ffi::OsStr;

use crate::Result;
use crate::method::Preset;
use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::method::MethodArgs;
use crate::lab::sweep::grid;

const PRESET: &str = "preset";

/// The settings' options, whose `--preset` may be a grid's name.
#[derive(Debug, Default)]
pub(super) struct GridMethodArgs {
    pub(super) method: MethodArgs,
    /// The grid that `--preset` names.
    pub(super) grid: Option<String>,
}

impl FromArgMatches for GridMethodArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.get_raw(PRESET).and_then(|mut raw| raw.next()).and_then(OsStr::to_str);
        let grid = given.filter(|name| grid::is_named(name)).map(str::to_owned);
        Ok(Self { method: MethodArgs::from_arg_matches(matches)?, grid })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for GridMethodArgs {
    fn augment_args(command: Command) -> Command {
        let or_grid =
            |text: &str| -> Result<Preset> { if grid::is_named(text) { Ok(Preset::Paper) } else { text.parse() } };
        let also = |arg: Arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let help = format!("{help}; or table3, the paper's grid over its settings");
            arg.value_parser(ValueParser::from(or_grid)).help(help)
        };
        MethodArgs::augment_args(command).mut_arg(PRESET, also)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
