//! Many prototypes at once: each as if it were alone, one that fails by itself, and the page that shows all.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use protogpu::gpu::{AdapterChoice, Context};
use protogpu::method::{Job, Overrides, Session, Settings};
use protogpu::networks::{Architecture, Network};
use protogpu::weights::Weights;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;

use crate::binary::{assert_same_files, json, listing, protogpu, refuses, results, succeeds};

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    results(folder)
}

#[test]
fn each_of_a_batch_is_as_if_it_were_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let args = ["run", "--steps", "3", "--class", "0..1,moth", "--per-class", "2", "--seed", "4", "--batch", "auto"];
    let made = json(folder, &args);
    let seeds: Vec<_> =
        made["prototypes"].as_array().unwrap().iter().map(|p| (&p["class"]["index"], &p["seed"])).collect();
    let seeds: Vec<_> = seeds.iter().map(|(class, seed)| (class.as_u64().unwrap(), seed.as_u64().unwrap())).collect();
    assert_eq!(seeds, [(0, 4), (0, 5), (1, 4), (1, 5), (8, 4), (8, 5)]);
    assert_eq!((&made["throughput"]["batch"], &made["throughput"]["prototypes"]), (&6.into(), &6.into()));
    assert!(made["throughput"]["image_step_ms"].as_f64().unwrap() > 0.0, "{made}");

    // Of the second seed of a class in the middle: made alone, and made again from its record.
    let name = "1_cactus_seed5";
    let together = files(&folder.join("out").join(name));
    succeeds(folder, &["run", "--steps", "3", "--class", "cactus", "--seed", "5", "--out", "alone"]);
    assert_same_files(&together, &files(&folder.join("alone").join(name)));
    succeeds(folder, &["run", "--config", &format!("out/{name}/run.json"), "--out", "again"]);
    assert_same_files(&together, &files(&folder.join("again").join(name)));
    // Seen red: another seed is another picture.
    let other = files(&folder.join("out/1_cactus_seed4"));
    assert!(other[Path::new("prototype.png")] != together[Path::new("prototype.png")]);

    the_page_shows_all(folder, &made);
}

/// The page and the sheet of the six, written again with the same bytes.
fn the_page_shows_all(folder: &Path, made: &Value) {
    let out = folder.join("out");
    assert_eq!(made["index"], "out/index.html");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    for name in ["0_butterfly_seed4", "1_cactus_seed5", "8_moth_seed5"] {
        assert!(page.contains(&format!("src=\"{name}/prototype.png\"")), "{name} is not in {page}");
        assert!(page.contains(&format!("href=\"{name}/run.json\"")), "{name} is not in {page}");
    }
    assert_eq!(page.matches("<img ").count(), 6, "{page}");
    // The seeds of each class are together.
    let classes: Vec<&str> = page.split("<h2>").skip(1).collect();
    assert_eq!(classes.len(), 3, "{page}");
    for (class, name) in classes.iter().zip(["butterfly", "cactus", "moth"]) {
        assert!(class.starts_with(name) && class.matches("<img ").count() == 2, "{class}");
    }
    assert!(!page.contains("http:") && !page.contains("https:"), "{page}");
    // Three columns of two: the first picture, and the last.
    let sheet = image::open(out.join("contact.png")).unwrap().into_rgb8();
    let picture = |name: &str| image::open(out.join(name).join("prototype.png")).unwrap().into_rgb8();
    assert_eq!(sheet.get_pixel(8, 8), picture("0_butterfly_seed4").get_pixel(0, 0));
    let last = picture("8_moth_seed5");
    let at = [8 + 2 * 232 + 100, sheet.height() - 8 - 2 * 19 - 224 + 50];
    assert_eq!(sheet.get_pixel(at[0], at[1]), last.get_pixel(100, 50), "{:?}", sheet.dimensions());

    let before = listing(&out);
    let text = succeeds(folder, &["index", "out"]);
    assert_eq!(text, "out/index.html: 6 prototypes\n");
    assert!(listing(&out) == before);
    // A folder of strangers' files is told, and takes nothing else with it.
    std::fs::create_dir(out.join("odd \"<b>")).unwrap();
    std::fs::write(out.join("odd \"<b>/run.json"), "{\"format\": \"<script>\"}").unwrap();
    assert_eq!(succeeds(folder, &["index", "out"]), "out/index.html: 6 prototypes\n");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(
        page.contains("run.json cannot be read") && !page.contains("<b>") && !page.contains("<script>\""),
        "{page}"
    );
    std::fs::create_dir(folder.join("empty")).unwrap();
    refuses(folder, &["index", "empty"], "empty has no finished prototypes");
    refuses(folder, &["index", "missing"], "cannot read missing");
}

