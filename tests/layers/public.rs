//! What the crate shows to others: the items that a path can name from outside, and the methods of its types.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{Crate, Module, names_of_use};

/// Counted items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Public {
    /// Modules, types, traits, functions, constants and macros; a name that is shown in two modules counts twice, since it can be written
    /// in two ways.
    pub(crate) items: BTreeSet<String>,
    /// Public functions and constants of public types.
    pub(crate) methods: usize,
}

const KINDS: &[&str] =
    &["fn", "struct", "enum", "trait", "const", "static", "type", "union", "unsafe fn", "async fn", "const fn"];

impl Public {
    pub(crate) fn of(source: &Crate) -> Self {
        let mut public = Self::default();
        let mut types = BTreeSet::new();
        public.visit(source, &Vec::new(), &mut types);
        public.methods = source.files().values().map(|code| methods(code, &types)).sum();
        public
    }

    /// What a module that is seen from outside shows.
    fn visit(&mut self, source: &Crate, module: &Module, types: &mut BTreeSet<String>) {
        let Some(code) = source.files().get(module) else { return };
        let mut hidden = false;
        let mut macro_exported = false;
        let mut add = |items: &mut BTreeSet<String>, name: &str| {
            let path: Vec<&str> = module.iter().map(String::as_str).chain([name]).collect();
            items.insert(path.join("::"));
            types.insert(name.to_owned());
        };
        let mut inner = Vec::new();
        for (line, uses) in statements(code) {
            if line.starts_with("#[") {
                hidden |= line.contains("doc(hidden)");
                macro_exported |= line.contains("macro_export");
                continue;
            }
            if let (Some(rest), false) = (line.strip_prefix("pub "), hidden) {
                if let Some(name) = rest.strip_prefix("mod ") {
                    let name = name.trim_end_matches(&[';', ' ', '{'][..]);
                    add(&mut self.items, name);
                    inner.push(name.to_owned());
                } else if rest.starts_with("use ") {
                    uses.iter().for_each(|name| add(&mut self.items, name));
                } else if let Some(rest) = KINDS.iter().rev().find_map(|kind| rest.strip_prefix(&format!("{kind} "))) {
                    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    add(&mut self.items, &name);
                }
            } else if let (Some(name), true) = (line.strip_prefix("macro_rules! "), macro_exported) {
                add(&mut self.items, name.trim_end_matches(" {"));
            }
            (hidden, macro_exported) = (false, false);
        }
        for name in inner {
            let module: Module = module.iter().cloned().chain([name]).collect();
            self.visit(source, &module, types);
        }
    }
}

/// The lines that begin in the first column, each with the names that it brings if it is a `use`.
fn statements(code: &str) -> Vec<(String, Vec<String>)> {
    let mut statements = Vec::new();
    let mut lines = code.lines().filter(|line| !line.is_empty());
    while let Some(line) = lines.next() {
        if line.starts_with(' ') {
            continue;
        }
        let mut whole = line.to_owned();
        while whole.starts_with("pub use ") && !whole.contains(';') {
            let Some(more) = lines.next() else { break };
            whole.push_str(more);
        }
        let uses = whole.strip_prefix("pub use ").map(names_of_use).unwrap_or_default();
        statements.push((whole, uses));
    }
    statements
}

/// Public functions and constants in the `impl` blocks of public types.
fn methods(code: &str, types: &BTreeSet<String>) -> usize {
    let (mut counted, mut is_public) = (0, false);
    for line in code.lines() {
        if let Some(rest) = line.strip_prefix("impl") {
            // `impl<'a> Type<'a> {`, and no trait, whose functions are the trait's.
            let rest = rest
                .rsplit_once("> ")
                .map_or(rest, |(before, after)| if before.starts_with('<') { after } else { rest });
            let name: String = rest.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            is_public = !line.contains(" for ") && types.contains(&name);
        }
        counted += usize::from(
            is_public
                && (line.starts_with("    pub fn ")
                    || line.starts_with("    pub const ")
                    || line.starts_with("    pub async fn ")
                    || line.starts_with("    pub unsafe fn ")),
        );
    }
    counted
}

/// The items by their first module, for people.
pub(crate) fn by_module(public: &Public) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for item in &public.items {
        *counts.entry(item.split("::").next().unwrap_or_default()).or_insert(0) += 1;
    }
    counts
}
