//! Bad input of every kind: exit 2, an error that names the file or value, nothing written.

use std::path::Path;

use protogpu::networks::Architecture;
use protogpu::weights::Weights;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::binary::{is_refusal, protogpu, refuses, succeeds};

/// The bytes of a small network's file: width 8, 5 classes.
fn small_weights() -> Vec<u8> {
    let weights = Weights::generated(&Architecture::ResNet18.manifest(8, 5), 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    weights.write(folder.path().join("w")).unwrap();
    std::fs::read(folder.path().join("w")).unwrap()
}

type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

/// The file after a change to its tensors.
fn changed(file: &[u8], change: impl FnOnce(&mut Tensors)) -> Vec<u8> {
    let parsed = SafeTensors::deserialize(file).unwrap();
    let mut tensors: Tensors =
        parsed.iter().map(|(name, t)| (name.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec())).collect();
    change(&mut tensors);
    let views =
        tensors.iter().map(|(n, dtype, shape, data)| (n, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[track_caller]
fn tensor<'a>(tensors: &'a mut Tensors, name: &str) -> &'a mut (String, Dtype, Vec<usize>, Vec<u8>) {
    tensors.iter_mut().find(|tensor| tensor.0 == name).unwrap()
}

#[test]
fn weights_that_are_none_are_refused() {
    let good = small_weights();
    let mut lying = good.clone();
    lying[..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    let offset = good.windows(16).position(|w| w.starts_with(b"\"data_offsets\":[")).unwrap() + 16;
    let mut overlapping = good.clone();
    overlapping[offset] = b'9';
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("empty", Vec::new(), "empty: is not a safetensors file but an empty file"),
        ("text", b"hello, weights".to_vec(), "text: is not a safetensors file"),
        ("truncated", good[..good.len() - 100].to_vec(), "truncated: "),
        ("cut", good[..200].to_vec(), "cut: is cut short"),
        ("lying", lying, "lying: says its header is 1099511627776 bytes long"),
        ("offsets", overlapping, "offsets: tensor `"),
        ("missing", changed(&good, |t| t.retain(|t| t.0 != "layer2.0.bn1.bias")), "missing `layer2.0.bn1.bias` [16]"),
        (
            "unexpected",
            changed(&good, |t| t.push(("layer5.weight".into(), Dtype::F32, vec![1], vec![0; 4]))),
            "unexpected `layer5.weight` [1]",
        ),
        (
            "shape",
            changed(&good, |t| tensor(t, "layer1.0.conv1.weight").2 = vec![8, 8, 9, 1]),
            "`layer1.0.conv1.weight` is [8, 8, 9, 1] but should be [8, 8, 3, 3]",
        ),
        (
            "dtype",
            changed(&good, |t| tensor(t, "fc.bias").1 = Dtype::I32),
            "tensor `fc.bias` is I32; F32, F16 and BF16 can be read",
        ),
        (
            "nan",
            changed(&good, |t| tensor(t, "fc.bias").3[8..12].copy_from_slice(&f32::NAN.to_le_bytes())),
            "tensor `fc.bias` is NaN at element 2",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, expected) in cases {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        refuses(folder.path(), &["run", "--weights", name, "--class", "1"], expected);
    }
    for command in [&["run"][..], &["classify", "x.png"], &["modules"]] {
        let args = [command, &["--weights", "none.safetensors"]].concat();
        refuses(folder.path(), &args, "cannot read none.safetensors: No such file");
    }
    refuses(folder.path(), &["run", "--weights", "."], "cannot read weights from .: it is a folder");
    refuses(folder.path(), &["run", "--model", "vgg"], "there is no built-in network `vgg`, only resnet18");

    std::fs::write(folder.path().join("good"), &good).unwrap();
    refuses(folder.path(), &["run", "--weights", "good"], "good has 5 classes; choose one");
    refuses(folder.path(), &["run", "--weights", "good", "--class", "5"], "there is no class 5: there are 5 classes");
    std::fs::write(folder.path().join("labels"), "one\ntwo\n").unwrap();
    let args = ["run", "--weights", "good", "--labels", "labels", "--class", "one"];
    refuses(folder.path(), &args, "good has 5 classes but there are 2 labels");
    // The measure itself: the file that all others were made from works.
    succeeds(folder.path(), &["run", "--weights", "good", "--class", "4", "--dry-run"]);
}

#[test]
fn unknown_classes_are_answered_with_near_misses() {
    let folder = tempfile::tempdir().unwrap();
    for (class, expected) in [
        ("buterfly", "no class is called `buterfly`; did you mean 0 (butterfly)?"),
        ("moth,sailbot", "no class is called `sailbot`; did you mean 11 (sailboat)?"),
        ("15", "there is no class 15: there are 15 classes, 0 to 14"),
        ("-1", "none of the 15 classes is called `-1`: give 0 (butterfly), 1 (cactus)"),
        ("", "the class is empty"),
    ] {
        refuses(folder.path(), &["run", &format!("--class={class}")], expected);
    }
    std::fs::write(folder.path().join("x.png"), "").unwrap();
    let args = ["gradient", "x.png", "--class", "teacap", "--out", "g"];
    refuses(folder.path(), &args, "did you mean 13 (teacup)?");
    let args = ["activations", "x.png", "--module", "layer1.0.cnv1", "--out", "a"];
    refuses(folder.path(), &args, "resnet18 has no module `layer1.0.cnv1`; did you mean layer1.0.conv1");
}

#[test]
fn pictures_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text.png"), "no image").unwrap();
    image::RgbImage::new(1, 1).save(path("dot.png")).unwrap();
    image::RgbImage::new(64, 64).save(path("cut.png")).unwrap();
    let whole = std::fs::read(path("cut.png")).unwrap();
    std::fs::write(path("cut.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    for (name, expected) in [
        ("text.png", "picture text.png: is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture"),
        ("dot.png", "picture dot.png: is 1 x 1 pixels; at least 8 per side are needed"),
        ("cut.png", "picture cut.png: "),
        ("none.png", "cannot read none.png: No such file"),
    ] {
        refuses(folder.path(), &["classify", name], expected);
        refuses(folder.path(), &["activations", name, "--out", "a"], expected);
        refuses(folder.path(), &["gradient", name, "--class", "1", "--out", "g"], expected);
        refuses(folder.path(), &["run", "--init", name], expected);
    }
    refuses(folder.path(), &["classify", "folder"], "folder contains no images");
}

#[test]
fn every_kind_of_picture_is_seen_as_what_it_shows() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures");
    let folder = tempfile::tempdir().unwrap();
    let eight = image::open(pictures.join("rgba_png.rgb.png")).unwrap().into_rgb8();
    let sixteen: image::ImageBuffer<image::Rgb<u16>, Vec<u16>> =
        image::ImageBuffer::from_fn(eight.width(), eight.height(), |x, y| {
            image::Rgb(eight.get_pixel(x, y).0.map(|value| u16::from(value) << 8 | 0x5a))
        });
    sixteen.save(folder.path().join("sixteen.png")).unwrap();
    let path = |name: &str| pictures.join(name).display().to_string();
    // Each with the same picture as plain RGB.
    let pairs = [
        ("sixteen.png".to_owned(), path("rgba_png.rgb.png")),
        (path("rgba.png"), path("rgba_png.rgb.png")),
        (path("grey_alpha.png"), path("grey_alpha_png.rgb.png")),
        (path("cmyk.jpg"), path("cmyk_jpg.rgb.png")),
        (path("grey.jpg"), path("grey_jpg.rgb.png")),
    ];
    let all: Vec<&str> = pairs.iter().flat_map(|(kind, plain)| [kind.as_str(), plain.as_str()]).collect();
    let found = crate::binary::json(folder.path(), &[&["classify"], &all[..]].concat());
    let images = found["images"].as_array().unwrap();
    assert_eq!(images.len(), all.len());
    for (pair, (kind, _)) in images.chunks(2).zip(&pairs) {
        assert_eq!(pair[0]["top"], pair[1]["top"], "{kind}");
    }
}

#[test]
fn without_an_adapter_nothing_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::new(16, 16).save(folder.path().join("x.png")).unwrap();
    for args in [&["run"][..], &["run", "--dry-run"], &["classify", "x.png"], &["adapters"]] {
        let mut command = protogpu(folder.path());
        for loader in ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"] {
            command.env(loader, "/nonexistent");
        }
        is_refusal(folder.path(), command.args(args), "no graphics adapter with Vulkan, Metal or DX12 was found");
    }
    for (adapter, expected) in
        [("99", "there is no adapter 99; the adapters are:\n  0: "), ("acme", "no adapter `acme`;")]
    {
        refuses(folder.path(), &["run", "--adapter", adapter], expected);
    }
}

