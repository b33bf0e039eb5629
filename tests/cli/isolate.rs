//! `protogpu isolate`: the smallest region of an image that keeps a class.

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{assert_same_files, json, listing, refuses, succeeds};
use crate::judge::{MADE, copied, number, reclassified};

/// The photographs of a class in the folder of images.
fn photographs(class: &str) -> Vec<String> {
    let mut folders = std::fs::read_dir(MADE.path().join("images")).unwrap().map(|entry| entry.unwrap().path());
    let folder = folders.find(|path| path.to_str().unwrap().ends_with(class)).unwrap();
    let mut files: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect();
    files.sort();
    files
}

/// The probability of a class in a picture, as `classify` sees it.
fn probability(at: &Path, picture: &str, class: &Value) -> f64 {
    let seen = json(at, &["classify", picture, "--top", "15"]);
    let top = seen["images"][0]["top"].as_array().unwrap().clone();
    number(&top.iter().find(|one| one["index"] == *class).unwrap()["probability"])
}

/// The grey levels of a picture.
fn levels(path: &Path) -> Vec<u8> {
    image::open(path).unwrap().into_luma8().into_raw()
}

#[test]
fn the_region_keeps_the_class_and_the_rest_may_lose_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let pictures = ["lighthouse", "umbrella"].map(|class| photographs(class)[0].clone());
    let args = ["isolate", "--image", &pictures[0], &pictures[1], "--steps", "24", "--out", "regions"];
    let found = json(at, &args);
    let images = found["images"].as_array().unwrap();
    assert_eq!((images.len(), &found["comparison"]), (2, &Value::Null));
    for (image, picture) in images.iter().zip(&pictures) {
        let class = &image["class_index"];
        assert_eq!((&image["source"], class), (&json!(picture), &image["top1_index"]), "{image}");
        let area = number(&image["area"]);
        assert!(image["keeps"] == true && area < 0.5, "{image}");
        let [whole, region, rest] =
            ["probability", "region_probability", "rest_probability"].map(|field| number(&image[field]));
        // An umbrella without the badge that was planted beside it is an umbrella still.
        assert!(region >= 0.9 * whole && (rest < 0.5 * whole || *class == 14), "{image}");
        let pictures = at.join("regions").join(image["folder"].as_str().unwrap());
        // As `classify` sees the files, which are rounded to 8 bits.
        for (file, expected) in [("image.png", whole), ("kept.png", region), ("without.png", rest)] {
            let seen = probability(at, pictures.join(file).to_str().unwrap(), class);
            assert!((seen - expected).abs() < 0.02, "{file}: {seen}, not {expected}");
        }
        let mask = levels(&pictures.join("mask.png"));
        let white = mask.iter().filter(|&&level| level == 255).count();
        assert!(mask.iter().all(|&level| level == 0 || level == 255));
        assert!((white as f64 / mask.len() as f64 - area).abs() < 1e-4, "{white} of {}, not {area}", mask.len());
        // Where the mask is white, the kept picture is the image, and elsewhere the picture without it is.
        let [whole, kept, without] = ["image.png", "kept.png", "without.png"].map(|file| levels(&pictures.join(file)));
        for (pixel, &level) in mask.iter().enumerate() {
            let same = if level == 255 { kept[pixel] } else { without[pixel] };
            assert_eq!(same, whole[pixel], "pixel {pixel}");
        }
    }
    let first = listing(&at.join("regions"));
    let page = String::from_utf8(first[Path::new("report.html")].clone()).unwrap();
    assert_eq!((page.matches("<img").count(), page.matches("<svg").count()), (8, 0));
    let table = String::from_utf8(first[Path::new("isolation.csv")].clone()).unwrap();
    assert_eq!((table.lines().count(), table.lines().next().unwrap().split(',').count()), (3, 12), "{table}");

    // One after the other the same bytes, and no report is replaced unasked.
    refuses(at, &args, "regions already has a report");
    let text = succeeds(at, &[&args[..], &["--batch", "1", "--force"]].concat());
    assert_same_files(&listing(&at.join("regions")), &first);
    assert!(text.contains("p of region") && text.ends_with("regions/report.html\n"), "{text}");
}

