//! Real weights on real photographs, where they are at hand: what PyTorch and ONNX Runtime see, `classify` sees.

use serde_json::Value;

use crate::binary::json;
use crate::shared::shared;

/// Where the golden's best logit leads by more than this, its class must be ours. The pixels are the same.
const CLEAR: f64 = 0.01;

#[test]
fn classify_sees_photographs_as_torchvision_does() {
    compare("resnet18_imagenet.safetensors", &[], include_str!("../golden/imagenette_top1.json"), 1, 65);
}

#[test]
fn classify_sees_photographs_as_bvlcs_network_does() {
    compare("inception_v1_bvlc.safetensors", &[], include_str!("../golden/imagenette_top1_inception_v1.json"), 1, 70);
}

#[test]
fn classify_sees_photographs_as_onnx_runtime_does() {
    let input = ["--input-range", "255", "--input-mean", "127,127,127", "--input-std", "128,128,128"];
    let golden = include_str!("../golden/imagenette_top1_efficientnet_lite0.json");
    compare("efficientnet_lite0.onnx", &input, golden, 4, 70);
}

/// As in the golden, for one of `step` pictures: at least so many percent right, within a point of its accuracy, and the same class wherever it is clear.
fn compare(weights: &str, input: &[&str], golden: &str, step: usize, percent: usize) {
    let Some(weights) = shared(&format!("weights/{weights}")) else { return };
    let Some(pictures) = shared("images/imagenette_val") else { return };
    let golden: Value = serde_json::from_str(golden).unwrap();
    let rows: Vec<&Value> = golden["rows"].as_array().unwrap().iter().step_by(step).collect();
    let paths: Vec<&str> = rows.iter().map(|row| row[0].as_str().unwrap()).collect();
    let weights = weights.canonicalize().unwrap();
    let args = ["--top", "1", "--weights", weights.to_str().unwrap()];
    let found = json(&pictures.canonicalize().unwrap(), &[&["classify"], &paths[..], &args, input].concat());
    let images = found["images"].as_array().unwrap();
    assert_eq!(images.len(), rows.len());
    let class_of = |path: &str| path.split('_').next().and_then(|index| index.parse::<u64>().ok()).unwrap();
    let (mut right, mut theirs, mut differing) = (0, 0, Vec::new());
    for row in &rows {
        let (path, want, margin) = (row[0].as_str().unwrap(), row[1].as_u64().unwrap(), row[2].as_f64().unwrap());
        let image = images.iter().find(|image| image["path"] == path);
        let got = image.unwrap_or_else(|| panic!("{path} is missing"))["top"][0]["index"].as_u64().unwrap();
        right += usize::from(got == class_of(path));
        theirs += usize::from(want == class_of(path));
        if got != want {
            differing.push((path, got, want, margin));
        }
    }
    println!("{right} of {} are right, {theirs} in the golden; differing: {differing:?}", rows.len());
    assert!(100 * right >= percent * rows.len(), "{right}");
    assert!(100 * right.abs_diff(theirs) <= rows.len(), "{right} and {theirs}");
    assert!(differing.iter().all(|&(_, _, _, margin)| margin <= CLEAR), "{differing:?}");
}
