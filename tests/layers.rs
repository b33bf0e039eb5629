//! Checks the layer rule in `src/`: a module uses only itself and the layers below it, and only the places in `WGPU` use wgpu.

#[path = "layers/paths.rs"]
mod paths;
#[path = "layers/public.rs"]
mod public;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up. A module may name itself and what is in a line above its own; those of the first line, which stand
/// alone, also each other.
const LAYERS: &[&[&str]] = &[
    &["error", "named", "shape", "atomic", "bounded", "digest", "suggest", "tensor_file"],
    &["gpu"],
    &["ops"],
    &["graph"],
    &["tuning"],
    &["weights", "labels", "picture"],
    &["networks"],
    &["method", "analysis"],
    &["report", "world"],
    &["lab"],
    &["cli", "lib", "main"],
];

/// Where wgpu is named: the folder that talks to it, and what takes a host's encoder and gives it buffers.
const WGPU: &[&str] = &["gpu/", "method/session"];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Every file of `src/`: its path from there, and its text without comment lines.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let name = path.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
        (name, code.join("\n"))
    };
    let sources: Vec<_> = rust_files(&src).into_iter().map(read).collect();
    assert!(!sources.is_empty(), "no file in {}", src.display());
    sources
}

/// `ops` of `ops/conv2d.rs`, `error` of `error.rs`.
fn module_of(file: &str) -> &str {
    file.split_once('/').map_or_else(|| file.trim_end_matches(".rs"), |(folder, _)| folder)
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|group| group.contains(&module))
}

/// The modules after every `crate::` (and `super::`, in a file whose parent is the crate): `{a::B, c}` names two.
fn named_modules(file: &str, code: &str) -> BTreeSet<String> {
    let parent_is_crate = !file.contains('/') || file.ends_with("/mod.rs") && file.matches('/').count() == 1;
    let mut roots = vec!["crate::"];
    if parent_is_crate {
        roots.push("super::");
    }
    let whole = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let mut found = BTreeSet::new();
    for root in roots {
        for (at, _) in code.match_indices(root).filter(|&(at, _)| whole(at)) {
            let rest = code[at + root.len()..].trim_start();
            match rest.strip_prefix('{') {
                Some(group) => found.extend(first_names(group)),
                None => found.extend(first_name(rest)),
            }
        }
    }
    found
}

