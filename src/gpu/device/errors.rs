//! What a device refused, as values: collected while objects are made, awaited once when all are.

use std::pin::Pin;
use std::task::{Poll, Waker};

use crate::error::{Error, Result};

/// What an error scope comes to. On the web it is known some time later.
#[cfg(not(target_arch = "wasm32"))]
type Scope = Pin<Box<dyn Future<Output = Option<wgpu::Error>> + Send>>;
#[cfg(target_arch = "wasm32")]
type Scope = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// The error scopes of objects that were made.
#[derive(Default)]
pub(in crate::gpu) struct Errors {
    /// What was being done, and its scope, where it is not known yet whether that failed.
    open: Vec<(String, Scope)>,
}

impl Errors {
    /// Runs `make` in error scopes of its own; `doing` says what it does, for the message.
    ///
    /// # Errors
    /// If the device refused something and it is known already, as it always is on native platforms.
    pub(in crate::gpu) fn catch<T>(
        &mut self,
        device: &wgpu::Device,
        doing: &str,
        make: impl FnOnce() -> T,
    ) -> Result<T> {
        let filters = [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal];
        let scopes = filters.map(|filter| device.push_error_scope(filter));
        let made = make();
        for scope in scopes.into_iter().rev() {
            let mut scope: Scope = Box::pin(scope.pop());
            match scope.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())) {
                Poll::Ready(None) => {}
                Poll::Ready(Some(error)) => return Err(refused(doing, error)),
                Poll::Pending => self.open.push((doing.to_owned(), scope)),
            }
        }
        Ok(made)
    }

    /// Waits for what is not known yet.
    ///
    /// # Errors
    /// With the first thing that the device refused.
    pub(in crate::gpu) async fn finish(self) -> Result<()> {
        let mut first = Ok(());
        for (doing, scope) in self.open {
            let error = scope.await;
            first = first.and_then(|()| error.map_or(Ok(()), |error| Err(refused(&doing, error))));
        }
        first
    }
}

fn refused(doing: &str, error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory(format!(
            "the adapter ran out of memory while {doing}: use a smaller --batch, or close other programs"
        )),
        error => Error::Device(format!("while {doing}: {error}")),
    }
}

/// Runs `make` and turns what the device refused into an error. For objects made one at a time outside of a plan; on the web,
/// where nobody can wait for it here, what is refused shows when the object is used.
pub(in crate::gpu) fn checked<T>(device: &wgpu::Device, doing: &str, make: impl FnOnce() -> T) -> Result<T> {
    Errors::default().catch(device, doing, make)
}
