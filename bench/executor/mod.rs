//! Runs futures on one thread: no more than a benchmark needs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

struct Task {
    ready: AtomicBool,
    thread: Thread,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.ready.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs all of them to their end, on this thread.
pub(crate) fn run<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut tasks: Vec<_> = futures
        .map(|future| {
            let task = Arc::new(Task { ready: AtomicBool::new(true), thread: std::thread::current() });
            (Box::pin(future), Waker::from(Arc::clone(&task)), task)
        })
        .collect();
    let mut outputs = Vec::new();
    while !tasks.is_empty() {
        let mut progress = false;
        tasks.retain_mut(|(future, waker, task): &mut (Pin<Box<F>>, Waker, Arc<Task>)| {
            if !task.ready.swap(false, Ordering::Acquire) {
                return true;
            }
            progress = true;
            match future.as_mut().poll(&mut Context::from_waker(waker)) {
                Poll::Ready(output) => {
                    outputs.push(output);
                    false
                }
                Poll::Pending => true,
            }
        });
        if !progress {
            std::thread::park();
        }
    }
    outputs
}
