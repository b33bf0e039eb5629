//! Pictures as people have them: turned, transparent, in formats that are not read, in folders named by numbers.

use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{DynamicImage, ImageEncoder, RgbaImage};
use serde_json::{Value, json};

use crate::binary::{json, protogpu, refuses, succeeds};

const HEIC: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
const CACTUS: &str = "w/001_cactus/00000.png";

/// A folder with two pictures of the drawn world.
fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeeds(
        folder.path(),
        &["world", "--out", "w", "--per-class", "1", "--seed", "5", "--class", "cactus,lighthouse"],
    );
    folder
}

/// The cactus with transparent parts on a side.
fn with_transparency(folder: &Path) -> RgbaImage {
    let mut picture = image::open(folder.join(CACTUS)).unwrap().into_rgba8();
    picture.pixels_mut().take(5000).for_each(|pixel| pixel.0[3] = 100);
    picture
}

/// The JSON and the messages of a command that may end with this code.
fn output(folder: &Path, args: &[&str], code: i32) -> (Value, String) {
    let output = protogpu(folder).args(args).arg("--json").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    (serde_json::from_slice(&output.stdout).unwrap(), stderr)
}

#[test]
fn a_turned_picture_is_classified_as_the_upright_one() {
    let folder = world();
    let upright = image::open(folder.path().join(CACTUS)).unwrap();
    let turned: [(u8, DynamicImage); 3] = [(3, upright.rotate180()), (6, upright.rotate270()), (8, upright.rotate90())];
    for (orientation, picture) in turned {
        let exif = [&b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat();
        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif).unwrap();
        picture.write_with_encoder(encoder).unwrap();
        std::fs::write(folder.path().join("turned.png"), png).unwrap();
        let found = json(folder.path(), &["classify", CACTUS, "turned.png"]);
        assert_eq!(found["images"][0]["top"], found["images"][1]["top"], "orientation {orientation}");
    }
}

#[test]
fn every_command_says_what_was_put_on_white() {
    let folder = world();
    let here = folder.path();
    let clear = with_transparency(here);
    for class in ["001_cactus", "007_lighthouse"] {
        clear.save(here.join("w").join(class).join("clear.png")).unwrap();
    }
    // Opaque everywhere: no transparency.
    image::open(here.join(CACTUS)).unwrap().into_rgba8().save(here.join("opaque.png")).unwrap();
    let first = "w/001_cactus/clear.png";
    let two = format!("2 of 4 pictures have transparency and were put on white, such as {first}");
    let (found, stderr) = output(here, &["classify", "w"], 0);
    assert_eq!(found["notes"], json!([two]));
    assert!(stderr.contains(&format!("note: {two}")), "{stderr}");
    assert_eq!(json(here, &["classify", "opaque.png"])["notes"], json!([]));
    let (found, _) = output(here, &["statistics", "--images", "w", "--out", "s.safetensors"], 0);
    assert_eq!(found["notes"], json!([two]));
    let study =
        ["study", "--class", "cactus", "--images", "w/001_cactus", "--images", "w/007_lighthouse", "--out", "study"];
    assert_eq!(output(here, &study, 0).0["notes"], json!([two]));
    assert!(std::fs::read_to_string(here.join("study/report.html")).unwrap().contains("were put on white"));
    let one = format!("{first} has transparency and was put on white");
    let (found, _) = output(here, &["activations", first, "--out", "a.safetensors", "--module", "root"], 0);
    assert_eq!(found["notes"], json!([one]));
    let (found, _) = output(here, &["gradient", first, "--class", "cactus", "--out", "g.safetensors"], 0);
    assert_eq!(found["notes"], json!([one]));
    let (found, _) = output(here, &["isolate", "--image", first, "--steps", "2", "--out", "isolate"], 0);
    assert_eq!(found["notes"], json!([one]));
    let (found, _) = output(here, &["activations", "mean", "w", "--class", "cactus", "--out", "m.safetensors"], 0);
    assert_eq!(found["notes"], json!([format!("1 of 2 pictures has transparency and was put on white: {first}")]));
    // The picture as it is shown, on white, has the same classes.
    let mut shown = DynamicImage::ImageRgba8(clear).into_rgba8();
    for pixel in shown.pixels_mut() {
        let [r, g, b, a] = pixel.0.map(u32::from);
        pixel.0 = [r, g, b, 255].map(|level| ((level * a + 255 * (255 - a) + 127) / 255) as u8);
    }
    DynamicImage::ImageRgba8(shown).into_rgb8().save(here.join("shown.png")).unwrap();
    let found = json(here, &["classify", first, "shown.png"]);
    assert_eq!(found["images"][0]["top"], found["images"][1]["top"]);
}

