//! Sweeps: ranked, killed and gone on with, split and joined, and what is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::binary::{assert_same_files, listing, protogpu, refuses, succeeds};

/// Two values each of two settings, so that the four points take few steps.
const GRID: [&str; 4] = ["--set", "tv_weight=0.01,0.05", "--set", "scale=0.7,1.3;1,1"];

/// Drawn pictures of two classes, means of theirs that every sweep here shares, and a sweep that nothing disturbed; made once.
static WORLD: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli_sweep");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    succeeds(&folder, &["world", "--out", "w", "--per-class", "2", "--seed", "5", "--class", "cactus,moth"]);
    succeeds(
        &folder,
        &[
            "sweep", "--images", "w", "--means", "means", "--out", "whole", "--steps", "2", GRID[0], GRID[1], GRID[2],
            GRID[3],
        ],
    );
    folder
});

/// Of two steps, over the pictures, into `out`.
fn args(out: &str, more: &[&str]) -> Vec<String> {
    let at = |name: &str| WORLD.join(name).display().to_string();
    let own = ["sweep", "--images", &at("w"), "--means", &at("means"), "--steps", "2", "--out", out].map(str::to_owned);
    own.into_iter().chain(more.iter().map(|text| (*text).to_owned())).collect()
}

/// The same, as the binary is started.
fn sweeps(folder: &Path, out: &str, more: &[&str]) -> String {
    let args = args(out, more);
    succeeds(folder, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs it to a failure that leaves results, and gives what stands on stderr.
#[track_caller]
fn fails(folder: &Path, out: &str, more: &[&str]) -> String {
    let output = protogpu(folder).args(args(out, more)).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{more:?}: {stderr}");
    stderr
}

/// The undisturbed sweep's files.
fn whole() -> BTreeMap<PathBuf, Vec<u8>> {
    files(&WORLD.join("whole"))
}

/// Without the choice of kernels, which is the machine's.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = listing(folder);
    files.remove(Path::new("kernels.json"));
    files
}

fn read(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path.as_ref()).unwrap()).unwrap()
}

