//! The tensors of one network, wherever a checkpoint has them: a state dict, or a whole module.

use super::archive::Archive;
use super::value::{Id, Values};
use crate::suggest::{listed, shown};

/// How deep modules may nest; PyTorch's own networks have ten levels.
const DEEPEST: usize = 64;

/// The longest name of a tensor, in bytes.
const LONGEST: usize = 1 << 10;

/// The tensors of a network by name.
pub(super) struct State {
    /// Names may come twice.
    pub(super) tensors: Vec<(String, Id)>,
    /// Entries that are no tensors.
    pub(super) others: Vec<String>,
    /// The class of a whole module.
    pub(super) class: Option<String>,
    /// Modules of a whole module without tensors, of another class than those that the networks of torchvision have.
    pub(super) unusual: Vec<String>,
}

/// Whether a value is the state dict of a network, or a whole module.
pub(super) fn is_network(values: &Values, id: Id) -> bool {
    parts(values, id).is_some() || has_tensors(values, id)
}

fn has_tensors(values: &Values, dict: Id) -> bool {
    let entries = values.dict(dict).unwrap_or_default();
    entries.iter().any(|&(key, value)| values.text(key).is_some() && values.tensor(value).is_some())
}

/// The tensors of a value that [`is_network`].
///
/// # Errors
/// If modules nest too deep or contain each other, or names are too long.
pub(super) fn of(archive: &Archive, id: Id) -> Result<State, String> {
    let values = &archive.values;
    if parts(values, id).is_some() {
        let class = values.object(id).map(|object| values.class(object).to_owned());
        let mut state = State { tensors: Vec::new(), others: Vec::new(), class, unusual: Vec::new() };
        let mut left = values.0.len();
        collect(values, id, "", DEEPEST, &mut left, &mut state)?;
        return Ok(state);
    }
    let mut state = State { tensors: Vec::new(), others: Vec::new(), class: None, unusual: Vec::new() };
    for &(key, value) in values.dict(id).unwrap_or_default() {
        let name = values.text(key);
        match (name, values.tensor(value), values.object(value)) {
            (Some(name), Some(_), _) => state.tensors.push((name.to_owned(), value)),
            (Some(name), _, Some(object)) if is_needed(name) => return Err(unmade(name, values.class(object))),
            (_, _, Some(object)) => {
                state.others.push(format!("{}: {}", name.unwrap_or("(no text)"), values.class(object)));
            }
            _ => state.others.push(name.unwrap_or("(no text)").to_owned()),
        }
    }
    Ok(state)
}

/// Whether an entry of a state dict is a tensor of a layer, by its name.
fn is_needed(name: &str) -> bool {
    [".weight", ".bias", ".running_mean", ".running_var"].iter().any(|end| name.ends_with(end))
}

fn unmade(name: &str, class: &str) -> String {
    let (name, class) = (shown(name), shown(class));
    format!(
        "has `{name}` as the Python object `{class}`, which is not made: save it as a dense tensor of floating-point numbers"
    )
}

/// The parameters, buffers and modules of a `torch.nn.Module`.
fn parts(values: &Values, module: Id) -> Option<[Id; 3]> {
    let part = |name| values.attribute(module, name).filter(|&dict| values.dict(dict).is_some());
    Some([part("_parameters")?, part("_buffers")?, part("_modules")?])
}

/// A module of its own class that has neither tensors nor modules: what it does, only its class says.
fn unusual(values: &Values, name: &str, module: Id) -> Option<String> {
    const USUAL: [&str; 8] =
        ["ReLU", "MaxPool2d", "AdaptiveAvgPool2d", "Dropout", "Identity", "Flatten", "Sequential", "BatchNorm2d"];
    let is_empty = |part: Id| values.dict(part).is_some_and(<[_]>::is_empty);
    let class = values.class(values.object(module)?);
    let is_usual = class.starts_with("torch.nn.") && class.rsplit('.').next().is_some_and(|last| USUAL.contains(&last));
    (parts(values, module)?.into_iter().all(is_empty) && !is_usual).then(|| format!("{name}: {class}"))
}

/// Adds the tensors of a module, with `prefix` before their names. `left` modules and tensors may still be visited: modules that share
/// parts could have more of them than the file.
fn collect(
    values: &Values,
    module: Id,
    prefix: &str,
    depth: usize,
    left: &mut usize,
    state: &mut State,
) -> Result<(), String> {
    let [parameters, buffers, modules] = parts(values, module).ok_or("is damaged: a module has no parameters")?;
    let depth = depth.checked_sub(1).ok_or("has modules that nest too deep")?;
    let entries = |dict| values.dict(dict).unwrap_or_default().iter();
    for (&(key, value), is_module) in
        entries(parameters).chain(entries(buffers)).map(|e| (e, false)).chain(entries(modules).map(|e| (e, true)))
    {
        let Some(key) = values.text(key) else { continue };
        *left = left.checked_sub(1).ok_or("has modules that contain each other")?;
        let name = format!("{prefix}{key}");
        if name.len() > LONGEST {
            return Err(format!("has a tensor whose name is too long: `{}`", shown(&name)));
        }
        match (is_module, values.tensor(value), values.object(value)) {
            (true, ..) if parts(values, value).is_some() => {
                state.unusual.extend(unusual(values, &name, value));
                collect(values, value, &format!("{name}."), depth, left, state)?;
            }
            (false, Some(_), _) => state.tensors.push((name, value)),
            (false, _, Some(object)) => return Err(unmade(&name, values.class(object))),
            (true, _, Some(object)) => state.others.push(format!("{name}: {}", values.class(object))),
            // A parameter that is not there, such as the bias of a convolution without one.
            _ => {}
        }
    }
    Ok(())
}

/// A note on the objects that were not made, if there are any. Those that are modules were read.
pub(super) fn objects_note(values: &Values) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for id in 0..values.0.len() as Id {
        let Some(object) = values.object(id) else { continue };
        let class = values.class(object);
        if parts(values, id).is_none() && !names.iter().any(|name| name == class) {
            names.push(class.to_owned());
        }
    }
    (!names.is_empty()).then(|| format!("left out Python objects, whose code was not run: {}", listed(&names)))
}
