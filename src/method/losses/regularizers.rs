//! The table of regularisers. Settings files, the command line and sweeps take their options from it.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::l2::L2;
use super::natural_statistics::NaturalStatistics;
use super::option::{OptionValue, TermOption};
use super::term::{LossTerm, Regularizer};
use crate::networks::Network;

/// All regularisers, in the order in which their losses are added.
const REGULARIZERS: &[Regularizer] = &[L2::REGULARIZER, NaturalStatistics::REGULARIZER];

/// The options of all regularisers.
pub(crate) fn options() -> impl Iterator<Item = &'static TermOption> {
    REGULARIZERS.iter().flat_map(|regularizer| regularizer.options)
}

/// The option of this name.
pub(crate) fn option(name: &str) -> Option<&'static TermOption> {
    options().find(|option| option.name == name)
}

/// The values of the regularisers' options in settings. Values equal to the default are not kept and not written to files.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Regularizers(BTreeMap<&'static str, OptionValue>);

impl Regularizers {
    /// The terms for these values.
    pub(in crate::method) fn terms(&self, network: &Network) -> impl Iterator<Item = Box<dyn LossTerm>> {
        REGULARIZERS.iter().filter_map(|regularizer| {
            let values: Vec<OptionValue> = regularizer.options.iter().map(|option| self.of(option)).collect();
            (regularizer.of)(&values, network)
        })
    }

    fn of(&self, option: &TermOption) -> OptionValue {
        self.0.get(option.name).copied().unwrap_or_else(|| option.kind.default())
    }

    /// The value of an option, if there is one of this name.
    pub(crate) fn value(&self, name: &str) -> Option<OptionValue> {
        option(name).map(|option| self.of(option))
    }

    /// Sets an option, if there is one of this name.
    pub(crate) fn set(&mut self, name: &str, value: OptionValue) {
        if let Some(TermOption { name, kind, .. }) = option(name) {
            self.0.insert(name, value);
            self.0.retain(|of, value| of != name || *value != kind.default());
        }
    }

    /// Sets an option as a settings file does, such as `l2_weight` to 0.5.
    ///
    /// # Errors
    /// If there is no option of this name, or it does not take the value.
    pub fn set_json(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let option = option(name).ok_or_else(|| format!("unknown field `{name}`"))?;
        let value = option.kind.read(value).map_err(|wrong| format!("`{name}` {wrong}"))?;
        self.set(name, value);
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Regularizers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut this = Self::default();
        for (name, value) in BTreeMap::<String, Value>::deserialize(deserializer)? {
            this.set_json(&name, &value).map_err(D::Error::custom)?;
        }
        Ok(this)
    }
}
