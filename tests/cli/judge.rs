//! `protogpu judge`: who recognises prototypes that another network made.

use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::binary::{assert_same_files, json, listing, protogpu, refuses, succeeds};
use crate::shared::shared;

/// Photographs of three classes, and two prototypes of each built-in network after a few steps.
pub(crate) static MADE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeeds(at, &["synth", "--out", "images", "--images-per-class", "3", "--class", "umbrella,lighthouse,key"]);
    for model in ["resnet18", "googlenet"] {
        let classes = ["--class", "umbrella,lighthouse", "--steps", "8", "--quiet"];
        succeeds(at, &[&["run", "--model", model, "--out", model], &classes[..]].concat());
    }
    folder
});

/// A copy of what a network made, for a test that looks at every file of its folder.
pub(crate) fn copied(model: &str, to: &Path) {
    for (path, bytes) in listing(&MADE.path().join(model)) {
        let path = to.join(model).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !bytes.is_empty() {
            std::fs::write(path, bytes).unwrap();
        }
    }
}

const JUDGE: [&str; 8] =
    ["judge", "--prototype", "resnet18", "googlenet", "--with", "resnet18", "googlenet", "--images-per-class=2"];

fn group<'a>(judgement: &'a Value, judge: &str, folder: &str) -> &'a Value {
    let named = |list: &'a Value, key, name| {
        let found = list.as_array().unwrap().iter().find(|one| one[key] == name);
        found.unwrap_or_else(|| panic!("no {name} in {list}"))
    };
    named(&named(&judgement["judges"], "weights", judge)["groups"], "folder", folder)
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn networks_judge_each_others_prototypes() {
    let at = MADE.path();
    let judgement = json(at, &[&JUDGE[..], &["--images", "images", "--out", "first"]].concat());
    for (judge, maker) in [("resnet18", "googlenet"), ("googlenet", "resnet18")] {
        let (own, other) = (group(&judgement, judge, judge), group(&judgement, judge, maker));
        assert_eq!((&own["made"], &other["made"]), (&json!(2), &json!(0)));
        for group in [own, other] {
            assert_eq!((&group["prototypes"]["images"], &group["photographs"]["images"]), (&json!(2), &json!(4)));
            // As `classify` sees the same files.
            let prototypes = group["each"].as_array().unwrap();
            for prototype in prototypes {
                let picture = Path::new(prototype["folder"].as_str().unwrap()).join("prototype.png");
                let seen = json(at, &["classify", picture.to_str().unwrap(), "--top", "15", "--model", judge]);
                let top = seen["images"][0]["top"].as_array().unwrap();
                let place = top.iter().position(|one| one["index"] == prototype["class"]).unwrap();
                assert_eq!(number(&prototype["rank"]), place as f64 + 1.0, "{prototype}");
                let gap = number(&top[place]["probability"]) - number(&prototype["probability"]);
                assert!(gap.abs() < 1e-6, "{prototype}: {}", top[place]);
            }
            let mean = prototypes.iter().map(|one| number(&one["probability"])).sum::<f64>() / 2.0;
            assert!((number(&group["prototypes"]["probability"]) - mean).abs() < 1e-12);
            let ratio = mean / number(&group["photographs"]["probability"]);
            assert!((number(&group["ratio"]) - ratio).abs() < 1e-9);
            let classes: Vec<&Value> = group["classes"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
            assert_eq!(classes.len(), 2, "{classes:?}");
        }
    }
    let first = listing(&at.join("first"));
    let text = String::from_utf8(first[Path::new("judge.csv")].clone()).unwrap();
    // A header, and for each of two judges and folders three rows of prototypes, of photographs and of four controls.
    assert_eq!(text.lines().count(), 1 + 2 * 2 * 3 * 6, "{text}");
    assert_eq!(serde_json::from_slice::<Value>(&first[Path::new("judge.json")]).unwrap(), judgement);

    let page = String::from_utf8(first[Path::new("report.html")].clone()).unwrap();
    assert_eq!((page.matches("<img").count(), page.matches("made them").count()), (4, 2 * 2));
    assert!(!page.contains("no judge has the class") && !page.contains("href="));

    // In batches of another size the same bytes, and no report is replaced unasked.
    let again = [&JUDGE[..], &["--images", "images", "--out", "first", "--batch", "3"]].concat();
    refuses(at, &again, "first already has a report");
    let text = succeeds(at, &[&again[..], &["--force"]].concat());
    assert_same_files(&listing(&at.join("first")), &first);
    assert_eq!(text.matches("(made them)").count(), 2, "{text}");
}

#[test]
fn a_run_ends_with_its_judges() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = ["run", "--class", "umbrella,lighthouse", "--steps", "4"];
    let text = succeeds(at, &[&run[..], &["--judge", "googlenet", "--judge", "resnet18"]].concat());
    let table: Vec<&str> = text.lines().filter(|line| line.contains(" % [")).collect();
    assert_eq!(table.len(), 2, "{text}");
    assert!(table[0].starts_with("googlenet  ") && table[1].starts_with("resnet18 (made them)  2 "), "{text}");
    // As `judge` sees the same prototypes.
    let judgement = json(at, &["judge", "--prototype", "out", "--with", "googlenet"]);
    let each = group(&judgement, "googlenet", "out")["each"].as_array().unwrap();
    let beside = |folder: &str| -> Value {
        serde_json::from_slice(&std::fs::read(at.join(folder).join("judges.json")).unwrap()).unwrap()
    };
    for prototype in each {
        let said = beside(prototype["folder"].as_str().unwrap());
        assert_eq!((&said["judges"][0]["seen"], &said["judges"][0]["made"]), (prototype, &json!(false)), "{said}");
        assert_eq!(said["judges"][1]["made"], json!(true));
    }
    // Finished prototypes are judged without a step, in JSON too.
    let again = json(at, &[&run[..], &["--resume", "--judge", "googlenet"]].concat());
    assert_eq!(again["judges"][0]["groups"][0]["each"], json!(each), "{again}");
    assert_eq!(beside(each[0]["folder"].as_str().unwrap())["judges"].as_array().unwrap().len(), 1);
    // What is made anew has no judges of before.
    succeeds(at, &[&run[..], &["--force", "--quiet"]].concat());
    assert!(!at.join(each[0]["folder"].as_str().unwrap()).join("judges.json").exists());
    // Judges are refused before the run starts.
    let other = ["run", "--class", "key", "--steps", "4", "--out", "other", "--judge"];
    for (judge, what) in [("missing.pth", "missing.pth"), ("imagenet:vgg", "no published weights of `vgg`")] {
        refuses(at, &[&other[..], &[judge]].concat(), what);
    }
    std::fs::write(at.join("bad.safetensors"), "no weights").unwrap();
    refuses(at, &[&other[..], &["bad.safetensors"]].concat(), "bad.safetensors");
    let objective = ["run", "--objective", "channel:layer4:3", "--judge", "googlenet", "--out", "other"];
    refuses(at, &objective, "but the objective is `channel:layer4:3`");
    assert!(!at.join("other").exists());
}

