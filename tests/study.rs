//! The statistics of `protogpu study`: against scipy and statsmodels, and what must hold whatever the numbers are.

use super::twin::generated::generated;
use crate::analysis::study::proportion::{Count, Interval, Pairs, cohens_h, difference, fisher};
use crate::analysis::study::resample::{
    Resampling, bootstrap_difference, bootstrap_mean, cliffs_delta, holm, mean, percentile_interval_95, permutation,
    sign_flips,
};
use serde_json::Value;

/// What differs are roundings; exact tests sum up to 20,000 terms of logarithms of factorials.
const TOLERANCE: f64 = 1e-9;
const RESAMPLING: Resampling = Resampling { count: 9_999, seed: 7 };

fn golden(rows: &str) -> Vec<Vec<Value>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/study.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let rows: Vec<Vec<Value>> = serde_json::from_value(file[rows].clone()).expect("rows of a golden");
    assert!(!rows.is_empty());
    rows
}

fn numbers(row: &[Value]) -> Vec<f64> {
    row.iter().map(|value| value.as_f64().expect("a number")).collect()
}

/// Fails with all that differ. p-values are held to their size as well, since what matters of them is how small they are.
#[track_caller]
fn assert_close(rows: impl Iterator<Item = (String, Vec<f64>, Vec<f64>)>) {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * b.abs().clamp(1e-300, 1.0) || (a - b).abs() < 1e-15;
    let faults: Vec<String> = rows
        .filter(|(_, found, wanted)| found.len() != wanted.len() || !found.iter().zip(wanted).all(close))
        .map(|(what, found, wanted)| format!("{what}: {found:?}, golden {wanted:?}"))
        .collect();
    assert!(faults.is_empty(), "{} differ:\n  {}", faults.len(), faults.join("\n  "));
}

fn limits(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}

/// The numbers that a recipe of `tests/golden/README.md` makes.
fn values(name: &str, len: usize, recipe: &str) -> Vec<f64> {
    let value = |u: f64| match recipe {
        "flat" => u,
        "high" => 1.0 - u * u * u,
        "ties" => (u * 4.0).floor() / 4.0,
        "signed" => 2.0 * u - 1.0,
        other => panic!("no recipe {other}"),
    };
    generated(name, &[len], 0).iter().map(|&u| value(f64::from(u))).collect()
}

#[test]
fn shares_and_their_differences() {
    assert_close(golden("counts").iter().map(|row| {
        let counts: Vec<usize> = row[..4].iter().map(|count| count.as_u64().expect("a count") as usize).collect();
        let (a, b) = (Count { hits: counts[0], of: counts[1] }, Count { hits: counts[2], of: counts[3] });
        let found = [&limits(a.wilson())[..], &limits(difference(a, b)), &[fisher(a, b), cohens_h(a, b)]].concat();
        (format!("{counts:?}"), found, numbers(&row[4..]))
    }));
}

#[test]
fn pairs() {
    assert_close(golden("pairs").iter().map(|row| {
        let counts: Vec<usize> = row[..4].iter().map(|count| count.as_u64().expect("a count") as usize).collect();
        let pairs = Pairs { both: counts[0], first: counts[1], second: counts[2], neither: counts[3] };
        let found = [&limits(pairs.difference())[..], &[pairs.mcnemar()]].concat();
        (format!("{counts:?}"), found, numbers(&row[4..]))
    }));
    // As printed in Newcombe (1998), to four digits.
    let example = Pairs { both: 36, first: 12, second: 2, neither: 0 }.difference();
    assert_eq!(limits(example).map(|x| (x * 1e4).round() / 1e4), [0.0569, 0.3404]);
}

#[test]
fn groups_of_which_all_permutations_are_tried() {
    let all = Resampling { count: 1_000_000, seed: 0 };
    assert_close(golden("groups").iter().map(|row| {
        let (n, m) = (row[1].as_u64().expect("a length") as usize, row[3].as_u64().expect("a length") as usize);
        let (x, y) = (row[0].as_str().expect("a recipe"), row[2].as_str().expect("a recipe"));
        let (a, b) = (values("a", n, x), values("b", m, y));
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let found = vec![permutation(&a, &b, all), cliffs_delta(&a, &b), sign_flips(&differences, all)];
        (format!("{n} {x}, {m} {y}"), found, numbers(&row[4..]))
    }));
}

