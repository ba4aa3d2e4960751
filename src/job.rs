//! A running job and whoever started it: progress, cancelling, the clock.
//!
//! Engine code is asynchronous all the way up, because a browser can neither block on a device read nor
//! deliver a click while the worker computes. It calls [`Job::checkpoint`] between pieces of work of well
//! under a second; the host then reports progress, gives the event loop a turn, or ends the job.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde_json::Value;

/// How far a job is, in units of its own (items, token-layers, bytes).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Progress {
    /// What is being done, for people: "scoring", "attribution", ….
    pub stage: &'static str,
    /// Units done so far.
    pub done: u64,
    /// Units in all; 0 where that is not known.
    pub total: u64,
    /// Live results that belong to this moment, such as a training loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "TuneDetail | LayerEffects"))]
    pub detail: Option<Value>,
}

/// The side that started a job: a terminal, a worker, a test.
pub trait Host {
    /// Takes note of progress, where anybody wants to know.
    fn progress(&self, _: &Progress) {}
    /// Whether the user asked to stop.
    fn is_cancelled(&self) -> bool {
        false
    }
    /// Gives other events a turn where that is needed; returns at once elsewhere.
    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(std::future::ready(()))
    }
    /// A clock that only moves forward, in seconds.
    fn now_secs(&self) -> f64;
}

/// The user stopped the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// One job on behalf of a [`Host`].
#[derive(Clone, Copy)]
pub struct Job<'a> {
    host: &'a dyn Host,
}

impl<'a> Job<'a> {
    /// A job for `host`.
    pub fn new(host: &'a dyn Host) -> Self {
        Self { host }
    }

    /// Reports progress.
    pub fn progress(&self, stage: &'static str, done: usize, total: usize) {
        self.progress_with(stage, done, total, None);
    }

    /// Reports progress with live results.
    pub fn progress_with(
        &self,
        stage: &'static str,
        done: usize,
        total: usize,
        detail: Option<Value>,
    ) {
        self.host.progress(&Progress {
            stage,
            done: done as u64,
            total: total as u64,
            detail,
        });
    }

    /// Lets the host act between two pieces of work.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] when the user asked to stop.
    pub async fn checkpoint(&self) -> Result<(), Cancelled> {
        self.host.pause().await;
        if self.host.is_cancelled() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }

    /// Seconds on the host's clock.
    pub fn now_secs(&self) -> f64 {
        self.host.now_secs()
    }
}

/// A host that reports nothing and never cancels, for tests and for library use.
#[cfg(not(target_family = "wasm"))]
pub struct Silent(std::time::Instant);

#[cfg(not(target_family = "wasm"))]
impl Default for Silent {
    fn default() -> Self {
        Self(std::time::Instant::now())
    }
}

#[cfg(not(target_family = "wasm"))]
impl Host for Silent {
    fn now_secs(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// A host with a clock of the test's own.
#[cfg(test)]
pub(crate) struct Clock<F>(pub(crate) F);

#[cfg(test)]
impl<F: Fn() -> f64> Host for Clock<F> {
    fn now_secs(&self) -> f64 {
        (self.0)()
    }
}
