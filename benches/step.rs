//! A step of the method: how long one takes, and where the time goes. See README.md beside this file.
//!
//! `make bench`, or `cargo bench --profile dev --bench step -- [BATCH]`.

use std::time::Instant;

use protogpu::gpu::{AdapterChoice, Context, KernelTime, describe_adapter};
use protogpu::nets::{Architecture, Network};
use protogpu::optimize::{Job, Optimizer, Settings};

/// Steps before the clock starts: shaders warm, clocks up.
const WARM_UP: usize = 3;
const MEASURED: usize = 15;

fn main() -> protogpu::Result<()> {
    // Cargo passes `--bench`, and runs this without it when it only tests that benches work.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measured = if arguments.iter().any(|a| a == "--bench") { MEASURED } else { 1 };
    let batch = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(1);

    let context = Context::new(&AdapterChoice::Best)?;
    println!("{}", describe_adapter(context.info()));
    let network = Network::generated(Architecture::ResNet18, 64, 1000, 0)?;
    let jobs: Vec<Job> = (0..batch).map(|seed| Job { class: 1, seed, init: None }).collect();
    let mut optimizer = Optimizer::new(&context, &network, &Settings::default(), &jobs)?;
    println!("ResNet-18, width 64, batch of {batch}\n{}\n", optimizer.plan().summary());

    // A step that computes nothing is fast: the losses must be finite (or this fails) and fall.
    optimizer.advance(WARM_UP)?;
    let loss = optimizer.histories()[0].loss.clone();
    assert!(loss[WARM_UP - 1] < loss[0], "the loss does not fall: {loss:?}");

    let mut times_ms: Vec<f64> = (0..measured).map(|_| time_ms(|| optimizer.advance(1))).collect::<Result<_, _>>()?;
    times_ms.sort_by(f64::total_cmp);
    let median_ms = times_ms[times_ms.len() / 2];
    let flops = optimizer.plan().summary().sections[0].flops as f64;
    println!(
        "step: median {median_ms:.1} ms of {measured} (fastest {:.1}), {:.1} GFLOP/s\n",
        times_ms[0],
        flops / median_ms / 1e6
    );
    match optimizer.plan().profile("step") {
        Ok(rows) => print_rows(&rows),
        Err(error) => println!("no times of single kernels: {error}"),
    }
    Ok(())
}

fn time_ms(run: impl FnOnce() -> protogpu::Result<()>) -> protogpu::Result<f64> {
    let started = Instant::now();
    run()?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// One line a dispatch, slowest first.
fn print_rows(rows: &[KernelTime]) {
    let mut rows: Vec<&KernelTime> = rows.iter().collect();
    rows.sort_by(|a, b| b.time_ms.total_cmp(&a.time_ms));
    let all_ms: f64 = rows.iter().map(|r| r.time_ms).sum();
    println!("{:>9} {:>5} {:>9} {:>7}  kernel (layer)", "ms", "%", "GFLOP/s", "GB/s");
    for row in rows {
        let KernelTime { kernel, label, time_ms, flops, bytes } = row;
        let per_second = |count: &u64| *count as f64 / time_ms.max(1e-6) / 1e6;
        let (gflops, gb) = (per_second(flops), per_second(bytes));
        println!("{time_ms:>9.3} {:>5.1} {gflops:>9.1} {gb:>7.1}  {kernel} ({label})", 100.0 * time_ms / all_ms);
    }
    println!("{all_ms:>9.3} all dispatches, each waited for");
}
