//! Handwritten pickles of a few instructions each.

use super::*;
use proptest::prelude::*;
use safetensors::Dtype;

fn run(pickle: &[u8]) -> Result<Pickle, String> {
    load(&[b"\x80\x02", pickle].concat(), 1000)
}

fn refused(pickle: &[u8]) -> String {
    match run(pickle) {
        Ok(pickle) => format!("accepted: {pickle:?}"),
        Err(message) => message,
    }
}

#[test]
fn numbers_texts_and_containers() {
    // {"a": (1, 256, -1, -2, 2**31), "b": [True, None, "ü", 1.5]}
    let pickle = b"}(U\x01a(K\x01M\x00\x01J\xff\xff\xff\xff\x8a\x01\xfe\x8a\x05\x00\x00\x00\x80\x00tX\x01\x00\x00\x00b](\x88NX\x02\x00\x00\x00\xc3\xbcG\0\0\0\0\0\0\0\0eu.";
    let Pickle { values, root, len } = run(pickle).unwrap();
    assert_eq!(len, pickle.len() + 2);
    let a = values.tuple(values.entry(root, "a").unwrap()).unwrap();
    let ints: Vec<_> = a.iter().map(|&id| if let Value::Int(int) = values.get(id) { *int } else { 0 }).collect();
    assert_eq!(ints, [1, 256, -1, -2, 1 << 31]);
    assert_eq!((values.count(a[1]), values.count(a[2])), (Some(256), None));
    // None and floats are left out of lists.
    let b = values.items(values.entry(root, "b").unwrap()).unwrap();
    assert_eq!((b.len(), values.text(b[1])), (2, Some("ü")));
    // More than 64 bits, and text of Python 2 that is none.
    assert!(matches!(run(b"\x8a\x09\0\0\0\0\0\0\0\0\x01.").map(|p| p.root), Ok(INERT)));
    assert!(matches!(run(b"U\x01\xff.").map(|p| p.root), Ok(INERT)));
}

#[test]
fn memos_share_and_may_make_circles() {
    // A list that holds itself.
    let pickle = run(b"]q\x00h\x00a.").unwrap();
    assert_eq!(pickle.values.items(pickle.root), Some(&[pickle.root][..]));
    let pickle = run(b"K\x07\x94h\x00\x86.").unwrap();
    let pair = pickle.values.tuple(pickle.root).unwrap();
    assert_eq!((pair[0], pickle.values.count(pair[0])), (pair[1], Some(7)));
    assert!(refused(b"Nq\x01.").contains("numbers its memos out of order"));
    assert!(refused(b"h\x00.").contains("names a memo that does not exist"));
}

const TENSOR: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n";
const STORAGE: &[u8] = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x06tQ";

