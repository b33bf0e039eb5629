//! Arithmetic on constants.

use std::sync::Arc;

use super::call::Call;
use super::constant::{Constant, Data, axis, broadcast_strides, count, places, strides};
use crate::error::Result;
use crate::shape::broadcast;

impl Call<'_> {
    pub(super) fn range(&self, inputs: &[&Constant]) -> Result<Constant> {
        let numbers: Vec<i64> = inputs.iter().filter_map(|x| x.to_ints().first().copied()).collect();
        let [start, limit, step] = numbers[..] else { return Err(self.error("takes 3 numbers")) };
        if step == 0 || inputs.iter().any(|x| matches!(x.data, Data::Floats(_))) {
            return Err(self.error("only a range of integers is supported"));
        }
        let len = (i128::from(limit) - i128::from(start)).checked_div(i128::from(step)).unwrap_or(0).max(0) as usize;
        let whole = (i128::from(limit) - i128::from(start)) % i128::from(step) == 0;
        let len = len + usize::from(!whole && (limit > start) == (step > 0));
        self.countable(&[len])?;
        Ok(Constant::list((0..len as i64).map(|i| start + i * step).collect()))
    }

    pub(super) fn chosen(&self, inputs: &[&Constant]) -> Result<Constant> {
        let [condition, a, b] = inputs else { return Err(self.error("takes 3 inputs")) };
        let dims = broadcast(&a.dims, &b.dims).and_then(|dims| broadcast(&dims, &condition.dims));
        let dims = dims.ok_or_else(|| self.error("its inputs have different shapes"))?;
        let wide = |x: &Constant| self.read(x, dims.clone(), 0, |to| broadcast_strides(&x.dims, to));
        let (condition, a, b) = (wide(condition)?.to_ints(), wide(a)?, wide(b)?);
        let data = match (&a.data, &b.data) {
            (Data::Ints(a), Data::Ints(b)) => Data::Ints(
                condition.iter().zip(a.iter().zip(&b[..])).map(|(&c, (&a, &b))| if c != 0 { a } else { b }).collect(),
            ),
            _ => {
                let (a, b) = (a.to_floats(), b.to_floats());
                let each = condition.iter().zip(a.iter().zip(&b[..]));
                Data::Floats(each.map(|(&c, (&a, &b))| if c != 0 { a } else { b }).collect())
            }
        };
        Ok(Constant { dims, data })
    }

    /// `Clip` of floating-point numbers.
    pub(super) fn clipped(&self, x: &Constant) -> Result<Constant> {
        let (min, max) = (self.number(1, "min")?.unwrap_or(f32::MIN), self.number(2, "max")?.unwrap_or(f32::MAX));
        let values: Vec<f32> = x.to_floats().iter().map(|&value| value.max(min).min(max)).collect();
        match x.data {
            Data::Floats(_) => Ok(Constant::floats(x.dims.clone(), values)),
            Data::Ints(_) => Err(self.error("its input must be floating-point numbers")),
        }
    }

    pub(super) fn folded_unary(&self, x: &Constant) -> Result<Constant> {
        let data = match (&self.node.op[..], &x.data) {
            ("Neg", Data::Ints(values)) => Data::Ints(values.iter().map(|v| v.wrapping_neg()).collect()),
            ("Abs", Data::Ints(values)) => Data::Ints(values.iter().map(|v| v.wrapping_abs()).collect()),
            ("Not", Data::Ints(values)) => Data::Ints(values.iter().map(|&v| i64::from(v == 0)).collect()),
            (op, data) => {
                let of: fn(f64) -> f64 = match op {
                    "Neg" => |v| -v,
                    "Abs" => f64::abs,
                    "Floor" => f64::floor,
                    "Ceil" => f64::ceil,
                    "Sqrt" => f64::sqrt,
                    "Exp" => f64::exp,
                    "Log" => f64::ln,
                    "Relu" => |v| v.max(0.0),
                    "Sigmoid" => |v| 1.0 / (1.0 + (-v).exp()),
                    "Tanh" => f64::tanh,
                    _ => |v| 1.0 / v,
                };
                let values: Vec<f32> = match data {
                    Data::Floats(values) => values.iter().map(|&v| of(f64::from(v)) as f32).collect(),
                    Data::Ints(_) => return Err(self.error("its input must be floating-point numbers")),
                };
                Data::Floats(values.into())
            }
        };
        Ok(Constant { dims: x.dims.clone(), data })
    }

    pub(super) fn folded_binary(&self, a: &Constant, b: &Constant) -> Result<Constant> {
        let dims = broadcast(&a.dims, &b.dims).ok_or_else(|| self.error("its inputs have different shapes"))?;
        let wide = |x: &Constant| self.read(x, dims.clone(), 0, |to| broadcast_strides(&x.dims, to));
        let op = &self.node.op[..];
        let compares = matches!(op, "Equal" | "Greater" | "Less");
        let data = match (wide(a)?.data, wide(b)?.data) {
            (Data::Ints(a), Data::Ints(b)) => {
                let of = |(&a, &b): (&i64, &i64)| {
                    Some(match op {
                        "Add" => a.checked_add(b)?,
                        "Sub" => a.checked_sub(b)?,
                        "Mul" => a.checked_mul(b)?,
                        "Div" => a.checked_div(b)?,
                        // Of the sign of the divisor, unless `fmod` is set.
                        "Mod" if self.node.int("fmod") == Some(1) => a.checked_rem(b)?,
                        "Mod" => a
                            .checked_rem(b)
                            .map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })?,
                        "Pow" => a.checked_pow(u32::try_from(b).ok()?)?,
                        "Min" => a.min(b),
                        "Max" => a.max(b),
                        "Equal" => i64::from(a == b),
                        "Greater" => i64::from(a > b),
                        "Less" => i64::from(a < b),
                        "And" => i64::from(a != 0 && b != 0),
                        _ => i64::from(a != 0 || b != 0),
                    })
                };
                let values: Option<Arc<[i64]>> = a.iter().zip(&b[..]).map(of).collect();
                Data::Ints(values.ok_or_else(|| self.error("a result cannot be counted"))?)
            }
            (a, b) => {
                let (a, b) = (
                    Constant { dims: dims.clone(), data: a }.to_floats(),
                    Constant { dims: dims.clone(), data: b }.to_floats(),
                );
                let of: fn(f64, f64) -> f64 = match op {
                    "Add" => |a, b| a + b,
                    "Sub" => |a, b| a - b,
                    "Mul" => |a, b| a * b,
                    "Div" => |a, b| a / b,
                    "Mod" => |a, b| a % b,
                    "Pow" => f64::powf,
                    "Min" => f64::min,
                    "Max" => f64::max,
                    "Equal" => |a, b| f64::from(a == b),
                    "Greater" => |a, b| f64::from(a > b),
                    "Less" => |a, b| f64::from(a < b),
                    _ => return Err(self.error("its inputs must be booleans")),
                };
                let values = a.iter().zip(&b[..]).map(|(&a, &b)| of(f64::from(a), f64::from(b)));
                if compares {
                    Data::Ints(values.map(|v| v as i64).collect())
                } else {
                    Data::Floats(values.map(|v| v as f32).collect())
                }
            }
        };
        Ok(Constant { dims, data })
    }

    /// The matrix product of constants, with batches before the matrices.
    pub(super) fn folded_product(&self, inputs: &[&Constant]) -> Result<Constant> {
        let wrong = || self.error("of these constants it is not supported");
        let &[a, b] = inputs else { return Err(wrong()) };
        let (Some((a_batch, &[m, k])), Some((b_batch, &[other, n]))) =
            (a.dims.split_last_chunk::<2>(), b.dims.split_last_chunk::<2>())
        else {
            return Err(wrong());
        };
        let batch = broadcast(a_batch, b_batch).filter(|_| k == other).ok_or_else(wrong)?;
        let dims = [&batch[..], &[m, n]].concat();
        // The batch alone, too, because a matrix may have no element.
        self.countable(&batch)?;
        self.countable(&[&dims[..], &[k]].concat())?;
        let begins = |part: &[usize], len: usize| -> Vec<usize> {
            places(&batch, 0, &broadcast_strides(part, &batch)).map(|at| at * len).collect()
        };
        let (x, z) = (a.to_floats(), b.to_floats());
        let mut values = Vec::with_capacity(count(&dims).unwrap_or(0));
        for (x_at, z_at) in begins(a_batch, m * k).into_iter().zip(begins(b_batch, k * n)) {
            for row in 0..m {
                for column in 0..n {
                    let product = |i: usize| f64::from(x[x_at + row * k + i]) * f64::from(z[z_at + i * n + column]);
                    values.push((0..k).map(product).sum::<f64>() as f32);
                }
            }
        }
        Ok(Constant::floats(dims, values))
    }

    /// `ScatterND` without a reduction: a copy of the first input, in which the third replaces the parts that the second names.
    pub(super) fn scattered(&self, inputs: &[&Constant]) -> Result<Constant> {
        let wrong = || self.error("its inputs do not fit");
        let &[x, indices, updates] = inputs else { return Err(wrong()) };
        if self.node.text("reduction").is_some_and(|reduction| reduction != "none") {
            return Err(self.error("a reduction is not supported"));
        }
        let (&depth, outer) = indices.dims.split_last().ok_or_else(wrong)?;
        let (chosen, inner) = x.dims.split_at_checked(depth).ok_or_else(wrong)?;
        if depth == 0 || updates.dims != [outer, inner].concat() {
            return Err(wrong());
        }
        let len = count(inner).ok_or_else(wrong)?;
        let indices = indices.to_ints();
        let begins = indices.chunks(depth).map(|index| {
            let along = index.iter().zip(chosen).map(|(&at, &dim)| axis(at, dim));
            along.zip(strides(&x.dims)).try_fold(0, |sum, (at, stride)| Some(sum + at? * stride))
        });
        let begins: Vec<usize> = begins.collect::<Option<_>>().ok_or_else(wrong)?;
        let data = match (&x.data, &updates.data) {
            (Data::Ints(x), Data::Ints(updates)) => Data::Ints(replaced(x, updates, &begins, len)),
            _ => Data::Floats(replaced(&x.to_floats(), &updates.to_floats(), &begins, len)),
        };
        Ok(Constant { dims: x.dims.clone(), data })
    }

    /// The sum, mean or norm of a constant over axes.
    pub(super) fn folded_reduction(&self, x: &Constant) -> Result<Constant> {
        let rank = x.dims.len();
        let axes = self.axes(1, rank)?.filter(|axes| !axes.is_empty()).unwrap_or_else(|| (0..rank).collect());
        let kept: Vec<usize> =
            x.dims.iter().enumerate().map(|(at, &dim)| if axes.contains(&at) { 1 } else { dim }).collect();
        self.countable(&kept)?;
        let len = count(&kept).unwrap_or(0);
        let mut sums = vec![0.0f64; len];
        let to = broadcast_strides(&kept, &x.dims);
        let is_norm = self.node.op == "ReduceL2";
        for (&value, at) in x.to_floats().iter().zip(places(&x.dims, 0, &to)) {
            let value = f64::from(value);
            sums[at] += if is_norm { value * value } else { value };
        }
        let terms = x.len().checked_div(len).unwrap_or(1).max(1) as f64;
        let values = sums.into_iter().map(|sum| match &self.node.op[..] {
            "ReduceL2" => sum.sqrt() as f32,
            "ReduceMean" => (sum / terms) as f32,
            _ => sum as f32,
        });
        let keeps = self.node.int("keepdims").unwrap_or(1) != 0;
        let stays = |&(at, _): &(usize, &usize)| keeps || !axes.contains(&at);
        let dims = kept.iter().enumerate().filter(stays).map(|(_, &dim)| dim).collect();
        Ok(Constant::floats(dims, values.collect::<Vec<f32>>()))
    }
}

/// x with parts of this length replaced, each beginning at one of these places.
fn replaced<T: Copy>(x: &[T], updates: &[T], begins: &[usize], len: usize) -> Arc<[T]> {
    let mut values = x.to_vec();
    for (i, &begin) in begins.iter().enumerate() {
        values[begin..begin + len].copy_from_slice(&updates[i * len..(i + 1) * len]);
    }
    values.into()
}
