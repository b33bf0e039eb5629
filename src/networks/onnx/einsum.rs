//! `Einsum` of two layers, as a product of matrices.

use super::call::{Call, Layer};
use super::importer::Importer;
use crate::error::Result;
use crate::ops::MatMul;

/// The letters of an equation such as `bij,bjk->bik`: of the operands, and of the output.
struct Equation {
    operands: [Vec<char>; 2],
    output: Vec<char>,
}

impl Equation {
    /// `None` if it is not of two operands, or names an axis twice in one of them, or has no output or `...`.
    fn parse(text: &str) -> Option<Self> {
        let (operands, output) = text.split_once("->")?;
        let (a, b) = operands.split_once(',')?;
        let letters = |part: &str| {
            let letters: Vec<char> = part.chars().filter(|c| !c.is_whitespace()).collect();
            let once = |(i, c): (usize, &char)| c.is_ascii_alphabetic() && !letters[..i].contains(c);
            letters.iter().enumerate().all(once).then_some(letters)
        };
        Some(Self { operands: [letters(a)?, letters(b)?], output: letters(output)? })
    }
}

/// The places of these letters.
fn places(letters: &[char], of: &[char]) -> Vec<usize> {
    of.iter().filter_map(|c| letters.iter().position(|letter| letter == c)).collect()
}

impl Importer<'_> {
    /// Axes in both operands and the output are batches, those in both but not in the output are summed over, and those in one operand are rows
    /// or columns.
    pub(super) fn einsum(&mut self, call: &Call<'_>) -> Result<Layer> {
        let text = call.node.text("equation").unwrap_or("");
        let wrong = || {
            call.error(format!(
                "the equation `{}` is not supported, only products of two layers such as bij,bjk->bik",
                crate::suggest::shown(text)
            ))
        };
        let Equation { operands: [a, b], output } = Equation::parse(text).ok_or_else(wrong)?;
        if call.inputs.len() != 2 {
            return Err(wrong());
        }
        let [x, z] = [self.plain(call, 0)?, self.plain(call, 1)?];
        let chosen = |from: &[char], rule: &dyn Fn(&char) -> bool| -> Vec<char> {
            from.iter().copied().filter(|c| rule(c)).collect()
        };
        let batch = chosen(&output, &|c| a.contains(c) && b.contains(c));
        let summed = chosen(&a, &|c| b.contains(c) && !output.contains(c));
        let rows = chosen(&a, &|c| !b.contains(c) && output.contains(c));
        let columns = chosen(&b, &|c| !a.contains(c) && output.contains(c));
        let fits = x.dims.len() == a.len()
            && z.dims.len() == b.len()
            && a.len() == batch.len() + rows.len() + summed.len()
            && b.len() == batch.len() + columns.len() + summed.len()
            && output.len() == batch.len() + rows.len() + columns.len()
            && a.iter().enumerate().all(|(i, c)| b.iter().position(|d| d == c).is_none_or(|j| x.dims[i] == z.dims[j]));
        if !fits {
            return Err(wrong());
        }
        // The extents of some letters, and their product.
        let dims = |letters: &[char]| -> Vec<usize> {
            let in_x = |c: &char| a.iter().position(|letter| letter == c).map(|at| x.dims[at]);
            let in_z = |c: &char| b.iter().position(|letter| letter == c).map(|at| z.dims[at]);
            letters.iter().filter_map(|c| in_x(c).or_else(|| in_z(c))).collect()
        };
        let product = |letters: &[char]| dims(letters).iter().product::<usize>();
        let batches = dims(&batch);
        let of_matrix = |m: usize, n: usize| [&batches[..], &[m, n]].concat();
        let (m, k, n) = (product(&rows), product(&summed), product(&columns));
        let (wide, result) = (of_matrix(m, n), [&batch[..], &rows, &columns].concat());
        let [left, right] =
            [(of_matrix(m, k), [&batch[..], &rows, &summed]), (of_matrix(k, n), [&batch, &summed, &columns])];
        let in_order = dims(&result);
        let left_order = places(&a, &left.1.concat());
        let right_order = places(&b, &right.1.concat());
        let x = Layer { dims: left.0, ..self.permuted(call, x, &left_order)? };
        let z = Layer { dims: right.0, ..self.permuted(call, z, &right_order)? };
        let ([x, z], before) = self.pair(call, [&x, &z], 3)?;
        let y = self.push_after(call, MatMul, &[&x, &z], before)?;
        debug_assert_eq!(y.dims, wide);
        self.permuted(call, Layer { dims: in_order, ..y }, &places(&result, &output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_of_two_operands_are_read() {
        let read = Equation::parse("b i d, b j d -> b i j").unwrap();
        assert_eq!((read.operands[1].clone(), read.output), (vec!['b', 'j', 'd'], vec!['b', 'i', 'j']));
        for other in ["ij->ji", "...i,ij->...j", "ii,ij->j", "ij,jk", "a,b,c->abc"] {
            assert!(Equation::parse(other).is_none(), "{other}");
        }
    }
}
