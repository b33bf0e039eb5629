//! Axes: their range and their marks.

/// An axis of [`super::Curves`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    /// The quantity it measures.
    pub(crate) title: String,
    /// The range; `None` fits the values.
    pub(crate) range: Option<(f64, f64)>,
    /// Named positions; if empty, round numbers.
    pub(crate) names: Vec<(f64, String)>,
}

/// About `count` round numbers in a range: multiples of 1, 2 or 5 times a power of ten.
pub(super) fn round_numbers(low: f64, high: f64, count: usize) -> Vec<f64> {
    let step = round_step(low, high, count);
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|index| decimal(index as f64 * step)).collect()
}

fn round_step(low: f64, high: f64, count: usize) -> f64 {
    let rough = ((high - low) / count as f64).max(1e-9);
    let mut power = 1e-9;
    while power * 10.0 <= rough {
        power *= 10.0;
    }
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| rough <= times * power * (1.0 + 1e-9));
    times.unwrap_or(10.0) * power
}

/// The range of some values, widened to round numbers; 0 to 1 if there are no values.
pub(super) fn round_range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let (low, high) = if high - low < 1e-6 { (low - 0.5, high + 0.5) } else { (low, high) };
    let step = round_step(low, high, 6);
    (decimal((low / step + 1e-9).floor() * step), decimal((high / step - 1e-9).ceil() * step))
}

/// The intended decimal: twelve times 0.2 is a little more than 2.4.
fn decimal(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

/// A number with as many digits as the distance between marks requires.
pub(super) fn number(value: f64, between: f64) -> String {
    let mut digits = 0;
    let mut step = between.abs();
    while digits < 6 && (step - step.round()).abs() > 1e-6 {
        step *= 10.0;
        digits += 1;
    }
    let text = format!("{:.digits$}", if value.abs() < 1e-9 { 0.0 } else { value });
    text.replace('-', "\u{2212}")
}

/// Marks for layers, numbered from 1: every module if there are few, otherwise the first of each stage. Modules of a stage have the same
/// name up to the first dot, or up to the second if that separates nothing.
pub(crate) fn stages<'a>(modules: impl IntoIterator<Item = &'a str>) -> Vec<(f64, String)> {
    let modules: Vec<&str> = modules.into_iter().collect();
    let named = |name: &str| if name.is_empty() { "(network)".to_string() } else { name.to_string() };
    let places = |parts: usize| -> Vec<(f64, String)> {
        let mut marks: Vec<(f64, String)> = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            let stage = named(&module.split('.').take(parts).collect::<Vec<_>>().join("."));
            if marks.last().is_none_or(|(_, last)| *last != stage) {
                marks.push(((index + 1) as f64, stage));
            }
        }
        marks
    };
    if modules.len() <= 16 {
        return modules.iter().enumerate().map(|(index, module)| ((index + 1) as f64, named(module))).collect();
    }
    match places(1) {
        few if few.len() < 4 => places(2),
        enough => enough,
    }
}

/// Positions of labels at least `apart` from each other, as close to the wanted ones as one pass in each direction achieves.
pub(super) fn spread(wanted: &[f64], apart: f64, low: f64, high: f64) -> Vec<f64> {
    let mut places = Vec::with_capacity(wanted.len());
    let mut next = low;
    for &place in wanted {
        let place = place.max(next);
        places.push(place);
        next = place + apart;
    }
    let mut last = high;
    for place in places.iter_mut().rev() {
        *place = place.min(last);
        last = *place - apart;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_marks_are_round() {
        assert_eq!(round_range([0.12, 0.97]), (0.0, 1.0));
        assert_eq!(round_range([]), (0.0, 1.0));
        assert_eq!(round_range([f64::NAN, 3.0]), (2.4, 3.6));
        let texts: Vec<String> = round_numbers(-0.25, 1.0, 5).iter().map(|&x| number(x, 0.25)).collect();
        assert_eq!(texts, ["0.00", "0.50", "1.00"]);
        assert_eq!(number(-0.4, 0.2), "\u{2212}0.4");
    }

    #[test]
    fn stages_begin_where_the_first_part_of_the_name_changes() {
        let modules: Vec<String> = (0..20).map(|i| format!("layer{}.{i}.conv", i / 5)).collect();
        let marks = stages(modules.iter().map(String::as_str));
        assert_eq!(marks.len(), 4);
        assert_eq!(marks[1], (6.0, "layer1".to_string()));
        let alike: Vec<String> = (0..20).map(|i| format!("features.{i}")).collect();
        assert_eq!(stages(alike.iter().map(String::as_str))[2], (3.0, "features.2".to_string()));
        assert_eq!(stages(["", "fc"]), [(1.0, "(network)".to_string()), (2.0, "fc".to_string())]);
    }

    #[test]
    fn labels_are_spread_within_bounds() {
        assert_eq!(spread(&[0.0, 1.0, 50.0, 100.0], 10.0, 0.0, 100.0), [0.0, 10.0, 50.0, 100.0]);
        assert_eq!(spread(&[95.0, 96.0], 10.0, 0.0, 100.0), [90.0, 100.0]);
    }
}
