//! Isolation and Grad-CAM on the adapter.

use protogpu::gpu::AdapterChoice;
use protogpu::gpu::Context;
use protogpu::networks::{Network, embedded};
use protogpu::ops::ConvAlgorithms;

use crate::analysis::Classifier;
use crate::analysis::isolate::GradCam;
use crate::method::isolation::{Isolation, IsolationSettings};
use crate::tests::twin::random::Random;

fn opened() -> (Context, Network) {
    (Context::new(&AdapterChoice::Best).expect("an adapter"), embedded::open("resnet18").expect("it is built in"))
}

/// Images `[N,C,H,W]` of noise.
fn noise(network: &Network, count: usize) -> Vec<f32> {
    Random(7).vec(count * network.image().len(), 0.0, 1.0).into_iter().map(|x| x as f32).collect()
}

#[test]
fn the_positions_of_grad_cam_add_up_to_the_logit() {
    let (context, network) = opened();
    let pixels = noise(&network, 2);
    // The layer after the features is their mean over positions, so a map adds up to the logit without its bias.
    let bias = network.weights().tensor_f32("fc.bias").expect("it has one");
    let logits = Classifier::new(&context, &network, 2).and_then(|one| one.logits(&pixels)).expect("two images");
    let grad_cam = GradCam::new(&context, &network, 3).expect("it has positions");
    assert_eq!((grad_cam.layer(), grad_cam.grid()), ("layer4.1.relu", [7, 7]));
    let maps = grad_cam.of(&pixels, &[7, 14]).expect("two images");
    for ((map, logits), class) in maps.iter().zip(&logits).zip([7, 14]) {
        let sum: f32 = map.iter().sum();
        assert!((sum + bias[class] - logits[class]).abs() < 1e-3, "{sum} + {} is not {}", bias[class], logits[class]);
    }
    assert_eq!(grad_cam.of(&pixels[pixels.len() / 2..], &[14]).expect("one image")[0], maps[1]);
    for (pixels, classes) in [(&pixels[..], &[7][..]), (&pixels, &[7, 15]), (&pixels[1..], &[7, 14]), (&[], &[])] {
        assert!(grad_cam.of(pixels, classes).is_err(), "{} values, {classes:?}", pixels.len());
    }
}

#[test]
fn an_order_does_not_depend_on_its_batch() {
    let (context, network) = opened();
    let len = network.image().len();
    let (pixels, grey) = (noise(&network, 2), vec![0.5; 2 * len]);
    let settings = IsolationSettings { steps: 3, cells: 9, ..IsolationSettings::default() };
    let algorithms = ConvAlgorithms::fixed(context.capabilities());
    let mut isolation = Isolation::new(&context, &network, &algorithms, settings, 2).expect("a plan");
    let mut orders = |pixels: &[f32], classes: &[usize]| {
        isolation.start(pixels, &grey[..pixels.len()], classes, &vec![0.0; classes.len() * 81]).expect("whole images");
        while isolation.advance() {}
        isolation.orders().expect("finite")
    };
    let both = orders(&pixels, &[3, 5]);
    assert_eq!([both[0].len(), both[1].len()], [81, 81]);
    assert!(both.iter().all(|order| order.iter().any(|x| *x != order[0])), "{both:?}");
    // The batch before leaves nothing behind.
    assert_eq!(orders(&pixels[len..], &[5]), both[1..]);
    assert_eq!(orders(&pixels[..len], &[3]), both[..1]);
    assert_ne!(orders(&pixels[..len], &[4]), both[..1]);
    for (pixels, background, classes) in [
        (&pixels[..], &grey[..], &[3][..]),
        (&pixels, &grey[1..], &[3, 5]),
        (&pixels[..len], &grey[..len], &[]),
        (&[pixels.clone(), pixels.clone()].concat(), &[grey.clone(), grey.clone()].concat(), &[1, 2, 3, 4]),
    ] {
        let refused = isolation
            .start(pixels, background, classes, &vec![0.0; classes.len() * 81])
            .expect_err("they do not fit")
            .to_string();
        assert!(refused.contains("are not a batch of 1 to 2 images"), "{refused}");
    }
    let none = IsolationSettings { steps: 0, ..settings };
    assert!(Isolation::new(&context, &network, &algorithms, none, 1).is_err_and(|error| error.is_input()));
}
