//! The prototype loop: what it is made with, what it draws, and what it leaves behind.

pub mod checkpoint;
pub mod choices;
pub mod draws;
pub mod settings;

pub use checkpoint::{Checkpoint, History};
pub use choices::{Fill, HfForm, Init, Interpolation, Preset, PvForm};
pub use draws::Warp;
pub use settings::Settings;