/// Drawn permutations come as close to all of them as chance lets them: within five deviations of a share.
#[test]
fn drawn_permutations_estimate_all_of_them() {
    // 12,870 ways, of which scipy tries all and 9,999 are drawn.
    let row = golden("groups").into_iter().find(|row| row[1] == 8 && row[3] == 8).expect("eight and eight");
    let (a, b) = (values("a", 8, row[0].as_str().unwrap()), values("b", 8, row[2].as_str().unwrap()));
    let (p, exact) = (permutation(&a, &b, RESAMPLING), row[4].as_f64().unwrap());
    let room = 5.0 * 2.0 * (exact / 2.0 * (1.0 - exact / 2.0) / 9_999.0).sqrt();
    assert!(p != exact && (p - exact).abs() < room, "{p}, all ways {exact}");
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let (p, exact) = (sign_flips(&differences, Resampling { count: 200, seed: 1 }), row[6].as_f64().unwrap());
    let room = 5.0 * 2.0 * (exact / 2.0 * (1.0 - exact / 2.0) / 200.0).sqrt();
    assert!(p != exact && (p - exact).abs() < room, "{p}, all signs {exact}");
}

#[test]
fn percentiles_and_bootstrap_intervals() {
    let rows = golden("alone");
    let of = |row: &[Value]| {
        let (recipe, len) = (row[0].as_str().expect("a recipe"), row[1].as_u64().expect("a length") as usize);
        (format!("{len} {recipe}"), values("a", len, recipe), numbers(&row[2..]))
    };
    assert_close(rows.iter().map(|row| {
        let (what, mut values, wanted) = of(row);
        (what, percentile_interval_95(&mut values).to_vec(), wanted[..2].to_vec())
    }));
    // Two sets of draws, of 20,000 here and 200,000 there: a limit of theirs strays by some 3 % of a deviation of the mean, and
    // of seven values of which four are equal, it lies on a step.
    for row in &rows {
        let (what, values, wanted) = of(row);
        let found = bootstrap_mean(&values, Resampling { count: 20_000, seed: 1 });
        let (room, deviation) = (0.15 * wanted[4], wanted[4]);
        assert_eq!(found.value, mean(&values), "{what}");
        for (found, wanted) in limits(found).iter().zip(&wanted[2..4]) {
            assert!((found - wanted).abs() < room, "{what}: {found}, scipy {wanted}, deviation {deviation}");
        }
    }
}

#[test]
fn differences_of_means_have_the_wider_interval_of_both() {
    let (a, b) = (values("a", 400, "flat"), values("b", 300, "high"));
    let found = bootstrap_difference(&a, &b, RESAMPLING);
    let half = |interval: Interval| (interval.high - interval.low) / 2.0;
    let (alone, other) = (half(bootstrap_mean(&a, RESAMPLING)), half(bootstrap_mean(&b, RESAMPLING)));
    assert!((half(found) / alone.hypot(other) - 1.0).abs() < 0.05, "{found:?}");
    assert!((found.value - (mean(&a) - mean(&b))).abs() < 1e-15);
    // Both ways round are each other's mirror, up to the draws.
    let mirrored = bootstrap_difference(&b, &a, RESAMPLING);
    assert!((found.low + mirrored.high).abs() < 0.1 * half(found), "{found:?}, {mirrored:?}");
}

#[test]
fn many_p_values() {
    assert_close(golden("holm").iter().map(|row| {
        let [given, wanted] = [0, 1].map(|at| numbers(row[at].as_array().expect("a list")));
        (format!("{given:?}"), holm(&given), wanted)
    }));
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let (a, b) = (values("a", 60, "high"), values("b", 50, "flat"));
    let all = |resampling| {
        let intervals = [bootstrap_mean(&a, resampling), bootstrap_difference(&a, &b, resampling)];
        (intervals.map(|i| limits(i).map(f64::to_bits)), permutation(&a, &b, resampling).to_bits())
    };
    let first = all(RESAMPLING);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| all(RESAMPLING)), first);
    assert_ne!(all(Resampling { seed: 8, ..RESAMPLING }).0, first.0);
}

/// Equal groups: no test may find anything, and no interval may leave 0 out.
#[test]
fn nothing_is_found_where_nothing_is() {
    let a = values("a", 50, "high");
    assert_eq!(permutation(&a[..5], &a[..5], RESAMPLING), 1.0);
    // Of those that are drawn, about half lie on either side.
    assert!(permutation(&a, &a, RESAMPLING) > 0.95);
    assert_eq!(sign_flips(&[0.0; 50], RESAMPLING), 1.0);
    assert_eq!(cliffs_delta(&a, &a), 0.0);
    let count = Count { hits: 31, of: 50 };
    assert_eq!((fisher(count, count), cohens_h(count, count)), (1.0, 0.0));
    let found = bootstrap_difference(&a, &a, RESAMPLING);
    assert!(found.low < 0.0 && found.high > 0.0 && found.value == 0.0);
    // One value only has no spread, and a group of it no interval.
    assert_eq!(limits(bootstrap_mean(&[0.25], RESAMPLING)), [0.25, 0.25]);
}
