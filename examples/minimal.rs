//! The shortest way to a prototype: `cargo run --example minimal [STEPS]` writes prototype.png.

use protogpu::analysis::softmax;
use protogpu::gpu::{AdapterChoice, Context};
use protogpu::method::{Job, Session, Settings};
use protogpu::networks::embedded;
use protogpu::picture::write_png;

fn main() -> protogpu::Result<()> {
    let steps = std::env::args().nth(1).and_then(|steps| steps.parse().ok()).unwrap_or(16);
    let context = Context::new(&AdapterChoice::Best)?;
    let network = embedded::default()?;
    let settings = Settings { steps, ..Settings::default() };
    let class = network.labels().find("lighthouse")?;
    let job = Job { class, seed: 0, init: None };

    let mut session = Session::new(&context, &network, &settings, &[job])?;
    session.advance(steps as usize)?;

    write_png("prototype.png", &session.images()?[0], network.image())?;
    let probabilities = softmax(&session.logits()?[0]);
    let best = (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap_or(0);
    let name = network.labels().name(best);
    println!("prototype.png after {steps} steps: {name}, probability {:.3}", probabilities[best]);
    Ok(())
}
