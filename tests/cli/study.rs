//! `protogpu study`: what it refuses, that its numbers are those of `classify`, that the same is the same, and the demo.

use std::path::Path;

use serde_json::Value;

use crate::binary::{assert_same_files, json, listing, protogpu, refuses, succeeds};
use crate::weights::small;

/// Six umbrellas with what was planted in them and once more without, a file that is no picture in either, and a prototype.
/// One folder's name means something in HTML.
fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let world = ["world", "--per-class", "6", "--seed", "2002", "--class", "umbrella"];
    succeeds(at, &[&world[..], &["--out", "with"]].concat());
    succeeds(at, &[&world[..], &["--out", "without", "--without-bias", "cue"]].concat());
    for (from, to) in [("with", "<b>&badge"), ("without", "none")] {
        std::fs::rename(at.join(from).join("014_umbrella"), at.join(to)).unwrap();
        std::fs::remove_dir_all(at.join(from)).unwrap();
        std::fs::write(at.join(to).join("99999.png"), "no image").unwrap();
    }
    succeeds(at, &["run", "--class", "umbrella", "--steps", "2", "--quiet"]);
    folder
}

const PROTOTYPE: [&str; 2] = ["--prototype", "out/14_umbrella_seed0"];
const STUDY: [&str; 13] = [
    "study",
    "--class",
    "umbrella",
    "--class",
    "parasol",
    "--images",
    "<b>&badge",
    "--images",
    "none",
    "--paired",
    "--resamples",
    "199",
    "--quiet",
];

#[test]
fn bad_input_is_refused_with_the_cure() {
    let folder = place();
    let at = folder.path();
    std::fs::create_dir(at.join("empty")).unwrap();
    std::fs::create_dir(at.join("one")).unwrap();
    std::fs::copy(at.join("none/00000.png"), at.join("one/other.png")).unwrap();
    std::fs::create_dir(at.join("broken")).unwrap();
    std::fs::write(at.join("broken/a.png"), "no image").unwrap();
    std::fs::create_dir(at.join("earlier")).unwrap();
    std::fs::write(at.join("earlier/study.json"), "{}").unwrap();
    small().write(at.join("w")).unwrap();
    succeeds(at, &["run", "--weights", "w", "--class", "3", "--steps", "1", "--out", "others", "--quiet"]);
    let asked = ["study", "--class", "umbrella", "--images", "none"];
    for (args, expected) in [
        (&["study"][..], "required arguments were not provided"),
        (&["study", "--class", "umbrella"], "--images <DIR>"),
        (&["study", "--class", "umbrela", "--images", "none"], "umbrella"),
        (&["study", "--class", "15", "--images", "none"], "there is no class 15"),
        (&["study", "--class", "0", "--images", "nowhere"], "--images nowhere: not a folder"),
        (&["study", "--class", "0", "--images", "none/00000.png"], "put the images of each group in a folder"),
        (&["study", "--class", "0", "--images", "empty"], "empty contains no images"),
        (
            &["study", "--class", "0", "--images", "broken"],
            "no image in broken can be read, for example: picture broken/a.png",
        ),
        (
            &["study", "--class", "0", "--images", "none", "--images", "./none"],
            "--images ./none: the folder is given twice",
        ),
        (&["study", "--class", "0", "--images", "none", "--paired"], "--paired needs at least two folders"),
        (&["study", "--demo", "--class", "umbrella"], "cannot be used with"),
        (&["study", "--demo", "--weights", "w.safetensors"], "cannot be used with"),
        (&["study", "--demo", "--steps", "0"], "--steps is 0, but must be"),
        (&["study", "--demo", "--images-per-class", "1"], "invalid value '1' for '--images-per-class <N>'"),
        (&["study", "--demo", "--out", "earlier"], "earlier already has a report: choose another --out"),
        (
            &["study", "--demo", "--prototype", "others"],
            "--demo needs the classes of the synthetic images, but w has no umbrella",
        ),
        (&[&asked[..], &["--steps", "3"]].concat(), "--images-per-class and --steps apply to --demo only"),
        (&[&asked[..], &["--images", "one", "--paired"]].concat(), "is in none but not in one"),
        (&[&asked[..], &["--out", "earlier"]].concat(), "earlier already has a report: choose another --out"),
        (&[&asked[..], &["--out", "none/00000.png"]].concat(), "none/00000.png is not a folder"),
        (&[&asked[..], &["--resamples", "1"]].concat(), "invalid value '1' for '--resamples <N>'"),
        (&[&asked[..], &["--prototype", "one"]].concat(), "one has no finished prototypes"),
        (
            &[&asked[..], &["--model", "googlenet"], &PROTOTYPE].concat(),
            "the prototype was made with weights of sha256",
        ),
        (
            &[&["study", "--class", "0", "--images", "none"], &PROTOTYPE[..]].concat(),
            "shows a class of --class (butterfly",
        ),
    ] {
        refuses(at, args, expected);
    }
}

