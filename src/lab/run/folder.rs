//! A prototype's folder: its files, and the order in which they are written.
//!
//! Every file is written under a temporary name and renamed. `run.json` is removed first and written last: if it exists, the run is
//! complete and the other files belong to it. If it does not, `checkpoint.safetensors` says how far the run came. So a process may be
//! killed at any moment.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::atomic::write_atomically;
use crate::bounded::read_at_most;
use crate::method::Checkpoint;
use crate::picture::read;
use crate::{Error, Result};
use image::RgbImage;

use crate::lab::disk::{files_in, remove, remove_leftovers};

const CHECKPOINT: &str = "checkpoint.safetensors";
pub(crate) const RECORD: &str = "run.json";
pub(crate) const PICTURE: &str = "prototype.png";
pub(crate) const PIXELS: &str = "prototype.safetensors";
const SNAPSHOTS: &str = "snapshots";
/// Frames, until the animation is written.
const FRAMES: &str = "frames";
pub(crate) const ANIMATION: &str = "prototype.apng";
/// What judges say about the prototype.
pub(crate) const JUDGES: &str = "judges.json";
/// The reason for a failure. The next attempt removes it.
pub(crate) const FAILED: &str = "failed.txt";

/// The largest frame that is read.
const MAX_FRAME_BYTES: u64 = 64 << 20;
/// The longest checkpoint that is read, far longer than that of the longest run.
const MAX_CHECKPOINT_BYTES: u64 = 1 << 30;

/// What to do if a folder exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Refuse to touch it.
    Refuse,
    /// Continue from its checkpoint.
    Resume,
    /// Start again and replace its files.
    Replace,
}

impl Existing {
    /// From two flags that exclude each other.
    pub(crate) fn of(resume: bool, force: bool) -> Self {
        match (resume, force) {
            (true, _) => Self::Resume,
            (_, true) => Self::Replace,
            _ => Self::Refuse,
        }
    }
}

/// How far a prototype has come.
pub(crate) enum State {
    /// There is nothing to continue from.
    Empty,
    /// There is a checkpoint to continue from, possibly of the last step.
    InProgress(Box<Checkpoint>),
    /// All files are written.
    Finished,
}

/// The files of a finished prototype besides its checkpoint.
#[derive(Default)]
pub(crate) struct Results {
    /// The image as a PNG file.
    pub(crate) png: Vec<u8>,
    /// The image as a safetensors file of floats.
    pub(crate) pixels: Vec<u8>,
    /// The animation as an animated PNG file.
    pub(crate) animation: Option<Vec<u8>>,
    /// `run.json`.
    pub(crate) record: String,
}

/// The folder of one prototype, which need not exist.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    existing: Existing,
    begun: bool,
}

impl Folder {
    /// `OUT/<slug>_seed<S>`. The slug of a class begins with its index.
    pub(crate) fn new(out: &Path, slug: &str, seed: u64, existing: Existing) -> Self {
        Self { path: out.join(format!("{slug}_seed{seed}")), existing, begun: false }
    }

    /// The path of the image as PNG.
    pub(crate) fn picture(&self) -> PathBuf {
        self.path.join(PICTURE)
    }

    /// The path of the image as floats.
    pub(crate) fn pixels(&self) -> PathBuf {
        self.path.join(PIXELS)
    }

    /// The path of the animation, which exists only if one was wanted.
    pub(crate) fn animation(&self) -> PathBuf {
        self.path.join(ANIMATION)
    }

    /// The path of the record.
    pub(crate) fn record(&self) -> PathBuf {
        self.path.join(RECORD)
    }

