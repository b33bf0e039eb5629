//! The prefixes that wrappers put before the names of a network's tensors.

/// `DataParallel` (`module.`), `torch.compile` (`_orig_mod.`) and training loops (`model.`).
const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// Wrappers nest two or three deep, but a hostile name could repeat a prefix a million times.
const DEEPEST: usize = 4;

/// The prefix of wrappers that all names share, or an empty string.
pub(super) fn wrapper_prefix<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut found = String::new();
    for _ in 0..DEEPEST {
        let all_have = |prefix: &&str| {
            let mut names = names.clone().peekable();
            names.peek().is_some()
                && names.all(|name| name[found.len()..].strip_prefix(*prefix).is_some_and(|rest| !rest.is_empty()))
        };
        let Some(prefix) = WRAPPERS.iter().find(|prefix| all_have(prefix)) else { break };
        found += prefix;
    }
    found
}

/// The note about a removed prefix.
pub(super) fn note(prefix: &str) -> Option<String> {
    (!prefix.is_empty()).then(|| format!("every name began with `{prefix}`, which was removed"))
}
