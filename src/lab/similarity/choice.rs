//! Which natural images are measured.

use std::path::{Path, PathBuf};

use crate::digest::sha256_hex;
use crate::lab::pictures::ImageFolder;

/// Which images are compared, and how.
pub(crate) struct Choice<'a> {
    pub(crate) folder: &'a ImageFolder,
    pub(crate) per_class: usize,
    pub(crate) different: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) leave_one_out: bool,
}

impl Choice<'_> {
    /// Images of the class, for the mean and to compare with it.
    pub(crate) fn same(&self, class: usize) -> Vec<PathBuf> {
        let all = self.folder.pictures(class).iter().map(|path| (class, path.clone()));
        self.drawn(class, all.collect(), self.per_class)
    }

    /// Images of all other classes.
    pub(crate) fn different(&self, class: usize) -> Vec<PathBuf> {
        let others = self.folder.classes().filter(|&other| other != class);
        let all = others.flat_map(|other| self.folder.pictures(other).iter().map(move |path| (other, path.clone())));
        self.drawn(class, all.collect(), self.different.unwrap_or_else(|| self.same(class).len()))
    }

    /// Some of the images, sorted by path: those with the smallest digests of seed, class and name. So one more image in the folder
    /// changes the selection by at most one.
    fn drawn(&self, class: usize, mut all: Vec<(usize, PathBuf)>, count: usize) -> Vec<PathBuf> {
        if all.len() > count {
            let key = |path: &Path| sha256_hex(format!("{} {class} {}", self.seed, self.folder.relative(path)));
            all.sort_by_cached_key(|(_, path)| key(path));
            all.truncate(count);
        }
        let mut paths: Vec<PathBuf> = all.into_iter().map(|(_, path)| path).collect();
        paths.sort();
        paths
    }
}
