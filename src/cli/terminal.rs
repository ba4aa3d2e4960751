//! Progress on standard error: one line, rewritten ten times a second, with an estimate.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::job::{Host, Progress};

const INTERVAL: Duration = Duration::from_millis(100);

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
            self.clear();
            eprintln!("{line}");
        }
    }

    /// Wipes the progress line.
    pub fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
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
        eprint!(
            "\r\x1b[K{}: {} of {}{left}",
            progress.stage, progress.done, progress.total
        );
        // A terminal that cannot be written to is no reason to stop.
        let _ = std::io::stderr().flush();
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn now_secs(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}
