//! Files of PyTorch: what is read from them is bit for bit what PyTorch reads; what is refused is refused by name; and
//! no damage makes a reader panic.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use protogpu::weights::{Dtype, PytorchFile, Weights};
use safetensors::SafeTensors;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

/// The names of the corpus's files of PyTorch that have a safetensors file beside them, or that have none.
fn names(readable: bool) -> Vec<String> {
    let entries = std::fs::read_dir(corpus("")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "pth"))
        .filter(|path| path.with_extension("safetensors").exists() == readable)
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() > 5, "{names:?}");
    names
}

type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(file: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(file).unwrap();
    let tensor = |(name, t): (&str, safetensors::tensor::TensorView)| {
        (name.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec())
    };
    let mut tensors: Tensors = file.iter().map(tensor).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

fn converted(name: &str, key: Option<&str>) -> (Tensors, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let checkpoint = PytorchFile::open(corpus(&format!("{name}.pth")), key).unwrap();
    checkpoint.write(&out, &[]).unwrap();
    (tensors(&std::fs::read(&out).unwrap()), checkpoint.notes().to_vec())
}

#[test]
fn every_file_is_read_as_pytorch_reads_it() {
    for name in names(true) {
        let expected = tensors(&std::fs::read(corpus(&format!("{name}.safetensors"))).unwrap());
        let (found, _) = converted(&name, None);
        let listed = |tensors: &Tensors| tensors.iter().map(|t| (t.0.clone(), t.1, t.2.clone())).collect::<Vec<_>>();
        assert_eq!(listed(&found), listed(&expected), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.3, expected.3, "{name}: values of {}", found.0);
        }
        // Opened as weights, they are the same.
        let weights = Weights::open(corpus(&format!("{name}.pth"))).unwrap();
        for (name, dtype, shape, data) in expected.iter().filter(|t| t.1 == Dtype::F32) {
            assert_eq!(weights.shape(name), Some(&shape[..]), "{name} {dtype}");
            let values: Vec<u8> = weights.tensor_f32(name).unwrap().iter().flat_map(|v| v.to_le_bytes()).collect();
            assert_eq!(&values, data, "{name}");
        }
    }
}

#[test]
fn what_was_done_is_said() {
    let left_out = |what| format!("left out what is no tensor: {what}");
    let objects = |what| format!("left out Python objects, whose code was not run: {what}");
    for (name, expected) in [
        ("zip_f32", vec![]),
        ("legacy_shared", vec![]),
        ("zip_f64", vec!["8 tensors of double precision (F64) were rounded to F32".to_owned()]),
        ("zip_entries", vec![left_out("`version`, `extra`, `history`")]),
        (
            "zip_averaged",
            vec![
                "the tensors are those under `model`; not used: `model_ema`. `model_ema` holds averaged weights, which usually do \
                 better: choose them by that key"
                    .into(),
            ],
        ),
        ("zip_list", vec!["the tensors are those under `0`".into()]),
        ("zip_compiled", vec!["removed from the names: `module.`, `_orig_mod.`".into()]),
        ("zip_whole_module", vec!["it is a whole module, `__main__.Small`; only its tensors are read".into()]),
        (
            "zip_whole_wrapped",
            vec![
                "the tensors are those under `net`".into(),
                "it is a whole module, `torch.nn.parallel.data_parallel.DataParallel`; only its tensors are read".into(),
                "removed from the names: `module.`".into(),
            ],
        ),
        (
            "zip_whole_tanh",
            vec![
                "it is a whole module, `torch.nn.modules.container.Sequential`; only its tensors are read".into(),
                "it has modules without tensors that protogpu does not look at: `1: torch.nn.modules.activation.Tanh`; if they \
                 change what the network computes, export an ONNX model"
                    .into(),
            ],
        ),
        (
            "zip_bystanders",
            vec![
                "the tensors are those under `state_dict`".into(),
                objects(
                    "`numpy.dtype`, `numpy._core.multiarray.scalar`, `numpy._core.multiarray._reconstruct`, \
                     `pathlib.PurePosixPath`, `datetime.datetime`, `collections.defaultdict` and 2 more",
                ),
            ],
        ),
        (
            "zip_os_system",
            vec![left_out("`zzz: posix.system`"), objects("`posix.system`")],
        ),
        (
            "legacy_checkpoint",
            vec![
                "the tensors are those under `state_dict`".into(),
                "removed from the names: `module.`".into(),
            ],
        ),
    ] {
        assert_eq!(converted(name, None).1, expected, "{name}");
        assert_eq!(Weights::open(corpus(&format!("{name}.pth"))).unwrap().notes(), expected, "{name}");
    }
}

