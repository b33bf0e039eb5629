//! Folders of natural images, one per class.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::find::Found;
use super::numbers::Reading;
use crate::error::{Error, Result};
use crate::labels::Labels;

/// `DIR/<class>/*`: natural images, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageFolder {
    root: PathBuf,
    classes: BTreeMap<usize, Vec<PathBuf>>,
    skipped: Vec<String>,
    left_out: Vec<String>,
    notes: Vec<String>,
}

impl ImageFolder {
    /// Finds the images of every class in the folders of `root`. A folder's name is the class's index, alone or followed by
    /// `_`, `-` or a space and any text (`574_golf_ball`), its WordNet id or its name. Subfolders of a class folder are
    /// searched too. What belongs to no class is [`ImageFolder::skipped`].
    ///
    /// # Errors
    /// If `root` cannot be read or has no class folder, or it is not clear which classes its folders mean.
    pub(crate) fn open(root: impl AsRef<Path>, labels: &Labels) -> Result<Self> {
        let root = root.as_ref();
        let (mut folders, mut loose) = (Vec::new(), Found::default());
        for entry in std::fs::read_dir(root).map_err(Error::io("read", root))? {
            let path = entry.map_err(Error::io("read", root))?.path();
            if path.is_dir() {
                folders.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path));
            } else {
                loose.add_file(path);
            }
        }
        folders.sort();
        let is_number = |name: &&str| name.bytes().all(|byte| byte.is_ascii_digit());
        let numbers: Vec<&str> = folders.iter().map(|(name, _)| name.as_str()).filter(is_number).collect();
        let (reading, note) = Reading::of(&numbers, root, labels)?;
        let (mut classes, mut skipped) = (BTreeMap::<usize, Vec<PathBuf>>::new(), Vec::new());
        let mut foreign = Found::default();
        for (name, folder) in &folders {
            match class_of(name, reading, labels) {
                Ok(class) => {
                    let mut of_class = Found::default();
                    of_class.add(folder)?;
                    let pictures = classes.entry(class).or_default();
                    pictures.append(&mut of_class.paths);
                    pictures.sort();
                    foreign.leave_out(of_class);
                }
                Err(why) => skipped.push(format!("{}: {why}", folder.display())),
            }
        }
        if let Some(first) = loose.paths.iter().min() {
            let (count, first) = (loose.paths.len(), first.display());
            let are = if count == 1 { "picture is" } else { "pictures are" };
            skipped.push(format!("{count} {are} in no class folder, such as {first}"));
        }
        foreign.leave_out(loose);
        let left_out = foreign.left_out();
        skipped.extend_from_slice(&left_out);
        let found = Self { root: root.to_owned(), classes, skipped, left_out, notes: note.into_iter().collect() };
        if found.classes.is_empty() {
            let why =
                found.skipped.first().map_or("it contains no folders".to_owned(), |first| format!("such as {first}"));
            return Err(Error::input(format!(
                "{} has no class folders ({why}); put the images of each class in a folder named by the class's index, \
                     WordNet id or name, such as {}_{}",
                root.display(),
                labels.len() - 1,
                labels.slug(labels.len() - 1)
            )));
        }
        Ok(found)
    }

    /// The folder that contains the class folders.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The classes that have a folder, in order.
    pub(crate) fn classes(&self) -> impl Iterator<Item = usize> {
        self.classes.keys().copied()
    }

    /// The images of a class, sorted by path; empty if it has none.
    pub(crate) fn pictures(&self, class: usize) -> &[PathBuf] {
        self.classes.get(&class).map_or(&[], Vec::as_slice)
    }

    /// What is left out, with the reasons: folders and images that belong to no class, and images that are not read.
    pub(crate) fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// The images of classes that are not read: a sentence for each format.
    pub(crate) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// How the folder was read, if a person may have meant it otherwise.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The path relative to the root, with `/` as the separator, for records.
    pub(crate) fn relative(&self, path: &Path) -> String {
        relative(&self.root, path)
    }
}

/// The path relative to a folder, with `/` as the separator, for records.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    inner.iter().map(OsStr::to_string_lossy).collect::<Vec<_>>().join("/")
}

