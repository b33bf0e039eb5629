//! Orders of the pixels of an image.

/// The pixels of an image in an order, the most important first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// The place of each pixel.
    places: Vec<u32>,
}

impl Order {
    /// The order of the values of a map, `[H,W]`, the largest first. Of equal values the first pixel comes first.
    pub(crate) fn of(map: &[f32]) -> Self {
        let mut pixels: Vec<u32> = (0..map.len() as u32).collect();
        pixels.sort_by(|&a, &b| map[b as usize].total_cmp(&map[a as usize]));
        let mut places = vec![0; map.len()];
        for (place, pixel) in pixels.into_iter().enumerate() {
            places[pixel as usize] = place as u32;
        }
        Self { places }
    }

    /// The number of pixels in a share of the image, rounded.
    fn count(&self, share: f64) -> u32 {
        (share * self.places.len() as f64).round() as u32
    }

    /// Whether each pixel is among the first, as many as the share says, as 0 or 1 `[H,W]`.
    pub(crate) fn mask(&self, share: f64) -> Vec<f32> {
        let count = self.count(share);
        self.places.iter().map(|&place| if place < count { 1.0 } else { 0.0 }).collect()
    }

    /// The first pixels of one image, as many as the share says, and all others of another; both `[C,H,W]`.
    pub(crate) fn composed(&self, first: &[f32], others: &[f32], share: f64) -> Vec<f32> {
        let (count, len) = (self.count(share), self.places.len());
        let chosen = |at: usize| if self.places[at % len] < count { first[at] } else { others[at] };
        (0..first.len()).map(chosen).collect()
    }
}

/// A map of cells, resized bilinearly to `[h, w]`. The centres of pixels and cells lie half-way between their edges.
pub(crate) fn resized(cells: &[f32], [rows, columns]: [usize; 2], [h, w]: [usize; 2]) -> Vec<f32> {
    let place = |at: usize, len: usize, cells: usize| {
        let place = (at as f64 + 0.5) * cells as f64 / len as f64 - 0.5;
        let place = place.clamp(0.0, (cells - 1) as f64);
        (place as usize, (place as usize + 1).min(cells - 1), place.fract() as f32)
    };
    let across: Vec<_> = (0..w).map(|at| place(at, w, columns)).collect();
    let mut map = Vec::with_capacity(h * w);
    for i in 0..h {
        let (above, below, down) = place(i, h, rows);
        for &(left, right, along) in &across {
            let of_row = |row: usize| {
                let [a, b] = [left, right].map(|column| cells[row * columns + column]);
                a + (b - a) * along
            };
            let [a, b] = [above, below].map(of_row);
            map.push(a + (b - a) * down);
        }
    }
    map
}

/// The largest magnitude over the channels of each pixel: the saliency of a gradient `[C,H,W]` (Simonyan, Vedaldi and Zisserman 2014,
/// "Deep inside convolutional networks").
pub(crate) fn largest_of_channels(gradient: &[f32], pixels: usize) -> Vec<f32> {
    let largest = |pixel: usize| gradient[pixel..].iter().step_by(pixels).fold(0.0f32, |most, x| most.max(x.abs()));
    (0..pixels).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pixels_are_those_with_the_largest_values() {
        let order = Order::of(&[0.5, -1.0, 2.0, 0.5]);
        assert_eq!(order.places, [1, 3, 0, 2]);
        assert_eq!(order.mask(0.5), [1.0, 0.0, 1.0, 0.0]);
        let (image, background) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [0.0; 8]);
        assert_eq!(order.composed(&image, &background, 0.25), [0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 7.0, 0.0]);
        assert_eq!(order.composed(&image, &background, 1.0), image);
        assert_eq!(order.composed(&image, &background, 0.0), background);
    }

    #[test]
    fn cells_are_resized_between_their_centres() {
        assert_eq!(resized(&[0.0, 4.0], [1, 2], [1, 8]), [0.0, 0.0, 0.5, 1.5, 2.5, 3.5, 4.0, 4.0]);
        assert_eq!(resized(&[0.0, 4.0], [2, 1], [4, 2]), [0.0, 0.0, 1.0, 1.0, 3.0, 3.0, 4.0, 4.0]);
        let same = [1.0, -2.0, 3.0, 0.5, 0.25, 8.0];
        assert_eq!(resized(&same, [2, 3], [2, 3]), same);
    }

    #[test]
    fn the_saliency_of_a_pixel_is_the_largest_of_its_channels() {
        assert_eq!(largest_of_channels(&[1.0, -2.0, -3.0, 0.5], 2), [3.0, 2.0]);
    }
}
