//! Folders whose names are numbers: a number may be the index of a class, or its name.

use std::path::Path;

use crate::error::{Error, Result};
use crate::labels::Labels;

/// How the numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Indices,
    Names,
}

impl Reading {
    /// The reading that fits all numbers, and a note if a person may have meant another. Numbers that are names of classes are names,
    /// because programs that train on folders take the folders' names.
    ///
    /// # Errors
    /// If neither reading fits all numbers. Then they may be counted from 1, or belong to another network.
    pub(super) fn of(numbers: &[&str], root: &Path, labels: &Labels) -> Result<(Self, Option<String>)> {
        let index = |number: &&str| number.parse().ok().filter(|&index: &usize| index < labels.len());
        let root = root.display();
        if numbers.iter().all(|number| labels.named(number).is_some()) {
            let other = numbers.iter().find(|number| labels.named(number) != index(number));
            let note = other.and_then(|number| Some((number, labels.named(number)?))).map(|(number, class)| {
                format!(
                    "{root}: folders that are named by numbers were read as names of classes: {number} is class {class}"
                )
            });
            return Ok((Self::Names, note));
        }
        let Some(wrong) = numbers.iter().find(|number| index(number).is_none()) else {
            return Ok((Self::Indices, numbers.first().map(|first| note(first, numbers, &root.to_string(), labels))));
        };
        let (last, slug) = (labels.len() - 1, labels.slug(0));
        Err(Error::input(format!(
            "{root}: the folder {wrong} is neither the index of a class (0 to {last}) nor its name, so it is not clear what the \
             numbers of the folders mean; name each folder by its class's index and name, such as 0_{slug}"
        )))
    }
}

/// Says that the numbers were read as indices.
fn note(first: &str, numbers: &[&str], root: &str, labels: &Labels) -> String {
    let class = first.parse().map_or("", |index| labels.name(index));
    let mut note =
        format!("{root}: folders that are named by numbers were read as indices of classes: {first} is {class}");
    // As text, 10 comes before 2.
    let mut sorted: Vec<(&str, usize)> = numbers.iter().filter_map(|&text| Some((text, text.parse().ok()?))).collect();
    sorted.sort_unstable();
    if !labels.are_named() && !sorted.is_sorted_by_key(|&(_, index)| index) {
        let [second, third] = [1, 2].map(|at| sorted.get(at).map_or("", |&(text, _)| text));
        note.push_str(&format!(
            "; torchvision's ImageFolder would sort them as text ({}, {second}, {third}): if the network was trained so, give the \
             names of its classes",
            sorted[0].0
        ));
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Labels {
        Labels::from_names(names.iter().map(|name| (*name).to_owned()).collect()).unwrap()
    }

    fn read(numbers: &[&str], labels: &Labels) -> Result<(Reading, Option<String>)> {
        Reading::of(numbers, Path::new("dir"), labels)
    }

    #[test]
    fn numbers_are_names_if_all_are() {
        let as_text = labels(&["1", "10", "2", "3"]);
        let (reading, note) = read(&["1", "10", "2", "3"], &as_text).unwrap();
        assert_eq!(reading, Reading::Names);
        assert_eq!(note.unwrap(), "dir: folders that are named by numbers were read as names of classes: 1 is class 0");
        // Both readings agree.
        assert_eq!(read(&["0", "1"], &labels(&["0", "1", "2"])).unwrap(), (Reading::Names, None));
        // Only indices fit.
        let (reading, note) = read(&["0", "1"], &as_text).unwrap();
        assert_eq!(reading, Reading::Indices);
        assert_eq!(note.unwrap(), "dir: folders that are named by numbers were read as indices of classes: 0 is 1");
        let error = read(&["0", "10"], &as_text).unwrap_err().to_string();
        assert!(
            error.starts_with("dir: the folder 10 is neither") || error.starts_with("dir: the folder 0"),
            "{error}"
        );
    }

    #[test]
    fn numbers_that_are_no_indices_are_refused() {
        let ten: Vec<String> = (1..=10).map(|number| number.to_string()).collect();
        let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
        let error = read(&ten, &Labels::numbered(10)).unwrap_err();
        assert!(error.is_input());
        assert_eq!(
            error.to_string(),
            "dir: the folder 10 is neither the index of a class (0 to 9) nor its name, so it is not clear what the numbers of the \
             folders mean; name each folder by its class's index and name, such as 0_class_0"
        );
        let (reading, note) = read(&["574"], &Labels::imagenet()).unwrap();
        assert_eq!(reading, Reading::Indices);
        assert!(note.unwrap().ends_with("574 is golf ball"));
        assert_eq!(read(&[], &Labels::numbered(2)).unwrap().1, None);
    }

    #[test]
    fn the_order_of_torchvision_is_said() {
        let (_, note) = read(&["0", "1", "10", "2"], &Labels::numbered(11)).unwrap();
        let note = note.unwrap();
        assert!(note.contains("would sort them as text (0, 1, 10): if the network was trained so"), "{note}");
        let (_, note) = read(&["00", "01", "10", "02"], &Labels::numbered(11)).unwrap();
        assert!(!note.unwrap().contains("torchvision"));
    }
}
