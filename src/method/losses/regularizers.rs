//! The table of regularisers. Settings files, the command line and sweeps take their options from it.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::l2::L2;
use super::term::{LossTerm, Regularizer, TermOption};
use crate::networks::Network;

/// All regularisers, in the order in which their losses are added.
const REGULARIZERS: &[Regularizer] = &[L2::REGULARIZER];

/// The options of all regularisers.
pub(crate) fn options() -> impl Iterator<Item = &'static TermOption> {
    REGULARIZERS.iter().flat_map(|regularizer| regularizer.options)
}

/// The values of the regularisers' options in settings. Values equal to the default are not kept and not written to files.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Regularizers(BTreeMap<&'static str, f64>);

impl Regularizers {
    /// The terms for these values.
    pub(in crate::method) fn terms(&self, network: &Network) -> impl Iterator<Item = Box<dyn LossTerm>> {
        REGULARIZERS.iter().filter_map(|regularizer| {
            let values: Vec<f64> = regularizer.options.iter().map(|option| self.get(option.name)).collect();
            (regularizer.of)(&values, network)
        })
    }

    /// The value of an option; 0 if there is no option with this name.
    pub fn get(&self, name: &str) -> f64 {
        let default = || options().find(|option| option.name == name).map_or(0.0, |option| option.default);
        self.0.get(name).copied().unwrap_or_else(default)
    }

    /// Sets an option, if there is one with this name.
    pub fn set(&mut self, name: &str, value: f64) {
        if let Some(option) = options().find(|option| option.name == name) {
            self.0.insert(option.name, value);
            self.0.retain(|of, value| *of != option.name || *value != option.default);
        }
    }
}

impl<'de> Deserialize<'de> for Regularizers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut this = Self::default();
        for (name, value) in BTreeMap::<String, serde_json::Value>::deserialize(deserializer)? {
            if !options().any(|option| option.name == name) {
                return Err(D::Error::custom(format!("unknown field `{name}`")));
            }
            let number =
                value.as_f64().ok_or_else(|| D::Error::custom(format!("`{name}` is {value}, not a number")))?;
            this.set(&name, number);
        }
        Ok(this)
    }
}
