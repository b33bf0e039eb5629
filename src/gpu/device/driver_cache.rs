//! What a driver compiled, kept from one process to the next where the driver hands it out.

use sha2::{Digest, Sha256};

use super::errors::checked;
use super::{Context, describe_adapter};
use crate::error::{Error, Result};

/// Bytes of the checksum that kept data begins with.
const SEAL_BYTES: usize = 32;

/// What a device compiles is collected here.
#[derive(Debug)]
pub(super) struct DriverCache {
    pub(super) cache: wgpu::PipelineCache,
    /// How long the driver's data was with what it took; `None` if there was nothing to take.
    begun_bytes: Option<usize>,
}

impl Context {
    /// Adapter, driver and version of the crate: kept data is for this key only. `None` where nothing can be kept.
    pub fn pipelines_key(&self) -> Option<String> {
        let info = self.info();
        let key = wgpu::util::pipeline_cache_key(info)?;
        let offered = self.device().features().contains(wgpu::Features::PIPELINE_CACHE);
        offered.then(|| format!("{key}, {}, protogpu {}", describe_adapter(info), env!("CARGO_PKG_VERSION")))
    }

    /// Collects what the driver compiles from now on, beyond what [`Context::pipelines`] gave in another process; `kept` is
    /// empty the first time. Does nothing where nothing can be kept, nor when called again.
    ///
    /// # Safety
    /// Drivers trust this data. Its checksum tells what is damaged, cut off or of another key, but no forgery: `kept` must
    /// come from where only those write who may run code here.
    ///
    /// # Errors
    /// If `kept` is not what was given for this key; it is then left out.
    pub unsafe fn keep_pipelines(&self, kept: &[u8]) -> Result<()> {
        let Some(key) = self.pipelines_key().filter(|_| self.inner.driver_cache.get().is_none()) else { return Ok(()) };
        let unsealed = if kept.is_empty() { Ok(None) } else { unseal(&key, kept).map(Some) };
        let data = unsealed.as_ref().ok().copied().flatten();
        let descriptor = wgpu::PipelineCacheDescriptor { label: Some("protogpu"), data, fallback: true };
        // SAFETY: the checksum is that of data which this driver gave to this version of the crate, and the caller vouches
        // that nobody forged it.
        let create = || unsafe { self.device().create_pipeline_cache(&descriptor) };
        let cache = checked(self.device(), "handing kept pipelines to the driver", create)?;
        // What the driver did not take, being another build of the same version say, is not in it any more.
        let begun_bytes = data.and_then(|_| cache.get_data()).map(|data| data.len());
        let _ = self.inner.driver_cache.set(DriverCache { cache, begun_bytes });
        unsealed.map(|_| ())
    }

    /// What the driver compiled, for [`Context::keep_pipelines`] of another process; `None` if that is nothing new.
    pub fn pipelines(&self) -> Option<Vec<u8>> {
        let kept = self.inner.driver_cache.get().filter(|_| !self.inner.pipelines.is_empty())?;
        let data = kept.cache.get_data().filter(|data| Some(data.len()) != kept.begun_bytes)?;
        Some(seal(&self.pipelines_key()?, &data))
    }
}

fn checksum(key: &str, data: &[u8]) -> [u8; SEAL_BYTES] {
    Sha256::new().chain_update(key).chain_update([0]).chain_update(data).finalize().into()
}

fn seal(key: &str, data: &[u8]) -> Vec<u8> {
    [&checksum(key, data)[..], data].concat()
}

/// The data, if it is what was sealed for this key.
fn unseal<'a>(key: &str, kept: &'a [u8]) -> Result<&'a [u8]> {
    let found = kept.split_first_chunk().filter(|(seal, data)| **seal == checksum(key, data));
    let wrong = || Error::input("the kept pipelines are damaged, or of another adapter, driver or version");
    found.map(|(_, data)| data).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_for_a_key_is_given_out() {
        for data in [&b"compiled"[..], b""] {
            let kept = seal("adapter", data);
            assert_eq!(unseal("adapter", &kept).unwrap(), data);
            let refused = |kept: &[u8], key: &str| {
                let error = unseal(key, kept).unwrap_err();
                assert!(error.is_input() && error.to_string().contains("damaged"), "{error}");
            };
            refused(&kept, "another adapter");
            (0..kept.len()).for_each(|end| refused(&kept[..end], "adapter"));
            refused(&[&kept[..], b"x"].concat(), "adapter");
            for at in 0..kept.len() {
                let mut damaged = kept.clone();
                damaged[at] ^= 1;
                refused(&damaged, "adapter");
            }
        }
        // Where the key ends is part of the checksum.
        assert_ne!(seal("a", b"b"), seal("ab", b""));
    }

    #[test]
    fn a_device_without_them_keeps_none() {
        let context = Context::noop();
        // SAFETY: nothing is handed over.
        unsafe { context.keep_pipelines(b"") }.unwrap();
        assert!(context.pipelines_key().is_none() && context.pipelines().is_none());
    }
}
