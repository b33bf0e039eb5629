//! The prototype loop with networks whose images are not square RGB ones: grey, RGBA, wide, high.

use std::sync::{Arc, LazyLock};

use protogpu::gpu::{AdapterChoice, Context};
use protogpu::method::parameterization::spectrum_of;
use protogpu::method::{Fill, Job, Overrides, Parameterization, Preset, Session, Settings, Warps};
use protogpu::networks::{Architecture, Network};
use protogpu::tensor_file::TensorFile;
use protogpu::weights::Weights;
use protogpu::{Error, ImageSpec};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&AdapterChoice::Best).expect("an adapter"));

const WIDE_GREY: ImageSpec = ImageSpec { channels: 1, height: 20, width: 28 };
const HIGH_RGBA: ImageSpec = ImageSpec { channels: 4, height: 32, width: 24 };

/// A narrow ResNet-18 for such images. `turned`: with rows and columns of every window exchanged.
fn network(image: ImageSpec, turned: bool) -> Network {
    let mut manifest = Architecture::ResNet18.manifest(8, 5);
    manifest[0].1[1] = image.channels;
    let weights = Weights::generated(&manifest, 1).expect("weights");
    let size = format!("[{}, {}]", image.height, image.width);
    let values: Vec<Vec<f32>> = manifest
        .iter()
        .map(|(name, shape)| {
            let values = weights.tensor_f32(name).expect("a tensor");
            match shape[..] {
                [_, _, h, w] if turned => transposed(&values, [h, w]),
                _ => values,
            }
        })
        .collect();
    let mut file = TensorFile::default().metadata("image_size", size.as_str());
    for ((name, shape), values) in manifest.iter().zip(&values) {
        file = file.tensor(name, shape, values);
    }
    Network::from_weights(Weights::from_bytes("small", file.to_bytes()).expect("a file")).expect("a network")
}

/// Planes with rows and columns exchanged.
fn transposed(planes: &[f32], [h, w]: [usize; 2]) -> Vec<f32> {
    let plane = |plane: &[f32]| (0..h * w).map(|at| plane[at % h * w + at / h]).collect::<Vec<_>>();
    planes.chunks(h * w).flat_map(plane).collect()
}

fn session(network: &Network, settings: &Settings, init: Option<Vec<f32>>) -> protogpu::Result<Session> {
    let init: Option<Arc<[f32]>> = init.map(Arc::from);
    let jobs = [1, 3].map(|class| Job { class, seed: 7, init: init.clone() });
    Session::new(&CONTEXT, network, settings, &jobs)
}

/// Settings in which everything that depends on channels or extents takes part.
fn settings() -> Vec<Settings> {
    let paper =
        Settings { steps: 6, weight_decay: 0.5, fill: Fill::Mean, warp_probability: 1.0, ..Settings::default() };
    let lucent = Settings { steps: 6, image_side: 36, ..Preset::Lucent.settings().expect("a preset") };
    let fourier = Settings { parameterization: Parameterization::Fourier, ..paper.clone() };
    let mut all = vec![
        paper.clone(),
        Settings { image_side: 28, ..paper.clone() },
        Settings { image_side: 40, transforms: lucent.transforms.clone(), ..paper },
        Settings { image_side: 48, ..fourier },
        lucent,
    ];
    all.iter_mut().for_each(|settings| settings.regularizers.set_json("l2_weight", &0.5.into()).expect("an option"));
    all
}

#[test]
fn runs_go_on_from_a_checkpoints_state_with_the_same_bits() {
    for spec in [WIDE_GREY, HIGH_RGBA] {
        let network = network(spec, false);
        assert_eq!(network.image(), spec);
        for settings in settings() {
            let mut whole = session(&network, &settings, None).expect("a plan");
            whole.advance(6).expect("six steps");
            let mut first = session(&network, &settings, None).expect("a plan");
            let start = first.images().expect("a readback");
            first.advance(3).expect("three steps");
            let mut second = session(&network, &settings, None).expect("a plan");
            let states = first.states().expect("a readback");
            second.load(3, &states, first.histories().to_vec()).expect("a state");
            second.advance(3).expect("three steps");
            let what = format!("{spec}, side {}, {}", settings.image_side, settings.parameterization);
            assert!(whole.states().expect("a readback") == second.states().expect("a readback"), "{what}");
            assert_eq!(whole.histories(), second.histories(), "{what}");
            let images = whole.images().expect("a readback");
            for (image, start) in images.iter().zip(&start) {
                assert!(image.len() == spec.len() && image.iter().all(|x| x.is_finite()), "{what}");
                let plane = spec.height * spec.width;
                let moved = |(a, b): (&[f32], &[f32])| a.iter().zip(b).filter(|(a, b)| a != b).count() > plane / 2;
                assert!(image.chunks(plane).zip(start.chunks(plane)).all(moved), "{what}: every channel moves");
            }
        }
    }
}

/// One warp throughout, and the same with rows and columns exchanged.
struct Fixed([f32; 6]);

impl Warps for Fixed {
    fn theta(&self, _: usize, _: u64) -> [f32; 6] {
        self.0
    }
}

