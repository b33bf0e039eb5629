//! The table of regularisers. Settings files, the command line and sweeps take their options from it.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::diverse::Diverse;
use super::l2::L2;
use super::natural_statistics::NaturalStatistics;
use super::option::{OptionValue, TermOption};
use super::term::{LossTerm, Regularizer};
use crate::error::Result;
use crate::networks::Network;

/// All regularisers, in the order in which their losses are added.
const REGULARIZERS: &[Regularizer] = &[L2::REGULARIZER, NaturalStatistics::REGULARIZER, Diverse::REGULARIZER];

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
    /// The terms for these values. `groups` tells which images of a batch belong together: those with the same number.
    pub(crate) fn terms(&self, network: &Network, groups: &[u32]) -> impl Iterator<Item = Box<dyn LossTerm>> {
        REGULARIZERS.iter().filter_map(|regularizer| {
            let values: Vec<OptionValue> = regularizer.options.iter().map(|option| self.of(option)).collect();
            (regularizer.of)(&values, network, groups)
        })
    }

    /// Checks that the network has what the terms read.
    ///
    /// # Errors
    /// If it does not.
    pub(crate) fn check(&self, network: &Network) -> Result<()> {
        self.terms(network, &[]).try_for_each(|term| term.reads(network).map(drop))
    }

    /// Whether images of a class that differ by their seeds are compared with each other.
    pub(crate) fn compares_seeds(&self) -> bool {
        Diverse::REGULARIZER.options.first().is_some_and(|weight| self.of(weight).number() > 0.0)
    }

    /// The name and the value of each weight that is not 0.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let weights = REGULARIZERS.iter().filter_map(|regularizer| regularizer.options.first());
        weights.map(|option| (option.name, self.of(option).number())).filter(|(_, weight)| *weight != 0.0)
    }

    /// The names of options that have no effect, because the weight of their regulariser is 0, each after the name of that weight.
    pub(crate) fn idle(&self) -> impl Iterator<Item = [&'static str; 2]> {
        REGULARIZERS.iter().filter_map(|regularizer| regularizer.options.split_first()).flat_map(|(weight, others)| {
            let idle = self.of(weight).number() == 0.0;
            others.iter().filter(move |_| idle).map(|option| [weight.name, option.name])
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
    pub fn set_json(&mut self, name: &str, value: &Value) -> std::result::Result<(), String> {
        let option = option(name).ok_or_else(|| format!("unknown field `{name}`"))?;
        let value = option.kind.read(value).map_err(|wrong| format!("`{name}` {wrong}"))?;
        self.set(name, value);
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Regularizers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut this = Self::default();
        for (name, value) in BTreeMap::<String, Value>::deserialize(deserializer)? {
            this.set_json(&name, &value).map_err(D::Error::custom)?;
        }
        Ok(this)
    }
}
