//! A comparison of runs as CSV. Numbers have all their digits, and undefined values are empty.

use crate::analysis::compare::{Cell, Comparison};
use crate::error::{Error, Result};

/// A row for each class, seed, run and network.
pub(super) fn rows(comparison: &Comparison) -> Result<Vec<u8>> {
    let header = [
        "class_index",
        "class",
        "seed",
        "run",
        "folder",
        "network",
        "own",
        "probability",
        "rank",
        "top",
        "pixel_distance",
        "feature_distance",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for row in &comparison.rows {
        for (run, cell) in comparison.runs.iter().zip(&row.cells) {
            let Some(Cell { folder, seen, distance }) = cell else { continue };
            for (at, (network, seen)) in comparison.networks.iter().zip(seen).enumerate() {
                let mut line = vec![row.index.to_string(), row.name.clone(), row.seed.to_string(), run.folder.clone()];
                line.extend([folder.clone(), network.weights.clone(), (at == run.network).to_string()]);
                match seen {
                    Some(by) => {
                        line.extend([by.seen.probability.to_string(), by.seen.rank.to_string(), by.top.clone()])
                    }
                    None => line.extend([const { String::new() }; 3]),
                }
                line.extend([distance.and_then(|one| one.pixels), distance.and_then(|one| one.features)].map(number));
                rows.push(line);
            }
        }
    }
    written(&rows)
}

/// A row for each run and network.
pub(super) fn networks(comparison: &Comparison) -> Result<Vec<u8>> {
    let header = ["run", "network", "sha256", "own", "images", "top1", "top1_low", "top1_high", "probability", "rank"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (run, recognised) in comparison.runs.iter().zip(&comparison.recognised) {
        for (at, (network, seen)) in comparison.networks.iter().zip(recognised).enumerate() {
            let mut line = vec![run.folder.clone(), network.weights.clone(), network.sha256.clone()];
            line.push((at == run.network).to_string());
            match seen {
                Some(seen) => {
                    line.push(seen.images.to_string());
                    let numbers = [seen.top1.value, seen.top1.low, seen.top1.high, seen.probability, seen.rank];
                    line.extend(numbers.map(|x| x.to_string()));
                }
                None => line.extend([const { String::new() }; 6]),
            }
            rows.push(line);
        }
    }
    written(&rows)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn written(rows: &[Vec<String>]) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::input(format!("cannot write the comparison as CSV: {error}"));
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.write_record(row).map_err(|error| failed(&error))?;
    }
    table.into_inner().map_err(|error| failed(&error))
}
