//! Summarises correlations as the table.

use serde_json::Value;

use super::correlator::Correlations;
use super::layers::{Layers, Over};
use super::table::{
    ClassSimilarity, Compared, Counts, Holds, LayerSimilarity, Measured, OnePrototype, Overall, Spread, Way, normalised,
};
use crate::networks::Semantics;

/// The correlations of a class: per image and tensor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scores {
    /// Of the prototypes.
    pub(crate) prototypes: Vec<Correlations>,
    /// Of images of the class.
    pub(crate) same: Vec<Correlations>,
    /// Of images of other classes.
    pub(crate) different: Vec<Correlations>,
    /// Of the controls, by name.
    pub(crate) controls: Vec<(String, Correlations)>,
}

impl Scores {
    /// The class's row and its layers. The caller fills in the folder, seed and top 5 of each prototype.
    pub(crate) fn class(
        &self,
        index: usize,
        name: &str,
        layers: &Layers,
        semantics: Semantics,
        over: Over,
    ) -> ClassSimilarity {
        let rows = layers.rows(semantics, over);
        let tensors: Vec<usize> = rows.iter().map(|row| row.1).collect();
        let layers: Vec<LayerSimilarity> = rows.iter().map(|&(name, tensor)| self.layer(name, tensor)).collect();
        let mean = |of: fn(&Measured) -> Option<f64>| Spread::of(layers.iter().map(|l| of(&l.measured))).mean;
        let each = |pictures: &[Correlations]| -> Vec<Option<f64>> {
            pictures.iter().map(|picture| Spread::of(tensors.iter().map(|&tensor| picture[tensor])).mean).collect()
        };
        let std = |pictures: &[Correlations]| Spread::of(each(pictures)).std;
        let controls = self.controls.iter().map(|(name, picture)| {
            (name.clone(), number(Spread::of(tensors.iter().map(|&tensor| picture[tensor])).mean))
        });
        let measured = Measured::of([
            Spread { mean: mean(|l| l.prototype), std: std(&self.prototypes) },
            Spread { mean: mean(|l| l.same), std: std(&self.same) },
            Spread { mean: mean(|l| l.different), std: std(&self.different) },
        ]);
        let one = |similarity| OnePrototype { folder: String::new(), seed: 0, similarity, top: Vec::new() };
        ClassSimilarity {
            index,
            name: name.to_owned(),
            measured,
            holds: holds(&layers),
            controls: controls.collect(),
            prototypes: each(&self.prototypes).into_iter().map(one).collect(),
            pictures: Counts { mean: 0, same: self.same.len(), different: self.different.len() },
            layers,
        }
    }

    fn layer(&self, module: &str, tensor: usize) -> LayerSimilarity {
        let of = |pictures: &[Correlations]| Spread::of(pictures.iter().map(|picture| picture[tensor]));
        let measured = Measured::of([of(&self.prototypes), of(&self.same), of(&self.different)]);
        let controls = self.controls.iter().map(|(name, picture)| (name.clone(), number(picture[tensor])));
        let everyone = self.prototypes.iter().chain(&self.same).chain(&self.different);
        let everyone = everyone.chain(self.controls.iter().map(|control| &control.1));
        LayerSimilarity {
            module: module.to_owned(),
            measured,
            holds: measured.holds(),
            controls: controls.collect(),
            undefined: everyone.filter(|picture| picture[tensor].is_none()).count(),
        }
    }
}

/// The summary over all classes, which must have the same layers and controls.
pub(crate) fn overall(classes: &[ClassSimilarity]) -> Overall {
    let [prototype, same, different] = table4(classes);
    let names = classes.first().map(|class| class.controls.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let control = |name: &String| {
        let of = |class: &ClassSimilarity| class.controls.get(name).and_then(Value::as_f64);
        let differences =
            classes.iter().filter_map(|class| Some(class.measured.prototype? - of(class)?)).collect::<Vec<_>>();
        let spread = Spread::of(classes.iter().map(of));
        (name.clone(), serde_json::to_value(Compared::new(spread, &differences)).expect("numbers"))
    };
    let layers = averaged(classes, &names);
    Overall {
        prototype,
        same,
        different,
        holds: holds(&layers),
        normalised: normalised(prototype.mean, same.mean, different.mean),
        controls: names.iter().map(control).collect(),
        layers,
    }
}

/// Prototypes, images of the same class and images of other classes: the rows of Table 4.
fn table4(classes: &[ClassSimilarity]) -> [Spread; 3] {
    let over = |of: fn(&Measured) -> Option<f64>| Spread::of(classes.iter().map(|class| of(&class.measured)));
    [over(|c| c.prototype), over(|c| c.same), over(|c| c.different)]
}

/// Each layer over all classes, with these controls. Standard deviations are those of the classes' means.
fn averaged(classes: &[ClassSimilarity], controls: &[String]) -> Vec<LayerSimilarity> {
    let layers = 0..classes.first().map_or(0, |class| class.layers.len());
    layers.map(|at| averaged_at(classes, at, controls)).collect()
}

fn averaged_at(classes: &[ClassSimilarity], at: usize, controls: &[String]) -> LayerSimilarity {
    let over =
        |of: &dyn Fn(&LayerSimilarity) -> Option<f64>| Spread::of(classes.iter().map(|class| of(&class.layers[at])));
    let measured =
        Measured::of([over(&|l| l.measured.prototype), over(&|l| l.measured.same), over(&|l| l.measured.different)]);
    let control =
        |name: &String| (name.clone(), number(over(&|layer| layer.controls.get(name).and_then(Value::as_f64)).mean));
    LayerSimilarity {
        module: classes[0].layers[at].module.clone(),
        measured,
        holds: measured.holds(),
        controls: controls.iter().map(control).collect(),
        undefined: classes.iter().map(|class| class.layers[at].undefined).sum(),
    }
}

/// The measurement for each way to count layers. `classes` returns every class's row for one way.
pub(crate) fn ways(classes: impl Fn(Semantics, Over) -> Vec<ClassSimilarity>) -> Vec<Way> {
    let each = |semantics: Semantics, over: Over| {
        let classes = classes(semantics, over);
        let [prototype, same, different] = table4(&classes);
        let holds = holds(&averaged(&classes, &[]));
        Way { semantics, over: over.to_string(), prototype, same, different, holds }
    };
    let both = [Semantics::Snapshot, Semantics::TorchAlias];
    both.iter().flat_map(|&semantics| [Over::Names, Over::Tensors].map(|over| each(semantics, over))).collect()
}

/// A sentence for each control that is at least as similar as the prototypes.
pub(crate) fn warnings(overall: &Overall) -> Vec<String> {
    let above = |(name, spread): (&String, &Value)| {
        let (control, prototype) = (spread["mean"].as_f64()?, overall.prototype.mean?);
        (control >= prototype).then(|| {
            format!(
                "The control `{name}` scores {control:.3}, no lower than the prototypes' {prototype:.3}: this measure alone does \
                 not show that the prototypes are natural."
            )
        })
    };
    overall.controls.iter().filter_map(above).collect()
}

fn holds(layers: &[LayerSimilarity]) -> Holds {
    let known = layers.iter().filter_map(|layer| layer.holds);
    Holds { layers: known.clone().filter(|&holds| holds).count(), of: known.count() }
}

fn number(value: Option<f64>) -> Value {
    value.map_or(Value::Null, Value::from)
}
