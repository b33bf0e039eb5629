//! Pareto fronts of rows of merits, of which greater is better: non-dominated sorting (Goldberg, "Genetic Algorithms in Search, Optimization
//! and Machine Learning", 1989; Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002).

use std::cmp::Ordering;

/// The front of each row, from 1. A row dominates another if it is nowhere worse and somewhere better. Front 1 is dominated by none; front
/// k + 1 is what no other row dominates when fronts 1 to k are taken away. Equal rows share a front.
pub(crate) fn fronts(merits: &[Vec<f64>]) -> Vec<usize> {
    // Whoever dominates a row comes before it in this order. So its front is one more than the last front of those that dominate it.
    let mut order: Vec<usize> = (0..merits.len()).collect();
    order.sort_by(|&a, &b| by_columns(&merits[b], &merits[a]));
    let mut fronts = vec![1; merits.len()];
    for (place, &row) in order.iter().enumerate() {
        let above = order[..place].iter().filter(|&&other| dominates(&merits[other], &merits[row]));
        fronts[row] = 1 + above.map(|&other| fronts[other]).max().unwrap_or(0);
    }
    fronts
}

/// The mean over the columns of each row's rank among all rows: 1 + the number of greater merits + half the number of other equal ones.
pub(crate) fn mean_ranks(merits: &[Vec<f64>]) -> Vec<f64> {
    let rank = |row: &[f64], column: usize| {
        let compared = merits.iter().map(|other| other[column].total_cmp(&row[column]));
        // The row is equal to itself.
        0.5 + compared.map(|order| [0.0, 0.5, 1.0][(order as i8 + 1) as usize]).sum::<f64>()
    };
    let mean = |row: &Vec<f64>| (0..row.len()).map(|column| rank(row, column)).sum::<f64>() / row.len().max(1) as f64;
    merits.iter().map(mean).collect()
}

fn by_columns(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn dominates(a: &[f64], b: &[f64]) -> bool {
    let mut compared = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    compared.clone().all(Ordering::is_ge) && compared.any(Ordering::is_gt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_by_hand() {
        // Drawn on paper: a staircase of three, one behind its corner twice, a second step, and the worst of all.
        let rows = [
            [1.0, 9.0],
            [5.0, 5.0],
            [9.0, 1.0],
            [4.0, 5.0],
            [4.0, 5.0],
            [3.0, 8.0],
            [0.0, 0.0],
            [8.0, 0.5],
            [4.0, 4.0],
        ];
        let rows = rows.map(Vec::from);
        assert_eq!(fronts(&rows), [1, 1, 1, 2, 2, 1, 4, 2, 3]);
        // With one measure, a front is a place.
        assert_eq!(fronts(&[vec![0.5], vec![0.9], vec![0.5], vec![f64::NEG_INFINITY]]), [2, 1, 2, 3]);
        // A third measure, in which the worst is the best.
        let with_third = |at: usize| [&rows[at][..], &[if at == 6 { 1.0 } else { 0.0 }]].concat();
        assert_eq!(fronts(&(0..9).map(with_third).collect::<Vec<_>>())[6], 1);
        assert!(fronts(&[]).is_empty());
    }

    #[test]
    fn fronts_are_what_is_left_when_those_before_are_taken_away() {
        let value = |at: usize| ((at * 7919 + 5) % 13) as f64;
        let rows: Vec<Vec<f64>> = (0..60).map(|row| (0..3).map(|at| value(row * 3 + at)).collect()).collect();
        let found = fronts(&rows);
        let mut left: Vec<usize> = (0..rows.len()).collect();
        let mut front = 1;
        while !left.is_empty() {
            let is_first = |&row: &usize| left.iter().all(|&other| !dominates(&rows[other], &rows[row]));
            let (first, rest): (Vec<usize>, Vec<usize>) = left.iter().copied().partition(is_first);
            assert!(first.iter().all(|&row| found[row] == front), "{front}: {first:?} of {found:?}");
            (left, front) = (rest, front + 1);
        }
        assert!(front > 3, "{front}");
    }

    #[test]
    fn ranks_are_means_over_the_measures() {
        let rows = [vec![3.0, 1.0], vec![2.0, 1.0], vec![1.0, 7.0]];
        // Ranks 1, 2, 3 and 2.5, 2.5, 1.
        assert_eq!(mean_ranks(&rows), [1.75, 2.25, 2.0]);
    }
}
