//! What each step reported: a column for the loss, and one for each name that a term of it has.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The name of the column that every history has.
pub(super) const LOSS: &str = "loss";

/// What each step so far reported, one entry a step in each column: `loss`, which was minimised, then those of its terms.
///
/// `loss_hf` is the total variation before its weight; `logit` and `probability` are those of the class on the transformed image; where
/// another objective is maximised, `objective` is its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    columns: Vec<(Cow<'static, str>, Vec<f32>)>,
}

impl History {
    /// Of no step yet, with these columns beside the loss.
    pub(super) fn new(names: &[Cow<'static, str>]) -> Self {
        let names = std::iter::once(Cow::Borrowed(LOSS)).chain(names.iter().cloned());
        Self { columns: names.map(|name| (name, Vec::new())).collect() }
    }

    /// From columns of one length, the loss first.
    pub fn from_columns(columns: Vec<(impl Into<Cow<'static, str>>, Vec<f32>)>) -> Self {
        Self { columns: columns.into_iter().map(|(name, values)| (name.into(), values)).collect() }
    }

    /// Its columns, with their names.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.columns.iter().map(|(name, values)| (&**name, &values[..]))
    }

    /// A column; empty if there is none of this name.
    pub fn column(&self, name: &str) -> &[f32] {
        self.columns().find(|(of, _)| *of == name).map_or(&[], |(_, values)| values)
    }

    /// The loss that was minimised.
    pub fn loss(&self) -> &[f32] {
        self.column(LOSS)
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, values)| values.len())
    }

    /// Whether no step was made yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has the columns of another, each of so many steps.
    pub(super) fn fits(&self, other: &Self, steps: u64) -> bool {
        self.columns().map(|(name, _)| name).eq(other.columns().map(|(name, _)| name))
            && self.columns().all(|(_, values)| values.len() as u64 == steps)
    }

    /// Appends a step: the loss, then the columns.
    pub(super) fn push(&mut self, row: &[f32]) {
        for ((_, values), value) in self.columns.iter_mut().zip(row) {
            values.push(*value);
        }
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (name, values) in self.columns() {
            map.serialize_entry(name, values)?;
        }
        map.end()
    }
}