#[test]
fn seeds_of_a_class_have_a_distance() {
    let folder = tempfile::tempdir().unwrap();
    let (at, images) = (folder.path(), MADE.path().join("images"));
    let run = ["run", "--class", "umbrella", "--seeds", "3", "--steps", "4", "--judge", "googlenet"];
    let text = succeeds(at, &run);
    assert!(text.contains("  rank  distance\n"), "{text}");
    // Of a class with one prototype there is no distance.
    succeeds(at, &["run", "--class", "lighthouse", "--steps", "4", "--quiet"]);
    let judge = ["judge", "--prototype", "out", "--with", "googlenet", "--images", images.to_str().unwrap()];
    let judgement = json(at, &judge);
    let group = group(&judgement, "googlenet", "out");
    let class = |name: &str| {
        let classes = group["classes"].as_array().unwrap();
        classes.iter().find(|class| class["name"] == name).unwrap()["variety"].clone()
    };
    let umbrella = class("umbrella");
    assert_eq!((&umbrella, class("lighthouse")), (&group["variety"], Value::Null), "{group}");
    let [prototypes, photographs, ratio] = ["prototypes", "photographs", "ratio"].map(|key| number(&umbrella[key]));
    assert!(prototypes > 1e-6 && photographs > 1e-6 && prototypes < 1.0 && photographs < 1.0, "{umbrella}");
    assert!((ratio - prototypes / photographs).abs() < 1e-12, "{umbrella}");
    let [csv, page] =
        ["judge.csv", "report.html"].map(|file| std::fs::read_to_string(at.join("judge").join(file)).unwrap());
    let column = csv.lines().next().unwrap().split(',').position(|name| name == "distance").unwrap();
    let cells: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').nth(column).unwrap()).collect();
    let given: Vec<&str> = cells.iter().copied().filter(|cell| !cell.is_empty()).collect();
    // For all classes and for the one with several.
    let [prototypes, photographs] = ["prototypes", "photographs"].map(|key| umbrella[key].to_string());
    assert_eq!(given, [&prototypes, &photographs, &prototypes, &photographs], "{csv}");
    assert_eq!(page.matches("How different the images of a class are").count(), 1);
    let text = succeeds(at, &[&judge[..], &["--force"]].concat());
    assert_eq!(text.matches("distance between images of a class").count(), 1, "{text}");
    // The same image three times.
    for seed in [1, 2] {
        let [from, to] = [0, seed].map(|seed| at.join(format!("out/14_umbrella_seed{seed}/prototype.png")));
        std::fs::copy(from, to).unwrap();
    }
    let judgement = json(at, &[&judge[..], &["--force"]].concat());
    assert!(number(&judgement["judges"][0]["groups"][0]["variety"]["prototypes"]) < 1e-6, "{judgement}");
}

