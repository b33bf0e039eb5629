//! protogpu inside another wgpu program, with the host's device, command encoder and frame loop.
//! `cargo run --example embed [STEPS]`
//!
//! In every frame, the host clears its screen, records a few steps of the optimisation into the same encoder, and shows the
//! image. Losses arrive some frames later. Nothing in the loop waits for the adapter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use protogpu::gpu::Context;
use protogpu::method::{Job, Losses, Overrides, Session, Settings};
use protogpu::networks::embedded;

const STEPS_A_FRAME: usize = 2;
const SCREEN: wgpu::Extent3d = wgpu::Extent3d { width: 320, height: 240, depth_or_array_layers: 1 };
/// The most frames in flight. In a window, vsync limits them.
const FRAMES_IN_FLIGHT: u32 = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = std::env::args().nth(1).and_then(|steps| steps.parse().ok()).unwrap_or(24);
    let (device, queue) = pollster::block_on(hosts_device())?;
    let screen = hosts_screen(&device);

    // The guest needs only a device and a queue.
    let context = Context::from_device(device.clone(), queue.clone());
    let network = embedded::default()?;
    let settings = Settings { steps, ..Settings::default() };
    let jobs = [Job { class: 3, seed: 0, init: None }];
    let preparing = Session::prepare(&context, &network, &settings, &jobs, Overrides::default());
    let mut session = pollster::block_on(preparing)?;
    let image = session.image_texture(0)?;

    let mut asked: Option<Losses> = None;
    let in_flight = Arc::new(AtomicU32::new(0));
    let mut frames = 0;
    while session.histories()[0].len() < steps as usize {
        // Runs callbacks and returns at once. Losses may or may not have arrived.
        device.poll(wgpu::PollType::Poll)?;
        if let Some(losses) = &mut asked
            && session.take_losses(losses)?
        {
            let history = &session.histories()[0];
            println!("frame {frames}: {} steps, loss {:.2}", history.len(), history.loss()[history.len() - 1]);
            asked = None;
        }
        if in_flight.load(Relaxed) >= FRAMES_IN_FLIGHT {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }

        let mut encoder = device.create_command_encoder(&Default::default());
        clear(&mut encoder, &screen);
        session.record(&mut encoder, STEPS_A_FRAME)?;
        image.record(&mut encoder);
        // A host with its own pipeline would bind `image.view()`, or `session.image_buffer()` for the raw floats.
        show(&mut encoder, image.texture(), &screen);
        if asked.is_none() {
            asked = Some(session.record_losses(&mut encoder));
        }
        queue.submit([encoder.finish()]);
        frames += 1;
        in_flight.fetch_add(1, Relaxed);
        let done = Arc::clone(&in_flight);
        queue.on_submitted_work_done(move || {
            done.fetch_sub(1, Relaxed);
        });
    }
    println!("{steps} steps in {frames} frames");

    // The logits of the image: requested now, and taken when they have arrived.
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut asked = session.record_logits(&mut encoder)?;
    queue.submit([encoder.finish()]);
    let logits = loop {
        device.poll(wgpu::PollType::Poll)?;
        match asked.try_take()? {
            Some(logits) => break logits,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    println!("logit {:.2}", logits[0][jobs[0].class]);
    save(&device, &queue, &screen)
}

/// As any host would request it. protogpu uses subgroups if they are enabled, but does not need them.
async fn hosts_device() -> Result<(wgpu::Device, wgpu::Queue), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = instance.request_adapter(&Default::default()).await?;
    println!("{}", adapter.get_info().name);
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("host"),
        required_features: adapter.features() & wgpu::Features::SUBGROUP,
        ..Default::default()
    };
    Ok(adapter.request_device(&descriptor).await?)
}

fn hosts_screen(device: &wgpu::Device) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("screen"),
        size: SCREEN,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

fn clear(encoder: &mut wgpu::CommandEncoder, screen: &wgpu::Texture) {
    let view = screen.create_view(&Default::default());
    let blue = wgpu::Color { r: 0.0, g: 0.0, b: 0.5, a: 1.0 };
    encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        color_attachments: &[Some(wgpu::RenderPassColorAttachment {
            view: &view,
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations { load: wgpu::LoadOp::Clear(blue), store: wgpu::StoreOp::Store },
        })],
        ..Default::default()
    });
}

/// Copies the image to the middle of the screen.
fn show(encoder: &mut wgpu::CommandEncoder, image: &wgpu::Texture, screen: &wgpu::Texture) {
    let [x, y] = [(SCREEN.width - image.width()) / 2, (SCREEN.height - image.height()) / 2];
    let mut there = screen.as_image_copy();
    there.origin = wgpu::Origin3d { x, y, z: 0 };
    encoder.copy_texture_to_texture(image.as_image_copy(), there, image.size());
}

/// Writes screen.png. After the loop, the host may wait.
fn save(device: &wgpu::Device, queue: &wgpu::Queue, screen: &wgpu::Texture) -> Result<(), Box<dyn std::error::Error>> {
    let bytes_per_row = 4 * SCREEN.width;
    let pixels = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("screen"),
        size: u64::from(bytes_per_row * SCREEN.height),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(bytes_per_row), rows_per_image: None };
    let there = wgpu::TexelCopyBufferInfo { buffer: &pixels, layout };
    encoder.copy_texture_to_buffer(screen.as_image_copy(), there, SCREEN);
    encoder.map_buffer_on_submit(&pixels, wgpu::MapMode::Read, .., Result::unwrap);
    queue.submit([encoder.finish()]);
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let view = pixels.get_mapped_range(..)?;
    image::save_buffer("screen.png", &view, SCREEN.width, SCREEN.height, image::ColorType::Rgba8)?;
    println!("screen.png");
    Ok(())
}
