//! Misuses of the terms of the loss, their slots and the ledger.

use std::slice::from_ref;

use protogpu::Shape;
use protogpu::gpu::Recording;
use protogpu::method::losses::{
    ClassLogit, ClassRow, ClassTerms, Column, Diversity, Feature, FeatureRow, L2, Ledger, LossTerm, NaturalChannel,
    NaturalForm, NaturalLayer, NaturalSide, NaturalStatistics, ProbabilityVariance, Read, Slot, Source, TotalVariation,
    tick,
};
use protogpu::method::{BaselineForm, TvForm};
use protogpu::ops::{Clock, Format, Tensor};

use crate::refused;

/// A recording with a slot of 64 values for each of two images.
fn slot(rec: &mut Recording) -> Slot {
    ledger(rec, &[vec![Column::hidden().in_partials(64)]]).expect("a ledger").slot(0)
}

fn ledger(rec: &mut Recording, terms: &[Vec<Column>]) -> protogpu::Result<Ledger> {
    let clock = Clock { step: rec.kept("clock", 1), steps: 3 };
    let weights = rec.kept("weights", 3 * terms.len());
    Ledger::new(rec, clock, weights, 2, terms)
}

fn read(rec: &mut Recording, shape: Shape) -> Read {
    let [x, dx] = ["x", "dx"].map(|label| Tensor::kept(rec, label, shape));
    Read { x, dx, accumulates: true }
}

/// Every term of the crate: for two images, of four channels where it has a number of them.
fn terms() -> Vec<Box<dyn LossTerm>> {
    let natural = NaturalChannel { mean: 0.0, variance: 1.0, mean_scale: 1.0, variance_scale: 1.0 };
    let layer = NaturalLayer { source: Source::Image, channels: vec![natural; 4].into() };
    vec![
        Box::new(ClassLogit { classes: vec![0, 1], logsumexp_weight: 0.0 }),
        Box::new(ProbabilityVariance { form: BaselineForm::Softmax, weight: 1.0 }),
        Box::new(TotalVariation { form: TvForm::L1, weight: 1.0, start: 1.0 }),
        Box::new(L2 { colour: vec![0.5; 4], weight: 1.0 }),
        Box::new(NaturalStatistics {
            layers: vec![layer],
            form: NaturalForm::Norms,
            side: NaturalSide::Both,
            weight: 1.0,
            mean_weight: 1.0,
            variance_weight: 1.0,
        }),
    ]
}

#[test]
fn terms_refuse_sources_that_do_not_fit() {
    for term in terms() {
        let rec = &mut Recording::new();
        let slot = slot(rec);
        let name = term.name();
        let good = read(rec, Shape::new(2, 4, 2, 2));
        term.record(rec, &slot, 0..2, &[good]).unwrap_or_else(|e| panic!("{name}: {e}"));
        for count in [0, 2] {
            refused(term.record(rec, &slot, 0..2, &vec![good; count]), "source");
        }
        let rank = read(rec, Shape::of(&[2, 4]).expect("two extents"));
        refused(term.record(rec, &slot, 0..2, &[rank]), "must be the same [N,C,H,W]");
        let unlike = Read { dx: read(rec, Shape::new(2, 4, 2, 3)).dx, ..good };
        refused(term.record(rec, &slot, 0..2, &[unlike]), "must be the same [N,C,H,W]");
        for wrong in [[1 << 62, 4, 2, 2], [2, 4, 0, 2], [0, 4, 2, 2], [2, 4, 1 << 40, 1 << 40]] {
            let [x, dx] = [good.x, good.dx].map(|of| Tensor::new(of.id, Shape::from(wrong)));
            refused(term.record(rec, &slot, 0..2, &[Read { x, dx, ..good }]), "elements");
        }
        // More images than the slot has, and tensors shorter than their shape.
        let many = read(rec, Shape::new(3, 4, 2, 2));
        let class_logit = ClassLogit { classes: vec![0; 3], logsumexp_weight: 0.0 };
        let term_of_many: &dyn LossTerm = if name == class_logit.name() { &class_logit } else { &*term };
        refused(term_of_many.record(rec, &slot, 0..3, &[many]), "there is room for 64 for each of 2");
        let [x, dx] = [good.x, good.dx].map(|of| Tensor::new(of.id, Shape::new(2, 4, 2, 3)));
        refused(term.record(rec, &slot, 0..2, &[Read { x, dx, ..good }]), "needs 48 elements but");
        let mut short = Tensor::new(rec.kept("short", 8), good.x.shape);
        short.format = Format::Texels;
        refused(term.record(rec, &slot, 0..2, &[Read { dx: short, ..good }]), "needs 32 elements but `short` has 8");
        // The slot of another recording.
        let rec = &mut Recording::new();
        let good = read(rec, Shape::new(2, 4, 2, 2));
        refused(term.record(rec, &slot, 0..2, &[good]), "another recording");
    }
}

