//! Errors of a device as values: collected while objects are created, awaited once when all are.

use std::pin::Pin;
use std::task::{Poll, Waker};

use crate::error::{Error, Result};

/// The result of an error scope. On the web, it arrives later.
#[cfg(not(target_arch = "wasm32"))]
type Scope = Pin<Box<dyn Future<Output = Option<wgpu::Error>> + Send>>;
#[cfg(target_arch = "wasm32")]
type Scope = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// The error scopes of created objects.
#[derive(Default)]
pub(in crate::gpu) struct Errors {
    /// For each scope without a result yet: a description of the work, and the scope.
    open: Vec<(String, Scope)>,
}

impl Errors {
    /// Runs `make` in its own error scopes; `doing` describes the work, for the message.
    ///
    /// # Errors
    /// If the device refused something, and reports it at once, as native platforms always do.
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

    /// Waits for all results.
    ///
    /// # Errors
    /// The first refusal of the device.
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
            "the adapter ran out of memory while {doing}: use a smaller batch, or close other programs"
        )),
        error => Error::Device(format!("while {doing}: {error}")),
    }
}

/// Runs `make` and turns a refusal of the device into an error. For objects that are created one at a time, outside a plan. On the
/// web, where this cannot wait, a refusal shows when the object is used.
pub(in crate::gpu) fn checked<T>(device: &wgpu::Device, doing: &str, make: impl FnOnce() -> T) -> Result<T> {
    Errors::default().catch(device, doing, make)
}
