//! Spearman's rank correlation: against scipy, against ranks counted one by one, and what must not change a bit of it.

use super::twin::generated::generated;
use super::twin::random::Random;
use proptest::prelude::*;
use protogpu::analysis::{Ranks, Sorter, spearman};
use serde_json::Value;

/// Ranks are exact on both sides; what differs are roundings of sums of up to a million terms in scipy.
const TOLERANCE: f64 = 1e-12;

fn golden(rows: &str) -> Vec<Vec<Value>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/spearman.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let rows: Vec<Vec<Value>> = serde_json::from_value(file[rows].clone()).expect("rows of a golden");
    assert!(!rows.is_empty());
    rows
}

/// What is wrong with ρ, if anything.
fn fault(what: String, rho: Option<f64>, expected: Option<f64>) -> Option<String> {
    let close = match (rho, expected) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE,
        (a, b) => a == b,
    };
    (!close).then(|| format!("{what}: {rho:?}, scipy {expected:?}"))
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} differ:\n  {}", faults.len(), faults.join("\n  "));
}

/// The vector that a recipe of `tests/golden/README.md` makes of whole numbers of 24 bits.
fn vector(recipe: &str, k: &[u32]) -> Vec<f32> {
    let third = k.len() / 3;
    let value = |i: usize, k: u32| match recipe {
        "signed" => (k as f32 - 8_388_608.0) / 8_388_608.0,
        "relu" => k.saturating_sub(10_066_330) as f32 / 16_777_216.0,
        "f16" => half::f16::from_f32(k.saturating_sub(8_388_608) as f32 / 1_048_576.0).to_f32(),
        "levels" => ((u64::from(k) * 7) >> 24) as f32 - 3.0,
        "zeros" => [-0.0, 0.0, k as f32 - 8_388_608.0, k as f32 - 8_388_608.0][k as usize % 4],
        "denormal" => f32::from_bits((k & 0x80_0000) << 8 | k & 0x7F_FFFF),
        "bits" if (k << 8) & 0x7F80_0000 == 0x7F80_0000 => f32::from_bits((k << 8) & !0x4000_0000),
        "bits" => f32::from_bits(k << 8),
        "one" => [0.25, 1.5][usize::from(i == third)],
        "constant" => 0.25,
        "ascending" => i as f32,
        "descending" => -(i as f32),
        other => panic!("no recipe {other}"),
    };
    k.iter().enumerate().map(|(i, &k)| value(i, k)).collect()
}

/// Whole numbers of 24 bits.
fn counts(name: &str, len: usize) -> Vec<u32> {
    generated(name, &[len], 0).iter().map(|u| (u * 16_777_216.0) as u32).collect()
}

fn pair(x: &str, y: &str, len: usize) -> (Vec<f32>, Vec<f32>) {
    let (of_x, of_y) = (counts("x", len), counts("y", len));
    let left = vector(x, &of_x);
    let right = match y.strip_prefix("mixed ") {
        Some(recipe) => vector(recipe, &of_x.iter().zip(&of_y).map(|(a, b)| (a + b) / 2).collect::<Vec<u32>>()),
        None if y == "negated" => left.iter().map(|v| -v).collect(),
        None => vector(y, &of_y),
    };
    (left, right)
}

#[test]
fn small_vectors_as_scipy_correlates_them() {
    let floats = |v: &Value| serde_json::from_value::<Vec<f32>>(v.clone()).expect("numbers");
    let rows = golden("small");
    let faults = rows.iter().filter_map(|row| {
        let rho = spearman(&floats(&row[1]), &floats(&row[2])).expect("finite numbers");
        fault(row[0].to_string(), rho, row[3].as_f64())
    });
    assert_none(&faults.collect::<Vec<_>>());
}

/// One sorter for all, so that what an earlier vector left in it must not matter.
#[test]
fn long_vectors_as_scipy_correlates_them() {
    let mut sorter = Sorter::default();
    let rows = golden("recipes");
    let faults = rows.iter().rev().filter_map(|row| {
        let (x, y) = (row[0].as_str().expect("a recipe"), row[1].as_str().expect("a recipe"));
        let (left, right) = pair(x, y, row[2].as_u64().expect("a length") as usize);
        let rho = Ranks::of(&left).and_then(|ranks| ranks.correlation(&right, &mut sorter));
        fault(format!("{x}, {y}, {} values", row[2]), rho.expect("finite numbers"), row[3].as_f64())
    });
    assert_none(&faults.collect::<Vec<_>>());
}

/// ρ from its definition: the rank is how many are less, and half of the others that are equal, and one.
fn twin_of_spearman(x: &[f32], y: &[f32]) -> Option<f64> {
    let ranks = |v: &[f32]| -> Vec<f64> {
        let count = |holds: &dyn Fn(f32) -> bool| v.iter().filter(|&&other| holds(other)).count() as f64;
        v.iter().map(|&value| count(&|o| o < value) + (count(&|o| o == value) + 1.0) / 2.0).collect()
    };
    let (a, b) = (ranks(x), ranks(y));
    let mean = (x.len() as f64 + 1.0) / 2.0;
    let covariance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let variances = covariance(&a, &a) * covariance(&b, &b);
    (variances > 0.0).then(|| covariance(&a, &b) / variances.sqrt())
}