/// Changes the class in a copy of a prototype's record.
pub(crate) fn reclassified(from: &Path, to: &Path, class: &Value) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::copy(from.join("prototype.png"), to.join("prototype.png")).unwrap();
    let mut record: Value = serde_json::from_slice(&std::fs::read(from.join("run.json")).unwrap()).unwrap();
    record["class"] = class.clone();
    std::fs::write(to.join("run.json"), record.to_string()).unwrap();
}

/// Changes the network in a prototype's record.
pub(crate) fn made_by(folder: &Path, sha256: &str, input: Value) {
    let path = folder.join("run.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let weights = &mut record["weights"];
    (weights["model"], weights["path"], weights["sha256"]) = (Value::Null, json!("gone.pth"), json!(sha256));
    weights["input"] = input;
    std::fs::write(path, record.to_string()).unwrap();
}

#[test]
fn controls_are_judged_beside_photographs() {
    let at = MADE.path();
    let args = ["judge", "--prototype", "resnet18", "--with", "googlenet", "--out", "controls"];
    let judgement = json(at, &[&args[..], &["--images", "images"]].concat());
    let group = group(&judgement, "googlenet", "resnet18");
    let named = |row: &Value| -> Vec<(String, u64)> {
        let controls = row["controls"].as_array().unwrap().iter();
        controls.map(|one| (one["name"].as_str().unwrap().to_owned(), one["images"].as_u64().unwrap())).collect()
    };
    let names = |images| ["noise", "grey", "mean", "blurred-mean"].map(|name| (name.to_owned(), images));
    assert_eq!(named(group), names(2));
    let classes = group["classes"].as_array().unwrap();
    for class in classes {
        assert_eq!(named(class), names(1));
    }
    // Grey and the mean of the photographs as `classify` sees them, but for the rounding of the mean to 8 bits.
    let folders = std::fs::read_dir(at.join("images")).unwrap().map(|entry| entry.unwrap().path());
    let umbrellas = folders.into_iter().find(|path| path.to_str().unwrap().ends_with("umbrella")).unwrap();
    let photographs = std::fs::read_dir(umbrellas).unwrap();
    let photographs = photographs.map(|entry| image::open(entry.unwrap().path()).unwrap().to_rgb8());
    let photographs: Vec<image::RgbImage> = photographs.collect();
    let mut mean = photographs[0].clone();
    for (at, level) in mean.iter_mut().enumerate() {
        let sum: u32 = photographs.iter().map(|one| u32::from(one.as_raw()[at])).sum();
        *level = (f64::from(sum) / photographs.len() as f64).round() as u8;
    }
    let umbrella = classes.iter().find(|row| row["name"] == "umbrella").unwrap();
    let grey = image::RgbImage::from_pixel(mean.width(), mean.height(), image::Rgb([128; 3]));
    for (place, name, picture) in [(1, "grey", grey), (2, "mean", mean)] {
        let file = at.join(format!("control-{name}.png"));
        picture.save(&file).unwrap();
        let seen = json(at, &["classify", file.to_str().unwrap(), "--top", "99", "--model", "googlenet"]);
        let top = seen["images"][0]["top"].as_array().unwrap().iter();
        let probability = number(&top.clone().find(|one| one["index"] == umbrella["index"]).unwrap()["probability"]);
        let control = &umbrella["controls"][place];
        assert_eq!(control["name"], name);
        let gap = (number(&control["probability"]) - probability).abs();
        assert!(gap < 0.02 && gap < 0.2 * probability.max(1e-3), "{control}: {probability}");
    }
    // Two prototypes, and three photographs of each of two classes.
    let kid = &group["kid"];
    assert_eq!((&kid["prototypes"], &kid["photographs"]), (&json!(2), &json!(6)), "{kid}");
    let [ours, instead, halves] = ["kid", "instead", "halves"].map(|key| number(&kid[key]["value"]));
    assert!(ours > instead && ours > halves && halves.abs() < ours, "{kid}");
    assert!(kid["notes"][0].as_str().unwrap().contains("fewer than 50"), "{kid}");
    // Without photographs there is no mean.
    let judgement = json(at, &[&args[..], &["--force"]].concat());
    assert_eq!(judgement["judges"][0]["groups"][0]["controls"], json!([]));
    let (csv, page) = ["judge.csv", "report.html"]
        .map(|file| std::fs::read_to_string(at.join("controls").join(file)).unwrap())
        .into();
    assert!(!csv.contains("grey") && !page.contains("grey"));
    let text = succeeds(at, &[&args[..], &["--force", "--images", "images"]].concat());
    let (csv, page) = ["judge.csv", "report.html"]
        .map(|file| std::fs::read_to_string(at.join("controls").join(file)).unwrap())
        .into();
    assert!(text.contains("KID: halves of the photographs") && page.contains("Halves of the photographs"), "{text}");
    let of = |kind: &str| csv.lines().find(|line| line.contains(&format!(",,,{kind},"))).unwrap().to_owned();
    let ends = |kind: &str, value: &Value| {
        let limits = ["value", "low", "high"].map(|key| value[key].to_string()).join(",");
        assert!(of(kind).ends_with(&limits), "{} but {limits}", of(kind));
    };
    ends("prototypes", &kid["kid"]);
    ends("photographs", &kid["halves"]);
    for shown in [&text, &csv, &page] {
        // For all classes, and for each.
        assert_eq!(shown.matches("blurred-mean").count(), 3, "{shown}");
    }
}

#[test]
fn two_makers_may_call_the_same_photographs_differently() {
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    reclassified(&from, &at.join("out/a"), &json!({"index": 14, "name": "umbrella"}));
    // To a network of its own, class 14 is a sunshade; of its dragon there is no photograph.
    for (name, class) in [("b", json!({"index": 14, "name": "sunshade"})), ("c", json!({"index": 2, "name": "dragon"}))]
    {
        reclassified(&from, &at.join("out").join(name), &class);
        made_by(&at.join("out").join(name), &"b".repeat(64), Value::Null);
    }
    // To a third, which is known to have two classes, no folder is of a class.
    reclassified(&from, &at.join("out/d"), &json!({"index": 1, "name": "kraken"}));
    made_by(&at.join("out/d"), &"d".repeat(64), Value::Null);
    let labels = protogpu::networks::embedded::open("googlenet").unwrap();
    let labels = labels.labels();
    let mut names: Vec<&str> = (0..labels.len()).map(|index| labels.name(index)).collect();
    (names[0], names[1]) = ("sunshade", "dragon");
    std::fs::write(at.join("names.txt"), names.join("\n")).unwrap();
    let images = MADE.path().join("images");
    std::fs::create_dir(at.join("images")).unwrap();
    for class in ["14_umbrella", "nothing"] {
        std::fs::create_dir(at.join("images").join(class)).unwrap();
    }
    let umbrellas = std::fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().path());
    let umbrellas = umbrellas.into_iter().find(|path| path.to_str().unwrap().ends_with("umbrella")).unwrap();
    for file in std::fs::read_dir(umbrellas).unwrap().map(|entry| entry.unwrap()) {
        std::fs::copy(file.path(), at.join("images/14_umbrella").join(file.file_name())).unwrap();
    }
    let args = ["judge", "--prototype", "out", "--images", "images", "--labels", "names.txt", "--with", "googlenet"];
    let judgement = json(at, &args);
    let group = group(&judgement, "googlenet", "out");
    let classes = group["classes"].as_array().unwrap().iter();
    let found: Vec<[&Value; 2]> = classes.map(|row| [&row["name"], &row["photographs"]["images"]]).collect();
    let expected = [("sunshade", json!(3)), ("dragon", Value::Null), ("umbrella", json!(3))];
    for ([name, images], (expected, count)) in found.iter().zip(&expected) {
        assert_eq!((name.as_str(), *images), (Some(*expected), count), "{found:?}");
    }
    assert_eq!(found.len(), 3);
    let mean = |kind: &str| [0, 2].map(|at| number(&group["classes"][at][kind]["probability"])).iter().sum::<f64>();
    let ratio = mean("prototypes") / mean("photographs");
    assert!((number(&group["ratio"]) / ratio - 1.0).abs() < 1e-9, "{group}");
    let skipped = judgement["skipped"].to_string();
    assert!(
        skipped.contains("class 2 (dragon)")
            && skipped.contains("images/nothing: ")
            && skipped.contains("images has no class folders"),
        "{skipped}"
    );
    // The maker of one of them; terminal and page say it in the same words.
    let mixed = ["judge", "--prototype", "out", "--labels", "names.txt", "--with", "resnet18", "--force"];
    let text = succeeds(at, &mixed);
    let page = std::fs::read_to_string(at.join("judge/report.html")).unwrap();
    assert!(text.contains("(made 1 of 3)") && page.contains("made 1 of 3<"), "{text}");
    let several = [&args[..], &["resnet18", "--force"]].concat();
    refuses(at, &several, "--labels describes one judge, but there are 2");
}