/// A network of which one class's gradient is beyond what 32 bits square to.
fn overflowing(path: &Path) {
    let generated = Weights::generated(&Architecture::ResNet18.manifest(8, 5), 1).unwrap();
    generated.write(path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut data: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, view) in file.iter() {
        data.insert(name.to_owned(), (view.shape().to_vec(), view.data().to_vec()));
    }
    let (shape, weight) = data.get_mut("fc.weight").unwrap();
    let row = 4 * shape[1];
    for value in weight[2 * row..3 * row].chunks_exact_mut(4) {
        let scaled = 1e28 * f32::from_le_bytes(value.try_into().unwrap());
        value.copy_from_slice(&scaled.to_le_bytes());
    }
    let views =
        data.iter().map(|(name, (shape, bytes))| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(path, serialize(views, None::<HashMap<String, String>>).unwrap()).unwrap();
}

#[test]
fn one_that_fails_does_so_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    overflowing(&folder.join("w"));
    let run = |more: &[&str]| {
        let args = ["run", "--weights", "w", "--logsumexp-weight", "0", "--steps", "4", "--checkpoint-every", "1"];
        let output = protogpu(folder).args(args).args(more).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stdout, stderr) = run(&["--class", "all", "--batch", "3", "--json"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: 1 of 5 prototypes failed:\n  out/2_class_2_seed0: the "), "{stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
    let made: Value = serde_json::from_str(&stdout).unwrap();
    let classes: Vec<_> = made["prototypes"].as_array().unwrap().iter().map(|p| p["class"]["index"].as_u64()).collect();
    assert_eq!(classes, [0, 1, 3, 4].map(Some));
    assert_eq!(made["failed"][0]["class"]["index"], 2);
    let why = std::fs::read_to_string(folder.join("out/2_class_2_seed0/failed.txt")).unwrap();
    assert!(why.contains("finite") && why.contains("try a smaller --lr"), "{why}");
    assert!(!folder.join("out/2_class_2_seed0/run.json").exists());
    let page = std::fs::read_to_string(folder.join("out/index.html")).unwrap();
    assert!(page.contains("Failed") && page.contains("2_class_2_seed0"), "{page}");
    assert_eq!(page.matches("<img ").count(), 4);

    // Those beside it are as if they were alone, and it fails alone as it did before.
    let (code, _, stderr) = run(&["--class", "1", "--out", "alone"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_same_files(&files(&folder.join("out/1_class_1_seed0")), &files(&folder.join("alone/1_class_1_seed0")));
    // Again and again: a folder that says only why it failed is in nobody's way.
    for _ in 0..2 {
        let (code, stdout, stderr) = run(&["--class", "2", "--out", "alone"]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains("error: the ") && !stderr.contains("prototypes failed"), "{stderr}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_its_own_failure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let blocked = folder.join("out/1_cactus_seed0/checkpoint.safetensors");
    std::fs::create_dir_all(&blocked).unwrap();
    let args = ["run", "--steps", "2", "--class", "0..2", "--batch", "2", "--force", "--quiet"];
    let output = protogpu(folder).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: 1 of 3 prototypes failed:\n  out/1_cactus_seed0: cannot "), "{stderr}");
    assert!(folder.join("out/0_butterfly_seed0/run.json").exists() && folder.join("out/2_cup_seed0/run.json").exists());
}

/// With a start that is no number in the middle of a batch.
#[test]
fn images_do_not_fail_for_each_other() {
    let network = Network::generated(Architecture::ResNet18, 8, 5, 0).unwrap();
    let context = Context::new(&AdapterChoice::Best).unwrap();
    let settings = Settings { steps: 3, ..Settings::default() };
    let len = network.image().len();
    let job = |class, init| Job { class, seed: 1, init };
    let jobs = [job(0, None), job(1, Some(vec![f32::NAN; len].into())), job(2, None)];
    let begin = |jobs: &[Job], isolate| {
        Session::with_overrides(&context, &network, &settings, jobs, Overrides { isolate, ..Overrides::default() })
            .unwrap()
    };
    let mut together = begin(&jobs, true);
    together.advance(3).unwrap();
    let failures = together.failures();
    assert!(
        failures[1].as_ref().unwrap().starts_with("the loss of class 1, seed 1 became NaN at step 0"),
        "{failures:?}"
    );
    assert_eq!((&failures[0], &failures[2]), (&None, &None));
    let lens: Vec<usize> = together.histories().iter().map(|history| history.len()).collect();
    assert_eq!(lens, [3, 0, 3]);
    let states = together.states().unwrap();
    for at in [0, 2] {
        let mut alone = begin(&jobs[at..=at], false);
        alone.advance(3).unwrap();
        assert!(alone.states().unwrap()[0] == states[at] && alone.histories()[0] == together.histories()[at], "{at}");
    }
    // Who does not ask for it gets an error, as before.
    let error = begin(&jobs, false).advance(3).unwrap_err().to_string();
    assert!(error.starts_with("the loss of class 1, seed 1 became NaN at step 0"), "{error}");
}

#[test]
fn a_strip_grows_from_nothing_to_the_preset() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let args = ["regularization-strip", "--class", "umbrella", "--steps", "2", "--count", "3"];
    let made = json(folder, &args);
    let levels = made["levels"].as_array().unwrap();
    assert_eq!(levels.len(), 3);
    let full = Settings::default();
    let weights: Vec<f64> = levels.iter().map(|level| level["tv_weight"].as_f64().unwrap()).collect();
    assert_eq!((weights[0], weights[2]), (0.0, full.tv_weight));
    assert_eq!(levels[0]["scale"], serde_json::json!([1.0, 1.0]));
    assert_eq!(levels[1]["rotation"].as_f64(), Some(full.rotation / 2.0));
    let strip = image::open(folder.join("regularization-strip/regularization-strip.png")).unwrap().into_rgb8();
    let first = levels[0]["folder"].as_str().unwrap();
    assert_eq!(first, "regularisation_000/14_umbrella_seed0");
    let picture =
        image::open(folder.join("regularization-strip").join(first).join("prototype.png")).unwrap().into_rgb8();
    assert_eq!(strip.get_pixel(8 + 30, 8 + 40), picture.get_pixel(30, 40));
    assert_eq!(strip.width(), 8 + 3 * 232);

    // Its end is what `run` makes, and what is there is gone on with.
    succeeds(folder, &["run", "--class", "umbrella", "--steps", "2"]);
    let last = folder.join("regularization-strip/regularisation_100");
    assert_same_files(&files(&folder.join("out/14_umbrella_seed0")), &files(&last.join("14_umbrella_seed0")));
    let before = listing(&folder.join("regularization-strip"));
    refuses(folder, &args, "exists already");
    succeeds(folder, &[&args[..], &["--resume"]].concat());
    assert!(listing(&folder.join("regularization-strip")) == before);
    refuses(folder, &["regularization-strip", "--class", "0..2"], "3 classes were given, but a strip shows one");
    let channel = [
        "regularization-strip",
        "--objective",
        "channel:layer2.1:3",
        "--count",
        "2",
        "--steps",
        "1",
        "--out",
        "channel",
    ];
    let made = json(folder, &channel);
    assert_eq!((&made["class"], made["objective"].as_str()), (&Value::Null, Some("channel:layer2.1:3")));
    refuses(
        folder,
        &["regularization-strip", "--preset", "lucent"],
        "a regularization strip grows the reach of the affine warp, but --transforms is",
    );
    // By the former name of the command.
    refuses(folder, &["figure6", "--count", "1"], "invalid value '1' for '--count <N>'");
}