/// Whatever mistakes rows for columns shows here, in the warp, the resize, the total variation or the decay.
#[test]
fn exchanging_rows_and_columns_everywhere_exchanges_them_in_the_gradient() {
    let turned = ImageSpec { height: WIDE_GREY.width, width: WIDE_GREY.height, ..WIDE_GREY };
    let [t0, t1, t2, t3, t4, t5] = [0.75, 0.25, 3.0, -0.5, 1.0, 5.0];
    for side in [28, 36] {
        let settings = Settings { steps: 1, image_side: side, ..Settings::default() };
        let image = settings.image(WIDE_GREY);
        let init: Vec<f32> = (0..image.len()).map(|at| (at * 37 % 101) as f32 / 101.0).collect();
        let gradient = |spec, is_turned: bool| {
            let (init, theta) = match is_turned {
                true => (transposed(&init, [image.height, image.width]), [t4, t3, t5, t1, t0, t2]),
                false => (init.clone(), [t0, t1, t2, t3, t4, t5]),
            };
            let overrides = Overrides { warps: Some(Box::new(Fixed(theta))), ..Overrides::default() };
            let job = Job { class: 2, seed: 0, init: Some(init.into()) };
            let network = network(spec, is_turned);
            let mut session =
                Session::with_overrides(&CONTEXT, &network, &settings, &[job], overrides).expect("a plan");
            session.advance(1).expect("a step");
            session.states().expect("a readback").remove(0).m
        };
        let (m, of_turned) = (gradient(WIDE_GREY, false), gradient(turned, true));
        let back = transposed(&of_turned, [image.width, image.height]);
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let off = norm(&mut m.iter().zip(&back).map(|(a, b)| a - b)) / norm(&mut m.iter().copied());
        println!("side {side}: {off:.1e}");
        assert!(off < 1e-3, "side {side}: {off:.1e}");
    }
}

#[test]
fn a_spectrum_makes_the_picture_that_it_is_of() {
    for spec in [WIDE_GREY, HIGH_RGBA] {
        let side = spec.height.max(spec.width) as u32;
        let settings =
            Settings { image_side: side, parameterization: Parameterization::Fourier, ..Settings::default() };
        let picture: Vec<f32> = (0..spec.len()).map(|at| 0.25 + (at * 29 % 97) as f32 / 194.0).collect();
        assert!(spectrum_of(&picture[1..], spec).is_err());
        let session = session(&network(spec, false), &settings, Some(picture.clone())).expect("a plan");
        let images = session.images().expect("a readback");
        let off = images[0].iter().zip(&picture).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-5, "{spec}: {off:.1e}");
    }
}

#[test]
fn what_does_not_suit_the_images_is_named() {
    let grey = network(WIDE_GREY, false);
    let colour = Settings { fill: Fill::Colour(vec![0.5; 3]), ..Settings::default() };
    let Err(Error::Setting(error)) = session(&grey, &colour, None) else { panic!("three values for one channel") };
    assert_eq!((error.field, error.value.as_str()), ("fill", "0.5,0.5,0.5"));
    assert_eq!(error.expected, "black, mean or one number for each of the network's 1 channels");
    let own = Settings { image_side: 28, fill: Fill::Colour(vec![0.5]), ..Settings::default() };
    session(&grey, &own, None).expect("one value for one channel");
    let error = session(&grey, &own, Some(vec![0.5; 3 * 20 * 28])).map(drop).unwrap_err().to_string();
    assert_eq!(error, "the initial image has 1680 values, but must be 1x20x28");
    let flat = ImageSpec { height: 1, ..WIDE_GREY };
    let error = session(&network(flat, false), &own, None).map(drop).unwrap_err().to_string();
    assert_eq!(error, "the network's images are 1x1x28, but must be at least 2x2 pixels");
}

/// The texture of an image as `[H,W]` of RGBA.
fn painted(session: &Session, image: usize, spec: ImageSpec) -> Vec<[u8; 4]> {
    let (device, queue) = (CONTEXT.device(), CONTEXT.queue());
    let texture = session.image_texture(image).expect("a texture");
    let row = 256;
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: (row * spec.height) as u64,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    texture.record(&mut encoder);
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row as u32), rows_per_image: None };
    let into = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
    encoder.copy_texture_to_buffer(texture.texture().as_image_copy(), into, texture.texture().size());
    queue.submit([encoder.finish()]);
    buffer.slice(..).map_async(wgpu::MapMode::Read, |mapped| mapped.expect("mapped"));
    CONTEXT.wait().expect("a device");
    let bytes = buffer.slice(..).get_mapped_range().expect("mapped").to_vec();
    let pixel = |at: usize| {
        let from = at / spec.width * row + at % spec.width * 4;
        [0, 1, 2, 3].map(|channel| bytes[from + channel])
    };
    (0..spec.height * spec.width).map(pixel).collect()
}

#[test]
fn a_texture_shows_grey_as_grey_and_the_fourth_channel_as_alpha() {
    for spec in [WIDE_GREY, HIGH_RGBA] {
        let settings = Settings { image_side: spec.height.max(spec.width) as u32, ..Settings::default() };
        let session = session(&network(spec, false), &settings, None).expect("a plan");
        let plane = spec.height * spec.width;
        let image = &session.images().expect("a readback")[1];
        for (at, found) in painted(&session, 1, spec).into_iter().enumerate() {
            let level = |channel: usize| f64::from(image[channel * plane + at]) * 255.0;
            let expected = match spec.channels {
                1 => [level(0), level(0), level(0), 255.0],
                _ => [0, 1, 2, 3].map(level),
            };
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((f64::from(found) - expected).abs() < 0.51, "{spec}, pixel {at}: {found} and {expected}");
            }
        }
    }
}
