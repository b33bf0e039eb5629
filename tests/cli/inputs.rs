//! What a network expects of its input: options, records, checkpoints.

use std::collections::HashMap;
use std::path::Path;

use image::ColorType;
use protogpu::method::Checkpoint;
use protogpu::networks::Architecture;
use protogpu::tensor_file::TensorFile;
use protogpu::weights::Weights;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::binary::{assert_same_files, json, listing, protogpu, refuses, results, succeeds};
use crate::weights::small;

const CAFFE: [&str; 6] = ["--input-range", "255", "--input-mean", "123,117,104", "--input-std", "1,1,1"];
const FOLDER: &str = "3_class_3_seed0";

/// A folder with a small ResNet-18, `w`, and a picture.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    small().write(folder.path().join("w")).unwrap();
    let picture = image::RgbImage::from_fn(224, 224, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    picture.save(folder.path().join("x.png")).unwrap();
    folder
}

fn metadata(file: &Path) -> HashMap<String, String> {
    let bytes = std::fs::read(file).unwrap();
    SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap()
}

/// The logits of the picture by class.
fn logits(folder: &Path, weights: &str, options: &[&str]) -> Vec<f64> {
    let found = json(folder, &[&["classify", "x.png", "--weights", weights], options].concat());
    let mut top = found["images"][0]["top"].as_array().unwrap().clone();
    top.sort_by_key(|top| top["index"].as_u64());
    top.iter().map(|top| top["logit"].as_f64().unwrap()).collect()
}

#[test]
fn wrong_values_are_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let [range, mean, std] = [
        "': give 1, 255 or another positive number",
        "': give a number for each channel, red first, such as 0.485,0.456,0.406",
        "': give a positive number for each channel, red first, such as 0.229,0.224,0.225",
    ];
    for (option, value, cure) in [
        ("--input-range <1|255|X>", "0", range),
        ("--input-range <1|255|X>", "-1", range),
        ("--input-range <1|255|X>", "nan", range),
        ("--input-range <1|255|X>", "1e39", range),
        ("--input-range <1|255|X>", "byte", range),
        ("--input-mean <R,G,B>", "1,", mean),
        ("--input-mean <R,G,B>", "1,2,inf", mean),
        ("--input-mean <R,G,B>", "-1,-2,x", mean),
        ("--input-std <R,G,B>", "1,0,1", std),
        ("--input-std <R,G,B>", "-1,1,1", std),
        ("--input-std <R,G,B>", "1e-40,1,1", std),
        ("--transform-input <BOOL>", "maybe", "'\n  [possible values: true, false]"),
    ] {
        let expected = format!("invalid value '{value}' for '{option}{cure}");
        for command in [&["run"][..], &["classify", "x.png"], &["tune"], &["bench"]] {
            refuses(folder.path(), &[command, &[option.split(' ').next().unwrap(), value]].concat(), &expected);
        }
    }
    let few = ["modules", "--input-mean", "0.5"];
    refuses(folder.path(), &few, "`mean` has 1 values but the network's images have 3 channels: give one for each");
    let far = ["modules", "--input-range", "1e30", "--input-std", "1e-30,1,1"];
    refuses(folder.path(), &far, "the input's numbers are too far apart (RGB 0..1000");
}

#[test]
fn each_option_does_what_the_files_metadata_does() {
    let folder = place();
    let folder = folder.path();
    let bytes = std::fs::read(folder.join("w")).unwrap();
    let own = logits(folder, "w", &[]);
    let told = [("range", "255"), ("mean", "[123,117,104]"), ("std", "[2,1,0.5]"), ("transform_input", "true")];
    let options = [
        &["--input-range", "255"][..],
        &["--input-mean", "123,117,104"],
        &["--input-std", "2,1,0.5"],
        &["--transform-input", "true"],
    ];
    let write = |name: &str, told: &[(&str, &str)]| {
        let metadata: HashMap<String, String> = told.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let parsed = SafeTensors::deserialize(&bytes).unwrap();
        std::fs::write(folder.join(name), safetensors::serialize(parsed.iter(), Some(metadata)).unwrap()).unwrap();
    };
    for (told, options) in told.iter().zip(options) {
        write("told", &[*told]);
        let by_option = logits(folder, "w", options);
        assert_eq!(by_option, logits(folder, "told", &[]), "{told:?}");
        assert_ne!(by_option, own, "{told:?}");
    }
    // Options win, and what they do not name stays.
    write("told", &told);
    let args = ["weights", "inspect", "told"];
    let line = "  input       RGB 0..255, mean 123 117 104, std 2 1 0.5, then transform_input\n";
    assert!(succeeds(folder, &args).contains(line));
    let all = ["--input-range", "1", "--input-mean", "0.485,0.456,0.406", "--input-std", "0.229,0.224,0.225"];
    assert_eq!(logits(folder, "told", &[&all[..], &["--transform-input", "false"]].concat()), own);
    assert_eq!(logits(folder, "told", &all), logits(folder, "w", &["--transform-input", "true"]));
    write("told", &[("std", "[1,0,1]")]);
    let found = json(folder, &["weights", "inspect", "told"]);
    assert_eq!((&found["usable"], &found["input"]), (&json!(false), &Value::Null));
    assert_eq!(
        found["unusable"][0],
        "told: in its metadata, the input's range and standard deviations must be positive numbers, not 0"
    );
}

