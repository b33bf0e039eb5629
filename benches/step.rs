//! A step of the method, with the fixed choice of kernels. See README.md beside this file.
//!
//! `cargo bench --profile dev --bench step -- [FILTER]`, say `resnet18/1`.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use protogpu::gpu::{AdapterChoice, Context, Summary, describe_adapter};
use protogpu::method::{Job, MAX_STEPS, Session, Settings};
use protogpu::networks::{Architecture, Network};
use protogpu::ops::ConvAlgorithms;

/// Steps before the clock starts: shaders warm, clocks up, and losses that must fall.
const WARM_UP: usize = 3;
/// Images at once.
const BATCHES: [usize; 2] = [1, 8];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let context = Context::new(&AdapterChoice::Best).expect("an adapter");
    println!("{}", describe_adapter(context.info()));
    for architecture in Architecture::BENCHED {
        let network = Network::generated(architecture, 64, 1000, 0).expect("a network");
        BATCHES.iter().for_each(|&batch| bench(&mut criterion, &context, &network, batch));
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, context: &Context, network: &Network, batch: usize) {
    // The most steps that there can be: a measurement must not come to the end of a run.
    // Every step is the same work, and its loss of the same terms.
    let settings = Settings { steps: MAX_STEPS, tv_start: 1.0, warp_probability: 1.0, ..Settings::default() };
    let algorithms = ConvAlgorithms::fixed(context.capabilities());
    let summary: Summary = Session::summary(&algorithms, network, &settings, batch).expect("a plan");
    let flops = summary.sections.iter().filter(|s| s.name == "step").map(|s| s.flops).sum();
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(flops)).sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    let mut ready = None;
    group.bench_function(BenchmarkId::new(network.architecture().to_string(), batch), |bencher| {
        // Only where no filter passes it over.
        let session = ready.get_or_insert_with(|| begin(context, network, &settings, batch));
        bencher.iter_custom(|steps| {
            let started = Instant::now();
            session.advance(steps as usize).expect("steps");
            started.elapsed()
        });
    });
}

/// A step that computes nothing is fast: the losses must be finite (or `advance` fails) and fall.
fn begin(context: &Context, network: &Network, settings: &Settings, batch: usize) -> Session {
    let job = |i: usize| Job { class: i % network.classes(), seed: i as u64, init: None };
    let jobs: Vec<Job> = (0..batch).map(job).collect();
    let mut session = Session::new(context, network, settings, &jobs).expect("a plan");
    session.advance(WARM_UP).expect("steps");
    let mean = |step: usize| session.histories().iter().map(|h| h.loss()[step]).sum::<f32>();
    assert!(mean(WARM_UP - 1) < mean(0), "the loss does not fall: {:?}", session.histories());
    session
}
