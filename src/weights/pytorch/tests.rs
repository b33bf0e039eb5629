//! Archives and views by hand.

use super::archive::open;
use super::*;

/// A zip archive of stored entries.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, data) in entries {
        let (mut entry, config) = archive.new_file(name).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        std::io::Write::write_all(&mut writer, data).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

/// A pickle of `{"w": tensor}` on a storage `0` of `len` values.
fn pickle(len: u8, offset: u8, shape: &[u8], stride: &[u8]) -> Vec<u8> {
    [b"\x80\x02}", &item('w', '0', len, offset, shape, stride)[..], b"."].concat()
}

/// The part of a pickle that gives the dictionary on the stack a tensor.
fn item(name: char, key: char, len: u8, offset: u8, shape: &[u8], stride: &[u8]) -> Vec<u8> {
    let tuple =
        |numbers: &[u8]| [&b"("[..], &numbers.iter().flat_map(|&n| [b'K', n]).collect::<Vec<_>>(), b"t"].concat();
    [
        &[b'U', 1, name as u8][..],
        b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x01",
        &[key as u8],
        b"U\x03cpuK",
        &[len],
        b"tQK",
        &[offset],
        &tuple(shape),
        &tuple(stride),
        b"\x89NtRs",
    ]
    .concat()
}

fn message(file: &[u8]) -> String {
    match read("w.pth", file, None) {
        Ok(found) => format!("accepted: {:?}", found.tensors),
        Err(error) => error.to_string(),
    }
}

/// The values 0, 1, ... 11.
fn twelve() -> Vec<u8> {
    (0..12u8).flat_map(|i| f32::from(i).to_le_bytes()).collect()
}

