//! The names of classes: finding a class by index, WordNet id or name, and naming its folder.

mod file;
mod label;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::suggest::{near_misses, shown};

pub use label::Label;
pub(crate) use label::check_name;

/// Index, WordNet id and name of ImageNet's classes, in torchvision's order.
const IMAGENET: &str = include_str!("../weights/imagenet_classes.tsv");
/// Largest accepted label file, in bytes: 21,000 classes take 0.7 MB.
const MAX_FILE_BYTES: u64 = 2 << 20;
/// Longest folder name, in bytes. File systems allow 255, and the files in the folder need room too.
const MAX_SLUG_BYTES: usize = 64;

/// The classes of a network, in the order of its logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    classes: Vec<Label>,
}

impl Labels {
    /// ImageNet's 1,000 classes.
    pub fn imagenet() -> Self {
        Self::from_text("the embedded ImageNet classes", IMAGENET).expect("a test reads them")
    }

    /// Reads a file with one name per line, each with an index, a WordNet id or both before it if all have it; or JSON: a list of names,
    /// names by index, indices by name, Keras's class index, or a `config.json` with `id2label`.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] naming what is unusable.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io("read", path))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        let source = path.display().to_string();
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::input(format!(
                "{source}: is larger than {MAX_FILE_BYTES} bytes; is it a list of labels?"
            )));
        }
        let text = std::str::from_utf8(&bytes).map_err(|e| {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            Error::input(format!("{source}: line {line} is not UTF-8 text"))
        })?;
        Self::from_text(&source, text)
    }

    /// Classes with these names.
    ///
    /// # Errors
    /// [`Error::Input`] naming the first name that is empty or has control characters, or if there is none at all.
    pub fn from_names(names: Vec<String>) -> Result<Self> {
        if names.is_empty() {
            return Err(Error::input("there is no label"));
        }
        for (index, name) in names.iter().enumerate() {
            check_name(name).map_err(|what| Error::input(format!("label {index} {what}")))?;
        }
        Ok(Self { classes: names.into_iter().map(|name| Label { wnid: None, name }).collect() })
    }

    /// `n` classes without names: `class 0`, `class 1`, and so on.
    pub fn numbered(n: usize) -> Self {
        Self { classes: (0..n).map(|index| Label { wnid: None, name: numbered_name(index) }).collect() }
    }

    /// The two classes of a network with one output: `not NAME` and `NAME`.
    pub(crate) fn no_and_yes(name: &str) -> Self {
        let label = |name: String| Label { wnid: None, name };
        Self {
            classes: vec![
                label(if name == "yes" { "no".to_owned() } else { format!("not {name}") }),
                label(name.to_owned()),
            ],
        }
    }

    /// `n` features, which are no classes: `feature 0`, `feature 1`, and so on.
    pub(crate) fn features(n: usize) -> Self {
        Self { classes: (0..n).map(|index| Label { wnid: None, name: format!("feature {index}") }).collect() }
    }

    fn from_text(source: &str, text: &str) -> Result<Self> {
        let classes = file::parse(text).map_err(|what| Error::input(format!("{source}: {what}")))?;
        Ok(Self { classes })
    }

    /// Names that several classes have, each with their indices.
    pub(crate) fn duplicates(&self) -> Vec<(&str, Vec<usize>)> {
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, class) in self.classes.iter().enumerate() {
            places.entry(&class.name).or_default().push(index);
        }
        places.into_iter().filter(|(_, indices)| indices.len() > 1).collect()
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there are no classes.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The class with this index; `None` beyond the last.
    pub fn get(&self, index: usize) -> Option<&Label> {
        self.classes.get(index)
    }

    /// The name of class `index`.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn name(&self, index: usize) -> &str {
        &self.classes[index].name
    }

    /// Finds a class by what a person types: its index, its WordNet id or its name.
    ///
    /// A number is an index, unless only a class's name fits. A name is first compared exactly, then without regard to case and to the
    /// difference between spaces, `_` and `-`. An index and a name with `_` between them, such as `574_golf_ball`, are the class that
    /// has both.
    ///
    /// # Errors
    /// [`Error::Input`] for an index that is too high (with the number of classes), a number that is the index of one class and the
    /// name of another, a name that several classes have (with their indices), or an unknown name (with similar ones).
    ///
    /// ```
    /// let labels = protogpu::labels::Labels::imagenet();
    /// assert_eq!(labels.find("207")?, 207);
    /// assert_eq!(labels.find("n02099601")?, 207);
    /// assert_eq!(labels.find("Golden_Retriever")?, 207);
    /// // The garment and the dog.
    /// assert_eq!((labels.find("cardigan")?, labels.find("Cardigan")?), (474, 264));
    /// assert!(labels.find("CARDIGAN").is_err());
    /// # Ok::<(), protogpu::Error>(())
    /// ```
    pub fn find(&self, query: &str) -> Result<usize> {
        let query = query.trim();
        if query.is_empty() {
            return Err(Error::input("the class is empty: give an index, a WordNet id or a name"));
        }
        if query.bytes().all(|b| b.is_ascii_digit()) {
            return match (self.at(query), self.named(query)) {
                (Ok(index), Some(named)) if index != named => Err(self.index_or_name(query, index, named)),
                (Err(_), Some(named)) => Ok(named),
                (at, _) => at,
            };
        }
        let spoken = folded(query);
        let ways: [&dyn Fn(&Label) -> bool; 3] = [
            &|class| class.name == query,
            &|class| class.wnid.as_ref().is_some_and(|wnid| wnid.eq_ignore_ascii_case(query)),
            &|class| folded(&class.name) == spoken,
        ];
        for way in ways {
            let found: Vec<_> = (0..self.len()).filter(|&index| way(&self.classes[index])).collect();
            match found[..] {
                [] => {}
                [index] => return Ok(index),
                _ => return Err(self.ambiguous(query, &found)),
            }
        }
        let both = query.split_once('_').and_then(|(index, name)| Some((self.at(index).ok()?, name)));
        match both {
            Some((index, name)) if self.is_called(index, name) => Ok(index),
            _ => Err(self.unknown(query)),
        }
    }

    /// The class with the index that these digits are.
    ///
    /// # Errors
    /// If it is too high.
    pub(crate) fn at(&self, digits: &str) -> Result<usize> {
        // A number with too many digits is too high an index as well.
        digits.parse().ok().filter(|&index| index < self.len()).ok_or_else(|| self.out_of_range(digits))
    }

    /// The class with exactly this name, if there is one only.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        let mut found = (0..self.len()).filter(|&index| self.classes[index].name == name);
        found.next().filter(|_| found.next().is_none())
    }

    /// Whether a class has this name, without regard to case and to the difference between spaces, `_` and `-`.
    pub(crate) fn is_called(&self, index: usize, name: &str) -> bool {
        folded(self.name(index)) == folded(name)
    }

    /// Whether a class has a name of its own.
    pub(crate) fn are_named(&self) -> bool {
        self.classes.iter().enumerate().any(|(index, class)| class.name != numbered_name(index))
    }

    /// A folder name for class `index`: 1 to 64 lower-case ASCII letters, digits and `_`, safe on every system.
    /// Two classes may share it, so put the index before it.
    pub fn slug(&self, index: usize) -> String {
        let name = self.get(index).map_or("", |class| &class.name);
        let mut slug = String::new();
        for c in name.chars() {
            if slug.len() == MAX_SLUG_BYTES {
                break;
            }
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('_') {
                slug.push('_');
            }
        }
        slug.truncate(slug.trim_end_matches('_').len());
        if slug.is_empty() || is_windows_device(&slug) { format!("class_{index}") } else { slug }
    }

    fn out_of_range(&self, query: &str) -> Error {
        let (query, len) = (shown(query), self.len());
        Error::input(match len.checked_sub(1) {
            Some(last) => format!("there is no class {query}: there are {len} classes, 0 to {last}"),
            None => format!("there is no class {query}: there are no classes"),
        })
    }

    fn index_or_name(&self, query: &str, index: usize, named: usize) -> Error {
        let [first, second] = [index, named].map(|class| format!("{class}_{}", self.slug(class)));
        Error::input(format!("{query} is the index of one class and the name of another: write {first} or {second}"))
    }

    fn ambiguous(&self, query: &str, found: &[usize]) -> Error {
        const AT_MOST: usize = 10;
        let mut list = self.listed(&found[..found.len().min(AT_MOST)]);
        if found.len() > AT_MOST {
            list.push_str(&format!(" and {} more", found.len() - AT_MOST));
        }
        Error::input(format!("`{}` is the name of {} classes: {list}; give the index", shown(query), found.len()))
    }

    fn unknown(&self, query: &str) -> Error {
        let names = self.classes.iter().zip(0..).map(|(class, index)| (class.name.as_str(), index));
        let similar: Vec<usize> = near_misses(query, names).into_iter().map(|(_, index)| index).collect();
        let query = shown(query);
        if similar.is_empty() {
            const AT_MOST: usize = 20;
            let count = self.len();
            let them = if count <= AT_MOST {
                self.listed(&(0..count).collect::<Vec<_>>())
            } else {
                format!("an index from 0 to {}, a WordNet id or a name", count - 1)
            };
            return Error::input(format!("none of the {count} classes is called `{query}`: give {them}"));
        }
        Error::input(format!("no class is called `{query}`; did you mean {}?", self.listed(&similar)))
    }

    /// `474 (cardigan), 264 (Cardigan)`
    fn listed(&self, indices: &[usize]) -> String {
        let listed: Vec<_> = indices.iter().map(|&index| format!("{index} ({})", shown(self.name(index)))).collect();
        listed.join(", ")
    }
}

