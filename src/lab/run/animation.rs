//! Animations: which steps become frames, and the file of all frames.

use super::folder::Folder;
use crate::Result;
use crate::lab::observer::{Note, Observer};
use crate::picture::animation;

/// The most frames of an animation.
const FRAMES: u32 = 60;
/// The duration of a frame, and of the last frame.
const FRAME_MS: u16 = 80;
const LAST_MS: u16 = 2000;

/// The steps after which there is a frame, from 0 to the last. They depend only on the number of steps, and their distances grow,
/// because most changes happen early.
pub(crate) fn frame_steps(total: u32) -> Vec<u32> {
    let last = u64::from(FRAMES - 1);
    let at = |frame: u64| (u64::from(total) * frame * frame / (last * last)) as u32;
    let mut steps: Vec<u32> = (0..=last).map(at).collect();
    steps.dedup();
    steps
}

/// The animation of the kept frames; `None` if there are none. A run that began without an animation lacks the first frames.
pub(crate) fn assemble(folder: &Folder, steps: &[u32], observer: &dyn Observer) -> Result<Option<Vec<u8>>> {
    let kept: Vec<u32> = steps.iter().copied().filter(|&step| folder.has_frame(step)).collect();
    let missing = steps.len() - kept.len();
    if missing > 0 {
        observer.note(Note::FramesMissing { folder: folder.path(), missing, all: steps.len() });
    }
    if kept.is_empty() {
        return Ok(None);
    }
    animation(kept.len(), FRAME_MS, LAST_MS, |at| folder.read_frame(kept[at])).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_dense_at_first_and_end_with_the_last() {
        let steps = frame_steps(512);
        assert!((45..=60).contains(&steps.len()), "{}", steps.len());
        assert_eq!((steps[..6].to_vec(), steps.last()), (vec![0, 1, 2, 3, 5, 7], Some(&512)));
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(frame_steps(3), [0, 1, 2, 3]);
        assert_eq!(frame_steps(1), [0, 1]);
        assert_eq!(frame_steps(1_000_000).len(), 60);
    }
}
