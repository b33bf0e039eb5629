//! The layer rule, read from `src/`: a module names itself and those below it; and wgpu is named in one folder.

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
const WGPU: &[&str] = &["gpu/", "method/optimizer"];

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
    assert!(code("gpu/context.rs").contains("wgpu::"));
}

#[test]
fn what_breaks_the_rule_is_named() {
    let up = faults("ops/relu.rs", "use crate::{error::Result, graph::{Graph, Op}};");
    assert_eq!(up, ["ops/relu.rs: `ops` names `graph`, which is not below it"]);
    assert_eq!(faults("shape.rs", "use super::gpu::Plan;").len(), 1);
    assert_eq!(
        faults("graph/mod.rs", "pub fn f(d: &wgpu::Device) {}"),
        ["graph/mod.rs: names wgpu, which is for gpu/ and method/optimizer only"]
    );
    assert_eq!(faults("method/run.rs", "crate::analysis::spearman()").len(), 1);
    assert_eq!(faults("new/mod.rs", ""), ["new/mod.rs: `new` has no place in LAYERS of tests/layers.rs"]);
    let fine = "use crate::gpu::Plan;\nuse crate::{Error, Result, shape};\nuse super::other;\ncrate::params! {}";
    assert_eq!(faults("ops/relu.rs", fine), Vec::<String>::new());
}
