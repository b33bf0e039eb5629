//! Reads files of `torch.save` without Python: [`archive`] finds the pickle and the storages, [`machine`] runs the pickle, which
//! is not trusted, [`view`] locates each tensor's values, and this file finds the network's tensors among the rest.

mod archive;
mod machine;
mod value;
mod view;

use std::collections::BTreeMap;

pub(super) use archive::is_pytorch;
pub(super) use view::View;

use super::prefix;
use crate::error::{Error, Result};
use crate::suggest::shown;
use archive::Archive;
use value::Id;

/// Usual keys of checkpoints for a network's tensors, the likeliest first.
const KEYS: [&str; 9] =
    ["state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "module", "params"];

/// How deep to search for state dicts.
const DEEPEST: usize = 4;

/// How many names a message lists.
const LISTED: usize = 6;

/// The tensors of a checkpoint, and notes on how they were found.
pub(super) struct Found {
    pub(super) tensors: BTreeMap<String, View>,
    pub(super) notes: Vec<String>,
}

/// Reads a file of `torch.save`. Messages begin with `source`; `key` is the key of the state dict.
pub(super) fn read(source: &str, file: &[u8], key: Option<&str>) -> Result<Found> {
    let fail = |what: String| Error::input(format!("{source}: {what}"));
    let archive = archive::open(file).map_err(fail)?;
    let mut notes = Vec::new();
    let dict = find(&archive, key, &mut notes, fail)?;
    let tensors = tensors_of(&archive, dict, &mut notes).map_err(fail)?;
    let mut tensors: BTreeMap<String, View> = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let view = archive.values.tensor(tensor).map_or_else(|| Err("is none".into()), |t| View::of(t, &archive));
            let view = view.map_err(|what| fail(format!("tensor `{}` {what}", shown(&name))))?;
            Ok((name, view))
        })
        .collect::<Result<_>>()?;
    // The counter of `AveragedModel`, beside the averaged model.
    if tensors.remove("n_averaged").is_some() {
        notes.push("left out the counter `n_averaged`".into());
    }
    let prefix = prefix::wrapper_prefix(tensors.keys().map(String::as_str));
    notes.extend(prefix::note(&prefix));
    tensors = tensors.into_iter().map(|(name, view)| (name[prefix.len()..].to_owned(), view)).collect();
    let rounded = tensors.values().filter(|view| view.dtype != view.written_dtype()).count();
    if rounded > 0 {
        notes.push(format!("{rounded} tensors of double precision (F64) were rounded to F32"));
    }
    Ok(Found { tensors, notes })
}

/// Finds the state dict: the value of `key`, else the object itself, else the value of a usual key.
fn find(archive: &Archive, key: Option<&str>, notes: &mut Vec<String>, fail: impl Fn(String) -> Error) -> Result<Id> {
    let root = archive.root;
    let values = &archive.values;
    if let Some(key) = key {
        let below = |dict| match has_tensors(archive, dict) {
            true => Some(dict),
            false => descend(archive, dict, DEEPEST).map(|(_, dict)| dict),
        };
        let found = values.entry(root, key).and_then(below);
        let missing = || fail(format!("has no tensors under `{}`; {}", shown(key), what_is_there(archive)));
        return found.ok_or_else(missing);
    }
    if let Some((path, dict)) = descend(archive, root, DEEPEST) {
        let mut note = format!("the tensors are those under `{}`", shown(&path.join(".")));
        let others: Vec<String> = state_dicts(archive).into_iter().filter(|key| *key != path[0]).collect();
        if !others.is_empty() {
            note += &format!("; there are more under {}", list(&others));
        }
        notes.push(note);
        return Ok(dict);
    }
    if has_tensors(archive, root) {
        return Ok(root);
    }
    match state_dicts(archive).as_slice() {
        [only] => {
            notes.push(format!("the tensors are those under `{}`", shown(only)));
            values.entry(root, only).ok_or_else(|| fail("is damaged".into()))
        }
        [] => Err(fail(format!("holds no state dict, a dictionary of tensors; {}", what_is_there(archive)))),
        several => {
            let what = format!("holds several state dicts, under {}", list(several));
            Err(fail(what).advised(": choose one with {key}"))
        }
    }
}

fn has_tensors(archive: &Archive, dict: Id) -> bool {
    let entries = archive.values.dict(dict).unwrap_or_default();
    entries.iter().any(|&(key, value)| archive.values.text(key).is_some() && archive.values.tensor(value).is_some())
}

/// The first dictionary of tensors on a path of usual keys.
fn descend(archive: &Archive, dict: Id, depth: usize) -> Option<(Vec<&'static str>, Id)> {
    let depth = depth.checked_sub(1)?;
    KEYS.into_iter().find_map(|key| {
        let below = archive.values.entry(dict, key)?;
        archive.values.dict(below)?;
        let (mut path, found) = match descend(archive, below, depth) {
            Some(found) => found,
            None => has_tensors(archive, below).then_some((Vec::new(), below))?,
        };
        path.insert(0, key);
        Some((path, found))
    })
}

/// The root's keys whose values are dictionaries of tensors.
fn state_dicts(archive: &Archive) -> Vec<String> {
    let entries = archive.values.dict(archive.root).unwrap_or_default();
    let holds = |&&(_, value): &&(Id, Id)| has_tensors(archive, value);
    entries.iter().filter(holds).filter_map(|&(key, _)| archive.values.text(key)).map(str::to_owned).collect()
}

fn what_is_there(archive: &Archive) -> String {
    match archive.values.dict(archive.root) {
        None => "what was saved is no dictionary: save state_dict()".into(),
        Some(entries) => {
            let keys: Vec<String> =
                entries.iter().filter_map(|&(key, _)| archive.values.text(key)).map(str::to_owned).collect();
            if keys.is_empty() { "it is empty".into() } else { format!("it has {}", list(&keys)) }
        }
    }
}

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{}`", shown(name))).collect();
    let more = if names.len() > LISTED { format!(" and {} more", names.len() - LISTED) } else { String::new() };
    shown.join(", ") + &more
}

/// The tensors of a state dict by name, without its other entries.
fn tensors_of(archive: &Archive, dict: Id, notes: &mut Vec<String>) -> Result<BTreeMap<String, Id>, String> {
    let mut tensors = BTreeMap::new();
    let mut others = Vec::new();
    for &(key, value) in archive.values.dict(dict).unwrap_or_default() {
        let name = archive.values.text(key).unwrap_or("(no text)");
        if archive.values.text(key).is_none() || archive.values.tensor(value).is_none() {
            others.push(name.to_owned());
        } else if name == "__metadata__" {
            return Err("has a tensor called `__metadata__`, which safetensors keeps for something else".into());
        } else if tensors.insert(name.to_owned(), value).is_some() {
            return Err(format!("tensor `{}` comes twice", shown(name)));
        }
    }
    if !others.is_empty() {
        notes.push(format!("left out what is no tensor: {}", list(&others)));
    }
    Ok(tensors)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
