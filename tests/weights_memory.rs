//! A file from a stranger takes no more memory to refuse than it has bytes to justify.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use protogpu::weights::Weights;

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
    for (case, file) in cases {
        let len = file.len();
        // `from_bytes` takes the file over, so that it counts itself: as what there was before.
        let before = NOW.load(Relaxed);
        PEAK.store(before, Relaxed);
        let error = Weights::from_bytes("w", file).map(drop).unwrap_err();
        let taken = PEAK.load(Relaxed) - before;
        assert!(error.to_string().len() < 400, "{case}: a message of {} bytes", error.to_string().len());
        assert!(taken <= 8 * len + (64 << 10), "{case}: {taken} bytes for a file of {len}");
    }
}
