//! Compiling many kernels: in threads where there are any, at once where the driver itself does it beside us (the web).

use super::Context;
use super::errors::Errors;
use crate::error::Result;
use crate::gpu::shader::Kernel;

/// The kernels and whether all of them could be compiled; of several errors, the first kernel's.
type Outcome = (Vec<Kernel>, Result<()>);

#[cfg(target_arch = "wasm32")]
pub(super) fn begin(context: &Context, kernels: Vec<Kernel>) -> impl Future<Output = Outcome> + use<> {
    let mut errors = Errors::default();
    let begun = kernels.iter().try_for_each(|kernel| context.compiled().get(context, kernel, &mut errors).map(|_| ()));
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

    use super::{Context, Errors, Kernel, Outcome};
    use crate::error::{Error, Result};

    /// Drivers compile in parallel, but not without end.
    const MOST_THREADS: usize = 8;

    struct Work {
        context: Context,
        kernels: Vec<Kernel>,
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        /// The kernel that is compiled next.
        next: usize,
        /// How many are done.
        done: usize,
        /// The first that failed, by its place.
        failed: Option<(usize, Error)>,
        waker: Option<Waker>,
    }

    impl Work {
        fn state(&self) -> MutexGuard<'_, State> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Compiles one kernel after the other until none is left.
        fn run(&self) {
            while let Some(at) = self.take() {
                let mut ending =
                    Ending { work: self, at, result: Err(Error::Device("compiling a kernel panicked".into())) };
                let compiled = self.context.compiled().get(&self.context, &self.kernels[at], &mut Errors::default());
                ending.result = compiled.map(|_| ());
            }
        }

        fn take(&self) -> Option<usize> {
            let mut state = self.state();
            state.next += 1;
            Some(state.next - 1).filter(|&at| at < self.kernels.len())
        }
    }

    /// Tells what a kernel came to, whatever happens to the thread.
    struct Ending<'a> {
        work: &'a Work,
        at: usize,
        result: Result<()>,
    }

    impl Drop for Ending<'_> {
        fn drop(&mut self) {
            let mut state = self.work.state();
            state.done += 1;
            let first = state.failed.as_ref().is_none_or(|(at, _)| self.at < *at);
            if let Some(error) = std::mem::replace(&mut self.result, Ok(())).err().filter(|_| first) {
                state.failed = Some((self.at, error));
            }
            if state.done == self.work.kernels.len()
                && let Some(waker) = state.waker.take()
            {
                waker.wake();
            }
        }
    }

    pub(in super::super) fn begin(context: &Context, kernels: Vec<Kernel>) -> impl Future<Output = Outcome> + use<> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(kernels.len());
        let work = Arc::new(Work { context: context.clone(), kernels, state: Mutex::default() });
        for i in 0..threads {
            let own = Arc::clone(&work);
            let spawned = thread::Builder::new().name(format!("protogpu compile {i}")).spawn(move || own.run());
            if spawned.is_err() {
                work.run();
            }
        }
        std::future::poll_fn(move |cx| {
            let mut state = work.state();
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