#[test]
fn a_judge_gets_the_input_of_the_prototypes_that_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    let record: Value = serde_json::from_slice(&std::fs::read(from.join("run.json")).unwrap()).unwrap();
    let sha256 = record["weights"]["sha256"].as_str().unwrap();
    let input = json!({"range": 1.0, "mean": [0.25, 0.5, 0.75], "std": [2.0, 2.0, 2.0], "transform_input": false});
    reclassified(&from, &at.join("out"), &record["class"]);
    made_by(&at.join("out"), sha256, input.clone());
    let args = ["judge", "--prototype", "out", "--force", "--with"];
    let seen = |more: &[&str]| {
        let judgement = json(at, &[&args[..], more].concat());
        let group = &judgement["judges"][0]["groups"][0];
        (judgement["judges"][0]["input"].clone(), group["made"].clone(), number(&group["prototypes"]["probability"]))
    };
    let classified = |more: &[&str]| {
        let picture = from.join("prototype.png");
        let args = ["classify", picture.to_str().unwrap(), "--top", "99", "--model", "resnet18"];
        let seen = json(at, &[&args[..], more].concat());
        let top = seen["images"][0]["top"].as_array().unwrap();
        number(&top.iter().find(|one| one["index"] == 14).unwrap()["probability"])
    };
    let recorded = ["--input-mean", "0.25,0.5,0.75", "--input-std", "2,2,2"];
    let (there, made, probability) = seen(&["resnet18"]);
    assert_eq!((there, made), (input, json!(1)));
    assert!((probability - classified(&recorded)).abs() < 1e-6);
    assert!((probability - classified(&[])).abs() > 1e-3);
    // Options come first.
    let (there, _, probability) = seen(&["resnet18", "--input-std", "4,4,4"]);
    assert_eq!(there["std"], json!([4.0, 4.0, 4.0]));
    assert!((probability - classified(&["--input-mean", "0.25,0.5,0.75", "--input-std", "4,4,4"])).abs() < 1e-6);
    // Two ways to take the same weights are not one judge.
    reclassified(&from, &at.join("both/a"), &record["class"]);
    reclassified(&from, &at.join("both/b"), &record["class"]);
    made_by(&at.join("both/b"), sha256, there);
    refuses(at, &["judge", "--prototype", "both", "--with", "resnet18"], "judge them one after the other");
    // The page shows a large picture smaller.
    image::RgbImage::new(800, 400).save(at.join("out/prototype.png")).unwrap();
    succeeds(at, &[&args[..], &["googlenet"]].concat());
    let page = std::fs::read_to_string(at.join("judge/report.html")).unwrap();
    let (_, shown) = page.split_once("data:image/png;base64,").unwrap();
    let shown = STANDARD.decode(shown.split('"').next().unwrap()).unwrap();
    assert_eq!(image::load_from_memory(&shown).unwrap().to_rgb8().dimensions(), (320, 160));
    // A picture is read before the judges work.
    std::fs::write(at.join("out/prototype.png"), "no picture").unwrap();
    refuses(at, &[&args[..], &["googlenet"]].concat(), "prototype.png: is not a PNG");
}