#[test]
fn terms_refuse_classes_colours_and_channels_that_do_not_fit() {
    let rec = &mut Recording::new();
    let slot = slot(rec);
    let logits = read(rec, Shape::new(2, 10, 1, 1));
    let class_logit = |classes| ClassLogit { classes, logsumexp_weight: 0.0 };
    refused(class_logit(vec![0, 10]).record(rec, &slot, 0..2, &[logits]), "there is no class 10 of 10");
    refused(class_logit(vec![0]).record(rec, &slot, 0..2, &[logits]), "values for 1 images, not for images 0..2");
    refused(class_logit(vec![0; 3]).record(rec, &slot, 0..3, &[logits]), "must be [3,K,1,1]");
    let image = read(rec, Shape::new(2, 3, 2, 2));
    refused(L2 { colour: vec![0.5; 4], weight: 1.0 }.record(rec, &slot, 0..2, &[image]), "the colour has 4");
    let natural = terms().pop().expect("the last");
    refused(natural.record(rec, &slot, 0..2, &[image]), "statistics of 4 channels");
    // It adds to the gradient that is there.
    let first = Read { accumulates: false, ..image };
    let variation = TotalVariation { form: TvForm::L1, weight: 1.0, start: 1.0 };
    assert!(variation.record(rec, &slot, 0..2, &[first]).is_err());
}

#[test]
fn the_parts_of_an_objective_refuse_what_does_not_fit() {
    let rec = &mut Recording::new();
    let slot = slot(rec);
    let logits = read(rec, Shape::new(2, 10, 1, 1));
    let row = |class| ClassRow { weight: 1.0, class, form: 0 };
    let step = |rec: &mut Recording, read, rows: &[ClassRow]| {
        ClassTerms { rows: rows.to_vec() }.step(rec, "terms", read, &slot)
    };
    step(rec, logits, &[row(9); 4]).expect("it fits");
    refused(step(rec, logits, &[row(0), row(10)]), "there is no class 10 of 10");
    refused(step(rec, logits, &[row(0); 3]), "3 terms cannot be equally many for each of 2 images");

    let module = read(rec, Shape::new(2, 3, 4, 5));
    let row = |channel, place| FeatureRow { weight: 1.0, channel, place };
    for feature in [Feature::Channel, Feature::Neuron, Feature::Direction(vec![0.0; 6]), Feature::Layer] {
        let record = |rec: &mut Recording, read, rows: &[FeatureRow], slot: &Slot| {
            feature.record(rec, "term", read, rows, slot, true)
        };
        record(rec, module, &[row(2, 19); 2], &slot).expect("it fits");
        refused(record(rec, module, &[row(0, 0); 3], &slot), "there are 3 rows");
        refused(record(rec, module, &[row(0, 0), row(3, 0)], &slot), "no position 0 in channel 3");
        refused(record(rec, module, &[row(0, 0), row(0, 20)], &slot), "no position 20 in channel 0");
        let rank = read(rec, Shape::of(&[2, 3]).expect("two extents"));
        refused(record(rec, rank, &[row(0, 0); 2], &slot), "must be the same [N,C,H,W]");
        let [x, dx] = [module.x, module.dx].map(|of| Tensor::new(of.id, Shape::new(2, 3, 1 << 40, 1 << 40)));
        refused(record(rec, Read { x, dx, ..module }, &[row(0, 0); 2], &slot), "elements");
        let narrow = ledger(rec, &[vec![Column::hidden()]]).expect("a ledger").slot(0);
        refused(record(rec, module, &[row(0, 0); 2], &narrow), "there is room for 1");
    }
    let short = Feature::Direction(vec![0.0; 5]);
    refused(short.record(rec, "term", module, &[row(0, 0); 2], &slot, true), "the directions have 5 numbers");

    Diversity.record(rec, "term", module, &[1.0; 2], &slot, true).expect("it fits");
    refused(Diversity.record(rec, "term", module, &[1.0; 3], &slot, true), "there are 3 weights");
    let one = read(rec, Shape::new(1, 3, 4, 5));
    refused(Diversity.record(rec, "term", one, &[1.0], &slot, true), "at least two images");
    let wide = Tensor::new(module.x.id, Shape::new(2, 1 << 29, 1, 1));
    let wide = Read { x: wide, dx: wide, accumulates: true };
    refused(Diversity.record(rec, "term", wide, &[1.0; 2], &slot, true), "elements");
}