#[test]
fn a_sweep_ranks_its_points() {
    let files = whole();
    let names: Vec<&str> = files.keys().filter_map(|path| path.to_str()).collect();
    let expected = [
        "plan.json",
        "plots/heat-tv_weight-scale-best.svg",
        "prototypes.csv",
        "sweep.csv",
        "sweep.html",
        "points/tv_weight=0.05,scale=1..1.json",
        "points/tv_weight=0.05,scale=1..1/8_moth_seed0.png",
    ];
    for name in expected {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let sweep = read(WORLD.join("whole/sweep.json"));
    let points = sweep["points"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    let similarity = |point: &Value| point["similarity"]["mean"].as_f64().unwrap();
    assert!(points.windows(2).all(|pair| similarity(&pair[0]) >= similarity(&pair[1])), "{sweep}");
    assert_eq!(sweep["about"]["classes"][0]["name"], "cactus");
    for point in points {
        assert_eq!(point["top1"]["of"], 2);
        assert_eq!(point["holds"]["of"], 68);
        let classes = point["classes"].as_array().unwrap();
        let mean = classes.iter().map(|class| class["similarity"].as_f64().unwrap()).sum::<f64>() / 2.0;
        assert!((mean - similarity(point)).abs() < 1e-12, "{point}");
    }
    let csv = String::from_utf8(files[Path::new("sweep.csv")].clone()).unwrap();
    assert!(csv.starts_with("rank,point,tv_weight,scale,similarity,"), "{csv}");
    let first = format!("1,\"{}\",", points[0]["name"].as_str().unwrap());
    assert!(csv.lines().nth(1).unwrap().starts_with(&first), "{csv}");
}

/// What a sweep says of a prototype is what `run` and `similarity` say of it.
#[test]
fn a_point_is_what_run_and_similarity_make_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let record = read(WORLD.join("whole/points/tv_weight=0.05,scale=1..1.json"));
    let same = ["run", "--steps", "2", "--tv-weight", "0.05", "--scale", "1,1", "--class", "moth", "--quiet"];
    succeeds(folder.path(), &same);
    let run = read(folder.path().join("out/8_moth_seed0/run.json"));
    let class = &record["score"]["classes"][1];
    let one = &class["prototypes"][0];
    assert_eq!(run["settings"], record["settings"]);
    assert_eq!(one["loss"].as_f64().unwrap() as f32, run["loss"][1].as_f64().unwrap() as f32);
    assert_eq!(one["top"]["index"], run["top"][0]["index"]);
    let [images, means] = ["w", "means"].map(|name| WORLD.join(name).display().to_string());
    let options = ["--prototype", "out", "--images", &images, "--means", &means, "--out", "report", "--quiet"];
    succeeds(folder.path(), &[&["similarity"], &options[..]].concat());
    let report = read(folder.path().join("report/similarity.json"));
    for (here, there) in [("similarity", "prototype"), ("same", "same"), ("different", "different"), ("holds", "holds")]
    {
        assert_eq!(class[here], report["classes"][0][there], "{here}");
    }
}

#[cfg(unix)]
#[test]
fn killed_at_any_moment_and_gone_on_with() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut command = Command::new(crate::binary::BINARY);
    command.env("PROTOGPU_TUNE", "off").env("PROTOGPU_PIPELINES", "off").current_dir(folder.path());
    command.args(args("out", &GRID)).stdout(Stdio::null()).stderr(Stdio::null());
    for points in [0, 1, 3] {
        let mut child = command.spawn().unwrap();
        let is_record = |path: PathBuf| path.extension().is_some_and(|ending| ending == "json");
        let made = || {
            let entries = std::fs::read_dir(out.join("points")).into_iter().flatten().flatten();
            entries.filter(|entry| is_record(entry.path())).count()
        };
        while made() < points && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        // SIGKILL.
        let _ = child.kill();
        child.wait().unwrap();
    }
    sweeps(folder.path(), "out", &GRID);
    assert_same_files(&files(&out), &whole());
    // All is there: nothing is made, for which there would be no adapter, and the table is the same.
    sweeps(folder.path(), "out", &[&GRID[..], &["--adapter", "none of this name"]].concat());
    assert_same_files(&files(&out), &whole());
}

/// On a file system of its own that is filled up when the first point is there, where the system lets a test make one.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_costs_points_and_not_the_sweep() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("small")).unwrap();
    let script = "mount -t tmpfs -o size=8M none small && echo mounted; cd small; \
        (until ls out/points/*.json > /dev/null 2>&1; do sleep 0.02; done; cat /dev/zero > fill) 2> /dev/null & \
        \"$0\" \"$@\"; echo \"exit $?\"; wait; rm fill; \"$0\" \"$@\" && mv out ..";
    let mut unshare = std::process::Command::new("unshare");
    unshare.env("PROTOGPU_TUNE", "off").env("PROTOGPU_PIPELINES", "off").current_dir(folder.path());
    unshare.args(["--mount", "--map-root-user", "sh", "-c", script, crate::binary::BINARY]).args(args("out", &GRID));
    let Ok(output) = unshare.output() else { return println!("skipped: there is no `unshare`") };
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    if !stdout.contains("mounted") {
        return println!("skipped: nothing can be mounted here: {stderr}");
    }
    assert!(stdout.contains("exit 1\n"), "{stdout}{stderr}");
    assert!(stderr.contains("error: tv_weight=0.05,scale=1..1: cannot write out/points/tv_weight=0.05"), "{stderr}");
    assert!(stderr.contains("No space left on device") && !stderr.contains("panic"), "{stderr}");
    assert_same_files(&files(&folder.path().join("out")), &whole());
}