#[test]
fn a_tensor_is_its_parts() {
    let tensor = [TENSOR, b"(", STORAGE, b"K\x01K\x02\x85K\x03\x85\x89ccollections\nOrderedDict\n)Rt"].concat();
    let pickle = run(&[&tensor, &b"R."[..]].concat()).unwrap();
    let found = pickle.values.tensor(pickle.root).unwrap();
    assert_eq!((found.offset, &found.shape[..], &found.stride[..]), (1, &[2][..], &[3][..]));
    let storage = pickle.values.storage(found.storage).unwrap();
    assert_eq!((storage.dtype, storage.len, pickle.values.text(storage.key)), (Dtype::F32, 6, Some("0")));
    // As a parameter it is the same.
    let parameter =
        [b"ctorch._utils\n_rebuild_parameter\n(", &tensor[..], b"R\x88ccollections\nOrderedDict\n)RtR."].concat();
    let pickle = run(&parameter).unwrap();
    assert!(pickle.values.tensor(pickle.root).is_some());

    // And as PyTorch before 0.4 pickled it, with a state of its own.
    let parameter = [b"ctorch.nn.parameter\nParameter\n", &tensor[..], b"R\x85R\x88\x89N\x87b."].concat();
    let pickle = run(&parameter).unwrap();
    assert!(pickle.values.tensor(pickle.root).is_some());

    let with = |offset: &[u8], size: &[u8], stride: &[u8]| {
        refused(&[TENSOR, b"(", STORAGE, offset, size, stride, b"tR."].concat())
    };
    let nine = [&b"("[..], &b"K\x01".repeat(9), b"t"].concat();
    for (offset, size, stride) in [
        (&b"J\xff\xff\xff\xff"[..], &b"K\x02\x85"[..], &b"K\x03\x85"[..]),
        (b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x03\x85"),
        (b"K\x00", b"K\x02\x85", b"J\xff\xff\xff\xff\x85"),
        (b"K\x00", b"K\x02\x85", b")"),
        (b"K\x00", b"N\x85", b"K\x01\x85"),
        (b"N", b")", b")"),
        (b"K\x00", &nine, &nine),
        (b"K\x00", b"K\x02\x85", b"K\x03\x85NN}U\x03neg\x88s"),
    ] {
        let message = with(offset, size, stride);
        assert!(message.contains("parts of a tensor are wrong"), "{message}");
    }
}

#[test]
fn other_objects_are_named_and_never_made() {
    for (class, name) in [
        (&b"cos\nsystem\n"[..], "os.system"),
        (b"c__builtin__\neval\n", "__builtin__.eval"),
        (b"ctorch._utils\n_import_dotted_name\n", "torch._utils._import_dotted_name"),
        (b"ctorch\nFloatStorage.__init__\n", "torch.FloatStorage.__init__"),
        (b"\x8c\x05posix\x8c\x06system\x93", "posix.system"),
    ] {
        // By REDUCE, NEWOBJ and NEWOBJ_EX, with items and attributes put into it.
        for call in [&b")R"[..], b")\x81", b")}\x92"] {
            let Pickle { values, root, .. } =
                run(&[class, call, b"U\x01aK\x07sK\x08a}U\x01bK\x09sb."].concat()).unwrap();
            let object = values.object(root).unwrap();
            assert_eq!(values.class(object), name);
            assert_eq!(values.entry(root, "a").and_then(|id| values.count(id)), Some(7));
            assert_eq!(values.attribute(root, "b").and_then(|id| values.count(id)), Some(9));
        }
    }
    // What an object makes is an object, too; and a tensor of one is none.
    for pickle in [
        &b"cos\nsystem\n)R)R."[..],
        b"ccopyreg\n_reconstructor\n(cos\nsystem\ncos\nsystem\nNtR.",
        b"ctorch._utils\n_rebuild_parameter\n(cos\nsystem\n)R\x88NtR.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(cos\nsystem\n)RK\x00))\x89NtR.",
    ] {
        let Pickle { values, root, .. } = run(pickle).unwrap();
        assert_eq!(values.class(values.object(root).unwrap()), "os.system");
    }
    // Without a call it is only a name.
    assert!(run(b"cos\nsystem\n.").is_ok());
}

#[test]
fn damage_is_said_with_its_place() {
    let deep = [&b"N".repeat(DEEPEST + 1)[..], b"."].concat();
    let cases: [(&[u8], &str); 21] = [
        (b"", "ends in the middle of its pickle"),
        (b".", "its stack is empty"),
        (b"X\xff\xff\xff\xffa", "ends in the middle of its pickle"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffa", "ends in the middle of its pickle"),
        (b"X\x01\0\0\0\xff.", "a text is not UTF-8"),
        (b"I1\n.", "the pickle instruction 0x49, which torch.save does not write (at byte 2 of its pickle)"),
        (b"\x80\x00.", "is a pickle of protocol 0"),
        (b"t.", "a mark is missing"),
        (b"(.", "its stack is empty"),
        (b"K\x01(\x85.", "its stack is empty"),
        (b"NNa.", "appends to a value that is not a list"),
        (b")K\x01a.", "appends to a value that is not a list"),
        (b"](Nu.", "a key has no value"),
        (b"](NNu.", "sets an item of a value that is not a dictionary"),
        (b"NNR.", "calls a value that is not an object"),
        (b"ctorch\nSize\nNR.", "arguments are not a tuple"),
        (b"ctorch\nSize\nN\x85R.", "a torch.Size is not a tuple"),
        (b"ccollections\nOrderedDict\n]K\x01a\x85R.", "made of no pairs"),
        (b"NQ.", "a storage has other parts than five or six"),
        (b"(U\x06moduleNNNNtQ.", "the parts of a storage are wrong"),
        (&deep, "its stack grows too deep"),
    ];
    for (pickle, expected) in cases {
        let message = refused(pickle);
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let view = [&STORAGE[..STORAGE.len() - 2], b"(U\x011K\0K\x02ttQ."].concat();
    assert!(refused(&view).contains("part of another, as PyTorch before 0.4"), "{}", refused(&view));
}

#[test]
fn memory_is_paid_for() {
    let many = [&b"}".repeat(1001)[..], b"."].concat();
    assert!(refused(&many).contains("more values than the weights"), "{}", refused(&many));
    // One list named in a thousand tuples costs a thousand times.
    let copies = [&b"]q\x00"[..], &b"h\x00h\x00h\x00\x87".repeat(300), b"."].concat();
    assert!(refused(&copies).contains("more values than the weights"));
    // A list of so many floats is the history of a training.
    let losses = [&b"]("[..], &b"G\0\0\0\0\0\0\0\0".repeat(5000), b"e."].concat();
    assert!(run(&losses).is_ok());
}

#[test]
fn pairs_make_a_dictionary_as_python_2_wrote_them() {
    let pickle = run(b"ccollections\nOrderedDict\n](](U\x01aK\x01eU\x01bK\x02\x86e\x85R}U\x09_metadataNsb.").unwrap();
    let get = |key| pickle.values.count(pickle.values.entry(pickle.root, key)?);
    assert_eq!((get("a"), get("b"), get("_metadata")), (Some(1), Some(2), None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// No sequence of instructions makes it panic.
    #[test]
    fn arbitrary_instructions_never_panic(parts in prop::collection::vec(prop::sample::select(vec![
        &b"N"[..], b"\x88", b"K\x01", b"K\x02", b"U\x01a", b"(", b")", b"\x85", b"\x86", b"\x87", b"t", b"]", b"}", b"a",
        b"e", b"s", b"u", b"q\x00", b"q\x01", b"\x94", b"h\x00", b"h\x01", b"R", b"\x81", b"b", b"Q", b"\x93", b"\x91", b"\x8f",
        b"ctorch\nSize\n", b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_parameter\n", TENSOR, STORAGE,
    ]), 0..40)) {
        if let Ok(pickle) = run(&[&parts.concat()[..], b"."].concat()) {
            prop_assert!((pickle.root as usize) < pickle.values.0.len());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = run(&bytes);
    }
}
