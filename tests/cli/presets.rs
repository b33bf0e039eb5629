//! Presets: listed, printed, laid over, resumed and repeated.

use std::fs;
use std::path::Path;

use protogpu::networks::Architecture;
use protogpu::tensor_file::TensorFile;
use protogpu::weights::Weights;

use crate::binary::{refuses, results, succeeds};

#[test]
fn a_printed_preset_is_a_file_to_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let list = succeeds(folder.path(), &["presets"]);
    assert!(list.contains("paper ") && list.contains("lucent "), "{list}");
    assert!(list.lines().all(|line| line.as_bytes()[13] == b' ' && line.as_bytes()[14] != b' '), "{list}");
    let lucent = succeeds(folder.path(), &["presets", "lucent"]);
    fs::write(folder.path().join("mine.json"), lucent.replace("\"lr\": 0.05", "\"lr\": 0.25")).unwrap();
    let mine = succeeds(folder.path(), &["presets", "mine.json"]);
    assert!(mine.contains("\"lr\": 0.25") && mine.contains("\"parameterization\": \"fourier\""), "{mine}");
    assert!(mine.contains("\"preset\": \"lucent\""), "{mine}");
    refuses(folder.path(), &["presets", "table3"], "`table3` is a grid of settings, for `protogpu sweep`");
    refuses(
        folder.path(),
        &["run", "--preset", "poster"],
        "`poster` is not paper, paper-strict, natural, deepinversion, maco, lucent or a file",
    );
    refuses(folder.path(), &["run", "--preset", "none.json"], "none.json");
    fs::write(folder.path().join("far.json"), r#"{"rotation": 200}"#).unwrap();
    for option in ["--preset", "--config"] {
        refuses(folder.path(), &["run", option, "far.json"], "far.json: --rotation is 200, but must be from 0 to 180");
        let also = ["run", option, "far.json", "--rotation", "300"];
        refuses(folder.path(), &also, "error: --rotation is 300, but must be");
    }
    refuses(folder.path(), &["run", "--transforms", "blur 3"], "`blur 3` is not a transform: use affine,");
    refuses(folder.path(), &["run", "--image-side", "225"], "--image-side is 225, but must be even, from 2 to 1024");
}

/// A spectrum, or its phases, are kept in the checkpoint: what goes on from it, and what repeats a record, ends in the same bits.
#[test]
fn a_spectrum_is_resumed_and_repeated_to_the_bit() {
    for preset in ["lucent", "maco --image-side 64 --views 2"] {
        let folder = tempfile::tempdir().unwrap();
        let run = |options: &str| succeeds(folder.path(), &options.split(' ').collect::<Vec<_>>());
        run(&format!("run --preset {preset} --class moth --steps 4 --out whole"));
        run(&format!("run --preset {preset} --class moth --steps 2 --out parts"));
        run(&format!("run --preset {preset} --class moth --steps 4 --out parts --resume"));
        run("run --config whole/8_moth_seed0/run.json --out again");
        run(&format!("run --preset {preset} --class umbrella,moth --batch 2 --steps 4 --out batch"));
        let files = |out: &str| results(&folder.path().join(out).join("8_moth_seed0"));
        let whole = files("whole");
        assert!(whole.keys().any(|path| path.ends_with("prototype.safetensors")), "{:?}", whole.keys());
        for out in ["parts", "again", "batch"] {
            for name in ["prototype.png", "prototype.safetensors"] {
                assert!(files(out)[Path::new(name)] == whole[Path::new(name)], "{preset}: {out}/{name}");
            }
        }
    }
}

/// Draws have no state and know nothing of the batch: what goes on, and what is made beside others, ends in the same bits.
#[test]
fn noise_and_flips_are_resumed_and_batched_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let run = |options: &str| {
        let options = options.split(' ').chain(["--transforms", "roll 3,flip,noise 0.1,unwarped rotate 90,affine"]);
        succeeds(folder.path(), &options.collect::<Vec<_>>())
    };
    run("run --lr-decay-fraction 0 --tv-start 1 --class moth --steps 4 --out whole");
    run("run --lr-decay-fraction 0 --tv-start 1 --class moth --steps 2 --out parts");
    run("run --lr-decay-fraction 0 --tv-start 1 --class moth --steps 4 --out parts --resume");
    run("run --lr-decay-fraction 0 --tv-start 1 --class umbrella,moth --batch 2 --steps 4 --out batch");
    let pixels = |out: &str| results(&folder.path().join(out).join("8_moth_seed0"))[Path::new("prototype.png")].clone();
    assert!(pixels("parts") == pixels("whole") && pixels("batch") == pixels("whole"));
}

