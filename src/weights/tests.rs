use super::*;

/// A file of one tensor `w` of `dtype`, with its data at an odd offset: `pad` spaces follow the header.
fn one(dtype: &str, values: &[u8], bytes_each: usize, pad: usize) -> Vec<u8> {
    let (len, end) = (values.len() / bytes_each, values.len());
    let pad = " ".repeat(pad);
    let header = format!(r#"{{"w":{{"dtype":"{dtype}","shape":[{len}],"data_offsets":[0,{end}]}}}}{pad}"#);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), values].concat()
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn values_of_every_readable_dtype_at_every_alignment() {
    // All three are exact in f16 and in bf16.
    let values = [1.5f32, -0.0078125, 65280.0];
    let f16s: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
    let bf16s: Vec<u8> = values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect();
    let folder = tempfile::tempdir().unwrap();
    for pad in 0..4 {
        for (dtype, bytes, each) in
            [("F32", le_bytes(&values), 4), ("F16", f16s.clone(), 2), ("BF16", bf16s.clone(), 2)]
        {
            let path = folder.path().join(format!("{dtype}-{pad}.safetensors"));
            std::fs::write(&path, one(dtype, &bytes, each, pad)).unwrap();
            assert_eq!(Weights::open(&path).unwrap().tensor_f32("w").unwrap(), values, "{dtype}, {pad} bytes off");
        }
    }
}

#[test]
fn values_that_are_not_finite_are_found() {
    for (value, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let weights =
            Weights::from_bytes("f.safetensors", one("F32", &le_bytes(&[0.0, 1.0, value, value]), 4, 0)).unwrap();
        let message = weights.tensor_f32("w").unwrap_err().to_string();
        assert_eq!(message, format!("f.safetensors: tensor `w` is {shown} at element 2"));
    }
    let f16_inf = f16::INFINITY.to_le_bytes();
    let weights = Weights::from_bytes("f", one("F16", &f16_inf, 2, 0)).unwrap();
    assert!(weights.tensor_f32("w").is_err());
}

#[test]
fn other_dtypes_and_missing_tensors_are_said() {
    let weights = Weights::from_bytes("f.safetensors", one("I64", &[0; 8], 8, 0)).unwrap();
    let message = weights.tensor_f32("w").unwrap_err().to_string();
    assert_eq!(message, "f.safetensors: tensor `w` is I64; F32, F16 and BF16 can be read");

    let weights = Weights::generated(&small_manifest(), 1).unwrap();
    let message = weights.tensor_f32("conv1.wieght").unwrap_err().to_string();
    assert!(message.contains("has no tensor `conv1.wieght`; it has `conv1.weight`"), "{message}");
}

#[test]
fn what_a_file_says_about_itself() {
    let header = r#"{"__metadata__":{"labels":"[\"tench\",\"crane\"]","license":"none"},
        "bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},
        "bn.running_mean":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},
        "bn.weight":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},
        "fc.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[24,48]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 48]].concat();
    let len = bytes.len();
    let weights = Weights::embedded("default", Vec::leak(bytes)).unwrap();
    assert_eq!((weights.name(), weights.path(), weights.file_bytes()), ("default", None, len));
    assert_eq!(weights.labels().unwrap().unwrap(), ["tench", "crane"]);
    assert_eq!(weights.metadata()["license"], "none");
    assert_eq!(weights.parameter_count(), 2 + 6);
    let tensors: Vec<_> = weights.tensors().collect();
    assert_eq!(tensors[0], ("bn.num_batches_tracked", Dtype::I64, &[][..]));
    assert_eq!(tensors[3], ("fc.weight", Dtype::F32, &[2, 3][..]));
    assert_eq!((weights.shape("fc.weight"), weights.shape("fc")), (Some(&[2, 3][..]), None));
}

#[test]
fn labels_that_are_no_list_are_an_error() {
    let header = r#"{"__metadata__":{"labels":"imagenet"},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0]].concat();
    let message = Weights::from_bytes("f", bytes).unwrap().labels().unwrap_err().to_string();
    assert!(message.starts_with("f: `labels` in its metadata is not a JSON array of names"), "{message}");
    assert!(Weights::generated(&small_manifest(), 1).unwrap().labels().unwrap().is_none());
}

