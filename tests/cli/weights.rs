//! Converting and inspecting.

use std::path::{Path, PathBuf};

use protogpu::networks::Architecture;
use protogpu::weights::{Dtype, Weights};
use serde_json::json;

use crate::binary::{json, listing, protogpu, refuses, succeeds};

/// A file of the corpus.
fn corpus(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name).display().to_string()
}

/// A file of PyTorch's older format with these tensors, all of F32, under `module.` as `state_dict`.
pub(crate) fn pytorch_file(weights: &Weights) -> Vec<u8> {
    let text = |text: &str| [&[b'X'][..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let int = |n: usize| [&[b'J'][..], &(n as u32).to_le_bytes()].concat();
    let tuple = |ints: &[usize]| [b"(", &ints.iter().flat_map(|&n| int(n)).collect::<Vec<_>>()[..], b"t"].concat();
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let begin = b"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}X\x0a\0\0\0state_dict}(";
    let (mut file, mut keys, mut data) = ([&magic[..], begin].concat(), b"\x80\x02](".to_vec(), Vec::new());
    for (name, dtype, shape) in weights.tensors() {
        assert_eq!(dtype, Dtype::F32);
        let len: usize = shape.iter().product();
        let mut strides: Vec<usize> = shape.iter().rev().scan(1, |s, &n| Some(std::mem::replace(s, *s * n))).collect();
        strides.reverse();
        file.extend(text(&format!("module.{name}")));
        file.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\n");
        file.extend([&text(name)[..], b"U\x03cpu", &int(len), b"NtQK\0", &tuple(shape), &tuple(&strides)].concat());
        file.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        keys.extend(text(name));
        data.extend((len as u64).to_le_bytes());
        data.extend(weights.tensor_f32(name).unwrap().iter().flat_map(|value| value.to_le_bytes()));
    }
    [&file[..], b"us.", &keys, b"e.", &data].concat()
}

/// A small network: width 8, 5 classes.
pub(crate) fn small() -> Weights {
    Weights::generated(&Architecture::ResNet18.manifest(8, 5), 1).unwrap()
}

#[test]
fn checkpoints_are_converted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.pth"), pytorch_file(&small())).unwrap();
    let output = protogpu(folder.path()).args(["weights", "convert", "in.pth", "out"]).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.starts_with("out: 102 tensors, ") && stdout.lines().count() == 1, "{stdout}");
    let key = "in.pth: the tensors are those under `state_dict`";
    assert_eq!(stderr, format!("{key}\nin.pth: removed from the names: `module.`\n"));
    let converted = Weights::open(folder.path().join("out")).unwrap();
    for (name, _, shape) in small().tensors() {
        assert_eq!(converted.shape(name), Some(shape));
        assert!(converted.tensor_f32(name).unwrap() == small().tensor_f32(name).unwrap(), "{name}");
    }
    let origin = Weights::open(folder.path().join("in.pth")).unwrap();
    assert_eq!(converted.metadata()["source_sha256"], origin.sha256());
    // The same file gives the same bytes.
    succeeds(folder.path(), &["weights", "convert", "in.pth", "again"]);
    let files = listing(folder.path());
    assert!(files[Path::new("out")] == files[Path::new("again")] && files.len() == 3);
    // Either file runs.
    for file in ["in.pth", "out"] {
        succeeds(folder.path(), &["run", "--weights", file, "--class", "4", "--dry-run"]);
    }
}

