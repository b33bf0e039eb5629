//! class_terms: f[n] = Σ_i w_i·f_i of terms on classes: a logit z_c, a probability p_c, or its logarithm; and its gradient. z: [N,K,1,1].

use super::Tensor;
use super::probability_variance::softmax;

/// What of a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    Logit,
    Probability,
    LogProbability,
}

/// A term: weight, class, form.
pub(crate) type Term = (f64, usize, Form);

/// One value per image.
pub(crate) fn forward(z: &Tensor, terms: &[Vec<Term>]) -> Vec<f64> {
    let of = |(z, terms): (&[f64], &Vec<Term>)| {
        let p = softmax(z);
        let term = |&(weight, class, form): &Term| {
            weight
                * match form {
                    Form::Logit => z[class],
                    Form::Probability => p[class],
                    Form::LogProbability => p[class].ln(),
                }
        };
        terms.iter().map(term).sum()
    };
    z.data.chunks(z.shape[1]).zip(terms).map(of).collect()
}

/// d f[n] / d z[n].
pub(crate) fn backward(z: &Tensor, terms: &[Vec<Term>]) -> Tensor {
    let row = |(z, terms): (&[f64], &Vec<Term>)| -> Vec<f64> {
        let p = softmax(z);
        let of = |k: usize, &(weight, class, form): &Term| {
            let own = f64::from(u8::from(k == class));
            weight
                * match form {
                    Form::Logit => own,
                    Form::Probability => p[class] * (own - p[k]),
                    Form::LogProbability => own - p[k],
                }
        };
        (0..z.len()).map(|k| terms.iter().map(|term| of(k, term)).sum()).collect()
    };
    Tensor::new(z.shape, z.data.chunks(z.shape[1]).zip(terms).flat_map(row).collect())
}
