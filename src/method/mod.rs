//! The prototype loop: settings, random draws, the loss, the session that makes steps, and checkpoints.

mod checkpoint;
pub(crate) mod choices;
pub(crate) mod draws;
pub(crate) mod former_names;
mod history;
#[cfg(feature = "cli")]
pub(crate) mod isolation;
mod job;
pub mod losses;
mod microbatch;
pub mod objective;
pub(crate) mod parameterization;
pub(crate) mod presets;
mod schedule;
mod session;
mod settings;
mod step;
mod terms;
mod transform;
pub(crate) mod transform_chain;
mod transforms;

pub use checkpoint::Checkpoint;
pub use choices::{BaselineForm, Fill, Init, Interpolation, Parameterization, Preset, TvForm};
pub use draws::Warp;
pub use history::History;
pub use job::Job;
pub use losses::LossTerm;
pub use microbatch::MICROBATCH_IN_SOFTWARE;
pub use objective::Objective;
pub use schedule::{TransformDraws, Warps};
pub use session::{ImageState, Losses, Overrides, Pending, Session};
pub use settings::{MAX_STEPS, Settings};
pub use transform::Transform;
pub use transforms::Transforms;
