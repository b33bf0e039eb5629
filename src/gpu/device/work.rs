//! Compiles many kernels: in threads on native platforms, and one after the other on the web, where the driver itself works in the
//! background.

#[cfg(target_arch = "wasm32")]
use super::errors::Errors;
#[cfg(target_arch = "wasm32")]
use crate::error::Result;
#[cfg(target_arch = "wasm32")]
use crate::gpu::shader::Kernel;

/// Returns the kernels, and the error of the first one that could not be compiled.
#[cfg(target_arch = "wasm32")]
pub(super) fn begin<F>(kernels: Vec<Kernel>, compile: F) -> impl Future<Output = (Vec<Kernel>, Result<()>)> + use<F>
where
    F: Fn(&Kernel, &mut Errors) -> Result<()>,
{
    let mut errors = Errors::default();
    let begun = kernels.iter().try_for_each(|kernel| compile(kernel, &mut errors));
    async move {
        let refused = errors.finish().await;
        (kernels, begun.and(refused))
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) use threads::begin;

#[cfg(not(target_arch = "wasm32"))]
mod threads {
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::task::{Poll, Waker};
    use std::thread;

    use crate::error::{Error, Result};
    use crate::gpu::device::errors::Errors;
    use crate::gpu::shader::Kernel;

    /// The most threads: drivers do not gain from more.
    const MOST_THREADS: usize = 8;

    struct Work<F> {
        compile: F,
        kernels: Vec<Kernel>,
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        /// The index of the next kernel.
        next: usize,
        /// The number of finished kernels.
        done: usize,
        /// The index and error of the first kernel that failed.
        failed: Option<(usize, Error)>,
        waker: Option<Waker>,
    }

    impl<F: Fn(&Kernel, &mut Errors) -> Result<()>> Work<F> {
        /// Compiles one kernel after the other until none is left.
        fn run(&self) {
            while let Some(at) = self.take() {
                let mut ending = Ending {
                    state: &self.state,
                    last: self.kernels.len(),
                    at,
                    result: Err(Error::Device("compiling a kernel panicked".into())),
                };
                ending.result = (self.compile)(&self.kernels[at], &mut Errors::default());
            }
        }

        fn take(&self) -> Option<usize> {
            let mut state = lock(&self.state);
            state.next += 1;
            Some(state.next - 1).filter(|&at| at < self.kernels.len())
        }
    }

    /// Reports the result of a kernel, whatever happens to the thread.
    struct Ending<'a> {
        state: &'a Mutex<State>,
        /// The number of kernels.
        last: usize,
        at: usize,
        result: Result<()>,
    }

    impl Drop for Ending<'_> {
        fn drop(&mut self) {
            let mut state = lock(self.state);
            state.done += 1;
            let first = state.failed.as_ref().is_none_or(|(at, _)| self.at < *at);
            if let Some(error) = std::mem::replace(&mut self.result, Ok(())).err().filter(|_| first) {
                state.failed = Some((self.at, error));
            }
            if state.done == self.last
                && let Some(waker) = state.waker.take()
            {
                waker.wake();
            }
        }
    }

    fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::gpu) fn begin<F>(
        kernels: Vec<Kernel>,
        compile: F,
    ) -> impl Future<Output = (Vec<Kernel>, Result<()>)> + use<F>
    where
        F: Fn(&Kernel, &mut Errors) -> Result<()> + Send + Sync + 'static,
    {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(kernels.len());
        let work = Arc::new(Work { compile, kernels, state: Mutex::default() });
        for i in 0..threads {
            let own = Arc::clone(&work);
            let spawned = thread::Builder::new().name(format!("protogpu compile {i}")).spawn(move || own.run());
            if spawned.is_err() {
                work.run();
            }
        }
        std::future::poll_fn(move |cx| {
            let mut state = lock(&work.state);
            if state.done < work.kernels.len() {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let failed = state.failed.take();
            drop(state);
            Poll::Ready((work.kernels.clone(), failed.map_or(Ok(()), |(_, error)| Err(error))))
        })
    }
}