/// Numbers that tie often, and any others that are finite.
fn numbers() -> impl Strategy<Value = f32> {
    let few = prop::sample::select(vec![0.0f32, -0.0, 1.0, -1.0, 0.5, 1e-45, -1e-45, f32::MAX, f32::MIN, 1.0000001]);
    prop_oneof![3 => few, 1 => any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |v| v.is_finite())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small_vectors_as_counted_one_by_one(pairs in prop::collection::vec((numbers(), numbers()), 1..40)) {
        let (x, y): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let (rho, expected) = (spearman(&x, &y).expect("finite numbers"), twin_of_spearman(&x, &y));
        prop_assert_eq!(rho.is_some(), expected.is_some());
        prop_assert!((rho.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-14, "{:?}, counted {:?}", rho, expected);
    }
}

fn bits(x: &[f32], y: &[f32]) -> Option<u64> {
    spearman(x, y).expect("finite numbers").map(f64::to_bits)
}

const RECIPES: [&str; 7] = ["signed", "relu", "f16", "levels", "zeros", "denormal", "bits"];

/// Sides, order and monotone functions are nothing to ρ, so not to its last bit either.
#[test]
fn what_leaves_the_ranks_alone_leaves_the_bits_alone() {
    for recipe in RECIPES {
        let (x, y) = pair(recipe, &format!("mixed {recipe}"), 3001);
        let expected = bits(&x, &y);
        assert!(expected.is_some(), "{recipe}");
        assert_eq!(bits(&y, &x), expected, "{recipe}, x and y exchanged");
        let mut order: Vec<usize> = (0..x.len()).collect();
        let mut random = Random(5);
        (1..order.len()).for_each(|i| order.swap(i, random.below(i + 1)));
        let shuffled = |v: &[f32]| order.iter().map(|&i| v[i]).collect::<Vec<f32>>();
        assert_eq!(bits(&shuffled(&x), &shuffled(&y)), expected, "{recipe}, both permuted alike");
        let negated = |v: &[f32]| v.iter().map(|v| -v).collect::<Vec<f32>>();
        assert_eq!(bits(&negated(&x), &negated(&y)), expected, "{recipe}, both negated");
    }
}

#[test]
fn a_vector_correlates_wholly_with_itself() {
    for recipe in RECIPES {
        let (x, negated) = pair(recipe, "negated", 3001);
        assert_eq!(spearman(&x, &x).expect("finite numbers"), Some(1.0), "{recipe}");
        assert_eq!(spearman(&x, &negated).expect("finite numbers"), Some(-1.0), "{recipe}, negated");
    }
}

/// Σc² is beyond 64 bits. One exchange of first and last: ρ = 1 − 6·Σd² / (n(n² − 1)), d = n − 1 twice.
#[test]
fn sums_beyond_64_bits() {
    let n = 5_000_000usize;
    let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let mut y = x.clone();
    y.swap(0, n - 1);
    let (n, d) = (n as f64, (n - 1) as f64);
    let expected = 1.0 - 12.0 * d * d / (n * (n * n - 1.0));
    let rho = spearman(&x, &y).expect("finite numbers").expect("not constant");
    assert!((rho - expected).abs() < 1e-15, "{rho}, expected {expected}");
}

#[test]
fn what_is_not_finite_is_refused_with_its_place() {
    let fine: Vec<f32> = vec![0.0, 1.0, -0.0, -2.0, 0.0];
    let ranks = Ranks::of(&fine).expect("finite numbers");
    for (bad, name) in [(f32::NAN, "NaN"), (-f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        for at in 0..fine.len() {
            let mut values = fine.clone();
            values[at..].fill(bad);
            let expected = format!("value {at} of 5 is {name}: only finite numbers have ranks");
            for error in [Ranks::of(&values).err(), ranks.correlation(&values, &mut Sorter::default()).err()] {
                let error = error.unwrap_or_else(|| panic!("{name} at {at} is accepted"));
                assert_eq!(error.to_string(), expected);
                assert!(error.is_input());
            }
        }
    }
    // A sorter that met them is as good as new.
    let mut sorter = Sorter::default();
    ranks.correlation(&[f32::NAN; 5], &mut sorter).expect_err("NaN");
    assert_eq!(ranks.correlation(&fine, &mut sorter).expect("finite numbers"), Some(1.0));
}

#[test]
fn other_lengths_are_refused() {
    let message = |result: Option<protogpu::Error>| result.expect("refused").to_string();
    let most = 1 << 27;
    assert_eq!(message(Ranks::of(&[]).err()), format!("0 values cannot be ranked, 1 to {most} can"));
    // Refused unread, so this memory is never touched.
    let long = vec![0.0; most + 1];
    assert_eq!(message(Ranks::of(&long).err()), format!("{} values cannot be ranked, 1 to {most} can", most + 1));
    for len in [1, 3] {
        let other = Ranks::of(&[1.0, 2.0]).and_then(|ranks| ranks.correlation(&vec![1.0; len], &mut Sorter::default()));
        assert_eq!(message(other.err()), format!("{len} values cannot be correlated with 2 ranks"));
    }
}

#[test]
fn lengths_and_constants_are_known() {
    let of = |values: &[f32]| Ranks::of(values).map(|r| (r.len(), r.is_constant())).expect("finite numbers");
    assert_eq!(of(&[3.0]), (1, true));
    assert_eq!(of(&[0.0, -0.0]), (2, true));
    assert_eq!(of(&[0.5; 4]), (4, true));
    assert_eq!(of(&[0.5, 0.5, 0.25]), (3, false));
}
