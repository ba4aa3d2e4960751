//! The worker as a job's host.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use gloo::timers::future::TimeoutFuture;
use js_sys::Function;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};

use crate::job::{Host, Progress};

static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Sets the flag that the running job looks at.
pub fn cancel() {
    CANCELLED.store(true, Ordering::Relaxed);
}

/// Forgets an earlier cancel: another request begins. Not [`Worker::new`] does it, since a request may have been
/// cancelled before it comes to its job.
pub fn clear_cancel() {
    CANCELLED.store(false, Ordering::Relaxed);
}

/// Longest time without a turn for the event loop, in milliseconds: a cancel must get through.
const TURN_MS: f64 = 50.0;
/// Shortest time between two progress messages.
const PROGRESS_MS: f64 = 100.0;

/// One job of the worker.
pub struct Worker {
    progress: Option<Function>,
    last_turn: Cell<f64>,
    last_progress: Cell<(f64, &'static str)>,
}

impl Worker {
    /// A host that reports to a JavaScript function.
    pub fn new(progress: JsValue) -> Self {
        Self {
            progress: progress.dyn_into().ok(),
            last_turn: Cell::new(now_ms()),
            last_progress: Cell::new((0.0, "")),
        }
    }
}

impl Host for Worker {
    fn progress(&self, progress: &Progress) {
        let Some(callback) = &self.progress else {
            return;
        };
        let now = now_ms();
        let (last, stage) = self.last_progress.get();
        let is_news = progress.detail.is_some() || stage != progress.stage;
        if !is_news && now - last < PROGRESS_MS && progress.done < progress.total {
            return;
        }
        self.last_progress.set((now, progress.stage));
        if let Ok(value) = progress.serialize(&Serializer::json_compatible()) {
            // An exception in the callback is the page's; the job goes on.
            let _ = callback.call1(&JsValue::NULL, &value);
        }
    }

    fn is_cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }

    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move {
            if now_ms() - self.last_turn.get() >= TURN_MS {
                TimeoutFuture::new(0).await;
                self.last_turn.set(now_ms());
            }
        })
    }

    fn now_secs(&self) -> f64 {
        now_ms() / 1e3
    }
}

fn now_ms() -> f64 {
    js_sys::global()
        .dyn_into::<web_sys::WorkerGlobalScope>()
        .ok()
        .and_then(|scope| scope.performance())
        .map_or_else(js_sys::Date::now, |performance| performance.now())
}