fn values(offset: u8, shape: &[u8], stride: &[u8]) -> Vec<f32> {
    let file = zip(&[("a/data.pkl", &pickle(12, offset, shape, stride)), ("a/data/0", &twelve())]);
    let found = read("w.pth", &file, None).unwrap();
    let mut out = Vec::new();
    let view = &found.tensors["w"];
    view.write(&file, &mut out).unwrap();
    assert_eq!(out.len() as u64, view.written_len());
    out.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[test]
fn strides_are_followed() {
    let whole: Vec<f32> = (0..12u8).map(f32::from).collect();
    assert_eq!(values(0, &[3, 4], &[4, 1]), whole);
    assert_eq!(values(0, &[2, 3, 2], &[6, 2, 1]), whole);
    assert_eq!(values(0, &[4, 3], &[1, 4]), [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.]);
    assert_eq!(values(1, &[2, 2, 2], &[6, 3, 1]), [1., 2., 4., 5., 7., 8., 10., 11.]);
    assert_eq!(values(2, &[2, 1, 2], &[1, 200, 4]), [2., 6., 3., 7.]);
    assert_eq!(values(11, &[], &[]), [11.]);
    assert_eq!(values(3, &[2, 3], &[0, 0]), [3.; 6]);
    assert!(values(12, &[2, 0], &[9, 9]).is_empty());
}

#[test]
fn views_beyond_their_storage_are_refused() {
    for (offset, shape, stride) in
        [(0, &[13][..], &[1][..]), (1, &[3, 4], &[4, 1]), (12, &[], &[]), (13, &[0], &[1]), (0, &[2, 2], &[12, 1])]
    {
        let file = zip(&[("a/data.pkl", &pickle(12, offset, shape, stride)), ("a/data/0", &twelve())]);
        let message = message(&file);
        assert!(message.starts_with("w.pth: tensor `w` is F32 ["), "{message}");
        assert!(message.ends_with("which goes beyond its storage of 12"), "{message}");
    }
}

#[test]
fn archives_are_checked() {
    let (good, data) = (pickle(12, 0, &[3, 4], &[4, 1]), twelve());
    let sound = zip(&[("a/data.pkl", &good), ("a/byteorder", b"little"), ("a/data/0", &data), ("a/version", b"3\n")]);
    assert!(open(&sound).is_ok());
    let mut damaged = sound.clone();
    let at = damaged.windows(8).position(|w| w == &data[40..48]).unwrap();
    damaged[at] ^= 1;
    let mut pickle_damaged = sound.clone();
    let at = pickle_damaged.windows(6).position(|w| w == b"_utils").unwrap();
    pickle_damaged[at] ^= 1;
    let script = [("a/constants.pkl", &b"\x80\x02)."[..]), ("a/data.pkl", &good), ("a/data/0", &data)];
    for (file, expected) in [
        (damaged, "is damaged: the checksum of `data/0` is wrong"),
        (pickle_damaged, "is damaged: the checksum of `data.pkl` is wrong"),
        (zip(&[("a/data.pkl", &good)]), "tensor `w` has no data for storage `0`"),
        (
            zip(&[("a/data.pkl", &good), ("a/data/0", &data[..44])]),
            "says that storage `0` has 12 elements of F32, but holds 44",
        ),
        (zip(&[("a/data.pkl", &good), ("a/data/0", &data), ("a/data/0", &data)]), "holds the entry `data/0` twice"),
        (zip(&[("a/data.pkl", &good), ("a/byteorder", b"big")]), "was saved on a big-endian machine"),
        (zip(&[("a/b/data.pkl", &good)]), "is a zip archive without data.pkl"),
        (zip(&[("word/document.xml", b"<x/>")]), "is a zip archive without data.pkl"),
        (zip(&script), "is a TorchScript archive: in Python, torch.save(torch.jit.load"),
        (zip(&[("config.json", b"{}"), ("model.weights.h5", b"x")]), "is a Keras archive: convert it in Python"),
        (sound[..sound.len() - 9].to_vec(), "is a zip archive that cannot be read ("),
    ] {
        let message = message(&file);
        assert!(message.starts_with("w.pth: ") && message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn entries_over_each_other_are_refused() {
    let items: Vec<Vec<u8>> = ('0'..='3').map(|key| item(key, key, 200, 0, &[200], &[1])).collect();
    let pickle = [b"\x80\x02}", &items.concat()[..], b"."].concat();
    let (long, short) = ([1u8; 800], [1u8; 4]);
    let entries: [(&str, &[u8]); 5] = [
        ("a/data.pkl", &pickle),
        ("a/data/0", &long),
        ("a/data/1", &short),
        ("a/data/2", &short),
        ("a/data/3", &short),
    ];
    let mut file = zip(&entries);
    // The directory's entries of the short ones get checksum, lengths and place of the long one.
    let directory: Vec<usize> = (0..file.len()).filter(|&at| file[at..].starts_with(b"PK\x01\x02")).collect();
    assert_eq!(directory.len(), 5);
    for &entry in &directory[2..] {
        for part in [16..28, 42..46] {
            file.copy_within(directory[1] + part.start..directory[1] + part.end, entry + part.start);
        }
    }
    let message = message(&file);
    assert!(message.contains("has entries that overlap"), "{message}");
}

#[test]
fn the_older_format_is_checked() {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let version = b"\x80\x02M\xe9\x03.";
    let system = |little: &[u8]| [&b"\x80\x02}U\x0dlittle_endian"[..], little, b"s."].concat();
    let (object, data) = (pickle(12, 0, &[3, 4], &[4, 1]), twelve());
    let storage = |count: u64| [&count.to_le_bytes()[..], &data].concat();
    let file = |version: &[u8], little: &[u8], keys: &[u8], data: &[u8]| {
        [&magic[..], version, &system(little), &object, b"\x80\x02", keys, b".", data].concat()
    };
    let keys = b"]U\x010a";
    assert!(open(&file(version, b"\x88", keys, &storage(12))).is_ok());
    for (file, expected) in [
        (
            file(b"\x80\x02M\xea\x03.", b"\x88", keys, &storage(12)),
            "another version of PyTorch's older format than 1001",
        ),
        (file(version, b"\x89", keys, &storage(12)), "was saved on a big-endian machine"),
        (file(version, b"\x88", b"K\x01", &storage(12)), "keys of its storages are not a list"),
        (file(version, b"\x88", b"]K\x01a", &storage(12)), "key of a storage is not text"),
        (file(version, b"\x88", b"]U\x011a", &storage(12)), "holds a storage `1` that no tensor is made of"),
        (file(version, b"\x88", b"]", b""), "tensor `w` has no data for storage `0`"),
        (file(version, b"\x88", keys, &storage(11)), "holds 11 elements of storage `0`, but its pickle says 12"),
        (file(version, b"\x88", keys, &storage(12)[..55]), "ends in the middle of storage `0`"),
        (file(version, b"\x88", keys, &storage(12)[..5]), "ends in the middle of storage `0`"),
    ] {
        let message = message(&file);
        assert!(message.starts_with("w.pth: ") && message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn names_that_cannot_stand_are_refused() {
    let file = |items: &[Vec<u8>]| {
        let pickle = [b"\x80\x02}", &items.concat()[..], b"."].concat();
        zip(&[("a/data.pkl", &pickle), ("a/data/0", &twelve())])
    };
    let one = |name| item(name, '0', 12, 0, &[12], &[1]);
    let message_of = |items: &[Vec<u8>]| message(&file(items));
    assert!(message_of(&[one('w'), one('v')]).starts_with("accepted"));
    assert_eq!(message_of(&[one('w'), one('v'), one('w')]), "w.pth: tensor `w` comes twice");
    let metadata = [&b"U\x0c__metadata__"[..], &one('w')[3..]].concat();
    assert!(message_of(&[metadata]).contains("called `__metadata__`, which safetensors keeps for something else"));
    // Under a key, what is there is listed, and not all of a thousand.
    let many: Vec<Vec<u8>> = (0..99u8).map(|i| vec![b'U', 1, b' ' + i % 90, b'N', b's']).collect();
    assert!(message_of(&many).ends_with("it has ` `, `!`, `\"`, `#`, `$`, `%` and 93 more"), "{}", message_of(&many));
}

#[test]
fn a_tensor_that_is_an_object_is_refused_by_name() {
    let object = b"U\x07fc.biascos\nsystem\n)Rs";
    let pickle = [b"\x80\x02}", &item('w', '0', 12, 0, &[3, 4], &[4, 1])[..], object, b"."].concat();
    let message = message(&zip(&[("a/data.pkl", &pickle), ("a/data/0", &twelve())]));
    assert!(
        message.starts_with("w.pth: has `fc.bias` as the Python object `os.system`, which is not made"),
        "{message}"
    );
}
