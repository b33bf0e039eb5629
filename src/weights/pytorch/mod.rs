//! Reads files of `torch.save` without Python: [`archive`] finds the pickle and the storages, [`machine`] runs the pickle, which
//! is not trusted, [`view`] locates each tensor's values, [`state`] has the tensors of a network, and this file finds the network among
//! the rest.

mod archive;
mod machine;
mod state;
mod value;
mod view;

use std::collections::BTreeMap;

pub(super) use archive::is_pytorch;
pub(super) use view::View;

use super::prefix;
use crate::error::{Error, Result};
use crate::suggest::{listed, shown};
use archive::Archive;
use state::State;
use value::{Id, Values};

/// Usual keys of checkpoints for a network's tensors, the likeliest first.
const KEYS: [&str; 9] =
    ["state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "module", "params"];

/// How deep to search for state dicts.
const DEEPEST: usize = 4;

/// The tensors of a checkpoint, and notes on how they were found.
pub(super) struct Found {
    pub(super) tensors: BTreeMap<String, View>,
    pub(super) notes: Vec<String>,
}

/// Reads a file of `torch.save`. Messages begin with `source`; `key` is the key of the network's tensors, or the beginning of their
/// names.
pub(super) fn read(source: &str, file: &[u8], key: Option<&str>) -> Result<Found> {
    let fail = |what: String| Error::input(format!("{source}: {what}"));
    let archive = archive::open(file).map_err(fail)?;
    let mut notes = Vec::new();
    let (network, key) = find(&archive, key, &mut notes, fail)?;
    let tensors = tensors_of(&archive, network, &mut notes).map_err(fail)?;
    notes.extend(state::objects_note(&archive.values));
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
    let mut tensors =
        prefix::removed(tensors, key, &mut notes).map_err(|what| fail(what + "; " + &what_is_there(&archive)))?;
    let rounded = tensors.values_mut().filter(|view| view.dtype != view.written_dtype()).count();
    if rounded > 0 {
        notes.push(format!("{rounded} tensors of double precision (F64) were rounded to F32"));
    }
    Ok(Found { tensors, notes })
}

/// Finds the network: the value of `key`, else the object itself, else the value of a usual key. Gives back a key that no value has:
/// it may be the beginning of names.
fn find<'a>(
    archive: &Archive,
    key: Option<&'a str>,
    notes: &mut Vec<String>,
    fail: impl Fn(String) -> Error,
) -> Result<(Id, Option<&'a str>)> {
    let (root, values) = (archive.root, &archive.values);
    if let Some(found) = key.and_then(|key| at(values, root, key)) {
        let below =
            |id| if state::is_network(values, id) { Some(id) } else { descend(values, id, DEEPEST).map(|(_, id)| id) };
        if let Some(network) = below(found) {
            return Ok((network, None));
        }
    }
    if let Some((path, network)) = descend(values, root, DEEPEST) {
        if key.is_none() {
            let mut note = format!("the tensors are those under `{}`", shown(&path.join(".")));
            let others: Vec<String> = networks(values, root).into_iter().filter(|key| *key != path[0]).collect();
            if !others.is_empty() {
                note += &format!("; not used: {}", listed(&others));
            }
            if let Some(averaged) = others.iter().find(|key| is_averaged(key)) {
                note += &format!(
                    ". `{}` holds averaged weights, which usually do better: choose them by that key",
                    shown(averaged)
                );
            }
            notes.push(note);
        }
        return Ok((network, key));
    }
    if state::is_network(values, root) {
        return Ok((root, key));
    }
    match networks(values, root).as_slice() {
        [only] if key.is_none() => {
            notes.push(format!("the tensors are those under `{}`", shown(only)));
            at(values, root, only).map(|network| (network, None)).ok_or_else(|| fail("is damaged".into()))
        }
        several if !several.is_empty() && key.is_none() => {
            let what = format!("holds several networks, under {}", listed(several));
            Err(fail(what).advised(": choose one with {key}"))
        }
        _ => Err(fail(match key {
            Some(key) => format!("has no tensors under `{}`; {}", shown(key), what_is_there(archive)),
            None => format!("holds no state dict, a dictionary of tensors; {}", what_is_there(archive)),
        })),
    }
}

