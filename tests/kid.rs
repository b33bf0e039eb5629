//! KID: against PyTorch, against loops from its formula, and what must hold whatever the numbers are. And the features behind it.

use super::harness::gpu;
use super::twin::generated::generated;
use crate::analysis::kid::{Featured, Kid};
use crate::analysis::study::Resampling;
use crate::analysis::{Activations, Classifier};
use crate::networks::{Semantics, embedded};
use serde_json::Value;

const RESAMPLING: Resampling = Resampling { count: 200, seed: 3 };

fn featured(class: usize, features: &[f32]) -> Featured {
    Featured { class, features: features.to_vec() }
}

fn kid(x: &[Featured], y: &[Featured]) -> Kid {
    Kid::of(&x.iter().collect::<Vec<_>>(), &y.iter().collect::<Vec<_>>(), RESAMPLING)
}

/// `count` images of `classes` classes, around `shift`.
fn sample(name: &str, count: usize, classes: usize, d: usize, shift: f32) -> Vec<Featured> {
    let values = generated(name, &[count, d], 0);
    let of = |at: usize| {
        let class = at % classes;
        let row = values[at * d..(at + 1) * d].iter().enumerate();
        let features: Vec<f32> = row.map(|(i, &v)| v + shift + if i % classes == class { 1.0 } else { 0.0 }).collect();
        featured(class, &features)
    };
    (0..count).map(of).collect()
}

/// The estimate from its formula, pair by pair.
fn twin(x: &[Featured], y: &[Featured]) -> f64 {
    let k = |a: &Featured, b: &Featured| {
        let dot: f64 = a.features.iter().zip(&b.features).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        (dot / a.features.len() as f64 + 1.0).powi(3)
    };
    let within = |all: &[Featured]| {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                if i != j {
                    sum += k(a, b);
                    pairs += 1.0;
                }
            }
        }
        sum / pairs
    };
    let between: f64 = x.iter().flat_map(|a| y.iter().map(move |b| k(a, b))).sum();
    within(x) + within(y) - 2.0 * between / (x.len() * y.len()) as f64
}

#[test]
fn as_pytorch_computes_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/kid.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let rows = file["rows"].as_array().unwrap();
    assert!(rows.len() > 3);
    for row in rows {
        let sample = |key: &str| -> Vec<Featured> {
            let rows: Vec<Vec<f32>> = serde_json::from_value(row[key].clone()).unwrap();
            rows.iter().map(|features| featured(0, features)).collect()
        };
        let (x, y, golden) = (sample("x"), sample("y"), row["kid"].as_f64().unwrap());
        let ours = kid(&x, &y).kid.unwrap().value;
        // Sums of up to 4,096 kernels of up to 30, which are subtracted.
        assert!((ours - golden).abs() < 1e-11, "{ours}, PyTorch {golden}");
        assert!((ours - twin(&x, &y)).abs() < 1e-11, "{ours}, twin {}", twin(&x, &y));
    }
}

#[test]
fn yardsticks_are_those_of_photographs() {
    let photographs = sample("photographs", 90, 3, 24, 0.0);
    let (alike, apart) = (sample("alike", 30, 3, 24, 0.0), sample("apart", 30, 3, 24, 0.3));
    let (alike, apart) = (kid(&alike, &photographs), kid(&apart, &photographs));
    let (near, far) = (alike.kid.unwrap(), apart.kid.unwrap());
    assert!(near.low < 0.02 && near.high > -0.02 && far.low > 0.3 && far.low < far.value && far.value < far.high);
    for yardstick in [alike.instead.unwrap(), alike.halves.unwrap()] {
        assert!(yardstick.low <= 0.0 && yardstick.high < far.low, "{yardstick:?}");
        assert!(yardstick.low < yardstick.value && yardstick.value < yardstick.high, "{yardstick:?}");
    }
    // One of each class has no pair of one class, which photographs in their place have not either.
    let one_each = kid(&sample("three", 3, 3, 24, 0.0), &photographs);
    let (ours, instead) = (one_each.kid.unwrap(), one_each.instead.unwrap());
    assert!(ours.value > instead.low - 0.1 && ours.value < instead.high + 0.1 && instead.high < 0.0, "{one_each:?}");
    // The seed decides, and nothing else.
    let again = |seed| {
        let x = sample("apart", 30, 3, 24, 0.3);
        Kid::of(
            &x.iter().collect::<Vec<_>>(),
            &photographs.iter().collect::<Vec<_>>(),
            Resampling { seed, ..RESAMPLING },
        )
    };
    assert_eq!(again(3), apart);
    assert_ne!(again(4), apart);
}

#[test]
fn too_few_images_are_told() {
    let few = |prototypes, photographs| kid(&sample("x", prototypes, 2, 4, 0.0), &sample("y", photographs, 2, 4, 0.0));
    let said = |kid: &Kid, what: &str| kid.notes.iter().any(|note| note.contains(what));
    let one = few(1, 8);
    assert!(one.kid.is_none() && said(&one, "but there are 1 and 8"), "{one:?}");
    let three = few(2, 3);
    assert!(three.kid.is_some() && three.halves.is_none() && three.instead.is_none(), "{three:?}");
    assert!(said(&three, "two halves: 3") && said(&three, "as many of each class") && said(&three, "fewer than 50"));
    // More prototypes of a class than photographs.
    let many = few(12, 10);
    assert!(many.halves.is_some() && many.instead.is_none(), "{many:?}");
    let enough = few(50, 110);
    assert!(enough.notes.is_empty() && enough.instead.is_some(), "{enough:?}");
    let (x, y) = (sample("x", 2, 2, 4, 0.0), sample("y", 1001, 2, 4, 0.0));
    let resampling = Resampling { count: 2, ..RESAMPLING };
    let large = Kid::of(&x.iter().collect::<Vec<_>>(), &y.iter().collect::<Vec<_>>(), resampling);
    assert_eq!((large.prototypes, large.photographs), (2, 1000));
}

#[test]
fn features_are_the_input_of_the_last_layer() {
    let context = gpu();
    for name in embedded::NAMES {
        let network = embedded::open(name).unwrap();
        let pixels = generated("pixels", &[3, network.image().len()], 0);
        let classifier = Classifier::with_features(context, &network, 4).unwrap();
        let outputs = classifier.outputs(&pixels).unwrap();
        assert_eq!(outputs.len(), 3);
        let mut activations = Activations::new(context, &network, 3).unwrap();
        activations.run(&pixels).unwrap();
        let module = |name: &str| {
            let module = activations.modules().iter().find(|module| module.name == name).unwrap().clone();
            activations.read(&module, Semantics::Snapshot).unwrap().1
        };
        let (pooled, logits) = (module("avgpool"), module("fc"));
        for (n, found) in outputs.iter().enumerate() {
            for (ours, all) in [(&found.features, &pooled), (&found.logits, &logits)] {
                let theirs = &all[n * ours.len()..(n + 1) * ours.len()];
                assert_eq!(all.len(), 3 * ours.len(), "{name}");
                let largest = theirs.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                for (a, b) in ours.iter().zip(theirs) {
                    // Folding norms into convolutions rounds once more.
                    assert!((a - b).abs() <= 1e-4 * largest, "{name}: {a} {b}");
                }
            }
        }
    }
}