#[test]
fn formats_are_told_by_content_and_counted() {
    let folder = world();
    let here = folder.path();
    std::fs::write(here.join("IMG_2.jpg"), HEIC).unwrap();
    let heic =
        "is a HEIC picture, which is not read; convert it to PNG, for example with `heif-convert in.heic out.png`";
    refuses(here, &["classify", "IMG_2.jpg"], &format!("IMG_2.jpg: {heic}"));
    image::open(here.join(CACTUS)).unwrap().into_rgb8().save(here.join("really.jpg")).unwrap();
    std::fs::rename(here.join("really.jpg"), here.join("w/001_cactus/really.HEIC")).unwrap();
    for name in ["a.heic", "b.HEIF", "notes.txt"] {
        std::fs::write(here.join("w/001_cactus").join(name), if name == "notes.txt" { b"BMW" } else { HEIC }).unwrap();
    }
    let (found, stderr) = output(here, &["classify", "w"], 1);
    let left_out = "2 HEIC pictures are not read, such as w/001_cactus/a.heic; convert them to PNG, for example with \
                    `heif-convert in.heic out.png`";
    assert_eq!(found["unreadable"], json!([left_out]));
    assert!(stderr.contains(&format!("skipped: {left_out}")), "{stderr}");
    let paths: Vec<&str> =
        found["images"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths, [CACTUS, "w/001_cactus/really.HEIC", "w/007_lighthouse/00000.png"]);
    let (found, _) = output(here, &["activations", "mean", "w", "--class", "cactus", "--out", "m.safetensors"], 0);
    assert_eq!((&found["left_out"], found["pictures"].as_array().unwrap().len()), (&json!([left_out]), 2));
    let study =
        ["study", "--class", "cactus", "--images", "w/001_cactus", "--images", "w/007_lighthouse", "--out", "study"];
    assert_eq!(output(here, &study, 0).0["skipped"], json!([left_out]));
    std::fs::create_dir(here.join("only")).unwrap();
    std::fs::write(here.join("only/a.heic"), HEIC).unwrap();
    refuses(
        here,
        &["classify", "only"],
        &format!("only contains no images (png, jpg, jpeg, webp, bmp, gif, tif, tiff): only/a.heic {heic}"),
    );
}

#[test]
fn folders_named_by_numbers_are_not_guessed() {
    let folder = world();
    let here = folder.path();
    // The embedded network has 15 classes, 0 to 14.
    for number in 1..=15 {
        let class = here.join("numbers").join(number.to_string());
        std::fs::create_dir_all(&class).unwrap();
        std::fs::copy(here.join(CACTUS), class.join("a.png")).unwrap();
    }
    let mean = ["activations", "mean", "numbers", "--class", "cactus", "--out", "m.safetensors"];
    let expected = "numbers: the folder 15 is neither the index of a class (0 to 14) nor its name";
    refuses(here, &mean, expected);
    // The cure.
    std::fs::rename(here.join("numbers"), here.join("old")).unwrap();
    std::fs::create_dir(here.join("numbers")).unwrap();
    std::fs::rename(here.join("old/2"), here.join("numbers/1_cactus")).unwrap();
    let (found, _) = output(here, &mean, 0);
    assert_eq!(found["notes"], json!([]));
    std::fs::rename(here.join("numbers/1_cactus"), here.join("numbers/1")).unwrap();
    let (found, _) = output(here, &mean, 0);
    let note = "numbers: folders that are named by numbers were read as indices of classes: 1 is cactus";
    assert_eq!(found["notes"], json!([note]));
    // A number that is the index of a class and the name of another.
    let names: Vec<String> = (1..=15).map(|number| number.to_string()).collect();
    std::fs::write(here.join("labels.txt"), names.join("\n")).unwrap();
    let gradient = |class: &'static str| {
        vec!["gradient", CACTUS, "--class", class, "--out", "g.safetensors", "--labels", "labels.txt"]
    };
    let expected = "3 is the index of one class and the name of another: write 3_4 or 2_3";
    refuses(here, &gradient("3"), expected);
    assert_eq!(output(here, &gradient("2_3"), 0).0["class"]["index"], 2);
    assert_eq!(output(here, &gradient("15"), 0).0["class"]["index"], 14);
}

#[test]
fn reports_say_what_was_left_out_and_put_on_white() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeeds(here, &["world", "--out", "w", "--per-class", "2", "--seed", "5", "--class", "cactus,lighthouse"]);
    succeeds(here, &["run", "--class", "cactus", "--steps", "1", "--quiet", "--out", "out"]);
    with_transparency(here).save(here.join(CACTUS)).unwrap();
    std::fs::write(here.join("w/001_cactus/a.heic"), HEIC).unwrap();
    std::fs::rename(here.join("w/007_lighthouse"), here.join("w/7")).unwrap();
    let read_as = "w: folders that are named by numbers were read as indices of classes: 7 is lighthouse";
    let heic = "w/001_cactus/a.heic is a HEIC picture";
    let given = ["--prototype", "out", "--images", "w"];
    let commands: [&[&str]; 3] =
        [&["similarity", "--out", "similarity"], &["judge", "--with", "googlenet"], &["entangle", "--no-gradients"]];
    for command in commands {
        let (found, _) = output(here, &[command, &given].concat(), 0);
        let notes: Vec<&str> = found["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
        let [first, second] = notes[..] else { panic!("{command:?}: {notes:?}") };
        assert_eq!(first, read_as, "{command:?}");
        assert!(second.ends_with(&format!("has transparency and was put on white: {CACTUS}")), "{command:?}: {second}");
        let skipped = found["skipped"].as_array().unwrap();
        let is_told = |line: &Value| line.as_str().unwrap().starts_with(heic);
        assert!(skipped.iter().any(is_told), "{command:?}: {skipped:?}");
    }
    // The notes are in the cache too.
    let again =
        ["similarity", "--prototype", "out", "--images", "w", "--mean-cache", "similarity/means", "--out", "again"];
    assert_eq!(output(here, &again, 0).0["notes"].as_array().unwrap().len(), 2);
}