    /// The path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder exists but must not. A folder that holds only the reason for a failure does not count.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.existing == Existing::Refuse
            && !self.path.is_file()
            && self.path.symlink_metadata().is_ok()
            && !self.holds_a_failure_alone()
    }

    fn holds_a_failure_alone(&self) -> bool {
        let mut entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten().peekable();
        entries.peek().is_some() && entries.all(|entry| entry.file_name() == FAILED)
    }

    /// The state of the prototype. `check` fails if a checkpoint does not belong to this run.
    pub(crate) fn state(&self, total_steps: u32, check: impl FnOnce(&Checkpoint) -> Result<()>) -> Result<State> {
        if self.existing != Existing::Resume {
            return Ok(State::Empty);
        }
        let file = self.path.join(CHECKPOINT);
        if !file.exists() {
            if self.path.join(RECORD).exists() {
                let path = self.path.display();
                let missing = Error::input(format!("{path} has a {RECORD} but no {CHECKPOINT} to continue from"));
                return Err(missing.advised(": start again with {force}"));
            }
            return Ok(State::Empty);
        }
        let cannot = |error: Error| {
            error.within(format!("cannot continue from {}: ", file.display())).advised(". {force} starts again")
        };
        let bytes = read_at_most(&file, MAX_CHECKPOINT_BYTES, "checkpoint")?;
        let checkpoint =
            Checkpoint::from_bytes(&bytes).and_then(|found| check(&found).map(|()| found)).map_err(cannot)?;
        let complete = [RECORD, PICTURE, PIXELS].iter().all(|name| self.path.join(name).exists());
        if complete && checkpoint.step() == total_steps {
            Ok(State::Finished)
        } else {
            Ok(State::InProgress(Box::new(checkpoint)))
        }
    }

    /// Reads again the checkpoint that [`Folder::state`] found.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint> {
        let file = self.path.join(CHECKPOINT);
        let bytes = read_at_most(&file, MAX_CHECKPOINT_BYTES, "checkpoint")?;
        Checkpoint::from_bytes(&bytes).map_err(|error| Error::input(format!("{}: {error}", file.display())))
    }

    /// Writes the state between two steps.
    pub(crate) fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.begin()?;
        write(&self.path.join(CHECKPOINT), &checkpoint.to_bytes())
    }

    /// Writes the image after a step.
    pub(crate) fn write_snapshot(&mut self, step: u32, png: &[u8]) -> Result<()> {
        self.begin()?;
        let folder = self.path.join(SNAPSHOTS);
        create_folder(&folder)?;
        write(&folder.join(format!("step_{step:06}.png")), png)
    }

    /// Writes a frame of the animation, as raw pixels: only [`Folder::read_frame`] reads them.
    pub(crate) fn write_frame(&mut self, step: u32, picture: &RgbImage) -> Result<()> {
        self.begin()?;
        let frame = self.frame(step);
        create_folder(&self.path.join(FRAMES))?;
        let [width, height] = [picture.width(), picture.height()].map(u32::to_le_bytes);
        write(&frame, &[&width[..], &height, picture.as_raw()].concat())
    }

    /// Whether there is a frame of a step.
    pub(crate) fn has_frame(&self, step: u32) -> bool {
        self.frame(step).is_file() || self.png_frame(step).is_file()
    }

    /// The frame of a step.
    pub(crate) fn read_frame(&self, step: u32) -> Result<RgbImage> {
        let path = self.frame(step);
        if !path.is_file() {
            return read(self.png_frame(step));
        }
        let bytes = read_at_most(&path, MAX_FRAME_BYTES, "frame")?;
        let extent = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let extents = extent(0).zip(extent(4));
        let picture = extents.and_then(|(width, height)| RgbImage::from_raw(width, height, bytes[8..].to_vec()));
        picture.ok_or_else(|| Error::input(format!("{} is cut short", path.display())))
    }

    fn frame(&self, step: u32) -> PathBuf {
        self.path.join(FRAMES).join(format!("step_{step:06}.rgb"))
    }

    /// Earlier versions wrote frames as PNG files.
    fn png_frame(&self, step: u32) -> PathBuf {
        self.frame(step).with_extension("png")
    }

    /// Writes the results, and the record last, because it says that the rest exists.
    pub(crate) fn finish(&mut self, results: &Results) -> Result<()> {
        self.begin()?;
        write(&self.path.join(PIXELS), &results.pixels)?;
        write(&self.path.join(PICTURE), &results.png)?;
        if let Some(animation) = &results.animation {
            write(&self.path.join(ANIMATION), animation)?;
        }
        write(&self.path.join(RECORD), results.record.as_bytes())?;
        self.clear_frames();
        Ok(())
    }

    /// Removes the frames. Ignores errors.
    pub(crate) fn clear_frames(&self) {
        let frames = self.path.join(FRAMES);
        for file in files_in(&frames, is_picture) {
            let _ = std::fs::remove_file(file);
        }
        // This fails if the folder has other files, which stay.
        let _ = std::fs::remove_dir(frames);
    }

    /// Writes the reason for a failure, if the folder can be written.
    pub(crate) fn write_failure(&mut self, why: &str) {
        let noted = self.begin().and_then(|()| write(&self.path.join(FAILED), format!("{why}\n").as_bytes()));
        // The caller reports the failure in any case.
        drop(noted);
    }

    /// Before the first write: creates the folder, and removes the files of an earlier run that must not stay.
    fn begin(&mut self) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        create_folder(self.path.parent().unwrap_or(Path::new("")))?;
        match std::fs::create_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create", &self.path)(error));
            }
            // It did not exist when the run began.
            Err(_) if self.is_in_the_way() => {
                let path = self.path.display();
                return Err(Error::input(format!(
                    "another run has made {path} in the meantime: nothing in it was replaced"
                )));
            }
            _ => self.begun = true,
        }
        remove(&self.path.join(RECORD))?;
        remove(&self.path.join(FAILED))?;
        remove(&self.path.join(ANIMATION))?;
        remove(&self.path.join(JUDGES))?;
        if self.existing == Existing::Replace {
            for name in [CHECKPOINT, PICTURE, PIXELS] {
                remove(&self.path.join(name))?;
            }
            for folder in [SNAPSHOTS, FRAMES] {
                for file in files_in(&self.path.join(folder), is_picture) {
                    remove(&file)?;
                }
            }
        }
        let folders = [&self.path, &self.path.join(SNAPSHOTS), &self.path.join(FRAMES)];
        folders.into_iter().try_for_each(|folder| remove_leftovers(folder))
    }
}

