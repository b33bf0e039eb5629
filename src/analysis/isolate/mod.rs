//! The smallest region of an image that keeps a class, and how well an order of pixels finds what the network looks at: by insertion and
//! deletion, beside Grad-CAM and plain gradients.

mod comparison;
mod curve;
mod grad_cam;
mod order;
mod table;

pub(crate) use comparison::{Comparison, Measured, Method};
pub(crate) use curve::{Curve, smallest_share};
pub(crate) use grad_cam::GradCam;
pub(crate) use order::{Order, largest_of_channels, resized};
pub(crate) use table::{Isolated, Isolations};
