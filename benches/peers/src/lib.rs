//! What the Rust peers share: the input file, and the protocol in which run.py asks for checks and for steps.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The same step of the same images, by one library.
pub trait Peer: Sized {
    /// torchvision's names of the networks that it has.
    const NETWORKS: &'static [&'static str];

    fn new(input: &Input) -> Result<Self>;

    /// What it runs on, in words.
    fn device(&self) -> String;

    /// Logits of the images as they are, unwarped: `[N,K]`.
    fn logits(&mut self) -> Result<Vec<f32>>;

    /// Does steps, waits for them, and gives their losses, `[steps,N]`.
    fn advance(&mut self, steps: usize) -> Result<Vec<f32>>;

    /// `d loss / d pixel` of the first step; asked for right after it.
    fn first_gradient(&mut self) -> Result<Vec<f32>>;

    fn images(&mut self) -> Result<Vec<f32>>;
}

/// The file that run.py writes: where to start, the warps, and the settings.
#[derive(Clone)]
pub struct Input {
    pub weights: PathBuf,
    /// `[N,3,H,W]`.
    pub shape: [usize; 4],
    pub images: Vec<f32>,
    /// `[T,N]`: the inverse map in pixel indices, as in `method::draws`. Step t uses row t modulo T.
    pub theta: Vec<[f32; 6]>,
    pub classes: Vec<u32>,
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub hf_weight: f64,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl Input {
    fn read(weights: &Path, path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let file = SafeTensors::deserialize(&bytes)?;
        let floats = |name: &str| -> Result<Vec<f32>> {
            let (chunks, _) = file.tensor(name)?.data().as_chunks();
            Ok(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
        };
        let doubles = |name: &str| -> Result<Vec<f64>> {
            let (chunks, _) = file.tensor(name)?.data().as_chunks();
            Ok(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect())
        };
        let three = |name: &str| -> Result<[f32; 3]> {
            floats(name)?.try_into().map_err(|_| format!("`{name}` of {} is not three numbers", path.display()).into())
        };
        let number = |name: &str| -> Result<f64> { Ok(doubles(name)?[0]) };
        Ok(Self {
            weights: weights.to_owned(),
            shape: file.tensor("images")?.shape().try_into()?,
            images: floats("images")?,
            theta: floats("theta")?.as_chunks().0.to_vec(),
            classes: floats("classes")?.into_iter().map(|class| class as u32).collect(),
            lr: number("lr")?,
            beta1: number("beta1")?,
            beta2: number("beta2")?,
            eps: number("eps")?,
            hf_weight: number("hf_weight")?,
            mean: three("mean")?,
            std: three("std")?,
        })
    }

    /// The warps of a step, one an image.
    pub fn warps(&self, step: usize) -> &[[f32; 6]] {
        let n = self.shape[0];
        let row = step % (self.theta.len() / n);
        &self.theta[row * n..][..n]
    }
}

/// `PEER NETWORK WEIGHTS INPUT`, then lines: `check STEPS FILE` and `step COUNT`, until the end of stdin.
pub fn serve<P: Peer>() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, weights, input] = arguments.as_slice() else {
        return Err("usage: PEER NETWORK WEIGHTS INPUT; run.py starts it so".into());
    };
    if !P::NETWORKS.contains(&network.as_str()) {
        return Err(format!("this peer has no {network}, only {}", P::NETWORKS.join(", ")).into());
    }
    let input = Input::read(weights.as_ref(), input.as_ref())?;
    let mut peer = P::new(&input)?;
    answer(&peer.device())?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["check", steps, file] => {
                check(&mut peer, &input, steps.parse()?, file.as_ref())?;
                answer("checked")?;
            }
            ["step", count] => {
                let started = Instant::now();
                peer.advance(count.parse()?)?;
                answer(&format!("{:.4}", started.elapsed().as_secs_f64() * 1e3))?;
            }
            _ => return Err(format!("`{line}` is neither `check STEPS FILE` nor `step COUNT`").into()),
        }
    }
    Ok(())
}

fn answer(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Writes what run.py compares; leaves the peer `steps` steps on.
fn check<P: Peer>(peer: &mut P, input: &Input, steps: usize, file: &Path) -> Result<()> {
    let n = input.shape[0];
    let logits = peer.logits()?;
    let mut losses = peer.advance(1)?;
    let gradient = peer.first_gradient()?;
    losses.extend(peer.advance(steps - 1)?);
    let image = peer.images()?;
    let tensors: [(&str, Vec<usize>, &[f32]); 4] = [
        ("logits", vec![n, logits.len() / n], &logits),
        ("losses", vec![steps, n], &losses),
        ("gradient", input.shape.to_vec(), &gradient),
        ("images", input.shape.to_vec(), &image),
    ];
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|t| t.2.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (*name, view)));
    Ok(safetensors::serialize_to_file(views.collect::<std::result::Result<Vec<_>, _>>()?, None, file)?)
}
