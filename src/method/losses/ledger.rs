//! The values that a step writes for each image: the loss, and the columns of its terms in the history.

use std::borrow::Cow;

use super::slot::{Slot, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, MAX_ELEMENTS, NoParams, Recording, TensorId, bytemuck};
use crate::ops::Clock;

crate::params! {
    /// Mirrors `Params` of shaders/history.wgsl.
    struct HistoryParams { term: TermParams, images: u32, terms: u32, columns: u32, row: u32 }
}

/// Names of other tensors in files with a history.
const RESERVED: [&str; 5] = ["loss", "image", "parameters", "m", "v"];

/// Mirrors `Column` of shaders/history.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct ColumnRow {
    first: u32,
    count: u32,
    weight: u32,
    place: u32,
}

/// A value of a term for each image and step, in one or more partial sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the history and in files; `None` if it is not kept.
    pub name: Option<Cow<'static, str>>,
    /// The number of partial sums.
    pub partials: usize,
}

impl Column {
    /// A column of the history, in one part.
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), partials: 1 }
    }

    /// A value that the history does not keep.
    pub fn hidden() -> Self {
        Self { name: None, partials: 1 }
    }

    /// The same column in this many partial sums.
    #[must_use]
    pub fn in_partials(self, partials: usize) -> Self {
        Self { partials, ..self }
    }
}

/// The values of all terms at a step, and the history.
#[derive(Clone, Debug)]
pub struct Ledger {
    clock: Clock,
    images: usize,
    /// `[terms,steps]`.
    weights: TensorId,
    /// `[N,stride]`.
    values: TensorId,
    stride: usize,
    /// For each term, the position of its first value, and the number of its values.
    places: Vec<[usize; 2]>,
    columns: Vec<ColumnRow>,
    names: Vec<Cow<'static, str>>,
    /// `[steps,N,1 + names]`: the loss, then the columns of [`Ledger::names`].
    pub history: TensorId,
}

impl Ledger {
    /// A ledger for `images` images and the columns of each term, the first of which is the term's loss. weights: `[terms,steps]`.
    ///
    /// # Errors
    /// If two columns have the same name, or a column has the name of another tensor in files.
    pub fn new(
        rec: &mut Recording,
        clock: Clock,
        weights: TensorId,
        images: usize,
        terms: &[Vec<Column>],
    ) -> Result<Self> {
        let (mut places, mut stride) = (Vec::new(), 0usize);
        let (mut losses, mut others) = (Vec::new(), Vec::new());
        for (term, columns) in terms.iter().enumerate() {
            let first = stride;
            for (i, column) in columns.iter().enumerate() {
                let list = if i == 0 { &mut losses } else { &mut others };
                let weight = if i == 0 { 1 + term as u32 } else { 0 };
                let row = ColumnRow { first: stride as u32, count: column.partials as u32, weight, place: 0 };
                list.push((row, column.name.clone()));
                stride = stride.saturating_add(column.partials);
            }
            places.push([first, stride - first]);
        }
        // A sum that saturates is among those that are refused, so that no smaller place was rounded.
        if images.saturating_mul(stride) > MAX_ELEMENTS {
            return Err(Error::input(format!(
                "the terms write {stride} values for each of {images} images, more than {MAX_ELEMENTS} in all"
            )));
        }
        // The losses of the terms come first, in the order in which they are added.
        let mut names = Vec::new();
        let mut placed = |(row, name): (ColumnRow, Option<Cow<'static, str>>)| {
            names.extend(name.clone());
            ColumnRow { place: if name.is_some() { names.len() as u32 } else { 0 }, ..row }
        };
        let columns = losses.into_iter().chain(others).map(&mut placed).collect();
        let taken = |(i, name): (usize, &Cow<'static, str>)| RESERVED.contains(&&**name) || names[..i].contains(name);
        if let Some((_, name)) = names.iter().enumerate().find(|&named| taken(named)) {
            return Err(Error::input(format!(
                "`{name}` names two columns of the history, or another tensor of its files"
            )));
        }
        let values = rec.transient("values", images * stride);
        let history = rec.kept("history", clock.rows(images * (1 + names.len())));
        Ok(Self { clock, images, weights, values, stride, places, columns, names, history })
    }

    /// The names of the columns after the loss, in order.
    pub fn names(&self) -> &[Cow<'static, str>] {
        &self.names
    }

    /// The number of values in a row of the history.
    pub fn row(&self) -> usize {
        1 + self.names.len()
    }

    /// The slot of a term.
    ///
    /// # Panics
    /// If there is no term with this index.
    pub fn slot(&self, term: usize) -> Slot {
        self.part(term, self.places[term])
    }

    /// A slot of `count` values from `first` on, with the weights of a term.
    fn part(&self, term: usize, [first, count]: [usize; 2]) -> Slot {
        let steps = self.clock.count();
        let [at, values, stride] = [term, first, self.stride].map(|n| n as u32);
        Slot {
            clock: self.clock,
            weights: (self.weights, self.clock.rows(self.places.len())),
            values: self.values,
            extents: [self.images, count],
            params: TermParams { steps, weights: at * steps, values, stride },
        }
    }

    /// Appends the command that writes the step's row of the history. It comes after all terms.
    ///
    /// # Errors
    /// If a tensor is too short.
    pub fn write(&self, rec: &mut Recording) -> Result<()> {
        let Self { images, stride, .. } = *self;
        let all = self.part(0, [0, stride]);
        let table: Vec<u32> = bytemuck::cast_slice(&self.columns).to_vec();
        let (len, columns) = (table.len(), rec.table("columns", Layout::Words, table));
        let [weights, clock] = all.weight();
        let history = ("history", self.history, self.clock.rows(images * self.row()));
        let bindings = [("columns", columns, len), weights, clock, all.values(images, stride)?, history];
        let [n, count, row, terms] = [images, self.columns.len(), self.row(), self.places.len()].map(|n| n as u32);
        let params = HistoryParams { term: all.params(), images: n, terms, columns: count, row };
        let grid = Grid::Workgroups([images, 1, 1]);
        rec.dispatch("history", Kernel::new("history", "write"), &bindings, &params, grid, (images * stride) as u64)
    }
}

/// Appends the command that advances the clock by a step.
///
/// # Errors
/// If the clock has no element.
pub fn tick(rec: &mut Recording, clock: Clock) -> Result<()> {
    let kernel = Kernel::new("history", "tick");
    rec.dispatch("history", kernel, &[("ticking", clock.step, 1)], &NoParams, Grid::Workgroups([1, 1, 1]), 0)
}
