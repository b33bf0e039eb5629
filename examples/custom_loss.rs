//! A loss term from outside the crate, with its own WGSL. `cargo run --example custom_loss`
//!
//! The term makes the output of a module sparse: it adds the mean of the absolute values to the loss. Its value becomes a column of
//! the history.

use std::ops::Range;
use std::sync::Arc;

use protogpu::gpu::{AdapterChoice, Context, CustomKernel, Grid, Recording};
use protogpu::method::losses::{Column, LossTerm, Moment, Read, Slot, Source, TermParams};
use protogpu::method::{Job, Overrides, Session, Settings};
use protogpu::networks::{Network, embedded};
use protogpu::{Result, Shape, params};

/// One workgroup per image. `lib/term` has the weight, and stores values and gradient.
const SPARSITY: &str = "
#import lib/reduce
#import lib/term

struct Params { term: Term, len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let scale = 1.0 / f32(params.len);
    var sum = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        let at = group.x * params.len + i;
        sum += abs(x[at]);
        deliver(at, weight_now() * sign(x[at]) * scale);
    }
    let total = reduce_sum(sum, lane);
    if lane == 0u {
        values[value_at(group.x, 0u)] = total * scale;
    }
}
";

params! {
    /// Mirrors `Params` above.
    struct SparsityParams { term: TermParams, len: u32 }
}

/// The mean of the absolute values of a module's output.
struct Sparsity {
    module: &'static str,
    weight: f64,
}

impl LossTerm for Sparsity {
    fn name(&self) -> &str {
        "sparsity"
    }

    fn reads(&self, network: &Network) -> Result<Vec<Source>> {
        Ok(vec![Source::module(network, self.module)?])
    }

    fn columns(&self, _: &[Shape]) -> Vec<Column> {
        vec![Column::named("sparsity")]
    }

    fn weight(&self, at: Moment) -> f64 {
        at.in_prototype(self.weight)
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, _: Range<usize>, sources: &[Read]) -> Result<()> {
        let read = sources[0];
        let [n, c, h, w] = read.nchw(self.name())?;
        let [weights, clock] = slot.weight();
        let bindings = [read.x.bind("x"), weights, clock, slot.values(n, 1)?, read.dx.bind("dx")];
        let params = SparsityParams { term: slot.params(), len: (c * h * w) as u32 };
        let kernel = read.custom_kernel(CustomKernel::new("sparsity", SPARSITY, "step"));
        rec.dispatch_custom(self.name(), kernel, &bindings, &params, Grid::Workgroups([n, 1, 1]), 0)
    }
}

fn main() -> Result<()> {
    let context = Context::new(&AdapterChoice::Best)?;
    let network = embedded::open("resnet18")?;
    let settings = Settings { steps: 8, ..Settings::default() };
    let job = Job { class: 3, seed: 0, init: None };
    let sparse = |weight| -> Result<Vec<f32>> {
        let terms: Vec<Arc<dyn LossTerm>> = vec![Arc::new(Sparsity { module: "layer1", weight })];
        let overrides = Overrides { terms, ..Overrides::default() };
        let mut session =
            Session::with_overrides(&context, &network, &settings, std::slice::from_ref(&job), overrides)?;
        session.advance(8)?;
        Ok(session.histories()[0].column("sparsity").to_vec())
    };
    let (free, held) = (sparse(0.0)?, sparse(1e4)?);
    println!("mean |layer1| after 8 steps: {:.4} without weight, {:.4} with", free[7], held[7]);
    assert!(free[0] == held[0] && held[7] < free[7], "{free:?} {held:?}");
    Ok(())
}
