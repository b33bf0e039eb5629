//! Losses and other values of every step so far, in named columns.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The name of the column that every history has.
pub(super) const LOSS: &str = "loss";

/// The values of every step so far, one entry per step in each column: first `loss`, which is minimised, then the columns of its
/// terms.
///
/// `loss_hf` is the total variation before it is weighted. `logit` and `probability` are those of the class on the transformed image.
/// For other objectives, `objective` is the value of the objective.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    columns: Vec<(Cow<'static, str>, Vec<f32>)>,
}

impl History {
    /// An empty history with these columns and the loss.
    pub(super) fn new(names: &[Cow<'static, str>]) -> Self {
        let names = std::iter::once(Cow::Borrowed(LOSS)).chain(names.iter().cloned());
        Self { columns: names.map(|name| (name, Vec::new())).collect() }
    }

    /// A history from columns of equal length, the loss first.
    pub fn from_columns(columns: Vec<(impl Into<Cow<'static, str>>, Vec<f32>)>) -> Self {
        Self { columns: columns.into_iter().map(|(name, values)| (name.into(), values)).collect() }
    }

    /// The columns with their names.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.columns.iter().map(|(name, values)| (&**name, &values[..]))
    }

    /// The column with this name; empty if there is none.
    pub fn column(&self, name: &str) -> &[f32] {
        self.columns().find(|(of, _)| *of == name).map_or(&[], |(_, values)| values)
    }

    /// The loss.
    pub fn loss(&self) -> &[f32] {
        self.column(LOSS)
    }

    /// The value of the objective, or of the class's logit, if it is the same at every step of several. Then the objective has no gradient:
    /// it is that of a unit that never fires, and the image is not made for it.
    pub fn constant_objective(&self) -> Option<f32> {
        let values =
            ["objective", "logit"].into_iter().map(|name| self.column(name)).find(|values| !values.is_empty())?;
        (values.len() > 1 && values.iter().all(|value| value == &values[0])).then_some(values[0])
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, values)| values.len())
    }

    /// Whether there is no step yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has the same columns as `other`, each with `steps` entries.
    pub(super) fn fits(&self, other: &Self, steps: u64) -> bool {
        self.columns().map(|(name, _)| name).eq(other.columns().map(|(name, _)| name))
            && self.columns().all(|(_, values)| values.len() as u64 == steps)
    }

    /// Appends a step: the loss, then the other columns.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_that_never_changes_is_noticed() {
        let history = |name: &'static str, values: &[f32]| {
            History::from_columns(vec![(LOSS, vec![1.0; values.len()]), (name, values.to_vec())])
        };
        assert_eq!(history("objective", &[0.0, 0.0]).constant_objective(), Some(0.0));
        assert_eq!(history("logit", &[-3.0; 4]).constant_objective(), Some(-3.0));
        assert_eq!(history("objective", &[0.0, 0.0, 1e-9]).constant_objective(), None);
        // One step says nothing.
        assert_eq!(history("objective", &[0.0]).constant_objective(), None);
        assert_eq!(history("loss_hf", &[0.0; 4]).constant_objective(), None);
    }
}
