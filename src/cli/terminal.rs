//! Progress on standard error: one line, rewritten ten times a second, with an estimate.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::job::{Host, Progress};

const INTERVAL: Duration = Duration::from_millis(100);

/// Says something that stays on the screen, on standard error, in the place of a progress line. What cannot be written there is no reason
/// to stop.
pub fn tell(line: impl Display) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let _ = write!(out, "{WIPED}");
    }
    let _ = writeln!(out, "{line}");
}

/// Wipes the progress line.
const WIPED: &str = "\r\x1b[K";

/// The terminal as a job's host. A job is cancelled by ending the process.
pub struct Terminal {
    start: Instant,
    quiet: bool,
    shown: bool,
    line: RefCell<Line>,
}

struct Line {
    stage: &'static str,
    since: Instant,
    last: Option<Instant>,
}

impl Terminal {
    /// Shows progress when standard error is a terminal and `quiet` is not asked for.
    pub fn new(quiet: bool) -> Self {
        Self {
            start: Instant::now(),
            quiet,
            shown: !quiet && std::io::stderr().is_terminal(),
            line: RefCell::new(Line {
                stage: "",
                since: Instant::now(),
                last: None,
            }),
        }
    }

    /// Says something that stays on the screen, where anything is to be said.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            tell(line);
        }
    }

    /// Wipes the progress line.
    pub fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "{WIPED}");
        }
    }
}

impl Host for Terminal {
    fn progress(&self, progress: &Progress) {
        if !self.shown {
            return;
        }
        let mut line = self.line.borrow_mut();
        let now = Instant::now();
        if line.stage != progress.stage {
            (line.stage, line.since, line.last) = (progress.stage, now, None);
        }
        if line.last.is_some_and(|last| now - last < INTERVAL) {
            return;
        }
        line.last = Some(now);
        let share = progress.done as f64 / progress.total.max(1) as f64;
        let elapsed = (now - line.since).as_secs_f64();
        let left = if share > 0.0 {
            format!(", {:.0} s left", elapsed / share * (1.0 - share))
        } else {
            String::new()
        };
        let Progress {
            stage, done, total, ..
        } = progress;
        let mut out = std::io::stderr();
        let _ = write!(out, "{WIPED}{stage}: {done} of {total}{left}");
        let _ = out.flush();
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn now_secs(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}
