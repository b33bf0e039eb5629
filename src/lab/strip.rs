//! One class or objective under growing regularisation, as a strip of images.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::observer::Note;
use super::run::batch::Run;
use super::run::folder::Existing;
use super::run::many::{Done, make_all};
use super::run::request::Request;
use super::run::slot::{RunSlot, slots};
use super::top::percent;
use crate::atomic::write_atomically;
use crate::method::losses::OptionValue;
use crate::method::{Settings, Transform};
use crate::networks::Network;
use crate::picture::read;
use crate::report::ContactSheet;
use crate::{Error, Result};
use serde_json::{Value, json};

/// The layout's name and version.
const FORMAT: &str = "protogpu regularization-strip 1";
const STRIP: &str = "regularization-strip.png";
const RECORD: &str = "regularization-strip.json";

/// A strip of prototypes in a folder.
pub(crate) struct Strip<'a> {
    pub(crate) out: &'a Path,
    pub(crate) network: &'a Network,
    levels: Vec<Level>,
}

/// One prototype of the strip.
struct Level {
    share: f64,
    settings: Settings,
    /// A single slot, in the form that runs take.
    slots: Vec<RunSlot>,
}

/// How a strip ended.
pub(crate) enum StripEnd {
    /// Every prototype is made.
    Whole,
    /// The observer stopped the strip after this step of a prototype.
    Cancelled(u32),
}

impl<'a> Strip<'a> {
    /// Plans `count` prototypes of one request, from no regularisation up to the `full` settings, and checks them.
    pub(crate) fn new(
        out: &'a Path,
        network: &'a Network,
        request: &Request,
        full: &Settings,
        count: u32,
        existing: Existing,
        steps_given: bool,
    ) -> Result<Self> {
        if !full.transforms.0.contains(&Transform::Affine) {
            let transforms = full.transforms.to_string().replace('{', "{{");
            return Err(Error::input("a regularization strip grows the reach of the affine warp, but")
                .advised(format!(" {{transforms}} is {transforms}: use {{transforms}} affine")));
        }
        if request.resolved.is_diverse() {
            return Err(Error::input(format!(
                "`{}` needs several images in one batch, but a strip makes its images one after the other",
                request.name
            )));
        }
        let level = |at: u32| {
            let settings = regularised(full, at, count - 1);
            let share = f64::from(at) / f64::from(count - 1);
            let folder = out.join(format!("regularisation_{:03}", (share * 100.0).round()));
            let wanted = [(request.clone(), settings.seed)];
            let slots = slots(&wanted, &folder, existing, &settings, None, steps_given, network)?;
            Ok(Level { share, settings, slots })
        };
        Ok(Self { out, network, levels: (0..count).map(level).collect::<Result<_>>()? })
    }

    /// Whether every prototype is made.
    pub(crate) fn is_finished(&self) -> bool {
        self.levels.iter().all(|level| level.slots[0].finished)
    }

    /// Makes the missing prototypes, each with its own settings.
    pub(crate) fn make(&mut self, run: &Run<'_>) -> Result<StripEnd> {
        for level in &mut self.levels {
            if level.slots[0].is_open() {
                run.observer.note(Note::Level { share: level.share, settings: &level.settings });
            }
            let run = Run { settings: &level.settings, ..*run };
            if let Done::Cancelled(step) = make_all(&run, &mut level.slots, 1, false)? {
                return Ok(StripEnd::Cancelled(step));
            }
            if let Some(error) = level.slots[0].failed.take() {
                return Err(error);
            }
        }
        Ok(StripEnd::Whole)
    }

