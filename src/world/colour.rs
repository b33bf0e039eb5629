//! Colours, drawn and mixed.

use super::random::Random;

/// Red, green and blue in `[0, 1]` as the picture's bytes have them (sRGB), and how opaque.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour {
    pub(super) red: f32,
    pub(super) green: f32,
    pub(super) blue: f32,
    pub(super) alpha: f32,
}

/// White.
pub(super) const WHITE: Colour = Colour::rgb(1.0, 1.0, 1.0);
/// The dark of outlines and shadows.
pub(super) const INK: Colour = Colour::rgb(0.10, 0.09, 0.14);

impl Colour {
    /// An opaque colour.
    pub(super) const fn rgb(red: f32, green: f32, blue: f32) -> Self {
        Self { red, green, blue, alpha: 1.0 }
    }

    /// An opaque colour of a hue in turns (0 red, 1/3 green, 2/3 blue), a saturation and a value.
    pub(super) fn hsv(hue: f32, saturation: f32, value: f32) -> Self {
        let channel = |offset: f32| {
            let sixth = (hue + offset).rem_euclid(1.0) * 6.0;
            let distance = ((sixth - 3.0).abs() - 1.0).clamp(0.0, 1.0);
            value * (1.0 - saturation * (1.0 - distance))
        };
        Self::rgb(channel(0.0), channel(2.0 / 3.0), channel(1.0 / 3.0))
    }

    /// The colour `part` of the way to `other`.
    pub(super) fn mix(self, other: Self, part: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * part;
        Self {
            red: mix(self.red, other.red),
            green: mix(self.green, other.green),
            blue: mix(self.blue, other.blue),
            alpha: mix(self.alpha, other.alpha),
        }
    }

    /// A darker shade: black mixed in.
    pub(super) fn darker(self, part: f32) -> Self {
        self.mix(Self { alpha: self.alpha, ..Self::rgb(0.0, 0.0, 0.0) }, part)
    }

    /// A lighter tint: white mixed in.
    pub(super) fn lighter(self, part: f32) -> Self {
        self.mix(Self { alpha: self.alpha, ..WHITE }, part)
    }

    /// The same colour, this opaque.
    pub(super) fn opaque(self, alpha: f32) -> Self {
        Self { alpha, ..self }
    }
}

impl Random {
    /// Any strong colour.
    pub(super) fn vivid(&mut self) -> Colour {
        let hue = self.unit();
        self.vivid_of(hue, 0.02)
    }

    /// A strong colour near a hue.
    pub(super) fn vivid_of(&mut self, hue: f32, spread: f32) -> Colour {
        let hue = hue + self.between(-spread, spread);
        Colour::hsv(hue, self.between(0.55, 0.95), self.between(0.6, 1.0))
    }

    /// Any pale colour.
    pub(super) fn pale(&mut self) -> Colour {
        Colour::hsv(self.unit(), self.between(0.02, 0.2), self.between(0.86, 1.0))
    }

    /// Any colour at all, strong, pale or dull.
    pub(super) fn any_colour(&mut self) -> Colour {
        Colour::hsv(self.unit(), self.unit(), self.between(0.15, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsv_knows_the_primaries() {
        for (hue, red, green, blue) in [(0.0, 1.0, 0.0, 0.0), (1.0 / 3.0, 0.0, 1.0, 0.0), (2.0 / 3.0, 0.0, 0.0, 1.0)] {
            let colour = Colour::hsv(hue, 1.0, 1.0);
            let error = (colour.red - red).abs() + (colour.green - green).abs() + (colour.blue - blue).abs();
            assert!(error < 1e-5, "hue {hue} is {colour:?}");
        }
    }
}
