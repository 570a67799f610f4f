//! A progress bar for batches: drawn on standard error, only if that is a
//! terminal, and only when the batch has already taken a second.
#![expect(clippy::disallowed_methods, reason = "the home of the progress bar")]

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::ports::Progress;

/// Batches shorter than this show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Redraws a second.
const REFRESH: u8 = 10;

/// A bar on the terminal.
#[derive(Debug, Default)]
pub struct TerminalProgress {
    batch: Mutex<Option<Batch>>,
}

#[derive(Debug)]
struct Batch {
    began: Instant,
    total: usize,
    done: usize,
    bar: Option<ProgressBar>,
}

impl TerminalProgress {
    fn with_batch(&self, change: impl FnOnce(&mut Option<Batch>)) {
        change(&mut self.batch.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Runs `work` while no bar is drawn, for what else is to be seen on the terminal.
    pub(super) fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        let batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        match batch.as_ref().and_then(|batch| batch.bar.as_ref()) {
            Some(bar) => bar.suspend(work),
            None => work(),
        }
    }
}

impl Progress for TerminalProgress {
    fn start(&self, total: usize) {
        if std::io::stderr().is_terminal() {
            self.with_batch(|batch| {
                *batch = Some(Batch { began: Instant::now(), total, done: 0, bar: None });
            });
        }
    }

    fn step(&self) {
        self.with_batch(|batch| {
            if let Some(batch) = batch {
                batch.done += 1;
                if batch.bar.is_none() && batch.began.elapsed() >= PATIENCE {
                    batch.bar = Some(bar(batch.total));
                }
                if let Some(bar) = &batch.bar {
                    bar.set_position(u64::try_from(batch.done).unwrap_or(u64::MAX));
                }
            }
        });
    }

    fn finish(&self) {
        self.with_batch(|batch| {
            if let Some(bar) = batch.take().and_then(|batch| batch.bar) {
                bar.finish_and_clear();
            }
        });
    }
}

fn bar(total: usize) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(REFRESH);
    let bar = ProgressBar::with_draw_target(u64::try_from(total).ok(), target);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} files, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
