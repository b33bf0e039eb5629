//! Damaged and hostile files, and their error messages.

use super::*;
use proptest::prelude::*;

/// A file with this header, valid or not, and this many bytes of data.
fn file_with(header: &str, data_len: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + data_len, 0);
    file
}

fn tensor(name: &str, shape: &str, begin: u64, end: u64) -> String {
    format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
}

fn message(file: &[u8]) -> String {
    match read("w.safetensors", file, None) {
        Ok(contents) => format!("accepted: {contents:?}"),
        Err(error) => error.to_string(),
    }
}

/// Two tensors, in neither the order of names nor of offsets.
fn sound() -> Vec<u8> {
    let header = [tensor("b.weight", "[2,3]", 8, 32), tensor("a.bias", "[2]", 0, 8)].join(",");
    file_with(&format!(r#"{{"__metadata__":{{"format":"pt"}},{header}}}   "#), 32)
}

#[test]
fn a_sound_file_is_read() {
    let file = sound();
    let contents = read("w", &file, None).unwrap();
    let begin = file.len() - 32;
    let seen: Vec<_> = contents.tensors.iter().map(|(n, t)| (n.as_str(), &t.shape[..], t.bytes.clone())).collect();
    assert_eq!(seen, [("a.bias", &[2][..], begin..begin + 8), ("b.weight", &[2, 3][..], begin + 8..begin + 32)]);
    assert_eq!(contents.metadata["format"], "pt");
}

#[test]
fn what_is_wrong_is_said_with_names_and_numbers() {
    let one =
        |shape: &str, begin, end, data_len| file_with(&format!("{{{}}}", tensor("w", shape, begin, end)), data_len);
    let two = |a: [u64; 2], b: [u64; 2], data_len| {
        let extent = |[begin, end]: [u64; 2]| format!("[{}]", (end - begin) / 4);
        let tensors = [tensor("a", &extent(a), a[0], a[1]), tensor("b", &extent(b), b[0], b[1])].join(",");
        file_with(&format!("{{{tensors}}}"), data_len)
    };
    let giant_header = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let header_cut_short = [&500u64.to_le_bytes()[..], b"{\"a\":"].concat();
    let not_utf8 = [&4u64.to_le_bytes()[..], b"{\"\xff}"].concat();
    let many_extents = format!("[{}1]", "1,".repeat(8));
    let cases: [(&str, Vec<u8>, &str); 24] = [
        ("giant header", giant_header, "header is 18446744073709551615 bytes long; at most 16777216"),
        (
            "header cut short",
            header_cut_short,
            "its header is 500 bytes long and only 5 follow; is it a whole download?",
        ),
        ("header not UTF-8", not_utf8, "not UTF-8 at byte 10"),
        ("not JSON", file_with("{oh dear}", 0), "header is damaged: key must be a string at line 1 column 2"),
        ("more than JSON", file_with("{} {}", 0), "header is damaged: trailing characters"),
        ("deep JSON", file_with(&format!("{{\"a\":{}", "[".repeat(100_000)), 0), "header is damaged"),
        ("no tensor", file_with("{}", 0), "holds no tensor"),
        ("only metadata", file_with(r#"{"__metadata__":{"a":"b"}}"#, 0), "holds no tensor"),
        (
            "metadata of numbers",
            file_with(r#"{"__metadata__":{"a":1}}"#, 0),
            "invalid type: integer `1`, expected a string",
        ),
        ("metadata twice", file_with(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), "`__metadata__` comes twice"),
        ("metadata key twice", file_with(r#"{"__metadata__":{"k":"1","k":"2"}}"#, 0), "`k` comes twice"),
        ("tensor twice", two_of_one_name(), "`w` comes twice"),
        (
            "data cut short",
            one("[2,3]", 0, 24, 20),
            "tensor `w` ends at byte 24 of the data, of which the file has 20; is it",
        ),
        ("offsets beyond", one("[1]", u64::MAX - 4, u64::MAX, 4), "ends at byte 18446744073709551615 of the data"),
        ("backwards", one("[1]", 4, 0, 4), "ends (at byte 0 of the data) before it begins (at 4)"),
        (
            "shape against offsets",
            one("[2,4]", 0, 24, 24),
            "is F32 [2, 4], that is 32 bytes, but its offsets 0..24 hold 24",
        ),
        ("shape overflows", one("[4294967296,4294967296]", 0, 4, 4), "more than any file can hold"),
        ("shape of many extents", one(&many_extents, 0, 4, 4), "a shape has more than 8 extents"),
        ("negative extent", one("[-1]", 0, 4, 4), "invalid value: integer `-1`"),
        ("bytes too many", one("[1]", 0, 4, 9), "has 5 bytes too many, after its last tensor `w`"),
        ("hole in front", one("[1]", 4, 8, 8), "bytes 0..4 of the data, before `w`, belong to no tensor"),
        ("hole between", two([0, 4], [8, 12], 12), "bytes 4..8 of the data, before `b`, belong to no tensor"),
        ("overlap", two([0, 8], [4, 12], 12), "tensors `a` and `b` overlap in bytes 4..8 of the data"),
        ("unknown dtype", unknown_dtype(), "tensor `w` has the unknown dtype `F128`"),
    ];
    let mut failures = Vec::new();
    for (case, file, expected) in cases {
        let message = message(&file);
        if !message.starts_with("w.safetensors: ") || !message.contains(expected) || message.len() > 250 {
            failures.push(format!("{case}: {message}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn two_of_one_name() -> Vec<u8> {
    file_with(&format!("{{{},{}}}", tensor("w", "[1]", 0, 4), tensor("w", "[1]", 4, 8)), 8)
}

fn unknown_dtype() -> Vec<u8> {
    file_with(r#"{"w":{"dtype":"F128","shape":[1],"data_offsets":[0,16]}}"#, 16)
}

#[test]
fn other_formats_are_recognised() {
    let padded = |start: &[u8]| [start, &[0x11; 64]].concat();
    let cases: [(Vec<u8>, &str); 12] = [
        (padded(b"\x80\x02}q\0."), "a Python pickle that torch.save did not write"),
        (padded(&[&[b'w'; 257][..], b"ustar"].concat()), "a tar archive"),
        (padded(b"\x1f\x8b\x08\0\0\0\0\0"), "a gzip archive"),
        (padded(b"\x89HDF\r\n"), "an HDF5 file"),
        (padded(b"GGUF"), "a GGUF file"),
        (padded(b"\x1c\0\0\0TFL3"), "a TensorFlow Lite model"),
        (padded(b"\x0a\x09CaffeNet_\xa2\x06abc"), "a Caffe model"),
        (padded(b"\n <!DOCTYPE html>"), "a web page"),
        (padded(b"<HTML>"), "a web page"),
        (padded(b"version https://git-lfs.github.com/spec/v1\n"), "a Git LFS pointer"),
        (Vec::new(), "an empty file"),
        (padded(b"???"), "is not a safetensors file (it begins with [3f, 3f, 3f, 11,"),
    ];
    for (file, expected) in cases {
        let message = message(&file);
        assert!(message.contains(expected), "{message}");
    }
    // Bytes that begin like a pickle but go on like a safetensors file: a header of 0x280 bytes.
    let mut header = format!("{{{}}}", tensor("w", "[1]", 0, 4));
    header.extend(std::iter::repeat_n(' ', 0x280 - header.len()));
    assert!(read("w", &file_with(&header, 4), None).is_ok());
}

#[test]
fn prefixes_that_every_name_has_are_removed() {
    let names = |names: [&str; 2]| {
        let tensors = [tensor(names[0], "[1]", 0, 4), tensor(names[1], "[1]", 4, 8)].join(",");
        let contents = read("w", &file_with(&format!("{{{tensors}}}"), 8), None).unwrap();
        contents.tensors.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(names(["module.a", "module.b"]), ["a", "b"]);
    assert_eq!(names(["module._orig_mod.model.model.a", "module._orig_mod.model.model.b"]), ["a", "b"]);
    assert_eq!(names(["model.a", "b"]), ["b", "model.a"]);
    assert_eq!(names(["model.", "model.b"]), ["model.", "model.b"]);
}

#[test]
fn the_safetensors_crate_agrees() {
    let file = sound();
    let theirs = safetensors::SafeTensors::deserialize(&file).unwrap();
    for (name, tensor) in read("w", &file, None).unwrap().tensors {
        let their = theirs.tensor(&name).unwrap();
        assert_eq!(
            (their.dtype(), their.shape(), their.data()),
            (tensor.dtype, &tensor.shape[..], &file[tensor.bytes])
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// No bytes make the reader panic, and what it accepts lies inside the file.
    #[test]
    fn mutated_files_never_panic(
        cut in 0usize..400,
        edits in prop::collection::vec((0usize..400, any::<u8>()), 0..4),
        digits in prop::collection::vec((0usize..400, prop::sample::select(&b"0123456789,]}[{\":"[..])), 0..6),
    ) {
        let mut file = sound();
        for (at, byte) in edits.into_iter().chain(digits) {
            if let Some(there) = file.get_mut(at) { *there = byte; }
        }
        if cut > 200 { file.truncate(cut - 200); }
        if let Ok(contents) = read("w", &file, None) {
            for tensor in contents.tensors.values() {
                prop_assert!(file.get(tensor.bytes.clone()).is_some());
                let bits = tensor.shape.iter().product::<usize>() * tensor.dtype.bitsize();
                prop_assert_eq!(bits, tensor.bytes.len() * 8);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(length in 0u64..64, bytes in prop::collection::vec(any::<u8>(), 0..64), brace: bool) {
        let mut file = length.to_le_bytes().to_vec();
        if brace { file.push(b'{'); }
        file.extend_from_slice(&bytes);
        prop_assert!(read("w", &file, None).is_err());
        prop_assert!(read("w", &bytes, None).is_err());
    }
}
