//! Output: results go to stdout, everything else to stderr. A closed pipe is no panic.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::{Error, Result};
use serde::Serialize;

/// The exit code of a failure.
pub(crate) const FAILURE: u8 = 1;
/// The exit code of usage errors and bad input.
pub(crate) const BAD_INPUT: u8 = 2;
/// The exit code after Ctrl-C: 128 + SIGINT, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Prints results. A closed pipe (`| head`) is not an error.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io("write", Path::new("the standard output"))(error))
        }
        _ => Ok(()),
    }
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("results are plain data");
    print(&format!("{text}\n"))
}

/// Prints a note on stderr.
pub(crate) fn note(text: &str) {
    // If stderr is closed, nobody reads notes.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error in the command line's words: fields are options.
pub(crate) fn words(error: &Error) -> String {
    error.naming(&|field| format!("--{}", field.replace('_', "-")))
}

/// Prints an error and returns the exit code.
pub(crate) fn report(error: &Error) -> ExitCode {
    note(&format!("error: {}", words(error)));
    if error.is_input() { BAD_INPUT.into() } else { FAILURE.into() }
}

/// Replaces the backtrace of a panic by one line, and ends the process.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message").replace('\n', " ");
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        note(&format!("error: internal error, please report it: {message}{place}"));
        std::process::exit(FAILURE.into());
    }));
}

/// Keeps Mesa from looking for a Wayland display outside of a desktop session. It would print `error: XDG_RUNTIME_DIR is invalid`
/// among protogpu's messages.
pub(crate) fn silence_display_search() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: `main` calls this first, when no other thread exists that could read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// A table as text, with columns padded to their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = [vec!["a".into(), "1".into()], vec!["läng".into(), "22".into()], vec!["b".into()]];
        assert_eq!(table(&rows), "a     1\nläng  22\nb\n");
        assert_eq!(table(&[]), "");
    }
}
