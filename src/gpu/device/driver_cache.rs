//! Keeps the code that a driver compiled from one process to the next, if the driver hands it out.

use sha2::{Digest, Sha256};

use super::errors::checked;
use crate::error::{Error, Result};

/// The length of the checksum at the beginning of kept data, in bytes.
const SEAL_BYTES: usize = 32;

/// Collects the code that a device compiles.
#[derive(Debug)]
pub(super) struct DriverCache {
    pub(super) cache: wgpu::PipelineCache,
    /// The length of the driver's data after it took the kept data; `None` if there was none to take.
    begun_bytes: Option<usize>,
}

impl DriverCache {
    /// Gives the driver the data kept for this key, if there is any, and lets it collect compiled code from now on. The second part
    /// of the result is an error if the data cannot be used.
    ///
    /// # Safety
    /// Nobody forged the data.
    pub(super) unsafe fn begin(device: &wgpu::Device, key: &str, kept: &[u8]) -> Result<(Self, Result<()>)> {
        let unsealed = if kept.is_empty() { Ok(None) } else { unseal(key, kept).map(Some) };
        let data = unsealed.as_ref().ok().copied().flatten();
        let descriptor = wgpu::PipelineCacheDescriptor { label: Some("protogpu"), data, fallback: true };
        // SAFETY: the checksum shows that this driver gave the data to this version of the crate, and the caller guarantees that
        // nobody forged it.
        let create = || unsafe { device.create_pipeline_cache(&descriptor) };
        let cache = checked(device, "handing kept pipelines to the driver", create)?;
        // The driver drops data that it does not accept, such as that of another build of the same version.
        let begun_bytes = data.and_then(|_| cache.get_data()).map(|data| data.len());
        Ok((Self { cache, begun_bytes }, unsealed.map(|_| ())))
    }

    /// The compiled code, sealed for a key; `None` if there is nothing new.
    pub(super) fn sealed(&self, key: &str) -> Option<Vec<u8>> {
        let data = self.cache.get_data().filter(|data| Some(data.len()) != self.begun_bytes)?;
        Some(seal(key, &data))
    }
}

fn checksum(key: &str, data: &[u8]) -> [u8; SEAL_BYTES] {
    Sha256::new().chain_update(key).chain_update([0]).chain_update(data).finalize().into()
}

fn seal(key: &str, data: &[u8]) -> Vec<u8> {
    [&checksum(key, data)[..], data].concat()
}

/// The data, if it was sealed for this key.
fn unseal<'a>(key: &str, kept: &'a [u8]) -> Result<&'a [u8]> {
    let found = kept.split_first_chunk().filter(|(seal, data)| **seal == checksum(key, data));
    let wrong = || Error::input("the kept pipelines are damaged, or of another adapter, driver or version");
    found.map(|(_, data)| data).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Context;

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
        // The length of the key is part of the checksum.
        assert_ne!(seal("a", b"b"), seal("ab", b""));
    }

    #[test]
    fn a_device_without_them_keeps_none() {
        let context = Context::noop();
        // SAFETY: there is no data.
        unsafe { context.keep_pipelines(b"") }.unwrap();
        assert!(context.pipelines_key().is_none() && context.pipelines().is_none());
    }
}