/// The name of a class without one.
pub(crate) fn numbered_name(index: usize) -> String {
    format!("class {index}")
}

/// Lower case, with each run of spaces, `_` and `-` replaced by one character.
fn folded(name: &str) -> String {
    let lower = name.to_lowercase();
    lower.split([' ', '_', '-']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether Windows takes the name for a device in any folder: `con`, `com1`, ...
fn is_windows_device(slug: &str) -> bool {
    matches!(slug, "con" | "prn" | "aux" | "nul")
        || matches!(slug.as_bytes(), [b'c', b'o', b'm', b'0'..=b'9'] | [b'l', b'p', b't', b'0'..=b'9'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Labels {
        Labels::from_names(names.iter().map(|name| name.to_string()).collect()).unwrap()
    }

    fn error<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn imagenet_is_in_torchvisions_order() {
        let labels = Labels::imagenet();
        assert_eq!(labels.len(), 1000);
        for (index, wnid, name) in
            [(0, "n01440764", "tench"), (639, "n03710721", "maillot tank suit"), (999, "n15075141", "toilet tissue")]
        {
            assert_eq!(labels.get(index), Some(&Label { wnid: Some(wnid.into()), name: name.into() }));
        }
        assert_eq!(labels.get(1000), None);
        let slugs: std::collections::BTreeSet<_> = (0..1000).map(|index| labels.slug(index)).collect();
        // The dog and the garment share one.
        assert_eq!(slugs.len(), 999);
    }

    #[test]
    fn classes_are_found_by_index_id_and_name() {
        let labels = Labels::imagenet();
        for (query, index) in [
            (" 134 ", 134),
            ("0134", 134),
            ("N02012849", 134),
            ("crane bird", 134),
            ("Crane-BIRD", 134),
            ("_crane__bird_", 134),
            ("crane", 517),
            ("cardigan", 474),
            ("Cardigan", 264),
        ] {
            assert_eq!(labels.find(query).unwrap(), index, "{query}");
        }
    }

    #[test]
    fn what_is_not_found_is_explained() {
        let labels = Labels::imagenet();
        assert_eq!(error(labels.find("1000")), "there is no class 1000: there are 1000 classes, 0 to 999");
        assert!(error(labels.find("99999999999999999999999")).contains("there are 1000 classes"));
        assert_eq!(
            error(labels.find("CARDIGAN")),
            "`CARDIGAN` is the name of 2 classes: 264 (Cardigan), 474 (cardigan); give the index"
        );
        let message = error(labels.find("goldn retriever"));
        assert!(
            message.starts_with("no class is called `goldn retriever`; did you mean 207 (golden retriever)"),
            "{message}"
        );
        assert_eq!(
            error(labels.find("qqqqq\u{1b}[2J")),
            "none of the 1000 classes is called `qqqqq\\u{1b}[2J`: give an index from 0 to 999, a WordNet id or a name"
        );
        assert!(error(labels.find(" ")).contains("the class is empty"));
        assert!(error(labels.find(&"long ".repeat(100_000))).len() < 200);
        assert!(error(Labels::numbered(0).find("0")).contains("no classes"));
        let many = super::Labels::from_names(vec!["same".into(); 12]).unwrap();
        assert!(error(many.find("same")).contains("9 (same) and 2 more; give the index"));
    }

    #[test]
    fn numbers_that_are_names_are_not_guessed() {
        let labels = labels(&["1", "2", "3", "10"]);
        let message = error(labels.find("3"));
        assert_eq!(message, "3 is the index of one class and the name of another: write 3_10 or 2_3");
        assert_eq!((labels.find("3_10").unwrap(), labels.find("2_3").unwrap()), (3, 2));
        assert_eq!((labels.find("10").unwrap(), labels.find("0").unwrap()), (3, 0));
        assert!(error(labels.find("4")).contains("there is no class 4"));
        // Both readings agree.
        assert_eq!(self::labels(&["0", "1"]).find("1").unwrap(), 1);
        assert_eq!(Labels::imagenet().find("574_Golf_ball").unwrap(), 574);
        assert!(Labels::imagenet().find("573_golf_ball").is_err());
    }

    #[test]
    fn files_in_both_forms() {
        let folder = tempfile::tempdir().unwrap();
        let read = |content: &[u8]| {
            let path = folder.path().join("labels");
            std::fs::write(&path, content).unwrap();
            Labels::from_file(&path)
        };
        assert_eq!(read(b"\xef\xbb\xbfcat\r\n a dog \r\n\r\n").unwrap(), labels(&["cat", "a dog"]));
        let tabbed = read(b"1\tn2\tdog\n0\t\tcat\n").unwrap();
        assert_eq!(tabbed.get(0), Some(&Label { wnid: None, name: "cat".into() }));
        assert_eq!(tabbed.get(1), Some(&Label { wnid: Some("n2".into()), name: "dog".into() }));

        for (content, expected) in [
            (&b"cat\n\ndog"[..], "line 2: the name is empty"),
            (b"cat\nd\x07g", "line 2: the name has control characters"),
            (b"cat\ndog\n\xff", "line 3 is not UTF-8 text"),
            (b"0\tn1\tcat\nn2\tdog", "line 2: 2 columns, but the first line has 3"),
            (b"0\tn1\tcat\n2\tn2\tdog", "`2` is not an index below the number of labels, 2"),
            (b"0\tn1\tcat\n0\tn2\tdog", "index 0 occurs twice"),
            (b"0\tn1\tcat\n1\tn2\t ", "line 2: 2 columns"),
            (b" \n\n", "has no labels"),
            (&vec![b'a'; 3 << 20], "is larger than 2097152 bytes"),
        ] {
            let message = error(read(content));
            assert!(message.contains("labels: ") && message.contains(expected), "{message}");
        }
        assert!(error(Labels::from_file(folder.path().join("none"))).contains("cannot read"));
        assert!(error(Labels::from_names(vec![])).contains("no label"));
        assert!(error(Labels::from_names(vec!["a".into(), "".into()])).contains("label 1 is empty"));
    }

    #[test]
    fn slugs_are_safe_folder_names() {
        let long = "very ".repeat(100);
        let labels = labels(&[
            "Black-and-Tan  Coonhound",
            "../../etc/passwd",
            "..",
            "日本",
            "CON",
            "lpt1",
            "Ångström",
            &long,
            "C:\\x",
        ]);
        let slugs: Vec<_> = (0..10).map(|index| labels.slug(index)).collect();
        assert_eq!(
            slugs[..7],
            ["black_and_tan_coonhound", "etc_passwd", "class_2", "class_3", "class_4", "class_5", "ngstr_m"]
        );
        assert_eq!((slugs[7].len(), &slugs[7][59..]), (64, "_very"));
        assert_eq!(slugs[8..], ["c_x", "class_9"]);
    }
}