/// Refuses folders that exist but must not, all in one error.
pub(crate) fn refuse_existing<'a>(folders: impl Iterator<Item = &'a Folder>) -> Result<()> {
    const AT_MOST: usize = 5;
    let there: Vec<String> =
        folders.filter(|folder| folder.is_in_the_way()).map(|folder| folder.path.display().to_string()).collect();
    match there.as_slice() {
        [] => Ok(()),
        [one] => {
            let there = Error::input(format!("{one} exists already"));
            Err(there.advised(": {resume} continues it, {force} replaces it"))
        }
        many => {
            let more = many.len().saturating_sub(AT_MOST);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let listed = many[..many.len().min(AT_MOST)].join(", ");
            let there = Error::input(format!("these exist already: {listed}{more}"));
            Err(there.advised("; {resume} continues them, {force} replaces them"))
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |out| out.write_all(bytes))
}

fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io("create", path))
}

/// Whether a file's name is that of a frame or snapshot.
fn is_picture(name: &str) -> bool {
    name.starts_with("step_") && (name.ends_with(".png") || name.ends_with(".rgb"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{History, Settings};

    fn checkpoint(step: usize) -> Checkpoint {
        let column = || vec![0.0; step];
        Checkpoint {
            class: 1,
            settings: Settings { steps: 4, ..Settings::default() },
            weights_sha256: "ab".into(),
            statistics_sha256: None,
            input: None,
            adapter: "soft".into(),
            kernels: Default::default(),
            shape: [3, 1, 1],
            image: vec![0.5; 3],
            parameters: None,
            m: vec![0.0; 3],
            v: vec![0.0; 3],
            history: History::from_columns(
                ["loss", "loss_hf", "logit", "probability"].map(|name| (name, column())).into(),
            ),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn results() -> Results {
        Results { png: b"png".into(), pixels: b"pixels".into(), animation: None, record: "{}".into() }
    }

    fn accept(_: &Checkpoint) -> Result<()> {
        Ok(())
    }

    #[test]
    fn a_run_from_nothing_to_finished_and_on() {
        let out = tempfile::tempdir().unwrap();
        let at = |existing| Folder::new(out.path(), "1_fish", 7, existing);
        let mut folder = at(Existing::Refuse);
        assert!(!folder.is_in_the_way() && names(out.path()).is_empty());
        folder.write_checkpoint(&checkpoint(2)).unwrap();
        folder.write_snapshot(2, b"png").unwrap();
        assert_eq!(names(out.path()), ["1_fish_seed7"]);
        assert_eq!(names(folder.path()), ["checkpoint.safetensors", "snapshots"]);
        assert_eq!(names(&folder.path().join("snapshots")), ["step_000002.png"]);

        // Interrupted: refused, or gone on with.
        assert!(at(Existing::Refuse).is_in_the_way());
        let error = refuse_existing([at(Existing::Refuse)].iter()).unwrap_err().to_string();
        assert!(error.ends_with("1_fish_seed7 exists already: `resume` continues it, `force` replaces it"), "{error}");
        let mut folder = at(Existing::Resume);
        assert!(matches!(folder.state(4, accept).unwrap(), State::InProgress(found) if *found == checkpoint(2)));
        let refused = |_: &Checkpoint| Err(Error::input("lr differs"));
        let error = folder.state(4, refused).err().unwrap().to_string();
        assert!(error.contains("checkpoint.safetensors: lr differs. `force` starts again"), "{error}");

        // Finished; more steps make it unfinished again, and take the record away until they are done.
        folder.write_checkpoint(&checkpoint(4)).unwrap();
        assert!(matches!(folder.state(4, accept).unwrap(), State::InProgress(_)));
        folder.finish(&results()).unwrap();
        assert!(matches!(folder.state(4, accept).unwrap(), State::Finished));
        let mut folder = at(Existing::Resume);
        assert!(matches!(folder.state(6, accept).unwrap(), State::InProgress(_)));
        folder.write_checkpoint(&checkpoint(5)).unwrap();
        assert!(!folder.path().join(RECORD).exists());
    }

    #[test]
    fn replacing_removes_what_is_ours_and_nothing_else() {
        let out = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(out.path(), "1_fish", 7, Existing::Refuse);
        folder.write_snapshot(2, b"png").unwrap();
        folder.finish(&results()).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        std::fs::write(folder.path().join(".protogpu-x.tmp"), "half").unwrap();
        std::fs::write(folder.path().join("snapshots/.protogpu-y.tmp"), "half").unwrap();
        let mut folder = Folder::new(out.path(), "1_fish", 7, Existing::Replace);
        assert!(matches!(folder.state(4, accept).unwrap(), State::Empty));
        folder.write_checkpoint(&checkpoint(1)).unwrap();
        assert_eq!(names(folder.path()), ["checkpoint.safetensors", "notes.txt", "snapshots"]);
        assert!(names(&folder.path().join("snapshots")).is_empty());
    }

    #[test]
    fn a_folder_that_another_run_has_made_meanwhile_is_left_alone() {
        let out = tempfile::tempdir().unwrap();
        let at = || Folder::new(out.path(), "1_fish", 7, Existing::Refuse);
        let mut late = at();
        assert!(!late.is_in_the_way());
        at().write_checkpoint(&checkpoint(2)).unwrap();
        let error = late.write_checkpoint(&checkpoint(3)).unwrap_err().to_string();
        assert!(error.ends_with("1_fish_seed7 in the meantime: nothing in it was replaced"), "{error}");
        late.write_failure(&error);
        assert_eq!(names(late.path()), ["checkpoint.safetensors"]);
        assert_eq!(late.checkpoint().unwrap(), checkpoint(2));
        // One that only says why it failed is free.
        let mut failed = Folder::new(out.path(), "2_bird", 7, Existing::Refuse);
        failed.write_failure("no");
        let mut again = Folder::new(out.path(), "2_bird", 7, Existing::Refuse);
        again.write_checkpoint(&checkpoint(1)).unwrap();
        assert_eq!(names(again.path()), ["checkpoint.safetensors"]);
    }
}
