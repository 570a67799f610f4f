//! One function over many items on all cores, answers in the items' order.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::domain::secret::SecretBytes;

/// Runs `work` on every item. `alone` says that a second thread would cost more
/// than it saves; a single item never gets one.
pub fn map<T: Sync, R: Send>(items: &[T], alone: bool, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let answers: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    each(items.len(), alone, &|index| {
        let answer = work(&items[index]);
        *answers[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    });
    answers.into_iter().filter_map(|cell| cell.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Calls `work` once with every number below `count`. It knows no types, so that the
/// program holds it once.
///
/// Threads take the next item as they become free, so that one large file does
/// not keep the others waiting.
fn each(count: usize, alone: bool, work: &(dyn Fn(usize) + Sync)) {
    let threads = if alone || count < 2 { 1 } else { cores().min(count) };
    if threads < 2 {
        return (0..count).for_each(work);
    }
    // Neighbours are often files of one folder, which the system lets only one
    // thread change at a time: so every thread has its own part of the list.
    let part = count.div_ceil(threads);
    let place = |ticket: usize| ticket % threads * part + ticket / threads;
    let next = AtomicUsize::new(0);
    let run = || {
        loop {
            let ticket = next.fetch_add(1, Ordering::Relaxed);
            if ticket >= part * threads {
                break;
            }
            let index = place(ticket);
            if index < count {
                work(index);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that cannot be had leaves its share to the others.
            let _ = thread::Builder::new().spawn_scoped(scope, run);
        }
        run();
    });
}

/// Bytes of cryptography from which on a second thread earns its start.
pub const LARGE: usize = 1 << 20;

/// Makes pieces with `make` and hands each on to `take` in the same order; if
/// `large` and a thread can be had, `take` runs side by side with making the next.
/// False, and the rest is left out, when a piece cannot be made.
pub fn pass_on<'p>(
    large: bool,
    mut pieces: impl Iterator<Item = &'p mut [u8]>,
    mut make: impl FnMut(&mut [u8]) -> bool,
    mut take: impl FnMut(&[u8]) + Send,
) -> bool {
    let mut one = |piece: &'p mut [u8], take: &mut dyn FnMut(&'p [u8])| {
        let made = make(piece);
        if made {
            take(piece);
        }
        made
    };
    if !large {
        return pieces.all(|piece| one(piece, &mut take));
    }
    let take = Mutex::new(take);
    let run = |piece: &[u8]| (take.lock().unwrap_or_else(PoisonError::into_inner))(piece);
    thread::scope(|scope| {
        let (hand_on, handed) = mpsc::channel::<&'p [u8]>();
        let beside = thread::Builder::new().spawn_scoped(scope, || handed.into_iter().for_each(run));
        let alone = beside.is_err();
        pieces.all(|piece| {
            one(piece, &mut |piece| match alone {
                true => run(piece),
                // The other end lives until this one is dropped.
                false => drop(hand_on.send(piece)),
            })
        })
    })
}

/// Bytes that a thread is handed at a time.
const HANDED: usize = 256 * 1024;

/// How many such buffers are on their way at most.
const BUFFERS: usize = 16;

/// Runs `make`, which hands pieces on as it comes by them. `take` gets them in the same
/// order: at once, or, of more than [`LARGE`] bytes, as copies on a thread of its own, if
/// one can be had.
pub fn beside<R>(take: impl FnMut(&[u8]) + Send, make: impl FnOnce(&mut dyn FnMut(&[u8])) -> R) -> R {
    let take = Mutex::new(take);
    let run = |piece: &[u8]| (take.lock().unwrap_or_else(PoisonError::into_inner))(piece);
    thread::scope(|scope| {
        let start = || {
            let (full, filled) = mpsc::channel::<SecretBytes>();
            let (empty, emptied) = mpsc::channel();
            let work = move || {
                for mut buffer in filled {
                    run(&buffer);
                    buffer.as_mut_vec().clear();
                    // Nobody wants it any more when all has been made.
                    let _ = empty.send(buffer);
                }
            };
            thread::Builder::new().spawn_scoped(scope, work).ok()?;
            let buffers = 0;
            Some(Handing { full, emptied, buffers, buffer: SecretBytes::default() })
        };
        let (mut count, mut handing) = (0, None);
        let made = make(&mut |piece| {
            count += piece.len();
            if count < LARGE {
                return run(piece);
            }
            match handing.get_or_insert_with(start) {
                Some(handing) => handing.push(piece),
                None => run(piece),
            }
        });
        if let Some(Some(handing)) = handing {
            handing.finish();
        }
        made
    })
}

/// What is on its way to a thread, in buffers that come back.
struct Handing {
    full: mpsc::Sender<SecretBytes>,
    emptied: mpsc::Receiver<SecretBytes>,
    /// How many buffers there are, beside the first.
    buffers: usize,
    buffer: SecretBytes,
}

impl Handing {
    fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if self.buffer.len() == HANDED {
                let next = self.next();
                drop(self.full.send(std::mem::replace(&mut self.buffer, next)));
            }
            let buffer = self.buffer.as_mut_vec();
            buffer.reserve_exact(HANDED - buffer.len());
            let (now, rest) = piece.split_at(piece.len().min(HANDED - buffer.len()));
            buffer.extend_from_slice(now);
            piece = rest;
        }
    }

    /// An empty buffer: a new one while there are few, else one that comes back.
    fn next(&mut self) -> SecretBytes {
        if self.buffers < BUFFERS {
            self.buffers += 1;
            return SecretBytes::default();
        }
        self.emptied.recv().unwrap_or_default()
    }

    fn finish(self) {
        drop(self.full.send(self.buffer));
    }
}

/// Runs two pieces of work and returns what the first one gave; side by side if
/// `large` and a thread can be had. How many cores there are is not asked: the answer
/// stands in many files, and takes longer than a thread that turns out useless.
///
/// Whichever waits for the disk is to be the second: some systems start a thread on the
/// core that it was made on, and move it to an idle one only after milliseconds.
pub fn both<R: Send>(large: bool, first: &mut (dyn FnMut() -> R + Send), second: &mut dyn FnMut()) -> R {
    if !large {
        second();
        return first();
    }
    let first = Mutex::new(first);
    let run = || (first.lock().unwrap_or_else(PoisonError::into_inner))();
    thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, run);
        second();
        match beside {
            Ok(beside) => beside.join().unwrap_or_else(|_| run()),
            Err(_) => run(),
        }
    })
}

/// [`map`] over items that the work takes.
pub fn map_owned<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cells: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let take = |cell: &Mutex<Option<T>>| cell.lock().unwrap_or_else(PoisonError::into_inner).take();
    map(&cells, false, |cell| take(cell).map(&work)).into_iter().flatten().collect()
}

/// Cores that this process may use.
fn cores() -> usize {
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
            assert_eq!(map_owned(items, |item| item * 2), expected);
        }
    }

    #[test]
    fn what_is_made_is_taken_in_order() {
        for count in [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE + 17, (BUFFERS + 9) * HANDED] {
            let all: Vec<u8> = (0..count).map(|at| (at * 7 / 3) as u8).collect();
            for size in [4093, HANDED, 5 * HANDED / 2] {
                let mut taken = Vec::new();
                let made = beside(
                    |piece| taken.extend_from_slice(piece),
                    |take| {
                        all.chunks(size).for_each(take);
                        all.len()
                    },
                );
                assert_eq!(made, count);
                assert!(taken == all, "{count} by {size}");
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