#[test]
fn classes_without_names_are_not_mapped_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    reclassified(&from, &at.join("out"), &json!({"index": 14, "name": "class 14"}));
    let args = ["judge", "--prototype", "out", "--force", "--with", "googlenet"];
    let text = succeeds(at, &args);
    assert!(text.contains("no names of its classes") && text.contains("--labels FILE"), "{text}");
    let table = std::fs::read_to_string(at.join("judge/judge.csv")).unwrap();
    let row = table.lines().nth(1).unwrap();
    assert!(row.ends_with(",out,0,1,,,prototypes,0,,,,,,,,,,,,") && table.lines().count() == 2, "{table}");
    reclassified(&from, &at.join("out"), &json!({"index": 14, "name": ""}));
    refuses(at, &args, "out/run.json: the name of its class is empty");
    let published = ["judge", "--prototype", "out", "--with", "imagenet:vgg"];
    reclassified(&from, &at.join("out"), &json!({"index": 14, "name": "umbrella"}));
    refuses(at, &published, "there are no published weights of `vgg`");
}

#[test]
fn classes_that_a_judge_does_not_have_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    reclassified(&from, &at.join("out/a"), &json!({"index": 3, "name": "unicorn"}));
    reclassified(&from, &at.join("out/b"), &json!({"index": 2, "name": "Umbrella"}));
    let args = ["judge", "--prototype", "out", "--with", "googlenet"];
    let judgement = json(at, &args);
    let group = group(&judgement, "googlenet", "out");
    assert_eq!((&group["prototypes"]["images"], &group["classes"][0]["name"]), (&json!(1), &json!("umbrella")));
    let unmapped = &group["unmapped"];
    assert_eq!((&unmapped[0]["name"], &unmapped[0]["prototypes"]), (&json!("unicorn"), &json!(1)), "{unmapped}");
    let text = succeeds(at, &[&args[..], &["--force"]].concat());
    assert!(text.contains("unmapped: unicorn (prototypes: 1): "), "{text}");
    refuses(at, &["judge", "--prototype", "out", "--with", "missing.pth"], "missing.pth");
    reclassified(&from, &at.join("out/c"), &Value::Null);
    refuses(at, &[&args[..], &["--force"]].concat(), "its objective is not a class");
}

