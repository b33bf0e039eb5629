//! This project, through its public API. Kernels are tuned as `protogpu run` does it, for one image; `PROTOGPU_TUNE`, as
//! there, may be `batch` or `off`.

use peers::{Input, Peer, Result, serve};
use protogpu::gpu::{AdapterChoice, Context, describe_adapter};
use protogpu::method::{Fill, Job, Overrides, Session, Settings, Warps};
use protogpu::networks::Network;
use protogpu::ops::ConvAlgorithms;
use protogpu::tuning::tune;
use protogpu::weights::Weights;

fn main() -> Result<()> {
    serve::<Protogpu>()
}

struct Protogpu {
    context: Context,
    session: Session,
    tuned_for: String,
    beta1: f32,
}

/// The fastest kernels, by trials.
fn tuned(context: &Context, network: &Network, batch: usize) -> protogpu::Result<ConvAlgorithms> {
    let mut algorithms = ConvAlgorithms::fixed(context.capabilities());
    tune(context, &network.graph().fused()?, batch, &mut algorithms, |_| {})?;
    Ok(algorithms)
}

/// The warps of the input file.
struct Given {
    theta: Vec<[f32; 6]>,
    n: usize,
}

impl Warps for Given {
    fn theta(&self, image: usize, step: u64) -> [f32; 6] {
        self.theta[(step as usize * self.n + image) % self.theta.len()]
    }
}

impl Peer for Protogpu {
    const NETWORKS: &'static [&'static str] = &["resnet18", "googlenet"];

    fn new(input: &Input) -> Result<Self> {
        let context = Context::new(&AdapterChoice::Best)?;
        let network = Network::from_weights(Weights::open(&input.weights)?)?;
        let settings = Settings {
            // More than anyone asks for.
            steps: protogpu::method::MAX_STEPS,
            lr: input.lr,
            beta1: input.beta1,
            beta2: input.beta2,
            eps: input.eps,
            tv_weight: input.hf_weight,
            logsumexp_weight: 0.0,
            lr_decay_fraction: 0.0,
            tv_start: 1.0,
            fill: Fill::Mean,
            ..Settings::default()
        };
        let pixels = input.images.chunks_exact(input.images.len() / input.shape[0]);
        let job = |(pixels, &class): (&[f32], &u32)| Job { class: class as usize, seed: 0, init: Some(pixels.into()) };
        let jobs: Vec<Job> = pixels.zip(&input.classes).map(job).collect();
        let warps = Given { theta: input.theta.clone(), n: jobs.len() };
        let tuned_for = std::env::var("PROTOGPU_TUNE").unwrap_or("image".into());
        let algorithms = match tuned_for.as_str() {
            "image" => tuned(&context, &network, 1)?,
            "batch" => tuned(&context, &network, jobs.len())?,
            "off" => ConvAlgorithms::fixed(context.capabilities()),
            other => return Err(format!("PROTOGPU_TUNE is {other}, but must be image, batch or off").into()),
        };
        let parts = Overrides { warps: Some(Box::new(warps)), algorithms: Some(algorithms), ..Overrides::default() };
        let session = Session::with_overrides(&context, &network, &settings, &jobs, parts)?;
        Ok(Self { context, session, tuned_for, beta1: input.beta1 as f32 })
    }

    fn device(&self) -> String {
        format!("{}; tuning: {}", describe_adapter(self.context.info()), self.tuned_for)
    }

    fn logits(&mut self) -> Result<Vec<f32>> {
        Ok(self.session.logits()?.concat())
    }

    fn advance(&mut self, steps: usize) -> Result<Vec<f32>> {
        let before = self.session.histories()[0].len();
        self.session.advance(steps)?;
        let read = self.session.histories()[0].len();
        Ok((before..read).flat_map(|step| self.session.histories().iter().map(move |h| h.loss()[step])).collect())
    }

    /// Adam's first moment begins at zero, so after one step it is `(1 − beta1)` times the gradient.
    fn first_gradient(&mut self) -> Result<Vec<f32>> {
        let moments = self.session.states()?.into_iter().flat_map(|state| state.m);
        Ok(moments.map(|m| m / (1.0 - self.beta1)).collect())
    }

    fn images(&mut self) -> Result<Vec<f32>> {
        Ok(self.session.states()?.into_iter().flat_map(|state| state.image).collect())
    }
}