#[test]
fn a_key_is_asked_for_and_taken() {
    let folder = tempfile::tempdir().unwrap();
    let convert = |name: &str, more: &[&str]| {
        let file = corpus(name);
        let args = [&["weights", "convert", &file, "out"], more].concat();
        succeeds(folder.path(), &args);
        std::fs::read(folder.path().join("out")).unwrap()
    };
    assert!(convert("zip_averaged.pth", &[]) != convert("zip_averaged.pth", &["--key", "model_ema"]));
    std::fs::remove_file(folder.path().join("out")).unwrap();
    let args = ["weights", "convert", &corpus("zip_two_networks.pth"), "out"];
    refuses(folder.path(), &args, "under `generator`, `discriminator`: choose one with --key");
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let convert = |file: &str, out: &str, expected: &str| {
        refuses(folder.path(), &["weights", "convert", file, out], expected);
    };
    let nothing_else = "zip_only_os_system.pth: holds no state dict, a dictionary of tensors; what was saved is a Python object, \
                        `posix.system`, which is not made";
    convert(&corpus("zip_only_os_system.pth"), "out", nothing_else);
    convert(&corpus("zip_f32.safetensors"), "out", "zip_f32.safetensors: is a safetensors file already");
    convert("none.pth", "out", "cannot read none.pth: No such file");
    convert(".", "out", "cannot read weights from .: it is a folder");
    std::fs::copy(corpus("zip_f32.pth"), folder.path().join("in.pth")).unwrap();
    convert("in.pth", "in.pth", "in.pth is both input and output: name another output file");
    convert("in.pth", "no/folder/out", "cannot write no/folder/out: No such file");
    convert("in.pth", ".", "cannot write .: it is a folder");
    std::fs::write(folder.path().join("cut.pth"), &pytorch_file(&small())[..50_000]).unwrap();
    convert("cut.pth", "out", "cut.pth: ends in the middle of storage `");
    std::fs::write(folder.path().join("page.pth"), "<!DOCTYPE html><html>Not found</html>").unwrap();
    convert("page.pth", "out", "page.pth: is not a safetensors file but a web page");
    let args = ["run", "--weights", &corpus("zip_f32.pth")];
    refuses(
        folder.path(),
        &args,
        "zip_f32.pth is not a resnet18 with torchvision's names:\n  `conv1.weight` is [2, 1, 2, 3] but",
    );
}

#[test]
fn files_of_pytorch_are_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    std::fs::write(path("in.pth"), pytorch_file(&small())).unwrap();
    let found = json(folder.path(), &["weights", "inspect", "in.pth"]);
    assert_eq!((&found["architecture"], &found["usable"]), (&json!("resnet18"), &json!(true)));
    assert_eq!((&found["width"], &found["classes"]), (&json!(8), &json!(5)));
    assert_eq!((&found["dtypes"], &found["misfits"]), (&json!({"F32": 102}), &json!([])));
    assert_eq!(found["notes"].as_array().unwrap().len(), 2);
    let bytes = std::fs::read(path("in.pth")).unwrap();
    assert_eq!(found["bytes"], bytes.len());
    assert_eq!(found["sha256"], crate::place::sha256(&bytes));
    let text = succeeds(folder.path(), &["weights", "inspect", "in.pth"]);
    for line in ["resnet18 of width 8, 5 classes\n", "  note        removed from the names: `module.`\n"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn every_misfit_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = Architecture::ResNet18.manifest(8, 5);
    manifest.retain(|(name, _)| !name.starts_with("layer3."));
    for (name, shape) in &mut manifest {
        if name.starts_with("layer2.") {
            shape[0] += 1;
        }
    }
    manifest.push(("odd\u{1b}[31m.bias".into(), vec![3]));
    Weights::generated(&manifest, 1).unwrap().write(folder.path().join("odd")).unwrap();
    let found = json(folder.path(), &["weights", "inspect", "odd"]);
    let misfits = found["misfits"].as_array().unwrap();
    let count = |kind: &str| misfits.iter().filter(|misfit| misfit["kind"] == kind).count();
    assert_eq!([count("missing"), count("misshaped"), count("unexpected")], [25, 25, 1]);
    let text = succeeds(folder.path(), &["weights", "inspect", "odd"]);
    assert_eq!(text.matches("  problem     ").count(), 51, "{text}");
    assert!(text.contains("problem     unexpected `odd\\u{1b}[31m.bias` [3]\n") && !text.contains('\u{1b}'), "{text}");
    assert!(text.contains("`layer2.0.conv1.weight` is [17, 8, 3, 3] but should be [16, 8, 3, 3]\n"), "{text}");
}
