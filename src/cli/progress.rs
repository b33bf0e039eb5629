//! How a run goes: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::note;

/// Steps between two lines where there is no terminal.
pub(crate) const LINE_EVERY: u32 = 64;

/// What the last step reported, averaged over the batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) loss: f32,
    pub(crate) logit: f32,
    pub(crate) probability: f32,
    /// The value of another objective than a class's, in place of the last two.
    pub(crate) objective: Option<f32>,
}

/// The progress of one batch, on stderr.
pub(crate) struct Progress {
    kind: Kind,
    label: String,
    first: u32,
    total: u32,
    begun: Instant,
}

enum Kind {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Progress {
    /// Begins at step `first` of `total`.
    pub(crate) fn new(label: String, first: u32, total: u32, quiet: bool) -> Self {
        let kind = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Kind::Quiet,
            (false, false) => Kind::Lines,
            (false, true) => {
                let bar = ProgressBar::new(total.into()).with_position(first.into()).with_prefix(label.clone());
                let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                Kind::Bar(bar)
            }
        };
        Self { kind, label, first, total, begun: Instant::now() }
    }

    /// After `step` steps.
    pub(crate) fn update(&self, step: u32, figures: Figures) {
        let elapsed = self.begun.elapsed();
        match &self.kind {
            Kind::Bar(bar) => {
                bar.set_message(describe(figures, step - self.first, self.total - step, elapsed));
                bar.set_position(step.into());
            }
            Kind::Lines if step.is_multiple_of(LINE_EVERY) || step == self.total => {
                let text = describe(figures, step - self.first, self.total - step, elapsed);
                note(&format!("{}: step {step}/{}, {text}", self.label, self.total));
            }
            Kind::Lines | Kind::Quiet => {}
        }
    }

    /// No more to come.
    pub(crate) fn end(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.abandon();
        }
    }
}

/// A count of things of which it is known how many there may be, on stderr where that is a terminal.
pub(crate) struct Counting(Option<ProgressBar>);

impl Counting {
    /// Begins at none of `total`.
    pub(crate) fn new(what: &str, total: u64, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(total).with_prefix(what.to_owned());
        let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len}, {per_sec}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(Some(bar))
    }

    /// So many more.
    pub(crate) fn add(&self, count: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(count);
        }
    }

    /// No more to come.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The progress of a download, on stderr where that is a terminal.
pub(crate) struct Arriving(Option<ProgressBar>);

impl Arriving {
    /// Begins at `first` bytes of `total`, if that is known.
    pub(crate) fn new(label: &str, first: u64, total: Option<u64>, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let name = label.rsplit('/').next().unwrap_or(label).to_owned();
        let bar = ProgressBar::new(total.unwrap_or(0)).with_position(first).with_prefix(name);
        let style = ProgressStyle::with_template("{prefix} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(Some(bar))
    }

    /// After so many bytes in all.
    pub(crate) fn update(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(bytes);
        }
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
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
