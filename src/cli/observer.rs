//! The terminal as an observer: progress bars, notes in words, and Ctrl-C.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::interrupt;
use super::sweep_table::point_text;
use super::terminal::{note, words};
use crate::Error;
use crate::lab::drive::REPORT_EVERY;
use crate::lab::observer::{Counted, Event, Figures, Note, Observer};
use crate::lab::strip;

/// Shows the progress of work on stderr, and asks it to stop after Ctrl-C if [`interrupt::listen`] was called.
pub(crate) struct Terminal {
    quiet: bool,
    shown: Mutex<Shown>,
}

/// The work in progress.
#[derive(Default)]
struct Shown {
    batch: Option<Progress>,
    count: Option<ProgressBar>,
}

impl Terminal {
    /// `quiet` shows only warnings.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, shown: Mutex::default() }
    }

    /// Prints a line on stderr, unless quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }
}

impl Observer for Terminal {
    fn is_cancelled(&self) -> bool {
        interrupt::requested()
    }

    fn tell(&self, event: Event<'_>) {
        if let Event::Note(told) = event {
            return tell(told, self.quiet);
        }
        if self.quiet {
            return;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Batch { names, step, total } => shown.batch = Some(Progress::new(names.to_owned(), step, total)),
            Event::Steps { step, figures } => shown.batch.iter().for_each(|batch| batch.update(step, figures)),
            Event::BatchEnded => shown.batch.take().iter().for_each(Progress::end),
            Event::Counting { what, done, total } => shown.count = counting(what, done, total),
            Event::Counted(more) => shown.count.iter().for_each(|bar| bar.inc(more)),
            Event::CountingEnded => shown.count.take().iter().for_each(ProgressBar::finish_and_clear),
            Event::Note(_) => {}
        }
    }

    fn wording(&self, error: &Error) -> String {
        words(error)
    }
}

/// Prints a note in words. `quiet` lets only warnings through.
pub(crate) fn tell(told: Note<'_>, quiet: bool) {
    let (is_warning, text) = match told {
        Note::LeftOut(reason) => (false, format!("skipped: {reason}")),
        Note::Pictures(text) => (false, format!("note: {text}")),
        Note::KernelsTried { convolutions, seconds } => {
            let what = format!("the kernels of {convolutions} convolutions");
            (false, format!("timed {what} in {seconds:.1} s and kept the fastest"))
        }
        Note::KernelsUnusable(error) => (true, format!("warning: {}; timing the kernels again", words(error))),
        Note::KernelsNotKept(error) => {
            (true, format!("warning: {}; the kernels will be timed again next time", words(error)))
        }
        Note::PipelinesUnusable { path, error } => {
            (true, format!("warning: {}: {error}; compiling the kernels again", path.display()))
        }
        Note::PipelinesNotKept(error) => {
            (true, format!("warning: {error}; the kernels will be compiled again next time"))
        }
        Note::BatchShrinks { why, most } => (false, format!("{}; continuing with batches of {most}", words(why))),
        Note::FramesMissing { folder, missing, all } => {
            let path = folder.display();
            let why = "because their steps ran without --animate";
            (false, format!("{path}: {missing} of {all} frames are missing, {why}"))
        }
        Note::Level { share, settings } => {
            (false, format!("regularisation {:.0} %: {}", share * 100.0, strip::words(settings).join(", ")))
        }
        Note::PointMade { at, of, score } => (false, format!("{at}/{of} {}", point_text(score))),
        Note::PointFailed { at, of, name, error } => {
            (false, format!("{at}/{of} {name}: {}; the other points continue", words(error)))
        }
        Note::NoGallery(error) => {
            (true, format!("warning: index.html and contact.png were not written: {}", words(error)))
        }
        Note::Fetching(url) => (false, format!("downloading {url}")),
        Note::BrokeOff { url, bytes, reason } => {
            (false, format!("{url} broke off after {bytes} bytes ({reason}); resuming"))
        }
    };
    if is_warning || !quiet {
        note(&text);
    }
}

/// A progress bar for counted work, if stderr is a terminal.
fn counting(what: Counted<'_>, done: u64, total: Option<u64>) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let (prefix, template) = match what {
        Counted::Pictures => ("images", "{prefix} {bar:24} {pos}/{len}, {per_sec}, {eta} left"),
        Counted::Drawings => ("drawing", "{prefix} {bar:24} {pos}/{len}, {per_sec}, {eta} left"),
        Counted::Bytes(url) => (
            url.rsplit('/').next().unwrap_or(url),
            "{prefix} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        ),
    };
    let bar = ProgressBar::new(total.unwrap_or(0)).with_position(done).with_prefix(prefix.to_owned());
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    Some(bar)
}

/// The progress of one batch, on stderr.
struct Progress {
    kind: Kind,
    label: String,
    first: u32,
    total: u32,
    begun: Instant,
}

enum Kind {
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Begins at step `first` of `total`.
    fn new(label: String, first: u32, total: u32) -> Self {
        let kind = match std::io::stderr().is_terminal() {
            false => Kind::Lines,
            true => {
                let bar = ProgressBar::new(total.into()).with_position(first.into()).with_prefix(label.clone());
                let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                Kind::Bar(bar)
            }
        };
        Self { kind, label, first, total, begun: Instant::now() }
    }

    /// Shows the figures after `step` steps.
    fn update(&self, step: u32, figures: Figures) {
        let elapsed = self.begun.elapsed();
        match &self.kind {
            Kind::Bar(bar) => {
                bar.set_message(describe(figures, step - self.first, self.total - step, elapsed));
                bar.set_position(step.into());
            }
            Kind::Lines if step.is_multiple_of(REPORT_EVERY) || step == self.total => {
                let text = describe(figures, step - self.first, self.total - step, elapsed);
                note(&format!("{}: step {step}/{}, {text}", self.label, self.total));
            }
            Kind::Lines => {}
        }
    }

    /// Leaves the bar as it is.
    fn end(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.abandon();
        }
    }
}

fn describe(figures: Figures, done: u32, left: u32, elapsed: Duration) -> String {
    let Figures { loss, logit, probability, objective } = figures;
    let rate = f64::from(done) / elapsed.as_secs_f64().max(1e-9);
    let value = match objective {
        Some(value) => format!("objective {value:.3}"),
        None => format!("logit {logit:.3}, probability {probability:.3}"),
    };
    let mut text = format!("loss {loss:.3}, {value}, {rate:.1} steps/s");
    if left > 0 && done > 0 {
        let seconds = (f64::from(left) / rate).ceil() as u64;
        text += &format!(", {}:{:02} left", seconds / 60, seconds % 60);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_time_left() {
        let figures = Figures { loss: -1.25, logit: 2.0, probability: 0.5, objective: None };
        let text = describe(figures, 20, 130, Duration::from_secs(10));
        assert_eq!(text, "loss -1.250, logit 2.000, probability 0.500, 2.0 steps/s, 1:05 left");
        let text = describe(figures, 150, 0, Duration::from_secs(10));
        assert!(text.ends_with("15.0 steps/s"), "{text}");
        let text = describe(Figures { objective: Some(1.5), ..figures }, 20, 0, Duration::from_secs(10));
        assert_eq!(text, "loss -1.250, objective 1.500, 2.0 steps/s");
    }
}