fn first_name(path: &str) -> Option<String> {
    let name: String = path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first name of each path of `a::{B, C}, d}`.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.extend(first_name(&group[start..i]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.extend(first_name(&group[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    names
}

/// What breaks the rule in one file.
fn faults(file: &str, code: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(layer) = layer_of(module) else {
        return vec![format!("{file}: `{module}` has no place in LAYERS of tests/layers.rs")];
    };
    // What the crate's root re-exports is of the lowest layer: `Error`, `Result`, `Shape`, `params!`.
    let is_module = |name: &String| layer_of(name).is_some();
    let allowed = |name: &String| {
        let of = layer_of(name).unwrap_or(0);
        of < layer || name == module || of == 0
    };
    let mut faults: Vec<String> = named_modules(file, code)
        .iter()
        .filter(|name| is_module(name) && !allowed(name))
        .map(|name| format!("{file}: `{module}` names `{name}`, which is not below it"))
        .collect();
    if code.contains("wgpu::") && !WGPU.iter().any(|place| file.starts_with(place)) {
        faults.push(format!("{file}: names wgpu, which is for {} only", WGPU.join(" and ")));
    }
    faults
}

#[test]
fn modules_name_only_what_is_below_them() {
    let faults: Vec<String> = sources().iter().flat_map(|(file, code)| faults(file, code)).collect();
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}

/// The rule sees something at all: ops does name gpu, and the crate has these modules.
#[test]
fn the_reader_reads() {
    let sources = sources();
    let code = |name: &str| &sources.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}")).1;
    assert!(named_modules("ops/relu.rs", code("ops/relu.rs")).contains("gpu"));
    assert!(code("gpu/device/mod.rs").contains("wgpu::"));
}

#[test]
fn what_breaks_the_rule_is_named() {
    let up = faults("ops/relu.rs", "use crate::{error::Result, graph::{Graph, Op}};");
    assert_eq!(up, ["ops/relu.rs: `ops` names `graph`, which is not below it"]);
    assert_eq!(faults("shape.rs", "use super::gpu::Plan;").len(), 1);
    assert_eq!(
        faults("graph/mod.rs", "pub fn f(d: &wgpu::Device) {}"),
        ["graph/mod.rs: names wgpu, which is for gpu/ and method/session only"]
    );
    assert_eq!(faults("method/run.rs", "crate::analysis::spearman()").len(), 1);
    assert_eq!(faults("new/mod.rs", ""), ["new/mod.rs: `new` has no place in LAYERS of tests/layers.rs"]);
    let fine = "use crate::gpu::Plan;\nuse crate::{Error, Result, shape};\nuse super::other;\ncrate::params! {}";
    assert_eq!(faults("ops/relu.rs", fine), Vec::<String>::new());
}

/// What files below `lab` may not name, since the library does nothing by itself: the clock, threads, files, processes.
const OWN_DOING: &[&str] = &["Instant", "SystemTime", "thread::", "fs::", "File::", "process::", "TcpStream", "rayon"];

/// Where they are named all the same, and why.
const DOING: &[(&str, &str)] = &[
    ("atomic.rs", "files that are whole or absent, for whoever writes any"),
    ("bounded.rs", "files that are read up to a bound, for whoever reads any"),
    ("labels.rs", "a list of labels is read from its file, up to a bound"),
    ("weights/file_bytes.rs", "weights are memory-mapped, which is a feature of its own"),
    ("tuning/", "trials of kernels are timed, and their outcome is kept"),
    ("gpu/device/work.rs", "pipelines compile on threads where the driver allows it"),
    ("analysis/similarity/correlator.rs", "millions of activations are summed and ranked on all cores"),
    ("analysis/study/resample.rs", "thousands of resamples are drawn on all cores"),
];

fn is_below_lab(file: &str) -> bool {
    let lab = layer_of("lab").expect("lab has a place");
    layer_of(module_of(file)).is_some_and(|layer| layer < lab)
}

/// The code before a file's unit tests, which come last.
fn without_tests(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

fn doings(file: &str, code: &str) -> Vec<String> {
    let code = without_tests(code);
    let whole = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_named = |doing: &&&str| code.match_indices(**doing).any(|(at, _)| whole(at));
    OWN_DOING.iter().filter(is_named).map(|doing| format!("{file}: names {doing}, which is for lab and cli")).collect()
}

#[test]
fn nothing_below_lab_knows_files_threads_or_the_clock() {
    let sources = sources();
    let faults: Vec<String> = sources
        .iter()
        .filter(|(file, _)| is_below_lab(file) && !file.ends_with("tests.rs"))
        .filter(|(file, _)| !DOING.iter().any(|(place, _)| file.starts_with(place)))
        .flat_map(|(file, code)| doings(file, code))
        .collect();
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
    assert_eq!(doings("ops/relu.rs", "let a = std::time::Instant::now();").len(), 1);
    assert_eq!(doings("ops/relu.rs", "let a = profile::now(); Profile::new()"), Vec::<String>::new());
}

/// What reads and writes no file, not even through the functions that are there for it.
const WITHOUT_FILES: &[&str] = &["gpu/", "ops/", "graph/", "networks/", "method/", "analysis/", "report/", "world/"];

/// The crate's own functions on files.
const ON_FILES: &[&str] = &["read_at_most", "read_text_at_most", "write_atomically"];

fn file_function(code: &str) -> Option<&&str> {
    ON_FILES.iter().find(|function| without_tests(code).contains(**function))
}

#[test]
fn the_method_and_all_around_it_read_no_file() {
    let sources = sources();
    let pure = sources.iter().filter(|(file, _)| WITHOUT_FILES.iter().any(|place| file.starts_with(place)));
    let faults: Vec<String> = pure
        .filter(|(file, _)| !file.ends_with("tests.rs"))
        .filter_map(|(file, code)| Some(format!("{file} calls {}", file_function(code)?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(file_function("read_at_most(path, 5, \"preset\")").is_some() && file_function("read_me()").is_none());
}

/// The line in which code names an option.
fn option_in(code: &str) -> Option<&str> {
    let names_one = |line: &&str| {
        line.match_indices("--").any(|(at, _)| {
            line[at + 2..].starts_with(|c: char| c.is_ascii_lowercase()) && !line[..at].ends_with(['-', '|'])
        })
    };
    without_tests(code).lines().find(names_one)
}

/// Errors below `cli` name fields, and no options: `cli` words them.
#[test]
fn what_is_below_cli_names_no_option() {
    let sources = sources();
    let cli = layer_of("cli");
    let below = sources.iter().filter(|(file, _)| layer_of(module_of(file)) < cli);
    let faults: Vec<String> = below.filter_map(|(file, code)| Some(format!("{file}: {}", option_in(code)?))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(option_in("\"try a smaller --lr\"").is_some() && option_in("i--; a -- b").is_none());
}

#[test]
fn files_name_each_other_in_no_circle() {
    let sources = sources();
    let files = paths::Crate::new(&sources);
    let edges = files.edges();
    // The reader sees into folders at all.
    let batch = vec!["lab".to_owned(), "run".to_owned(), "batch".to_owned()];
    assert!(edges[&batch].contains(&vec!["lab".to_owned(), "drive".to_owned()]), "{:?}", edges[&batch]);
    let circles = paths::circles(&edges);
    println!("circles between files: {}", circles.len());
    assert!(circles.is_empty(), "{} circles:\n  {circles:#?}", circles.len());
}

#[test]
fn a_circle_is_found_and_a_parent_that_shows_its_children_is_none() {
    let file = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    let shows = [
        file("a/mod.rs", "mod b;\nmod c;\npub use b::B;\npub(crate) use c::C;"),
        file("a/b.rs", "use super::c::C;\npub struct B(C);"),
        file("a/c.rs", "pub struct C;"),
        file("d.rs", "use crate::a::{B, C};"),
    ];
    let found = |files: &[(String, String)]| paths::circles(&paths::Crate::new(files).edges());
    assert_eq!(found(&shows), Vec::<String>::new());
    let parent =
        [file("a/mod.rs", "mod b;\npub struct A;\nfn f() { b::g() }"), file("a/b.rs", "use super::A;\npub fn g() {}")];
    assert_eq!(found(&parent), ["a → a::b; a::b → a"]);
    // Through what another file shows.
    let mut round = shows.to_vec();
    round[2].1 = "use crate::d::D;\npub struct C;".into();
    assert_eq!(found(&round), ["a::b → a::c; a::c → d; d → a::b, d → a::c"]);
}

/// `.ci/counts` prints it.
#[test]
fn public_items_are_counted() {
    let public = public::Public::of(&paths::Crate::new(&sources()));
    println!(
        "public items: {}, with {} methods; by module: {:?}",
        public.items.len(),
        public.methods,
        public::by_module(&public)
    );
    assert!(public.items.contains("gpu::Context") && !public.items.iter().any(|item| item.starts_with("cli")));
    let file = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    let files = [
        file("lib.rs", "pub mod a;\nmod b;\npub use b::{B, C};\n#[doc(hidden)]\npub use b::hidden;"),
        file("a.rs", "pub fn f() {}\npub(crate) fn g() {}\nfn h() {}\n#[macro_export]\nmacro_rules! m {\n}"),
        file(
            "b.rs",
            "pub struct B;\nimpl B {\n    pub fn one() {}\n    fn two() {}\n}\npub struct E;\nimpl E {\n    pub fn no() {}\n}",
        ),
    ];
    let public = public::Public::of(&paths::Crate::new(&files));
    let items: Vec<&str> = public.items.iter().map(String::as_str).collect();
    assert_eq!((items, public.methods), (vec!["B", "C", "a", "a::f", "a::m"], 1));
}

/// The concrete ops that code names, and its ways to find out which op one is.
fn known_ops<'a>(code: &'a str, ops: &[&'a str]) -> Vec<&'a str> {
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let ways = ["downcast_ref", "downcast", "as_any", "type_id"];
    ops.iter().copied().chain(ways).filter(|name| words.contains(name)).collect()
}

#[test]
fn a_graph_knows_no_op() {
    let sources = sources();
    let of = |code: &'static str| code.split("impl Op for ").skip(1);
    let code: &'static str = Box::leak(
        sources
            .iter()
            .filter(|(file, _)| file.starts_with("ops/"))
            .map(|(_, code)| &code[..])
            .collect::<String>()
            .into(),
    );
    let ops: Vec<&str> = of(code).filter_map(|rest| rest.split([' ', '<', '{']).next()).collect();
    assert!(ops.contains(&"Silu") && ops.len() > 8, "{ops:?}");
    for (file, code) in sources.iter().filter(|(file, _)| file.starts_with("graph/")) {
        let code = without_tests(code).replace("Fusable::Add", "");
        assert_eq!(known_ops(&code, &ops), Vec::<&str>::new(), "{file} knows ops, which is for their own folders");
    }
    assert_eq!(known_ops("match op { Relu => op.downcast_ref() }", &ops), ["Relu", "downcast_ref"]);
}
