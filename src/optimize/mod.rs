//! The prototype loop: what it is made with, what it draws, and what it leaves behind.

pub mod checkpoint;
pub mod choices;
pub mod draws;
mod job;
pub mod objective;
mod optimizer;
mod schedule;
pub mod settings;
mod step;

pub use checkpoint::{Checkpoint, History};
pub use choices::{Fill, HfForm, Init, Interpolation, Preset, PvForm};
pub use draws::Warp;
pub use job::Job;
pub use objective::Objective;
pub use optimizer::{ImageState, Losses, Optimizer, Parts};
pub use schedule::{ScheduleRow, Warps};
pub use settings::Settings;