    /// Writes the strip and its record. Returns the path of the strip, and the record.
    pub(crate) fn write(&self) -> Result<(PathBuf, Value)> {
        let image = self.network.image();
        let side = image.height.max(image.width) as u32;
        let mut strip = ContactSheet::strip(self.levels.len(), side, 5)?;
        let mut rows = Vec::new();
        for level in &self.levels {
            let (slot, settings) = (&level.slots[0], &level.settings);
            let top = slot.seen_as();
            let mut lines = vec![format!("regularisation {:.0} %", level.share * 100.0)];
            lines.extend(words(settings));
            lines.extend(top.first().map(|top| format!("seen as {} {}", top.name, percent(top.probability))));
            match &slot.picture {
                Some(picture) => strip.place(Some(picture), &lines),
                None => strip.place(Some(&read(slot.folder.picture())?), &lines),
            }
            let mut row = json!({
                "share": level.share, "tv_weight": settings.tv_weight, "weight_decay": settings.weight_decay,
                "rotation": settings.rotation, "translate": settings.translate, "scale": settings.scale,
                "folder": slot.folder.path().strip_prefix(self.out).unwrap_or(slot.folder.path()), "top": top,
            });
            settings.regularizers.weights().for_each(|(name, weight)| row[name] = weight.into());
            rows.push(row);
        }
        let slot = &self.levels[0].slots[0];
        let record = json!({
            "format": FORMAT, "class": slot.request.class(), "objective": slot.request.objective, "seed": slot.settings.seed,
            "steps": slot.settings.total_steps(), "weights_sha256": self.network.weights().sha256(), "levels": rows,
        });
        let (png, path) = (strip.png()?, self.out.join(STRIP));
        write_atomically(&path, |file| file.write_all(&png))?;
        let text = serde_json::to_string_pretty(&record).expect("a record is plain data") + "\n";
        write_atomically(self.out.join(RECORD), |file| file.write_all(text.as_bytes()))?;
        Ok((path, record))
    }
}

/// `full` with `at / of` of its regularisation: of the weights of the total variation and of other regularisers, of the weight decay,
/// and of the reach of the warps.
fn regularised(full: &Settings, at: u32, of: u32) -> Settings {
    // Rounded, so that 0.05 in five parts is 0.01, 0.02, ... exactly.
    let part = |x: f64| (x * f64::from(at) / f64::from(of) * 1e12).round() / 1e12;
    let around_one = |x: f64| ((1.0 + part(x - 1.0)) * 1e12).round() / 1e12;
    let mut regularizers = full.regularizers.clone();
    full.regularizers.weights().for_each(|(name, weight)| regularizers.set(name, OptionValue::Number(part(weight))));
    Settings {
        regularizers,
        tv_weight: part(full.tv_weight),
        weight_decay: part(full.weight_decay),
        rotation: part(full.rotation),
        translate: part(full.translate),
        scale: full.scale.map(around_one),
        ..full.clone()
    }
}

/// The growing settings in words, as captions show them.
pub(crate) fn words(settings: &Settings) -> Vec<String> {
    let [low, high] = settings.scale.map(short);
    let mut variation = format!("total variation {}", short(settings.tv_weight));
    if settings.weight_decay > 0.0 {
        variation += &format!(", decay {}", short(settings.weight_decay));
    }
    for (name, weight) in settings.regularizers.weights() {
        variation += &format!(", {} {}", name.trim_end_matches("_weight"), short(weight));
    }
    vec![
        variation,
        format!("rotation {}°, shift {}", short(settings.rotation), short(settings.translate)),
        format!("scale {low} to {high}"),
    ]
}

/// Rounds to four decimals for captions. The record has all digits.
fn short(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Preset;

    #[test]
    fn regularisation_grows_from_nothing_to_the_preset() {
        let full = Settings { tv_weight: 0.05, weight_decay: 0.5, scale: [0.7, 1.3], ..Settings::default() };
        let none = regularised(&full, 0, 5);
        assert_eq!((none.tv_weight, none.weight_decay, none.rotation, none.translate), (0.0, 0.0, 0.0, 0.0));
        assert_eq!(none.scale, [1.0, 1.0]);
        none.validate().unwrap();
        let some = regularised(&full, 2, 5);
        assert_eq!((some.tv_weight, some.scale), (0.02, [0.88, 1.12]));
        assert_eq!(regularised(&full, 5, 5), full);
        let third = regularised(&full, 1, 3);
        assert_eq!(words(&third)[0], "total variation 0.0167, decay 0.1667");
        assert_eq!((none.steps, none.lr, none.fill), (full.steps, full.lr, full.fill));
        let natural = Preset::Natural.settings().unwrap();
        assert_eq!(regularised(&natural, 0, 5).regularizers.weights().count(), 0);
        assert_eq!(words(&regularised(&natural, 1, 2))[0], "total variation 0.003, natural 0.5");
    }
}
