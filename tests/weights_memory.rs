//! A file from a stranger takes no more memory to refuse than it has bytes to justify.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use protogpu::weights::{PytorchFile, Weights};

/// Counts what is allocated. This program runs one test, so that nothing else does.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `ptr` came from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn file_with(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
}

/// A file of PyTorch's older format with this pickle for an object.
fn pickled(pickle: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    [magic, &b"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02"[..], pickle].concat()
}

/// The storage `0` of a million bytes, and a tensor on it as a dictionary's entry `name`.
fn pickled_tensor(name: &str, shape: &str) -> Vec<u8> {
    let name = [&[b'U', name.len() as u8], name.as_bytes()].concat();
    let storage = b"((U\x07storagectorch\nByteStorage\nU\x010U\x03cpuJ\x40\x42\x0f\x00tQK\x00";
    [&name[..], b"ctorch._utils\n_rebuild_tensor_v2\n", storage, shape.as_bytes(), b"\x89NtRs"].concat()
}

/// A whole file with these entries of a dictionary.
fn with_tensors(items: &[Vec<u8>]) -> Vec<u8> {
    let data = [&1_000_000u64.to_le_bytes()[..], &vec![1; 1_000_000]].concat();
    pickled(&[b"}", &items.concat()[..], b".\x80\x02]U\x010a.", &data].concat())
}

/// Hostile files of PyTorch.
fn checkpoints() -> Vec<(&'static str, Vec<u8>)> {
    // As many extents as one storage has, over and over: [2, 2, ...] with strides of nothing.
    let (many, none) = (format!("({}t", "K\x7f".repeat(8)), format!("({}t", "K\0".repeat(8)));
    let whole = "(J\x40\x42\x0f\x00t(K\x01t";
    vec![
        ("a million dictionaries", pickled(&b"}".repeat(1 << 20))),
        ("a million nothings", pickled(&b"N".repeat(1 << 20))),
        ("a million marks", pickled(&b"(".repeat(1 << 20))),
        ("a million memos", pickled(&[&b"N"[..], &b"\x94".repeat(1 << 20)].concat())),
        ("a list of a million", pickled(&[&b"]"[..], &b"\x88a".repeat(1 << 19)].concat())),
        ("a text as long as a number can say", pickled(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("an integer of four billion digits", pickled(b"\x8b\xff\xff\xff\xff")),
        ("a name of a megabyte", pickled(&[&b"c"[..], &b"n".repeat(1 << 20), b"\nn\n."].concat())),
        ("a tensor of 127^8 values", with_tensors(&[pickled_tensor("w", &(many + &none))])),
        ("five tensors on one storage", with_tensors(&["a", "b", "c", "d", "e"].map(|n| pickled_tensor(n, whole)))),
        ("an archive of 10,000 entries", zip_of(10_000)),
    ]
}

/// A zip archive of empty storages and no tensor.
fn zip_of(entries: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    let names = (0..entries).map(|i| format!("a/data/{i}"));
    for (name, data) in names.map(|name| (name, &b""[..])).chain([("a/data.pkl".to_owned(), &b"\x80\x02}."[..])]) {
        let (mut entry, config) = archive.new_file(&name).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(data).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

/// What it takes at most to read a file that is in memory already, beyond that file.
fn taken<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let done = work();
    (done, PEAK.load(Relaxed) - before)
}

/// Not a test of its own: there is one, so that nothing else allocates.
fn converting_takes_little() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let file =
        with_tensors(&[pickled_tensor("w", "(J\x40\x42\x0f\x00t(K\x01t"), pickled_tensor("v", "(K\x07t(K\x09t")]);
    std::fs::write(path("w.pth"), &file).unwrap();
    let (checkpoint, reading) = taken(|| PytorchFile::open(path("w.pth"), None).unwrap());
    let ((), writing) = taken(|| checkpoint.write(path("w"), &[]).unwrap());
    assert!(reading.max(writing) < 100 << 10, "{reading} bytes to read and {writing} to write {} bytes", file.len());
    // Opened as weights, the tensors are copied once.
    let (weights, opening) = taken(|| Weights::open(path("w.pth")).unwrap());
    assert_eq!(weights.tensors().len(), 2);
    assert!(opening < file.len() + (100 << 10), "{opening} bytes to open {} bytes", file.len());
}

#[test]
fn refusing_a_file_takes_memory_in_proportion_to_it() {
    let repeated = |item: &str, times| vec![item; times].join(",");
    let extents =
        |shape: &str| file_with(&format!(r#"{{"w":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,4]}}}}"#));
    let empty_tensors: Vec<String> =
        (0..20_000).map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#)).collect();
    let cases = [
        ("a header as long as a number can say", [&u64::MAX.to_le_bytes()[..], b"{"].concat()),
        ("a header of a terabyte", [&(1u64 << 40).to_le_bytes()[..], b"{"].concat()),
        ("a tensor of 2^62 values", extents("2147483648,2147483648")),
        ("a shape of 500,000 extents", extents(&repeated("1", 500_000))),
        ("brackets 500,000 deep", file_with(&format!(r#"{{"w":{}"#, "[".repeat(500_000)))),
        ("a name of a megabyte, twice", {
            let name = "n".repeat(1 << 20);
            file_with(&format!(r#"{{"{name}":{{}},"{name}":{{}}}}"#))
        }),
        (
            "20,000 tensors and a byte too many",
            [file_with(&format!("{{{}}}", empty_tensors.join(","))), vec![0]].concat(),
        ),
    ];
    for (case, file, at_least) in [
        cases.into_iter().map(|(case, file)| (case, file, 64 << 10)).collect::<Vec<_>>(),
        // Small checkpoints hold more than their bytes justify: see the budget of the pickle machine.
        checkpoints().into_iter().map(|(case, file)| (case, file, 4 << 20)).collect(),
    ]
    .concat()
    {
        let len = file.len();
        // `from_bytes` takes the file over, so that it counts itself: as what there was before.
        let (result, taken) = taken(|| Weights::from_bytes("w", file).map(drop));
        let error = result.expect_err(case).to_string();
        assert!(error.len() < 400, "{case}: a message of {} bytes", error.len());
        assert!(taken <= 8 * len + at_least, "{case}: {taken} bytes for a file of {len} ({error})");
        println!("{case}: {:.2} times {len} bytes: {error}", taken as f64 / len as f64);
    }
    converting_takes_little();
}