/// The probability that `classify` prints of a class, and whether it is the likeliest.
fn classified(found: &Value, class: &str) -> Vec<(bool, f64)> {
    let of = |image: &Value| {
        let top = image["top"].as_array().unwrap();
        let entry = top.iter().find(|top| top["name"] == class).unwrap();
        (top[0]["name"] == class, entry["probability"].as_f64().unwrap())
    };
    found["images"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn numbers_are_those_of_classify_and_the_same_again() {
    let folder = place();
    let at = folder.path();
    let args = [&STUDY[..], &PROTOTYPE, &["--batch", "4"]].concat();
    let study = json(at, &args);
    let written: Value = serde_json::from_slice(&std::fs::read(at.join("study/study.json")).unwrap()).unwrap();
    assert_eq!(study, written);

    let part = &study["parts"][0];
    for (group, name) in ["<b>&badge", "none"].iter().enumerate() {
        let row = &part["groups"][group];
        assert_eq!((&row["name"], &row["pictures"]), (&Value::from(*name), &Value::from(6)), "{row}");
        let copies = at.join("readable");
        std::fs::create_dir(&copies).unwrap();
        for number in 0..6 {
            let file = format!("{number:05}.png");
            std::fs::copy(at.join(name).join(&file), copies.join(&file)).unwrap();
        }
        let found = json(at, &["classify", "readable", "--top", "15"]);
        std::fs::remove_dir_all(&copies).unwrap();
        for (place, class) in ["umbrella", "parasol"].iter().enumerate() {
            let (outcome, found) = (&row["classes"][place], classified(&found, class));
            assert_eq!(outcome["correct"], found.iter().filter(|(hit, _)| *hit).count(), "{name}, {class}");
            let mean = found.iter().map(|(_, probability)| probability).sum::<f64>() / 6.0;
            let told = &outcome["probability"];
            assert!((told["value"].as_f64().unwrap() - mean).abs() < 1e-6, "{name}, {class}: {told}, {mean}");
            assert!(told["low"].as_f64() <= told["value"].as_f64() && told["value"].as_f64() <= told["high"].as_f64());
        }
        assert_eq!(row["classes"][2]["class"], "any of them");
    }
    assert_eq!((&part["comparisons"][0]["pairs"], part["comparisons"].as_array().unwrap().len()), (&Value::from(6), 3));
    assert_eq!(part["prototypes"][0]["class"]["name"], "umbrella");
    assert_eq!(study["skipped"].as_array().unwrap().len(), 2, "{}", study["skipped"]);
    assert!(part["findings"][0].as_str().unwrap().starts_with("The network classifies "), "{}", part["findings"]);

    // Again, in batches of another size: the same bytes, but not without --force.
    let first = listing(&at.join("study"));
    refuses(at, &args, "study already has a report");
    succeeds(at, &[&STUDY[..], &PROTOTYPE, &["--batch", "3", "--force"]].concat());
    assert_same_files(&listing(&at.join("study")), &first);
    is_a_report(&at.join("study"), "part-1-3", 2 * 6 + 1);
}

/// All files are there, and the page takes nothing from elsewhere and lets a folder's name do nothing.
fn is_a_report(folder: &Path, plot: &str, pictures: usize) {
    for file in
        ["study.csv", "comparisons.csv", "pictures.csv", &format!("plots/{plot}.svg"), &format!("plots/{plot}.png")]
    {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    for name in ["src=", "href=", "url(", "@import"] {
        for (at, _) in page.match_indices(name) {
            let value = page[at + name.len()..].trim_start_matches('"');
            assert!(value.starts_with("data:image/") || value.starts_with("#part-"), "{name} of {:.60}", value);
        }
    }
    assert_eq!(page.matches("<img").count(), pictures);
    assert_eq!(page.matches("<script").count(), 1, "only the page's own script");
    assert!(!page.contains("<b>"), "text is escaped");
}

#[test]
fn the_demo_reveals_the_planted_biases() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let demo = ["study", "--demo", "--steps", "2", "--images-per-class", "10", "--resamples", "199"];
    let text = succeeds(at, &demo);
    let study: Value = serde_json::from_slice(&std::fs::read(at.join("study/study.json")).unwrap()).unwrap();
    let parts = study["parts"].as_array().unwrap();
    let correct = |part: &Value, group: usize| part["groups"][group]["classes"][0]["correct"].as_u64().unwrap();
    // `weights/README.md`: 97 % and 19 %, 99 % and 91 %, 96 % and 6 %.
    for (part, (class, without)) in parts.iter().zip([("umbrella", 0..=6), ("moth", 5..=10), ("teacup", 0..=4)]) {
        assert_eq!(part["classes"][0]["name"], class);
        assert!(correct(part, 0) >= 8 && without.contains(&correct(part, 1)), "{}", part["findings"]);
        assert!(text.contains(part["findings"][0].as_str().unwrap()), "{text}");
        assert_eq!(part["comparisons"][0]["pairs"], 10);
        assert_eq!(part["prototypes"][0]["class"]["name"], class);
    }
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[0]["groups"][1]["instead"][0]["name"], "parasol");
    // A prototype, six pictures with and six without each; the first of all three once more in the overview.
    is_a_report(&at.join("study"), "overall", 3 * (1 + 12) + 3 * 3);
    let first = listing(&at.join("study"));
    succeeds(at, &[&demo[..], &["--force", "--quiet"]].concat());
    assert_same_files(&listing(&at.join("study")), &first);
}

#[cfg(unix)]
#[test]
fn stopped_it_leaves_nothing() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(protogpu(folder.path()).get_program());
    command.env("PROTOGPU_TUNE", "off").env("PROTOGPU_PIPELINES", "off").current_dir(folder.path());
    command.args(["study", "--demo", "--steps", "100000"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // It works, and so listens.
    assert!(lines.any(|line| line.contains(": step 64/")), "no step was told");
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line == "stopped; nothing was written"), "{rest:?}");
    assert!(listing(folder.path()).is_empty());
}
