//! Spearman's rank correlation: ranks of one vector, and its correlation with another. No adapter is needed.
//!
//! `cargo bench --profile dev --bench ranks -- [FILTER]`, say `correlation/802816`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use protogpu::analysis::{Ranks, Sorter};

/// The largest activations of ResNet-18, and those of a later layer.
const LENGTHS: [usize; 2] = [802_816, 100_352];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for kind in ["relu", "dense"] {
        LENGTHS.iter().for_each(|&len| bench(&mut criterion, kind, len));
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, kind: &str, len: usize) {
    let [x, y] = [1, 2].map(|seed| numbers(seed, len, kind));
    let ranks = Ranks::of(&x).expect("finite numbers");
    let mut sorter = Sorter::default();
    let mut rho = |y: &[f32]| ranks.correlation(y, &mut sorter).expect("finite numbers").expect("not constant");
    // Right before fast: all of itself, and little of what is independent (a standard deviation is 1 / √len, or 0.003 at most).
    assert_eq!(rho(&x), 1.0);
    assert!(rho(&y).abs() < 0.02, "{kind}/{len}: {}", rho(&y));
    let mut group = criterion.benchmark_group("ranks");
    group.throughput(Throughput::Elements(len as u64)).sample_size(20);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.bench_function(BenchmarkId::new(format!("of/{len}"), kind), |bencher| bencher.iter(|| Ranks::of(&x)));
    group.bench_function(BenchmarkId::new(format!("correlation/{len}"), kind), |bencher| bencher.iter(|| rho(&y)));
}

/// Numbers in [-1,1) without a pattern, the upper bits of a congruential generator; `relu`: 60 % of them zeros.
fn numbers(seed: u64, len: usize, kind: &str) -> Vec<f32> {
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = (state >> 40) as f32 / (1 << 23) as f32 - 1.0;
        if kind == "relu" { (value - 0.2).max(0.0) } else { value }
    };
    (0..len).map(|_| draw()).collect()
}
