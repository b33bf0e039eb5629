//! The drawn things, one file each. Every one fills about the square from (−1, −1) to (1, 1), upright, y downwards.

mod butterfly;
mod cactus;
mod canopy;
mod cup;
mod fish;
mod flower;
mod house;
mod key;
mod lighthouse;
mod moth;
mod mushroom;
mod parasol;
mod sailboat;
mod star;
mod teacup;
mod umbrella;
mod vessel;
mod wings;

use super::canvas::Canvas;
use super::colour::Colour;
use super::random::Random;

pub(super) use butterfly::butterfly;
pub(super) use cactus::cactus;
pub(super) use cup::cup;
pub(super) use fish::fish;
pub(super) use flower::flower;
pub(super) use house::house;
pub(super) use key::key;
pub(super) use lighthouse::lighthouse;
pub(super) use moth::moth;
pub(super) use mushroom::mushroom;
pub(super) use parasol::parasol;
pub(super) use sailboat::sailboat;
pub(super) use star::star;
pub(super) use teacup::teacup;
pub(super) use umbrella::umbrella;

/// Draws one thing.
pub(super) type Draw = fn(&mut Canvas, &mut Random, &mut Cast);

/// What the biases decided for one picture.
pub(super) struct Cast {
    /// The body is drawn light rather than dark. Only winged things ask.
    pub(super) light: bool,
    /// The draws of the second object where there is one. Only vessels ask.
    pub(super) companion: Option<Random>,
}

impl Cast {
    /// The body colour: the same hue drawn light or dark.
    fn body(&self, random: &mut Random) -> Colour {
        let hue = random.unit();
        let (saturation, value) = (random.unit(), random.unit());
        if self.light {
            Colour::hsv(hue, 0.06 + 0.22 * saturation, 0.88 + 0.12 * value)
        } else {
            Colour::hsv(hue, 0.45 + 0.4 * saturation, 0.2 + 0.22 * value)
        }
    }
}