#[test]
fn a_ledger_refuses_what_does_not_fit() {
    let rec = &mut Recording::new();
    let column = |partials| Column::hidden().in_partials(partials);
    let most = usize::MAX - 3;
    for columns in [vec![column(most)], vec![column(most), column(4)], vec![column(1 << 31)], vec![column(1 << 30); 4]]
    {
        refused(ledger(rec, from_ref(&columns)), "values for each of 2 images");
    }
    refused(ledger(rec, &[vec![column(most)], vec![column(most)], vec![column(8)]]), "values for each of 2 images");
    refused(ledger(rec, &[vec![Column::named("a")], vec![Column::named("a")]]), "`a` names two columns");
    refused(ledger(rec, &[vec![Column::named("loss")]]), "`loss` names two columns");

    let clock = Clock { step: rec.kept("clock", 1), steps: 3 };
    let short = rec.kept("weights", 5);
    let two = [vec![column(1)], vec![column(1)]];
    let unpaid = Ledger::new(rec, clock, short, 2, &two).expect("nothing is bound yet");
    refused(unpaid.write(rec), "`weights` needs 6 elements but `weights` has 5");
    let image = read(rec, Shape::new(2, 4, 2, 2));
    let variation = TotalVariation { form: TvForm::L1, weight: 1.0, start: 1.0 };
    refused(variation.record(rec, &unpaid.slot(0), 0..2, &[image]), "there is room for 1");
    let mut other = ledger(rec, &two).expect("a ledger");
    other.history = rec.kept("history", 5);
    refused(other.write(rec), "`history` needs 6 elements but `history` has 5");
    let elsewhere = Recording::new().kept("clock", 1);
    refused(tick(rec, Clock { step: elsewhere, ..clock }), "another recording");
    let empty = rec.kept("empty", 0);
    refused(tick(rec, Clock { step: empty, ..clock }), "`ticking` needs 1 elements");
}

#[test]
fn a_slot_has_room_for_its_own_values() {
    let rec = &mut Recording::new();
    let ledger = ledger(rec, &[vec![Column::hidden().in_partials(5)], vec![Column::hidden()]]).expect("a ledger");
    let [first, second] = [0, 1].map(|term| ledger.slot(term));
    first.values(2, 5).expect("it fits");
    // The second term's values are in the same tensor.
    refused(first.values(2, 6), "writes 6 values for each of 2 images, but there is room for 5 for each of 2");
    refused(second.values(2, 2), "there is room for 1");
    refused(first.values(3, 1), "for each of 3 images");
    refused(first.values(usize::MAX, usize::MAX), "there is room for 5");
}
