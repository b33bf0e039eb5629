//! What wrappers put into the names of a network's tensors.

use std::collections::BTreeMap;

use crate::suggest::shown;

/// `DataParallel` and `torch.compile`, which wrap a network or a part of it. No network has modules of these names.
const WRAPPERS: [&str; 2] = ["module", "_orig_mod"];

/// What training loops call their network.
const MODEL: &str = "model.";

/// How often a loop's name is removed; a hostile name could repeat it a million times.
const DEEPEST: usize = 4;

/// The tensors under their names without wrappers; only those below `key`, if there is one.
///
/// # Errors
/// If no name is below `key`.
pub(super) fn removed<T>(
    tensors: BTreeMap<String, T>,
    key: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, T>, String> {
    let tensors = unwrapped(tensors, notes);
    let Some(key) = key else { return Ok(tensors) };
    let below = |name: &str| Some(name.strip_prefix(key)?.strip_prefix('.')?.to_owned());
    let all = tensors.len();
    let found: BTreeMap<String, T> =
        tensors.into_iter().filter_map(|(name, value)| Some((below(&name)?, value))).collect();
    if found.is_empty() {
        return Err(format!("has no tensors under `{}`", shown(key)));
    }
    notes.push(format!("{} of {all} tensors are those under `{}`", found.len(), shown(key)));
    Ok(unwrapped(found, notes))
}

fn unwrapped<T>(tensors: BTreeMap<String, T>, notes: &mut Vec<String>) -> BTreeMap<String, T> {
    let mut names: Vec<String> = tensors.keys().map(|name| bare(name)).collect();
    let mut gone: Vec<&str> =
        WRAPPERS.into_iter().filter(|wrapper| tensors.keys().any(|name| has(name, wrapper))).collect();
    for _ in 0..DEEPEST {
        let all = names.iter().all(|name| name.strip_prefix(MODEL).is_some_and(|rest| !rest.is_empty()));
        if names.is_empty() || !all {
            break;
        }
        names.iter_mut().for_each(|name| drop(name.drain(..MODEL.len())));
        gone.push("model");
    }
    gone.dedup();
    let mut distinct = names.clone();
    distinct.sort();
    distinct.dedup();
    if gone.is_empty() || distinct.len() < names.len() {
        return tensors;
    }
    let gone: Vec<String> = gone.into_iter().map(|part| format!("`{part}.`")).collect();
    notes.push(format!("removed from the names: {}", gone.join(", ")));
    names.into_iter().zip(tensors.into_values()).collect()
}

/// Whether one of a name's modules is this wrapper.
fn has(name: &str, wrapper: &str) -> bool {
    name.rsplit('.').skip(1).any(|part| part == wrapper)
}

fn bare(name: &str) -> String {
    let Some((modules, tensor)) = name.rsplit_once('.') else { return name.to_owned() };
    let modules = modules.split('.').filter(|part| !WRAPPERS.contains(part));
    modules.chain([tensor]).collect::<Vec<_>>().join(".")
}
