//! The `protogpu` binary: one host of the library among others.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::terminal::report_panics();
    cli::terminal::silence_display_search();
    cli::main()
}
