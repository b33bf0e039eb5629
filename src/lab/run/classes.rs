//! The classes of a run: by name or index, in ranges, or all.

use crate::labels::Labels;
use crate::networks::Network;
use crate::{Error, Result};

use super::record::{Config, Recorded};

/// The most prototypes of one run.
const MOST: usize = 1_000_000;

/// The classes that were given, else that of the record, else the first class of an embedded network. Each once.
pub(crate) fn classes(given: &[String], config: Option<&Config>, network: &Network) -> Result<Vec<usize>> {
    let labels = network.labels();
    let recorded = config.and_then(|config| config.recorded.as_ref());
    let mut found = Vec::new();
    for text in given {
        found.extend(find(text, labels)?);
    }
    match (found.is_empty(), recorded) {
        (false, _) => {}
        // The error names the range if the record is of another network.
        (true, Some(Recorded { class: Some(class), .. })) => found.push(labels.at(&class.index.to_string())?),
        (true, Some(_)) => return Err(Error::input("the record has no class").advised(": choose one with {class}")),
        (true, None) if network.weights().path().is_none() => found.push(0),
        (true, None) => {
            let (file, count, name) = (network.weights().name(), labels.len(), labels.name(labels.len().min(2) - 1));
            let example = name.replace('{', "{{");
            return Err(Error::input(format!("no class: {file} has {count} classes"))
                .advised(format!("; choose one by index or name, such as {{class}} '{example}'")));
        }
    }
    let mut seen = vec![false; labels.len()];
    found.retain(|&class| !std::mem::replace(&mut seen[class], true));
    Ok(found)
}

/// `per_class` prototypes of each request, with consecutive seeds.
pub(crate) fn wanted<T: Clone>(all: &[T], seed: u64, per_class: u32) -> Result<Vec<(T, u64)>> {
    check_wanted(all.len(), seed, per_class)?;
    let of = |one: &T| (0..u64::from(per_class)).map(|more| (one.clone(), seed + more)).collect::<Vec<_>>();
    Ok(all.iter().flat_map(of).collect())
}

/// Checks that there are enough seeds, and not too many prototypes.
pub(crate) fn check_wanted(goals: usize, seed: u64, per_class: u32) -> Result<()> {
    if seed.checked_add(u64::from(per_class) - 1).is_none() {
        let last = u64::MAX;
        return Err(Error::input(format!("{per_class} seeds from"))
            .advised(format!(" {{seed}} {seed} on exceed the largest seed, {last}: use a smaller {{seed}}")));
    }
    if goals.saturating_mul(per_class as usize) > MOST {
        return Err(Error::input(format!(
            "{per_class} of each of {goals} are more than {MOST} prototypes: split them into several runs"
        )));
    }
    Ok(())
}

/// Parses a class, `all`, a range, or several of these separated by commas. A class's name comes first, even if it looks like one of
/// these.
fn find(text: &str, labels: &Labels) -> Result<Vec<usize>> {
    match labels.find(text) {
        Ok(class) => Ok(vec![class]),
        Err(_) if text.contains(',') => {
            let parts = text.split(',').map(|part| one(part, labels)).collect::<Result<Vec<_>>>()?;
            Ok(parts.concat())
        }
        Err(_) => one(text, labels),
    }
}

fn one(text: &str, labels: &Labels) -> Result<Vec<usize>> {
    match labels.find(text) {
        Ok(class) => Ok(vec![class]),
        Err(_) if text.trim().eq_ignore_ascii_case("all") => Ok((0..labels.len()).collect()),
        Err(error) => range(text, labels)?.ok_or(error),
    }
}

/// Parses `0..99`, which includes both ends. `None` if the text is not a range.
fn range(text: &str, labels: &Labels) -> Result<Option<Vec<usize>>> {
    let Some((first, last)) = text.split_once("..") else { return Ok(None) };
    let is_index = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    let (first, last) = (first.trim(), last.trim());
    if !(is_index(first) && is_index(last)) {
        return Ok(None);
    }
    let (first, last) = (labels.find(first)?, labels.find(last)?);
    if last < first {
        return Err(Error::input(format!(
            "the range of classes {first}..{last} is empty: write the lower end first, {last}..{first}"
        )));
    }
    Ok(Some((first..=last).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Labels {
        Labels::from_names(names.iter().map(|name| (*name).to_owned()).collect()).unwrap()
    }

    #[test]
    fn names_with_commas_come_before_lists() {
        let labels = labels(&["a", "b", "a, b"]);
        assert_eq!(find("a, b", &labels).unwrap(), [2]);
        assert_eq!(find("b,a", &labels).unwrap(), [1, 0]);
        assert_eq!(find("2", &labels).unwrap(), [2]);
        assert!(find("a,c", &labels).is_err() && find("c", &labels).is_err());
    }

    #[test]
    fn seeds_count_up_for_each_class() {
        let pairs = wanted(&[4, 2], 7, 2).unwrap();
        assert_eq!(pairs, [(4, 7), (4, 8), (2, 7), (2, 8)]);
        assert_eq!(wanted(&[0], u64::MAX, 1).unwrap().len(), 1);
        assert!(wanted(&[0], u64::MAX, 2).unwrap_err().is_input());
    }

    #[test]
    fn ranges_hold_both_ends_and_mix_with_names() {
        let five = labels(&["a", "b", "c", "d", "e"]);
        assert_eq!(find("all", &five).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(find("1..3", &five).unwrap(), [1, 2, 3]);
        assert_eq!(find("4 .. 4", &five).unwrap(), [4]);
        assert_eq!(find("e,0..1, c", &five).unwrap(), [4, 0, 1, 2]);
        let error = |text| find(text, &five).unwrap_err().to_string();
        assert_eq!(error("3..1"), "the range of classes 3..1 is empty: write the lower end first, 1..3");
        assert_eq!(error("0..5"), "there is no class 5: there are 5 classes, 0 to 4");
        assert!(error("a..b").contains("`a..b`"), "{}", error("a..b"));
        assert!(error("1..").contains("`1..`"), "{}", error("1.."));
        // Classes that are called so.
        let odd = labels(&["x", "all", "0..1"]);
        assert_eq!((find("all", &odd).unwrap(), find("0..1", &odd).unwrap()), (vec![1], vec![2]));
    }
}