#[test]
fn downloaded_weights_are_judges() {
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/world_googlenet_w16.safetensors");
    std::fs::create_dir(at.join("cache")).unwrap();
    std::fs::copy(weights, at.join("cache/googlenet_imagenet.safetensors")).unwrap();
    let mut judge = protogpu(at);
    judge.args(["judge", "--with", "imagenet:googlenet", "--json", "--prototype"]).arg(from);
    let output = judge.env("PROTOGPU_CACHE", at.join("cache")).output().unwrap();
    let judgement: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let judge = &judgement["judges"][0];
    assert_eq!((&judge["weights"], &judge["architecture"]), (&json!("imagenet:googlenet"), &json!("googlenet")));
    assert_eq!(judge["groups"][0]["classes"][0]["name"], json!("umbrella"));
}

#[test]
fn photographs_are_recognised_as_in_pytorch() {
    recognised("resnet18_imagenet", include_str!("../golden/imagenette_top1.json"));
    recognised("inception_v1_bvlc", include_str!("../golden/imagenette_top1_inception_v1.json"));
}

/// Six photographs of each of ten classes, if the shared files are there; the first of each also stands in for a prototype.
fn recognised(weights: &str, golden: &str) {
    let Some(weights) = shared(&format!("weights/{weights}.safetensors")) else { return };
    let Some(pictures) = shared("images/imagenette_val") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    let golden: Value = serde_json::from_str(golden).unwrap();
    let rows = golden["rows"].as_array().unwrap().iter();
    let rows: Vec<(&str, &Value)> = rows.map(|row| (row[0].as_str().unwrap(), &row[1])).collect();
    let (mut prototypes, mut photographs) = (0, 0);
    for class in rows.chunk_by(|a, b| a.0.split('/').next() == b.0.split('/').next()) {
        let folder = class[0].0.split('/').next().unwrap();
        let (index, name) = folder.split_once('_').unwrap();
        let index: u64 = index.parse().unwrap();
        std::fs::create_dir_all(at.join("images").join(folder)).unwrap();
        for (path, _) in &class[..6] {
            std::fs::copy(pictures.join(path), at.join("images").join(path)).unwrap();
        }
        let to = at.join("out").join(folder);
        reclassified(&from, &to, &json!({"index": index, "name": name.replace('_', " ")}));
        std::fs::copy(pictures.join(class[0].0), to.join("prototype.png")).unwrap();
        prototypes += i32::from(*class[0].1 == index);
        photographs += class[..6].iter().filter(|(_, top)| **top == index).count() as i32;
    }
    let weights = weights.canonicalize().unwrap();
    let weights = weights.to_str().unwrap();
    let judgement = json(at, &["judge", "--prototype", "out", "--with", weights, "--images", "images"]);
    let group = group(&judgement, weights, "out");
    assert_eq!((&group["unmapped"], &group["made"]), (&json!([]), &json!(0)));
    for (kind, images, theirs) in [("prototypes", 10, prototypes), ("photographs", 60, photographs)] {
        let found = &group[kind];
        let ours = number(&found["top1"]["value"]) * f64::from(images);
        assert_eq!(found["images"], images);
        // Rounding may move an image with two equally likely classes.
        assert!((ours - f64::from(theirs)).abs() < 1.5, "{weights}: {theirs} {kind} with PyTorch, but {found}");
    }
}