/// Seeds that are compared with each other share a batch, and differ more than those of a plain run.
#[test]
fn seeds_are_made_different_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let similarity = |out: &str| -> f64 {
        let record = fs::read_to_string(folder.path().join(out).join("8_moth_seed1/run.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["timings"]["batch"], 2);
        record["loss_diversity"].as_array().unwrap().last().unwrap().as_f64().unwrap()
    };
    let run = |options: &str| succeeds(folder.path(), &options.split(' ').collect::<Vec<_>>());
    run("run --class moth,umbrella --seeds 2 --steps 8 --diversity-weight 1000 --batch 3 --out diverse");
    run("run --class moth --seeds 2 --steps 8 --diversity-weight 1e-9 --out plain");
    let [diverse, plain] = [similarity("diverse"), similarity("plain")];
    assert!(diverse < plain - 0.01, "{diverse} {plain}");
    let refused = |options: &str, why: &str| refuses(folder.path(), &options.split(' ').collect::<Vec<_>>(), why);
    refused("run --class moth --diverse --out one", "there is one of `moth`: use --seeds 2 or more");
    let few =
        "--diversity-weight compares all 3 prototypes of `moth`, but at most 2 are in a batch: use --batch 3 or more";
    refused("run --class moth --seeds 3 --diverse --batch 2 --out few", few);
    fs::remove_dir_all(folder.path().join("diverse/8_moth_seed1")).unwrap();
    let again = "run --class moth --seeds 2 --steps 8 --diversity-weight 1000 --out diverse --resume";
    refused(again, "but they are not at the same step: --force starts again");
}

/// A run goes on from the prototypes of another, each from its own: small images first, then large ones.
#[test]
fn each_prototype_starts_from_its_own_of_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = |options: &str| succeeds(folder.path(), &options.split(' ').collect::<Vec<_>>());
    run("run --class moth,umbrella --image-side 32 --steps 3 --out coarse");
    run("run --class umbrella,moth --init coarse --steps 3 --out fine");
    run("run --config fine/8_moth_seed0/run.json --out again");
    let file = |path: &str| fs::read(folder.path().join(path)).unwrap();
    assert!(file("fine/8_moth_seed0/prototype.png") == file("again/8_moth_seed0/prototype.png"));
    run("run --class moth --init coarse/8_moth_seed0/prototype.png --steps 3 --out one");
    assert!(file("fine/8_moth_seed0/prototype.png") == file("one/8_moth_seed0/prototype.png"));
    let why = "--init with a folder needs a finished prototype of each class and seed in it";
    refuses(folder.path(), &["run", "--class", "lighthouse", "--init", "coarse"], why);
}

/// Weights whose batch norms are folded know nothing of photographs: a run that asks for that says so.
#[test]
fn natural_statistics_need_norms_that_keep_them() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["run", "--preset", "natural", "--class", "moth", "--steps", "2", "--out", "natural"]);
    let record = fs::read_to_string(folder.path().join("natural/8_moth_seed0/run.json")).unwrap();
    assert!(record.contains("\"natural_weight\": 1.0") && record.contains("\"loss_natural\""), "{record}");
    let weights = Weights::generated(&Architecture::InceptionV1.manifest(16, 10), 0).unwrap();
    weights.write(folder.path().join("inception.safetensors")).unwrap();
    let args = ["run", "--weights", "inception.safetensors", "--class", "1", "--natural-weight", "2"];
    let why =
        "--natural-weight is 2, but inception.safetensors has no statistics of photographs: no layer has a batch norm";
    refuses(folder.path(), &args, why);
    // A ResNet whose norms keep nothing.
    let manifest = Architecture::ResNet18.manifest(8, 10);
    let generated = Weights::generated(&manifest, 0).unwrap();
    let values = |(name, shape): &(String, Vec<usize>)| match name {
        name if name.ends_with("running_mean") => vec![0.0; shape[0]],
        name if name.ends_with("running_var") => vec![1.0; shape[0]],
        name => generated.tensor_f32(name).unwrap(),
    };
    let values: Vec<Vec<f32>> = manifest.iter().map(values).collect();
    let mut folded = TensorFile::default();
    for ((name, shape), values) in manifest.iter().zip(&values) {
        folded = folded.tensor(name, shape, values);
    }
    fs::write(folder.path().join("folded.safetensors"), folded.to_bytes()).unwrap();
    let args = ["run", "--weights", "folded.safetensors", "--class", "1", "--preset", "natural"];
    refuses(
        folder.path(),
        &args,
        "folded.safetensors has no statistics of photographs: every batch norm has mean 0 and variance 1",
    );
}