/// Whether a key is that of an average of a network's weights over its training.
fn is_averaged(key: &str) -> bool {
    key.split(['_', '.', '-'])
        .any(|word| matches!(word.to_ascii_lowercase().as_str(), "ema" | "avg" | "averaged" | "swa"))
}

/// What a dictionary has under a key, or a list at an index; `a.b` is the key `b` of what is under `a`.
fn at(values: &Values, id: Id, key: &str) -> Option<Id> {
    let direct = |id: Id, key: &str| {
        let item = || values.items(id)?.get(key.parse::<usize>().ok()?).copied();
        values.entry(id, key).or_else(item)
    };
    direct(id, key).or_else(|| key.split('.').try_fold(id, direct))
}

/// The first network on a path of usual keys.
fn descend(values: &Values, id: Id, depth: usize) -> Option<(Vec<&'static str>, Id)> {
    let depth = depth.checked_sub(1)?;
    KEYS.into_iter().find_map(|key| {
        let below = values.entry(id, key)?;
        let (mut path, found) = match descend(values, below, depth) {
            Some(found) => found,
            None => state::is_network(values, below).then_some((Vec::new(), below))?,
        };
        path.insert(0, key);
        Some((path, found))
    })
}

/// The keys of a dictionary, or the indices of a list, whose values are networks.
fn networks(values: &Values, id: Id) -> Vec<String> {
    let is_network = |&id: &Id| state::is_network(values, id);
    if let Some(entries) = values.dict(id) {
        let networks = entries.iter().filter(|(_, value)| is_network(value));
        return networks.filter_map(|&(key, _)| values.text(key)).map(str::to_owned).collect();
    }
    let items = values.items(id).unwrap_or_default().iter().enumerate();
    items.filter(|(_, value)| is_network(value)).map(|(index, _)| index.to_string()).collect()
}

fn what_is_there(archive: &Archive) -> String {
    let values = &archive.values;
    if let Some(object) = values.object(archive.root) {
        let class = shown(values.class(object));
        return format!("what was saved is a Python object, `{class}`, which is not made: save its state_dict()");
    }
    match values.dict(archive.root) {
        None => "what was saved is no dictionary: save state_dict()".into(),
        Some(entries) => {
            let keys: Vec<String> =
                entries.iter().filter_map(|&(key, _)| values.text(key)).map(str::to_owned).collect();
            if keys.is_empty() { "it is empty".into() } else { format!("it has {}", listed(&keys)) }
        }
    }
}

/// The tensors of a network by name.
fn tensors_of(archive: &Archive, network: Id, notes: &mut Vec<String>) -> Result<BTreeMap<String, Id>, String> {
    let State { tensors: all, others, class, unusual } = state::of(archive, network)?;
    let mut tensors = BTreeMap::new();
    for (name, value) in all {
        if name == "__metadata__" {
            return Err("has a tensor called `__metadata__`, which safetensors keeps for something else".into());
        }
        if tensors.insert(name.clone(), value).is_some() {
            return Err(format!("tensor `{}` comes twice", shown(&name)));
        }
    }
    if let Some(class) = class {
        notes.push(format!("it is a whole module, `{}`; only its tensors are read", shown(&class)));
    }
    if !unusual.is_empty() {
        notes.push(format!(
            "it has modules without tensors that protogpu does not look at: {}; if they change what the network computes, export an ONNX \
             model",
            listed(&unusual)
        ));
    }
    if !others.is_empty() {
        notes.push(format!("left out what is no tensor: {}", listed(&others)));
    }
    Ok(tensors)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
