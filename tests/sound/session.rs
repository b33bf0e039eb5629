//! Misuses of a session, on a device that computes nothing.

use protogpu::gpu::Context;
use protogpu::method::{History, Job, Session, Settings};
use protogpu::networks::{Architecture, Network};

use crate::refused;

fn session() -> Session {
    let network = Network::generated(Architecture::ResNet18, 8, 5, 1).expect("a network");
    let settings = Settings { steps: 4, baseline_steps: 0, ..Settings::default() };
    let jobs = [0, 1].map(|class| Job { class, seed: 1, init: None });
    Session::new(&Context::noop(), &network, &settings, &jobs).expect("a session")
}

#[test]
fn a_session_loads_only_states_that_fit() {
    let mut session = session();
    let good = session.states().expect("zeros");
    let none = || vec![History::default(); 2];
    session.load(0, &good, none()).expect("it fits");
    let why = "do not fit this run";
    refused(session.load(0, &good[..1], none()), why);
    refused(session.load(0, &[], Vec::new()), why);
    refused(session.load(0, &good, none()[..1].to_vec()), why);
    refused(session.load(5, &good, none()), why);
    refused(session.load(u64::MAX, &good, none()), why);
    // The losses up to there are missing.
    refused(session.load(2, &good, none()), why);
    let changes: [fn(&mut Vec<f32>); 3] = [|part| part.clear(), |part| part.truncate(1), |part| part.push(0.0)];
    for change in changes {
        for part in 0..4 {
            let mut wrong = good.clone();
            match part {
                0 => change(&mut wrong[1].image),
                1 => change(&mut wrong[1].m),
                2 => change(&mut wrong[1].v),
                _ => {
                    let mut parameters = wrong[1].image.clone();
                    change(&mut parameters);
                    wrong[1].parameters = Some(parameters);
                }
            }
            refused(session.load(0, &wrong, none()), why);
        }
    }
    assert_eq!(session.step(), 0);
}

#[test]
fn a_session_shows_only_images_that_it_has() {
    let session = session();
    session.image_texture(1).expect("the second image");
    for image in [2, usize::MAX, 1 << 32] {
        refused(session.image_texture(image), &format!("there is no image {image}: the batch has 2"));
    }
}