/// The class that a folder's name denotes, or the reason why it denotes none.
fn class_of(name: &str, numbers: Reading, labels: &Labels) -> std::result::Result<usize, String> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = name.split_at(digits);
    // A class may be called `3d printer`, so digits are an index only if they end like a word.
    if digits == 0 || !(rest.is_empty() || rest.starts_with(['_', '-', ' '])) {
        return labels.find(name).map_err(|error| error.to_string());
    }
    if let (true, Reading::Names, Some(class)) = (rest.is_empty(), numbers, labels.named(number)) {
        return Ok(class);
    }
    let class = labels.at(number).map_err(|error| error.to_string())?;
    let rest = rest.trim_start_matches(['_', '-', ' ']);
    // Otherwise a data set with other indices would be mistaken for this network's classes.
    match labels.find(rest) {
        Ok(other) if other != class && !rest.is_empty() && !labels.is_called(class, rest) => {
            Err(format!("its index means {}, but its name means class {other}", labels.name(class)))
        }
        _ => Ok(class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
            for picture in ["b.PNG", "a.jpg", "notes.txt"] {
                std::fs::write(root.path().join(name).join(picture), "").unwrap();
            }
        }
        root
    }

    #[test]
    fn folders_are_found_by_index_wnid_and_name() {
        let names =
            ["000_tench", "574", "n03394916", "church", "Gas_Pump", "1000_more", "1_tench", "cats", "0_x/deeper"];
        let root = folders(&names);
        let found = ImageFolder::open(root.path(), &Labels::imagenet()).unwrap();
        assert_eq!(found.classes().collect::<Vec<_>>(), [0, 497, 566, 571, 574]);
        let tench: Vec<String> = found.pictures(0).iter().map(|path| found.relative(path)).collect();
        assert_eq!(tench, ["000_tench/a.jpg", "000_tench/b.PNG", "0_x/deeper/a.jpg", "0_x/deeper/b.PNG"]);
        assert!(found.pictures(1).is_empty());
        let ignored: Vec<&str> = found.skipped().iter().map(|line| line.rsplit('/').next().unwrap()).collect();
        assert_eq!(ignored.len(), 3, "{ignored:?}");
        assert!(ignored[0].starts_with("1000_more: there is no class 1000"), "{ignored:?}");
        assert_eq!(ignored[1], "1_tench: its index means goldfish, but its name means class 0");
        assert!(ignored[2].starts_with("cats: no class"), "{ignored:?}");
    }

    #[test]
    fn a_folder_without_classes_says_what_it_wants() {
        let root = folders(&["cats"]);
        let error = ImageFolder::open(root.path(), &Labels::numbered(3)).unwrap_err();
        assert!(error.is_input() && error.to_string().contains("such as 2_class_2"), "{error}");
        let error = ImageFolder::open(root.path().join("none"), &Labels::numbered(3)).unwrap_err();
        assert!(error.is_input(), "{error}");
    }

    #[test]
    fn numbers_in_the_order_of_text_are_read_as_names() {
        let root = folders(&["1", "10", "2"]);
        let labels = Labels::from_names(["1", "10", "2"].map(str::to_owned).to_vec()).unwrap();
        let found = ImageFolder::open(root.path(), &labels).unwrap();
        let first = |class: usize| found.relative(&found.pictures(class)[0]);
        assert_eq!([first(0), first(1), first(2)], ["1/a.jpg", "10/a.jpg", "2/a.jpg"]);
        assert_eq!(found.notes().len(), 1);
        // The cure of the error for a class that is asked for by such a number.
        let root = folders(&["0_1", "1_10"]);
        let found = ImageFolder::open(root.path(), &labels).unwrap();
        assert_eq!(found.classes().collect::<Vec<_>>(), [0, 1]);
        let error = ImageFolder::open(folders(&["0", "3"]).path(), &labels).unwrap_err();
        assert!(error.is_input() && error.to_string().contains("such as 0_1"), "{error}");
    }

    #[test]
    fn pictures_that_are_left_out_are_counted() {
        let root = folders(&["0"]);
        for name in ["0/a.heic", "0/b.heic"] {
            std::fs::write(root.path().join(name), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
        }
        std::fs::write(root.path().join("loose.png"), "").unwrap();
        let found = ImageFolder::open(root.path(), &Labels::numbered(3)).unwrap();
        assert_eq!(found.pictures(0).len(), 2);
        assert_eq!(found.left_out().len(), 1);
        let [loose, heic] = found.skipped() else { panic!("{:?}", found.skipped()) };
        assert!(loose.starts_with("1 picture is in no class folder, such as "), "{loose}");
        assert!(heic.starts_with("2 HEIC pictures are not read, such as "), "{heic}");
    }
}
