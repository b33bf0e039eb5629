//! `protogpu statistics`, and runs that read its file.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use protogpu::networks::Architecture;
use protogpu::tensor_file::TensorFile;
use protogpu::weights::Weights;

use crate::binary::{refuses, results, succeeds};

/// A narrow InceptionV1 for small images, and a folder of small images.
fn prepare(folder: &Path) {
    let manifest = Architecture::InceptionV1.manifest(8, 5);
    let weights = Weights::generated(&manifest, 0).unwrap();
    let values: Vec<Vec<f32>> = manifest.iter().map(|(name, _)| weights.tensor_f32(name).unwrap()).collect();
    let mut file = TensorFile::default().metadata("image_size", "[64, 64]");
    for ((name, shape), values) in manifest.iter().zip(&values) {
        file = file.tensor(name, shape, values);
    }
    fs::write(folder.join("w.safetensors"), file.to_bytes()).unwrap();
    fs::create_dir_all(folder.join("images/more")).unwrap();
    for (i, name) in ["b", "a", "more/c"].iter().enumerate() {
        let pixel = |x: u32, y: u32| Rgb([(x * (i as u32 + 1)) as u8, (y * 3) as u8, (x + y) as u8]);
        RgbImage::from_fn(70, 64, pixel).save(folder.join(format!("images/{name}.png"))).unwrap();
    }
}

#[test]
fn a_network_without_norms_gets_statistics_from_photographs() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    prepare(at);
    let run = |options: &str| succeeds(at, &options.split(' ').collect::<Vec<_>>());
    let refused = |options: &str, expected: &str| refuses(at, &options.split(' ').collect::<Vec<_>>(), expected);
    // The cure that the error names works, and bytes do not depend on the batch.
    let begin = "run --weights w.safetensors --class 1 --steps 4 --natural-weight 1";
    let why = "--natural-weight is 1, but w.safetensors has no statistics of photographs: no layer has a batch norm; measure \
               them with `protogpu statistics --images DIR --out FILE` and pass --natural-statistics FILE, or use a weight of 0";
    refused(begin, why);
    let told = run("statistics --weights w.safetensors --images images --out s.safetensors");
    assert_eq!(told, "s.safetensors: statistics of 57 convolutions over 3 images\n");
    fs::write(at.join("images/broken.png"), "no image").unwrap();
    let told = run("statistics --weights w.safetensors --images images --out again.safetensors --batch 1 --json");
    assert!(told.contains("\"file\": \"more/c.png\"") && told.contains("broken.png"), "{told}");
    let bytes = fs::read(at.join("s.safetensors")).unwrap();
    assert!(bytes == fs::read(at.join("again.safetensors")).unwrap(), "the batch changed the statistics");

    let with = format!("{begin} --natural-form spread --natural-statistics s.safetensors");
    run(&format!("{with} --out whole"));
    let record = fs::read_to_string(at.join("whole/1_class_1_seed0/run.json")).unwrap();
    assert!(
        record.contains("\"natural_statistics\": {\n    \"path\": \"s.safetensors\",\n    \"sha256\": \""),
        "{record}"
    );
    assert!(record.contains("\"loss_natural\""), "{record}");
    // A record repeats the run.
    run("run --config whole/1_class_1_seed0/run.json --out repeated");
    let files = |out: &str| results(&at.join(out).join("1_class_1_seed0"));
    let name = Path::new("prototype.safetensors");
    assert!(files("whole")[name] == files("repeated")[name]);

    // Another file is refused wherever this one was used.
    let resume = format!("{with} --out whole --resume");
    refused(&resume.replace(" --natural-form spread --natural-statistics s.safetensors", ""), why);
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(at.join("s.safetensors"), other).unwrap();
    refused(&resume, "--natural-statistics are those of sha256 ");
    let replay = "run --config whole/1_class_1_seed0/run.json --out changed";
    refused(replay, "whole/1_class_1_seed0/run.json: it used natural statistics of sha256 ");
    refused(replay, "; pass the recorded file with --natural-statistics, or use a file with only the `settings`");
    fs::remove_file(at.join("s.safetensors")).unwrap();
    refused(replay, "cannot read s.safetensors");
    // A network that is not asked for natural statistics needs none.
    run("run --weights w.safetensors --class 1 --steps 1 --out plain");
}

#[test]
fn what_is_no_statistics_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    prepare(at);
    let refused = |options: &str, expected: &str| refuses(at, &options.split(' ').collect::<Vec<_>>(), expected);
    refused("statistics --weights w.safetensors --images none --out s", "--images is none, which is not a folder");
    fs::create_dir(at.join("empty")).unwrap();
    refused("statistics --weights w.safetensors --images empty --out s", "empty contains no images (png,");
    fs::write(at.join("empty/a.png"), "no image").unwrap();
    refused("statistics --weights w.safetensors --images empty --out s", "none of 1 images can be read: ");
    assert!(!at.join("s").exists());
    let run = "run --weights w.safetensors --class 1 --steps 2 --natural-weight 1 --natural-statistics";
    refused(
        &format!("{run} w.safetensors"),
        "w.safetensors: it is not a file of natural statistics; `protogpu statistics`",
    );
    refused(&format!("{run} none"), "cannot read none");
    refused(&format!("{run} images"), "cannot read images: it is a folder");
    fs::File::create(at.join("large")).unwrap().set_len(40 << 20).unwrap();
    refused(&format!("{run} large"), "large has 41943040 bytes, but a file of this network's natural statistics has");
}