#[test]
fn methods_are_compared_by_insertion_and_deletion() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let images = MADE.path().join("images").to_str().unwrap().to_owned();
    let args = ["isolate", "--images", &images, "--images-per-class", "1", "--steps", "24", "--evaluate"];
    let found = json(at, &args);
    let (images, comparison) = (found["images"].as_array().unwrap(), &found["comparison"]);
    assert_eq!((images.len(), &comparison["images"]), (3, &json!(3)));
    assert_eq!(found["settings"]["grad_cam_layer"], "layer4.1.relu", "{}", found["settings"]);
    let methods = comparison["methods"].as_array().unwrap();
    for (at, name) in ["isolation", "grad-cam", "gradient"].into_iter().enumerate() {
        assert_eq!(methods[at]["method"], name);
        for (game, ends) in [("insertion", [None, Some(1)]), ("deletion", [Some(0), None])] {
            let areas = images.iter().map(|image| number(&image["methods"][at][format!("{game}_area")]));
            let mean = areas.sum::<f64>() / 3.0;
            assert!((number(&methods[at][game]["value"]) - mean).abs() < 1e-12);
            for image in images {
                let curve = &image["methods"][at][game];
                let [shares, probabilities] = ["shares", "probabilities"].map(|of| curve[of].as_array().unwrap());
                assert_eq!((shares.len(), probabilities.len()), (21, 21));
                // With all pixels it is the whole image.
                let whole = if ends[0].is_some() { &probabilities[0] } else { &probabilities[20] };
                assert!((number(whole) - number(&image["probability"])).abs() < 1e-5, "{game}: {whole}, {image}");
            }
        }
    }
    assert_eq!(methods[0]["insertion_gain"], Value::Null);
    for game in ["insertion", "deletion"] {
        let value = |method: usize| number(&methods[method][game]["value"]);
        for (at, method) in methods.iter().enumerate().skip(1) {
            let gain = (value(0) - value(at)) * if game == "insertion" { 1.0 } else { -1.0 };
            assert!((number(&method[format!("{game}_gain")]["value"]) - gain).abs() < 1e-12);
            // Regions start from Grad-CAM.
            assert!(at != 1 || gain > 0.0, "{game} of Grad-CAM is no worse: {methods:?}");
        }
    }
    let files = listing(&at.join("isolate"));
    let page = String::from_utf8(files[Path::new("report.html")].clone()).unwrap();
    assert_eq!((page.matches("<img").count(), page.matches("<svg").count()), (12, 2));
    assert!(files.contains_key(Path::new("plots/deletion.png")));
}

#[test]
fn prototypes_keep_their_class_and_several_classes_have_regions_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    copied("resnet18", at);
    let null = at.join("resnet18/direction");
    reclassified(&at.join("resnet18/14_umbrella_seed0"), &null, &Value::Null);
    let found = json(at, &["isolate", "--prototype", "resnet18", "--steps", "2", "--background", "mean"]);
    let images = found["images"].as_array().unwrap();
    let classes: Vec<&Value> = images.iter().map(|image| &image["class"]).collect();
    assert_eq!(classes, ["umbrella", "lighthouse"]);
    assert!(found["skipped"].to_string().contains("resnet18/direction: its objective is not a class"), "{found}");

    std::fs::write(at.join("broken.png"), "no image").unwrap();
    let picture = &photographs("lighthouse")[0];
    let args = ["isolate", "--image", picture, "broken.png", "--class", "lighthouse", "--class", "14", "--steps", "1"];
    let found = json(at, &[&args[..], &["--out", "two", "--cells", "3"]].concat());
    let images = found["images"].as_array().unwrap();
    let classes: Vec<&Value> = images.iter().map(|image| &image["class_index"]).collect();
    assert_eq!(classes, [7, 14]);
    assert_ne!(images[0]["folder"], images[1]["folder"]);
    assert!(found["skipped"].to_string().contains("broken.png: is not a PNG"), "{found}");
}

#[test]
fn what_cannot_be_isolated_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let picture = &photographs("lighthouse")[0];
    std::fs::write(at.join("broken.png"), "no image").unwrap();
    for (args, expected) in [
        (vec!["isolate"], "required"),
        (vec!["isolate", "--image", "missing.png"], "cannot read missing.png"),
        (vec!["isolate", "--image", "broken.png"], "picture broken.png: is not a PNG"),
        (vec!["isolate", "--image", picture, "--class", "boat"], "no class"),
        (vec!["isolate", "--image", picture, "--keep", "0"], "give a number above 0 and up to 1"),
        (vec!["isolate", "--image", picture, "--lr", "nan"], "give a positive number"),
        (vec!["isolate", "--image", picture, "--steps", "0"], "--steps"),
        (vec!["isolate", "--image", picture, "--own-class"], "--images"),
        (vec!["isolate", "--image", picture, "--out", "broken.png"], "broken.png is not a folder"),
    ] {
        refuses(at, &args, expected);
    }
}
