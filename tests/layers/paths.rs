//! The paths that a file of Rust names, and which file each leads to: enough of the language for this crate's own files.

use std::collections::{BTreeMap, BTreeSet};

/// A module's path below the crate: `["gpu", "plan"]`; the crate itself is empty.
pub(crate) type Module = Vec<String>;

/// A path that a file names, and whether it is a `pub use` of it.
struct Named {
    path: Vec<String>,
    is_public: bool,
}

/// Every file of the crate by its module, without comments and unit tests.
pub(crate) struct Crate {
    files: BTreeMap<Module, String>,
    named: BTreeMap<Module, Vec<Named>>,
    /// What a name in a module leads to: every `use`, by the name that it brings.
    uses: BTreeMap<(Module, String), Vec<String>>,
}

impl Crate {
    /// From files, by their path below `src/`.
    pub(crate) fn new(sources: &[(String, String)]) -> Self {
        let mut files = BTreeMap::new();
        for (file, code) in sources.iter().filter(|(file, _)| file != "main.rs" && !is_test(file)) {
            files.insert(module_of(file), without_tests(code));
        }
        let named: BTreeMap<Module, Vec<Named>> = files.iter().map(|(m, code)| (m.clone(), names(code))).collect();
        let mut uses = BTreeMap::new();
        for (module, named) in &named {
            for Named { path, .. } in named {
                let name = path[path.len() - 1].clone();
                uses.entry((module.clone(), name)).or_insert_with(|| path.clone());
            }
        }
        Self { files, named, uses }
    }

    /// Every file's code, by its module.
    pub(crate) fn files(&self) -> &BTreeMap<Module, String> {
        &self.files
    }

    /// Which files a file names. That a parent shows its children's items to others (`pub use`) is no edge.
    pub(crate) fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let of = |module: &Module| {
            let mut edges = BTreeSet::new();
            for Named { path, is_public } in &self.named[module] {
                let Some(found) = self.resolve(module, path, 0) else { continue };
                let shows_own = *is_public && found.starts_with(module);
                if found != *module && !shows_own {
                    edges.insert(found);
                }
            }
            edges
        };
        self.files.keys().map(|module| (module, of(module))).collect()
    }

    /// The file in which a path ends, followed through `use`.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (mut at, mut rest) = (from.clone(), path);
        match path[0].as_str() {
            "crate" => (at, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first if self.files.contains_key(&child(from, first)) => {}
            _ => return None,
        }
        while let Some((name, after)) = rest.split_first() {
            let inner = child(&at, name);
            if !self.files.contains_key(&inner) {
                break;
            }
            (at, rest) = (inner, after);
        }
        let through = rest.first().and_then(|name| self.uses.get(&(at.clone(), name.clone())));
        match through {
            Some(path) if depth < 8 => self.resolve(&at, path, depth + 1).or(Some(at)),
            _ => Some(at),
        }
    }
}

/// The circles among files: each the modules that lead to one another, with the edges between them.
pub(crate) fn circles(edges: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<String> {
    let reach = |from: &Module| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = next.pop() {
            for to in edges.get(&module).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> = edges.keys().map(|module| (*module, reach(module))).collect();
    let mut told = BTreeSet::new();
    for (module, from_here) in reached.iter().filter(|(module, from_here)| from_here.contains(**module)) {
        let together = |other: &Module| from_here.contains(other) && reached[other].contains(*module);
        let inner = edges[*module].iter().filter(|to| together(to));
        let first = reached.keys().find(|other| together(other)).expect("the module itself");
        let line: Vec<String> = inner.map(|to| format!("{} → {}", shown(module), shown(to))).collect();
        told.insert((shown(first), line.join(", ")));
    }
    let mut circles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (first, line) in told {
        circles.entry(first).or_default().push(line);
    }
    circles.into_values().map(|lines| lines.join("; ")).collect()
}

/// `gpu::plan`.
pub(crate) fn shown(module: &Module) -> String {
    if module.is_empty() { "lib".into() } else { module.join("::") }
}

fn child(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// `gpu/plan.rs` and `gpu/mod.rs` as modules.
fn module_of(file: &str) -> Module {
    let mut parts: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || parts.len() == 1 && last == "lib") {
        parts.pop();
    }
    parts
}

fn is_test(file: &str) -> bool {
    file.ends_with("tests.rs")
}

/// The code before a file's unit tests, which come last.
fn without_tests(code: &str) -> String {
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..end].to_owned()
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// The paths of every `use`, and those within the code.
fn names(code: &str) -> Vec<Named> {
    let (mut named, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let (is_public, item) = match line.trim_start().strip_prefix("pub") {
            Some(item) => (true, item.trim_start_matches(|c| c != ' ').trim_start()),
            None => (false, line.trim_start()),
        };
        let Some(tree) = item.strip_prefix("use ") else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            let Some(more) = lines.next() else { break };
            tree.push_str(more);
        }
        let tree = tree.split(';').next().unwrap_or_default().to_owned();
        let mut paths = Vec::new();
        expand("", &tree, &mut paths);
        named.extend(paths.into_iter().map(|path| Named { path, is_public }));
    }
    let rest = rest.replace("pub(in ", "pub(");
    let rest = rest.lines().map(|line| match line.trim_start().strip_prefix("pub(") {
        Some(item) => item.split_once(')').map_or("", |(_, item)| item),
        None => line,
    });
    let rest = rest.collect::<Vec<_>>().join("\n");
    let runs = rest.split(|c: char| !is_of_path(c)).filter(|run| run.contains("::"));
    for run in runs {
        let path: Vec<String> = run.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if path.len() > 1 {
            named.push(Named { path, is_public: false });
        }
    }
    named
}

/// The names that a `use` of this tree brings.
pub(crate) fn names_of_use(tree: &str) -> Vec<String> {
    let mut paths = Vec::new();
    expand("", tree.split(';').next().unwrap_or_default(), &mut paths);
    paths.into_iter().filter_map(|path| path.last().cloned()).collect()
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(before: &str, tree: &str, paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let whole = format!("{before}{tree}");
        let path = whole.split(" as ").next().unwrap_or_default();
        let path: Vec<String> = path.split("::").map(|name| name.trim().to_owned()).collect();
        if !path[0].is_empty() {
            paths.push(path);
        }
        return;
    };
    let before = format!("{before}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    expand(&before, &group[start..at], paths);
                }
                start = at + 1;
                if c == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}