#[test]
fn the_digest_is_of_the_files_bytes() {
    let bytes = one("U8", b"abc", 1, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    std::fs::write(&path, &bytes).unwrap();
    let weights = Weights::open(&path).unwrap();
    // Python's hashlib.sha256 of the same 64 bytes.
    assert_eq!(weights.sha256(), "52e4c2f3bbc4e7de2282568ca3f96ff8e762fb11acffbc6f00438f6538614f8c");
    assert_eq!(weights.path(), Some(path.as_path()));
}

#[test]
fn files_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: &Path| Weights::open(path).unwrap_err().to_string();
    assert!(
        message(&folder.path().join("none")).contains("none: No such file"),
        "{}",
        message(&folder.path().join("none"))
    );
    assert!(message(folder.path()).ends_with("it is a folder"));
    assert!(cfg!(windows) || message(Path::new("/dev/null")).ends_with("not a regular file"));
    let empty = folder.path().join("empty");
    std::fs::File::create(&empty).unwrap();
    assert!(message(&empty).contains("but an empty file"), "{}", message(&empty));
}

fn small_manifest() -> Vec<(String, Vec<usize>)> {
    let tensor = |name: &str, shape: &[usize]| (name.to_string(), shape.to_vec());
    vec![
        tensor("conv1.weight", &[64, 3, 7, 7]),
        tensor("bn1.weight", &[64]),
        tensor("bn1.bias", &[64]),
        tensor("bn1.running_mean", &[64]),
        tensor("bn1.running_var", &[64]),
        tensor("fc.weight", &[10, 4]),
        tensor("fc.bias", &[10]),
    ]
}

#[test]
fn generated_values_are_those_of_the_definition() {
    // From an implementation in Python with unbounded integers: (tensor, element, bits of the f32) for seed 7.
    let expected: [(&str, usize, u32); 11] = [
        ("bn1.weight", 0, 0x3fb3fca8),
        ("bn1.weight", 63, 0x3fb12f82),
        ("bn1.running_var", 0, 0x3fb7e31a),
        ("bn1.running_var", 63, 0x3f79be51),
        ("bn1.running_mean", 63, 0xbd7909c6),
        ("fc.bias", 9, 0xbdc610ae),
        ("fc.weight", 0, 0x3f8fff38),
        ("fc.weight", 39, 0x3f9b6de9),
        ("conv1.weight", 0, 0x3ddbd0bb),
        ("conv1.weight", 1, 0xbe41f2db),
        ("conv1.weight", 9407, 0xbda59141),
    ];
    let weights = Weights::generated(&small_manifest(), 7).unwrap();
    for (name, element, bits) in expected {
        let value = weights.tensor_f32(name).unwrap()[element];
        assert_eq!(value.to_bits(), bits, "{name}[{element}] is {value}");
    }
    let other = Weights::generated(&small_manifest(), u64::MAX).unwrap();
    assert_eq!(other.tensor_f32("conv1.weight").unwrap()[0].to_bits(), 0x3dce33f5);
    assert_eq!(weights.parameter_count(), 64 * 147 + 64 + 64 + 40 + 10);
}

#[test]
fn generated_weights_are_reproducible_and_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.safetensors");
    let weights = Weights::generated(&small_manifest(), 3).unwrap();
    weights.write(&path).unwrap();
    let read = Weights::open(&path).unwrap();
    assert_eq!(read.sha256(), Weights::generated(&small_manifest(), 3).unwrap().sha256());
    assert_ne!(read.sha256(), Weights::generated(&small_manifest(), 4).unwrap().sha256());
    assert_eq!(read.tensor_f32("fc.bias").unwrap(), weights.tensor_f32("fc.bias").unwrap());
}

#[test]
fn what_cannot_be_generated_is_said() {
    let message = |manifest: &[(&str, &[usize])]| {
        let manifest: Vec<_> = manifest.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect();
        Weights::generated(&manifest, 0).unwrap_err().to_string()
    };
    assert!(message(&[("a.bias", &[1]), ("a.bias", &[1])]).contains("`a.bias` twice"));
    assert!(message(&[("a.weight", &[1, 2, 3])]).contains("`a.weight` of shape [1, 2, 3]: unknown role"));
    assert!(message(&[("bias", &[1])]).contains("unknown role"));
    assert!(message(&[("a.bias", &[usize::MAX, 2])]).contains("too large"));
}