#[test]
fn shards_join_to_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sweeps(at, "part1", &[&GRID[..], &["--shard", "1/2"]].concat());
    let merge = |parts: &[&'static str]| [&["sweep", "merge"], parts, &["--out", "joined"]].concat();
    refuses(
        at,
        &merge(&["part1"]),
        "the parts lack 2 of the grid's points (tv_weight=0.01,scale=1..1; tv_weight=0.05,",
    );
    sweeps(at, "part2", &[&GRID[..], &["--shard", "2/2"]].concat());
    // One part twice: its points are the same.
    succeeds(at, &merge(&["part2", "part1", "part2"]));
    assert_same_files(&files(&at.join("joined")), &whole());

    // Another base, and what is no part.
    sweeps(at, "other", &[&GRID[..], &["--shard", "1/4", "--lr", "0.1"]].concat());
    let expected = "other/plan.json and part1/plan.json are not parts of one sweep: lr is 0.1 here but 0.05 there";
    refuses(at, &merge(&["part1", "other"]), expected);
    refuses(at, &merge(&["part1", "."]), ". is not a sweep's folder: it has no plan.json");
    // A point that two parts have differently, or that is none.
    let point = "points/tv_weight=0.01,scale=0.7..1.3.json";
    let text = std::fs::read_to_string(at.join("part1").join(point)).unwrap();
    std::fs::create_dir_all(at.join("forged/points")).unwrap();
    std::fs::copy(at.join("part1/plan.json"), at.join("forged/plan.json")).unwrap();
    for (forged, expected) in [
        (text.replace("\"of\": 68", "\"of\": 67"), "differ: leave out the part that is wrong"),
        (text.replace("\"steps\": 2", "\"steps\": 3"), "or was made with other settings: steps is 3 here but 2 there"),
        (
            text.replace("\"points/tv_weight=0.01,scale=0.7..1.3/", "\"points/../../"),
            "../../1_cactus_seed0.png\" is not in",
        ),
        (text.replace("\"plan_sha256\": \"", "\"plan_sha256\": \"0"), "it belongs to another sweep"),
        ("{}".into(), "scale=0.7..1.3.json is not part of a sweep: missing field"),
    ] {
        std::fs::write(at.join("forged").join(point), forged).unwrap();
        refuses(at, &merge(&["part1", "part2", "forged"]), expected);
    }
}

/// A copy of the undisturbed sweep, in which nothing is to be made.
fn copied(to: &Path) {
    let whole = WORLD.join("whole");
    for (path, bytes) in listing(&whole).into_iter().filter(|(path, _)| whole.join(path).is_file()) {
        std::fs::create_dir_all(to.join(&path).parent().unwrap()).unwrap();
        std::fs::write(to.join(path), bytes).unwrap();
    }
}

/// The cells of a table by the names of its columns.
fn table(path: impl AsRef<Path>) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |row: csv::StringRecord| header.iter().cloned().zip(row.iter().map(str::to_owned)).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|error| panic!("{column} of {row:?}: {error}"))
}