#[test]
fn a_key_chooses_among_several_networks() {
    let (model, _) = converted("zip_averaged", None);
    let (average, notes) = converted("zip_averaged", Some("model_ema"));
    let removed = "removed from the names: `module.`";
    assert_eq!(notes, ["left out the counter `n_averaged`", removed]);
    let names = |tensors: &Tensors| tensors.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&model), names(&average));
    assert_ne!(model, average);
    assert_eq!(converted("zip_two_networks", Some("generator")), converted("zip_two_networks", Some("discriminator")));
    let message = PytorchFile::open(corpus("zip_averaged.pth"), Some("ema")).unwrap_err().to_string();
    assert!(message.ends_with("has no tensors under `ema`; it has `model`, `model_ema`, `epoch`"), "{message}");
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let cases = [
        ("zip_big_endian", "was saved on a big-endian machine: load it with PyTorch"),
        ("zip_complex", "holds no state dict, a dictionary of tensors; it has `weight`"),
        ("zip_deflated", "is a compressed zip archive, which torch.save does not write"),
        (
            "zip_only_os_system",
            "what was saved is a Python object, `posix.system`, which is not made: save its state_dict()",
        ),
        ("zip_tensors", "holds no state dict, a dictionary of tensors; what was saved is no dictionary"),
        ("zip_two_networks", "holds several networks, under `generator`, `discriminator`: choose one with `key`"),
    ];
    assert_eq!(cases.map(|case| case.0.to_owned()).to_vec(), names(false));
    for (name, expected) in cases {
        let path = corpus(&format!("{name}.pth"));
        for error in
            [PytorchFile::open(&path, None).map(drop).unwrap_err(), Weights::open(&path).map(drop).unwrap_err()]
        {
            let message = error.to_string();
            let named = message.starts_with(&format!("{}: ", path.display()));
            assert!(named && message.contains(expected) && error.is_input(), "{name}: {message}");
        }
    }
    let path = corpus("zip_f32.safetensors");
    let message = PytorchFile::open(&path, None).unwrap_err().to_string();
    assert!(message.ends_with("zip_f32.safetensors: is a safetensors file already"), "{message}");
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    for name in ["zip_f32", "legacy_f32"] {
        let whole = std::fs::read(corpus(&format!("{name}.pth"))).unwrap();
        for len in 0..whole.len() {
            let result = Weights::from_bytes("w", whole[..len].to_vec());
            let message = result.map(drop).expect_err(&format!("{name} of {len} bytes is accepted")).to_string();
            assert!(message.starts_with("w: ") && message.len() < 300, "{name} of {len} bytes: {message}");
        }
    }
}

/// What happens to a file.
#[derive(Clone, Debug)]
enum Damage {
    Byte(usize, u8),
    Number(usize, u64),
    Remove(usize, usize),
    Repeat(usize, usize),
}

impl Damage {
    fn apply(&self, file: &mut Vec<u8>) {
        let at = |place: usize| place % file.len().max(1);
        match *self {
            Self::Byte(place, byte) => {
                let at = at(place);
                if let Some(there) = file.get_mut(at) {
                    *there = byte;
                }
            }
            Self::Number(place, number) => {
                let at = at(place);
                for (there, byte) in file[at..].iter_mut().zip(number.to_le_bytes()) {
                    *there = byte;
                }
            }
            Self::Remove(place, len) => {
                let begin = at(place);
                drop(file.drain(begin..(begin + len).min(file.len())));
            }
            Self::Repeat(place, len) => {
                let begin = at(place);
                let copy = file[begin..(begin + len).min(file.len())].to_vec();
                file.splice(begin..begin, copy);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    // Instructions of pickles are as likely as all other bytes together.
    let instructions =
        prop::sample::select(&b"N\x88\x89GKMJ\x8a\x8bUT\x8cX\x8dCB()\x85\x86\x87t]}aesuqrhjcR\x81bQ.\x94\x93"[..]);
    let byte = prop_oneof![any::<u8>(), instructions];
    let number = prop_oneof![any::<u64>(), 0u64..100, (0u32..64).prop_map(|bit| 1 << bit), Just(u64::MAX)];
    prop_oneof![
        4 => (any::<usize>(), byte).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        1 => (any::<usize>(), number).prop_map(|(at, number)| Damage::Number(at, number)),
        1 => (any::<usize>(), 0usize..40).prop_map(|(at, len)| Damage::Remove(at, len)),
        1 => (any::<usize>(), 0usize..40).prop_map(|(at, len)| Damage::Repeat(at, len)),
    ]
}

/// The whole corpus: files of PyTorch, sound and not, and safetensors.
fn seeds() -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(corpus("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_seed = |path: &&PathBuf| path.extension().is_some_and(|e| e == "pth" || e == "safetensors");
    paths.iter().filter(is_seed).map(|path| std::fs::read(path).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// As often as `PROPTEST_CASES` says, if it is set.
    #[test]
    fn damaged_files_never_panic(
        file in prop::sample::select(seeds()),
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let mut file = file;
        for damage in damages { damage.apply(&mut file); }
        let len = file.len();
        match Weights::from_bytes("w", file) {
            Ok(weights) => {
                let mut bytes = 0;
                for (name, dtype, shape) in weights.tensors() {
                    bytes += shape.iter().product::<usize>() * dtype.bitsize() / 8;
                    let _ = weights.tensor_f32(name);
                }
                prop_assert!(bytes <= 4 * len);
            }
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.starts_with("w: ") && message.len() < 700, "{message}");
            }
        }
    }
}