#[test]
fn a_record_keeps_the_input_and_a_replay_takes_it() {
    let folder = place();
    let folder = folder.path();
    let run = ["run", "--weights", "w", "--class", "3", "--steps", "2"];
    let output = protogpu(folder).args(run).args(CAFFE).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains(
            "options override the input of the weights file: the network gets RGB 0..255, mean 123 117 104\n"
        ),
        "{told}"
    );
    let record = |out: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(out).join(FOLDER).join("run.json")).unwrap()).unwrap()
    };
    let caffe =
        json!({"range": 255.0, "mean": [123.0, 117.0, 104.0], "std": [1.0, 1.0, 1.0], "transform_input": false});
    assert_eq!(record("out")["weights"]["input"], caffe);
    for file in ["checkpoint.safetensors", "prototype.safetensors"] {
        let told: Value =
            serde_json::from_str(&metadata(&folder.join("out").join(FOLDER).join(file))["input"]).unwrap();
        assert_eq!(told, caffe, "{file}");
    }
    let config = format!("out/{FOLDER}/run.json");
    let replay = |config: &str, out: &str, more: &[&str]| {
        let args = ["run", "--config", config, "--out", out, "--quiet"];
        succeeds(folder, &[&args[..], more].concat());
        results(&folder.join(out))
    };
    let out = results(&folder.join("out"));
    assert_same_files(&replay(&config, "again", &[]), &out);
    // From a file of another name, and without a word of what options do not name.
    std::fs::copy(folder.join("w"), folder.join("moved")).unwrap();
    replay(&config, "moved_out", &["--weights", "moved", "--transform-input", "true"]);
    let mut transformed = caffe.clone();
    transformed["transform_input"] = true.into();
    assert_eq!(record("moved_out")["weights"]["input"], transformed);

    // A record of before is one of the file's own.
    let mut older = record("out");
    older["weights"].as_object_mut().unwrap().remove("input");
    std::fs::write(folder.join("older.json"), older.to_string()).unwrap();
    let own = replay("older.json", "own", &[]);
    assert_eq!(record("own")["weights"]["input"]["range"], 1.0);
    let image =
        |files: &std::collections::BTreeMap<_, Vec<u8>>| files[&Path::new(FOLDER).join("prototype.png")].clone();
    assert!(image(&own) != image(&out));
    assert_same_files(&replay("older.json", "caffe", &CAFFE), &out);
}

