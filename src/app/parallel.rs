//! One function over many items on all cores, answers in the items' order.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `work` on every item. `alone` says that a second thread would cost more
/// than it saves; a single item never gets one.
///
/// Threads take the next item as they become free, so that one large file does
/// not keep the others waiting.
pub fn map<T: Sync, R: Send>(items: &[T], alone: bool, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = if alone || items.len() < 2 { 1 } else { cores().min(items.len()) };
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        let mut answers = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            answers.push((index, work(item)));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut answers);
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that cannot be had leaves its share to the others.
            let _ = thread::Builder::new().spawn_scoped(scope, run);
        }
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, answer)| answer).collect()
}

/// Cores that this process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_the_order() {
        for count in [0, 1, 2, 3, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let expected: Vec<usize> = items.iter().map(|item| item * 2).collect();
            for alone in [true, false] {
                let answers = map(&items, alone, |item| {
                    if item % 7 == 0 {
                        thread::yield_now();
                    }
                    item * 2
                });
                assert_eq!(answers, expected);
            }
        }
    }

    #[test]
    fn alone_means_the_calling_thread() {
        let here = thread::current().id();
        assert!(map(&[1, 2, 3], true, |_| thread::current().id()).iter().all(|id| *id == here));
        assert_eq!(map(&[1], false, |_| thread::current().id()), [here]);
    }
}
