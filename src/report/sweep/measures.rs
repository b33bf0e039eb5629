//! The measures by which the points of a sweep can be compared.

use super::table::{PointJudge, SweepPoint};

/// A measure of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Its name on the command line and in tables.
    pub(crate) name: String,
    of: Of,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Of {
    Similarity,
    Normalised,
    Holds,
    Top1,
    Probability,
    Loss,
    /// What the judge of this name says.
    Judge(String, Said),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Top1,
    Top5,
    Probability,
    Rank,
    Distance,
}

const OWN: [(&str, Of); 6] = [
    ("similarity", Of::Similarity),
    ("normalised", Of::Normalised),
    ("holds", Of::Holds),
    ("top1", Of::Top1),
    ("probability", Of::Probability),
    ("loss", Of::Loss),
];

/// Distance is last, because it is not there with one seed.
const SAID: [(&str, Said); 5] = [
    ("top1", Said::Top1),
    ("top5", Said::Top5),
    ("probability", Said::Probability),
    ("rank", Said::Rank),
    ("distance", Said::Distance),
];

impl Measure {
    /// The measures of a table with judges of these names. `seeds`: whether there are several prototypes of a class.
    pub(crate) fn all(judges: &[String], seeds: bool) -> Vec<Self> {
        let own = OWN.into_iter().map(|(name, of)| Self { name: name.to_owned(), of });
        own.chain(judges.iter().flat_map(|judge| Self::of_judge(judge, seeds))).collect()
    }

    /// What a judge says of points.
    pub(crate) fn of_judge(judge: &str, seeds: bool) -> Vec<Self> {
        let said = SAID.into_iter().take(SAID.len() - usize::from(!seeds));
        said.map(|(name, said)| Self { name: format!("{judge}:{name}"), of: Of::Judge(judge.to_owned(), said) })
            .collect()
    }

    /// Its value for a point; `None` if it has none.
    pub(crate) fn value(&self, point: &SweepPoint) -> Option<f64> {
        let value = match &self.of {
            Of::Similarity => point.similarity.mean?,
            Of::Normalised => point.normalised?,
            Of::Holds => point.holds.layers as f64,
            Of::Top1 => point.top1.count as f64 / point.top1.of as f64,
            Of::Probability => point.probability,
            Of::Loss => point.loss,
            Of::Judge(judge, said) => said.value(point.judge(judge)?)?,
        };
        Some(value).filter(|value| value.is_finite())
    }

    /// Its value as something of which greater is better. A point without a value is worst.
    pub(crate) fn merit(&self, point: &SweepPoint) -> f64 {
        let sign = if self.less_is_better() { -1.0 } else { 1.0 };
        self.value(point).map_or(f64::NEG_INFINITY, |value| sign * value)
    }

    pub(crate) fn less_is_better(&self) -> bool {
        matches!(self.of, Of::Loss | Of::Judge(_, Said::Rank))
    }
}

impl Said {
    fn value(self, judge: &PointJudge) -> Option<f64> {
        match self {
            Self::Top1 => Some(judge.prototypes?.top1.value),
            Self::Top5 => Some(judge.prototypes?.top5.value),
            Self::Probability => Some(judge.prototypes?.probability),
            Self::Rank => Some(judge.prototypes?.rank),
            Self::Distance => judge.distance,
        }
    }
}