#[test]
fn judges_see_every_point_once() {
    let folder = tempfile::tempdir().unwrap();
    let (at, out) = (folder.path(), folder.path().join("out"));
    copied(&out);
    let judged = [&GRID[..], &["--judge", "googlenet"]].concat();
    let text = sweeps(at, "out", &judged);
    assert!(text.contains("googlenet: top 1"), "{text}");
    let sweep = read(out.join("sweep.json"));
    let points = sweep["points"].as_array().unwrap();
    let rows = table(out.join("sweep.csv"));
    // As `classify` sees the same images.
    let mut probabilities = Vec::new();
    for (point, row) in points.iter().zip(&rows) {
        let said = &point["judges"][0];
        let each = said["each"].as_array().unwrap();
        assert_eq!((each.len(), &said["prototypes"]["images"]), (2, &json!(2)));
        for (seen, class) in each.iter().zip(point["classes"].as_array().unwrap()) {
            let image = out.join(class["prototypes"][0]["picture"].as_str().unwrap());
            assert_eq!(seen["folder"], class["prototypes"][0]["picture"]);
            let args = ["classify", image.to_str().unwrap(), "--top", "99", "--model", "googlenet"];
            let classified = crate::binary::json(at, &args);
            let top = classified["images"][0]["top"].as_array().unwrap();
            let place = top.iter().position(|one| one["index"] == class["index"]).unwrap();
            assert_eq!(seen["rank"].as_f64().unwrap(), place as f64 + 1.0, "{seen}");
            let gap = top[place]["probability"].as_f64().unwrap() - seen["probability"].as_f64().unwrap();
            assert!(gap.abs() < 1e-6, "{seen}");
        }
        let mean = each.iter().map(|seen| seen["probability"].as_f64().unwrap()).sum::<f64>() / 2.0;
        let in_table = number(row, "googlenet:probability");
        assert!((mean - in_table).abs() < 1e-12 && !row.contains_key("googlenet:distance"), "{row:?}");
        assert_eq!(number(row, "googlenet:top1"), said["prototypes"]["top1"]["value"].as_f64().unwrap());
        assert_eq!(number(row, "googlenet:rank"), said["prototypes"]["rank"].as_f64().unwrap());
        probabilities.push(in_table);
    }
    let prototypes = table(out.join("prototypes.csv"));
    let first = points[0]["judges"][0]["each"][0]["probability"].as_f64().unwrap();
    assert_eq!(number(&prototypes[0], "googlenet:probability"), first);
    let page = std::fs::read_to_string(out.join("sweep.html")).unwrap();
    assert!(page.contains("googlenet<br>Top 1") && page.contains("<br>googlenet: probability 0."), "{page}");
    // Everything is known: no adapter is opened, and the files are the same. They are no part of a sweep's points.
    let before = files(&out);
    let nothing = ["--adapter", "none of this name"];
    sweeps(at, "out", &[&judged[..], &nothing].concat());
    assert_same_files(&files(&out), &before);
    sweeps(at, "out", &[&GRID[..], &nothing].concat());
    let mut without = files(&out);
    without.retain(|path, _| !path.ends_with("judges.json"));
    assert_same_files(&without, &whole());

    // The last in similarity may be the first for a judge.
    let by_judge = [&judged[..], &nothing, &["--rank-by", "googlenet:probability"]].concat();
    sweeps(at, "out", &by_judge);
    let ranked: Vec<f64> =
        table(out.join("sweep.csv")).iter().map(|row| number(row, "googlenet:probability")).collect();
    let mut sorted = probabilities;
    sorted.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(ranked, sorted);

    // A second judge is asked, the first is not: what is kept of it says so.
    let kept = out.join("points/tv_weight=0.05,scale=1..1/judges.json");
    let marked = std::fs::read_to_string(&kept).unwrap().replacen("\"rank\": ", "\"rank\": 9", 1);
    std::fs::write(&kept, &marked).unwrap();
    sweeps(at, "out", &[&judged[..], &["--judge", "resnet18"]].concat());
    let both = read(&kept);
    let names: Vec<&Value> = both["judges"].as_array().unwrap().iter().map(|row| &row["weights"]).collect();
    assert_eq!(names, ["googlenet", "resnet18"]);
    assert_eq!(both["judges"][0], serde_json::from_str::<Value>(&marked).unwrap()["judges"][0]);
    assert_eq!(read(out.join("sweep.json"))["judges"][1]["made"], true);
    // Images that are made again are judged again.
    std::fs::remove_file(out.join("points/tv_weight=0.05,scale=1..1/8_moth_seed0.png")).unwrap();
    sweeps(at, "out", &judged);
    let after = files(&out);
    for file in ["points/tv_weight=0.05,scale=1..1/judges.json", "sweep.json", "sweep.csv"].map(Path::new) {
        assert_eq!(after[file], before[file], "{}", file.display());
    }
    refused_at(
        at,
        &[&judged[..], &["--judge", "googlenet"]].concat(),
        "the judges googlenet and googlenet have the same",
    );
    std::fs::write(&kept, "{}").unwrap();
    refused_at(at, &judged, "judges.json is not part of a sweep: missing field `format`");
}