#[test]
fn only_the_same_input_goes_on() {
    let folder = place();
    let folder = folder.path();
    let run = |steps: &str, more: &[&'static str]| {
        let even = [
            "run",
            "--preset",
            "paper",
            "--weights",
            "w",
            "--class",
            "3",
            "--lr-decay-fraction",
            "0",
            "--tv-start",
            "1",
            "--steps",
        ];
        let args = even.map(String::from).to_vec();
        let args = args.into_iter().chain([steps.to_owned()]).chain(more.iter().map(|&text| text.to_owned()));
        args.collect::<Vec<String>>()
    };
    let go = |args: &[String]| succeeds(folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |args: &[String], expected: &str| {
        refuses(folder, &args.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    };
    go(&run("2", &CAFFE));
    let [own, caffe] = ["RGB 0..1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225", "RGB 0..255, mean 123 117 104"];
    let differs = format!("the network's input is {own} now but {caffe} in the checkpoint");
    refused(&run("4", &["--resume"]), &differs);
    go(&run("4", &[&CAFFE[..], &["--resume"]].concat()));
    go(&run("4", &[&CAFFE[..], &["--out", "whole"]].concat()));
    let file = |out: &str| folder.join(out).join(FOLDER).join("checkpoint.safetensors");
    assert!(
        listing(folder)[Path::new("out").join(FOLDER).join("prototype.png").as_path()]
            == listing(folder)[Path::new("whole").join(FOLDER).join("prototype.png").as_path()]
    );

    // A checkpoint of before goes on as its file says, and not otherwise.
    go(&run("2", &["--force"]));
    let mut older = Checkpoint::from_bytes(&std::fs::read(file("out")).unwrap()).unwrap();
    assert_eq!(older.input, Some(protogpu::networks::Preprocessing::imagenet()));
    older.input = None;
    std::fs::write(file("out"), older.to_bytes()).unwrap();
    let differs = format!("the network's input is {caffe} now but {own} in the checkpoint");
    refused(&run("4", &[&CAFFE[..], &["--resume"]].concat()), &differs);
    go(&run("4", &["--resume"]));
    assert!(metadata(&file("out")).contains_key("input"));
}

#[test]
fn files_of_one_picture_say_what_was_expected() {
    let folder = place();
    let folder = folder.path();
    let with = |args: &[&str]| succeeds(folder, &[args, &["--weights", "w", "--out", "f"], &CAFFE].concat());
    for args in [&["activations", "x.png", "--module", "fc"][..], &["gradient", "x.png", "--class", "1"]] {
        with(args);
        let told: Value = serde_json::from_str(&metadata(&folder.join("f"))["input"]).unwrap();
        assert_eq!((&told["range"], &told["mean"]), (&json!(255.0), &json!([123.0, 117.0, 104.0])));
    }
}

/// A narrow ResNet-18 for images of so many channels and `[height, width]`.
fn write_network(path: &Path, channels: usize, size: &str) {
    let mut manifest = Architecture::ResNet18.manifest(8, 5);
    manifest[0].1[1] = channels;
    let weights = Weights::generated(&manifest, 1).unwrap();
    let values: Vec<Vec<f32>> = manifest.iter().map(|(name, _)| weights.tensor_f32(name).unwrap()).collect();
    let mut file = TensorFile::default().metadata("image_size", size);
    for ((name, shape), values) in manifest.iter().zip(&values) {
        file = file.tensor(name.as_str(), shape, values);
    }
    std::fs::write(path, file.to_bytes()).unwrap();
}

#[test]
fn grey_and_rgba_prototypes_are_grey_and_rgba_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (channels, [height, width], colour) in [(1, [20, 28], ColorType::L8), (4, [32, 24], ColorType::Rgba8)] {
        let (weights, out) = (format!("w{channels}"), format!("out{channels}"));
        write_network(&folder.join(&weights), channels, &format!("[{height}, {width}]"));
        let numbers = |number: &str| vec![number; channels].join(",");
        let [mean, std, fill] = ["0.5", "0.25", "0.125"].map(numbers);
        let run = ["run", "--weights", &weights, "--class", "3", "--steps", "3", "--image-side", "48", "--out", &out];
        let input = ["--input-mean", &mean, "--input-std", &std, "--fill", &fill, "--animate", "--quiet"];
        succeeds(folder, &[&run[..], &input].concat());
        let picture = image::open(folder.join(&out).join(FOLDER).join("prototype.png")).unwrap();
        assert_eq!((picture.color(), picture.height(), picture.width()), (colour, height, width));
        let config = format!("{out}/{FOLDER}/run.json");
        let again = format!("again{channels}");
        succeeds(folder, &["run", "--config", &config, "--out", &again, "--animate", "--quiet"]);
        assert_same_files(&results(&folder.join(&again)), &results(&folder.join(&out)));
        // The picture is one that the network, and a prototype, can start from.
        let picture = format!("{out}/{FOLDER}/prototype.png");
        json(folder, &["classify", &picture, "--weights", &weights]);
        let from = ["run", "--weights", &weights, "--class", "1", "--steps", "1", "--init", &picture, "--quiet"];
        succeeds(folder, &from);
        std::fs::remove_dir_all(folder.join("out")).unwrap();
        let wrong = ["run", "--weights", &weights, "--class", "3", "--fill", "0,0"];
        let expected = format!(
            "--fill is 0,0, but must be black, mean or one number for each of the network's {channels} channels"
        );
        refuses(folder, &wrong, &expected);
    }
}
