//! The likeliest classes as text.

use super::terminal::table;
use crate::lab::top::{Top, percent};

/// A line for each class: probability, logit, index, name.
pub(crate) fn top_table(top: &[Top]) -> String {
    let row = |t: &Top| {
        vec![
            format!("  {:>8}", percent(t.probability)),
            format!("{:>8.3}", t.logit),
            format!("{:>5}", t.index),
            t.name.clone(),
        ]
    };
    table(&top.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::top::top;
    use crate::labels::Labels;

    #[test]
    fn numbers_line_up() {
        let all = top(&[-1.0, 3.0], 2, &Labels::numbered(2));
        assert_eq!(top_table(&all), "   98.20 %     3.000      1  class 1\n    1.80 %    -1.000      0  class 0\n");
    }
}