#[cfg(unix)]
#[test]
fn folders_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::fs::create_dir_all(folder.path().join("out/0_butterfly_seed0")).unwrap();
    std::fs::create_dir_all(folder.path().join("out/8_moth_seed0")).unwrap();
    let asks = "out/0_butterfly_seed0 exists already: --resume continues it, --force replaces it";
    refuses(folder.path(), &["run"], asks);
    let both = "these exist already: out/0_butterfly_seed0, out/8_moth_seed0; --resume continues them";
    refuses(folder.path(), &["run", "--class", "0,8,1"], both);
    refuses(folder.path(), &["run", "--out", "file"], "cannot write to file/0_butterfly_seed0: file is not a folder");
    refuses(folder.path(), &["run", "--out", "file/below"], "file is not a folder");
    let world = ["world", "--per-class", "1", "--out"];
    refuses(folder.path(), &[&world[..], &["out"]].concat(), "out is not empty");
    if cfg!(target_os = "linux") {
        refuses(folder.path(), &["run", "--out", "/proc/out"], "cannot write to /proc: ");
        refuses(folder.path(), &[&world[..], &["/proc/out"]].concat(), "cannot write to /proc: ");
    }
}

/// A limit on the size of files stands for the full disk, which takes a file system of one's own.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_noticed_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = assert_cmd::Command::new("sh");
    shell.current_dir(folder.path()).args([
        "-c",
        "trap '' XFSZ; ulimit -f 100; exec \"$0\" run",
        crate::binary::BINARY,
    ]);
    is_refusal(folder.path(), &mut shell, "no space for 6 MiB in . (file too large)");
}

#[cfg(unix)]
#[test]
fn paths_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"o\xff");
    for option in ["--out", "--weights", "--labels"] {
        let mut command = crate::binary::protogpu(folder.path());
        crate::binary::is_refusal(folder.path(), command.arg("run").arg(option).arg(odd), "the path is not UTF-8");
    }
}