#[track_caller]
fn refused_at(folder: &Path, more: &[&str], expected: &str) {
    let args = args("out", more);
    refuses(folder, &args.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn points_are_ranked_by_fronts_of_several_measures() {
    let folder = tempfile::tempdir().unwrap();
    let (at, out) = (folder.path(), folder.path().join("out"));
    copied(&out);
    let text = sweeps(at, "out", &[&GRID[..], &["--rank-by", "similarity,loss"]].concat());
    assert!(text.contains("  front"), "{text}");
    let sweep = read(out.join("sweep.json"));
    assert_eq!(sweep["rank"], "similarity, loss");
    let points = sweep["points"].as_array().unwrap();
    let merits: Vec<[f64; 2]> = points
        .iter()
        .map(|point| [point["similarity"]["mean"].as_f64().unwrap(), -point["loss"].as_f64().unwrap()])
        .collect();
    let fronts: Vec<u64> = points.iter().map(|point| point["front"].as_u64().unwrap()).collect();
    assert!(fronts.is_sorted() && fronts[0] == 1, "{fronts:?}");
    let dominates = |a: [f64; 2], b: [f64; 2]| a != b && a[0] >= b[0] && a[1] >= b[1];
    for (one, front) in merits.iter().zip(&fronts) {
        assert_eq!(*front == 1, !merits.iter().any(|&other| dominates(other, *one)), "{merits:?} {fronts:?}");
    }
    let csv: Vec<String> = table(out.join("sweep.csv")).iter().map(|row| row["front"].clone()).collect();
    assert_eq!(csv, fronts.iter().map(u64::to_string).collect::<Vec<_>>());
    let [page, plot] = ["sweep.html", "plots/pareto.svg"].map(|file| std::fs::read_to_string(out.join(file)).unwrap());
    assert!(page.contains("Pareto front") && plot.contains("loss (less is better)"), "{plot}");
    // A front is not recorded, and the next ranking is without.
    sweeps(at, "out", &GRID);
    assert_same_files(&files(&out), &whole());

    let before = files(&out);
    let unknown =
        "--rank-by has an unknown measure `similarty`; did you mean `similarity`? The measures are similarity, ";
    refused_at(at, &[&GRID[..], &["--rank-by", "probability,similarty"]].concat(), unknown);
    let none = "loss; --judge adds those of a judge";
    refused_at(at, &[&GRID[..], &["--rank-by", "googlenet:top1"]].concat(), none);
    let judged = [&GRID[..], &["--judge", "googlenet", "--rank-by", "googlenet:tpo1"]].concat();
    refused_at(at, &judged, "did you mean `googlenet:top1`?");
    assert_same_files(&files(&out), &before);
    refuses(
        at,
        &["sweep", "merge", "out", "--out", "merged", "--rank-by", "x"],
        "--rank-by has an unknown measure `x`;",
    );
    assert!(!at.join("merged").exists());
}

#[test]
fn merged_parts_keep_their_judges() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // A part that one judge saw, and the whole, which another saw.
    let set = ["--set", "tv_weight=0.01,0.05", "--set", "scale=0.7,1.3", "--class", "moth", "--seeds", "2"];
    sweeps(at, "part1", &[&set[..], &["--shard", "1/2", "--judge", "googlenet"]].concat());
    sweeps(at, "part2", &[&set[..], &["--judge", "googlenet", "--judge", "resnet18"]].concat());
    let rank = ["--rank-by", "googlenet:distance,resnet18:rank"];
    succeeds(at, &[&["sweep", "merge", "part1", "part2", "--out", "merged"], &rank[..]].concat());
    let names = ["googlenet", "resnet18"];
    let rows = table(at.join("merged/sweep.csv"));
    for row in &rows {
        for name in names {
            let distance = number(row, &format!("{name}:distance"));
            assert!(distance > 1e-9 && distance < 1.0, "{row:?}");
        }
    }
    assert_eq!(rows.len(), 2);
    // As a single sweep, which goes on from there.
    let merged = files(&at.join("merged"));
    sweeps(at, "part2", &[&set[..], &["--judge", "googlenet", "--judge", "resnet18"], &rank[..]].concat());
    assert_same_files(&files(&at.join("part2")), &merged);
}

#[test]
fn an_impossible_point_leaves_the_others_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let grid = ["--set", "scale=0,0;1,1", "--set", "lr=1e36,0.05", "--quiet"];
    let stderr = fails(folder.path(), "out", &grid);
    assert!(stderr.contains("error: scale=0..0,lr=0.05: --scale is 0,0, but must be"), "{stderr}");
    assert!(stderr.contains("error: scale=1..1,lr=1"), "{stderr}");
    let sweep = read(out.join("sweep.json"));
    let names = |part: &str| -> Vec<String> {
        sweep[part].as_array().unwrap().iter().map(|point| point["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("points"), ["scale=1..1,lr=0.05"]);
    assert_eq!(names("failed").len(), 3);
    let before = files(&out);
    assert!(before.contains_key(Path::new("points/scale=0..0,lr=0.05.error")));
    fails(folder.path(), "out", &grid);
    assert_same_files(&files(&out), &before);
}

#[test]
fn what_cannot_be_swept_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |out: &str, more: &[&str], expected: &str| {
        let args = args(out, more);
        refuses(folder.path(), &args.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    };
    for (more, expected) in [
        ("", "there is no grid: give one with --set SETTING=VALUE,VALUE,.. or --grid table3|FILE"),
        ("--set learning_rate=1,2", "unknown setting `learning_rate`; the settings are preset, steps, lr"),
        ("--set lr=fast", "setting `lr` is \"fast\": invalid type"),
        ("--set scale=1", "setting `scale` is [1]: invalid length"),
        ("--set fill=mean,pink", "setting `fill` is \"pink\": `pink` is neither black, mean nor R,G,B"),
        ("--set lr", "--set lr: write SETTING=VALUE,VALUE,.."),
        ("--set lr=1,,2", "--set lr=1,,2: a value is empty"),
        ("--set lr=0.1,0.10", "the grid has lr=0.1 twice"),
        ("--grid table4", "cannot read table4: No such file or directory (os error 2); built-in grids: table3"),
        ("--grid .", "cannot read .: it is a folder"),
        ("--set lr=0.1 --set lr=0.2", "--set has lr twice: give all its values in one"),
        ("--set lr=1 --objective layer:layer1", "point lr=1 has the objective `layer:layer1`, but only a class has"),
        ("--set lr=1 --class moht", "no class is called `moht`; did you mean 8 (moth)"),
        (
            "--set lr=1 --class 14",
            "class 14 (umbrella), in a folder named 14_umbrella; it has enough of 1 (cactus), 8 (moth)",
        ),
        ("--set lr=1 --shard 3/2", "`3/2` is not I/N with I from 1 to N"),
    ] {
        refused("x", &more.split_whitespace().collect::<Vec<_>>(), expected);
    }
    for (text, expected) in [
        ("", "grid.json: not JSON: EOF"),
        ("[1]", "grid.json: not a JSON object of settings with lists"),
        (r#"{"lr": 0.1}"#, "grid.json: setting `lr` has no list of values"),
        (r#"{"lr": []}"#, "grid.json: setting `lr` has no list of values"),
        (r#"{"lr": [0.1, "fast"]}"#, "setting `lr` is \"fast\": invalid type"),
    ] {
        std::fs::write(folder.path().join("grid.json"), text).unwrap();
        refused("x", &["--grid", "grid.json"], expected);
    }
    // Another sweep is there, or the same points made otherwise.
    let there = WORLD.join("whole").display().to_string();
    let refused = |more: &[&str], expected: &str| refused(&there, &[&GRID[..], more].concat(), expected);
    refused(
        &["--seeds", "2"],
        "whole/plan.json belongs to another sweep: seeds is 2 here but 1 there; choose another --out",
    );
    refused(&["--class", "1"], "whole/plan.json belongs to another sweep: classes are 1 here but 2 there");
    refused(&["--lr", "0.1"], "scale=0.7..1.3.json belongs to another sweep: lr is 0.1 here but 0.05 there");
}

/// The whole sweep's files as they were before settings were renamed.
fn with_former_names(folder: &Path) {
    let whole = WORLD.join("whole");
    for (path, bytes) in listing(&whole).into_iter().filter(|(path, _)| whole.join(path).is_file()) {
        let former = |text: &str| text.replace("tv_weight", "hf_weight").replace("logsumexp_weight", "rivals");
        let path = folder.join(former(path.to_str().unwrap()));
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => former(&text).into_bytes(),
            Err(picture) => picture.into_bytes(),
        };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_sweep_with_former_names_of_settings_goes_on_and_is_merged() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    with_former_names(&at.join("former"));
    with_former_names(&at.join("part"));
    // All is there: nothing is made, for which there would be no adapter.
    let set = ["--set", "hf_weight=0.01,0.05", "--set", "scale=0.7,1.3;1,1", "--adapter", "none of this name"];
    sweeps(at, "former", &set);
    succeeds(at, &["sweep", "merge", "former", "part", "--out", "merged"]);
    let [whole, former, merged] = [WORLD.join("whole"), at.join("former"), at.join("merged")];
    assert_eq!(read(merged.join("plan.json")), read(whole.join("plan.json")));
    // A point keeps the name of its files.
    let csv = |folder: &Path| std::fs::read_to_string(folder.join("sweep.csv")).unwrap();
    let expected = csv(&whole).replace("tv_weight=", "hf_weight=");
    assert!(expected.starts_with("rank,point,tv_weight,scale,"), "{expected}");
    assert_eq!((csv(&former), csv(&merged)), (expected.clone(), expected));
    // What is lost is made anew, under its name of today.
    std::fs::remove_file(former.join("points/hf_weight=0.05,scale=1..1.json")).unwrap();
    std::fs::write(former.join("points/hf_weight=0.05,scale=1..1.error"), "lost").unwrap();
    sweeps(at, "former", &GRID);
    assert!(former.join("points/tv_weight=0.05,scale=1..1.json").exists());
    assert!(!former.join("points/hf_weight=0.05,scale=1..1.error").exists());
}

/// What was lost or damaged afterwards is made again, or told with its cure.
#[test]
fn what_is_damaged_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = (folder.path().join("out"), whole());
    for (path, bytes) in whole.iter().filter(|(path, _)| WORLD.join("whole").join(path).is_file()) {
        std::fs::create_dir_all(out.join(path).parent().unwrap()).unwrap();
        std::fs::write(out.join(path), bytes).unwrap();
    }
    let picture = whole.keys().find(|path| path.starts_with("points") && path.extension().is_some_and(|e| e == "png"));
    std::fs::remove_file(out.join(picture.unwrap())).unwrap();
    std::fs::copy(WORLD.join("whole/kernels.json"), out.join("kernels.json")).unwrap();
    sweeps(folder.path(), "out", &GRID);
    assert_same_files(&files(&out), &whole);
    let record = whole
        .keys()
        .find(|path| path.parent() == Some(Path::new("points")) && path.to_str().unwrap().ends_with(".json"));
    std::fs::write(out.join(record.unwrap()), "{").unwrap();
    let args = args("out", &GRID);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    refuses(
        folder.path(),
        &args,
        "is not part of a sweep: EOF while parsing an object at line 1 column 1; choose another --out, or",
    );
}

/// The last of the 125, with a setting that makes no prototype.
#[test]
fn the_papers_grid_has_125_points() {
    let folder = tempfile::tempdir().unwrap();
    let stderr = fails(folder.path(), "out", &["--preset", "table3", "--shard", "125/125", "--lr", "0", "--quiet"]);
    assert_eq!(read(folder.path().join("out/plan.json"))["base"]["preset"], "paper");
    assert!(stderr.starts_with("error: scale=0.5..1.5,rotation=180,translate=0.5: --lr is 0,"), "{stderr}");
}
