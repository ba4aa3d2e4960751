//! The browser tests: a Chromium, the local server, Playwright.

use crate::{model, page, serve, tools};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::PathBuf;

/// The model that the tests on a real language model use.
const MODEL: &str = "smollm2-135m-instruct";

/// The path that the page is tested under: most free hosts serve a project below one.
const TEST_PATH: &str = "/secateur/";

/// What Playwright counted.
#[derive(Debug, Default, Deserialize)]
pub struct Counts {
    /// Tests that did what they should at the first attempt.
    #[serde(default)]
    pub expected: usize,
    /// Tests that failed.
    #[serde(default)]
    pub unexpected: usize,
    /// Tests that passed at a later attempt.
    #[serde(default)]
    pub flaky: usize,
    #[serde(default)]
    pub skipped: usize,
}

/// The part of Playwright's JSON report that is read here.
#[derive(Deserialize)]
struct Report {
    stats: Counts,
    /// Faults outside any test: a file that does not load, a server that does not start.
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

/// Finds a Chromium, and installs Debian's where there is none.
///
/// # Errors
/// One line that says how to come by one.
fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SECATEUR_CHROMIUM").map(PathBuf::from) {
        if !path.is_file() {
            bail!("SECATEUR_CHROMIUM is {}, which is no file", path.display());
        }
        return Ok(path);
    }
    let on_path = || {
        ["chromium", "chromium-browser", "google-chrome", "chrome"]
            .into_iter()
            .find_map(tools::find)
    };
    let elsewhere = || {
        let mac = PathBuf::from("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
        mac.is_file().then_some(mac)
    };
    if let Some(path) = on_path().or_else(elsewhere) {
        return Ok(path);
    }
    tools::install_debian(&["chromium"])
        .context("there is no Chromium; install one, or set SECATEUR_CHROMIUM to its path")?;
    on_path().context("Debian's chromium is installed but is not on the search path")
}

/// Runs the browser tests against the page in `dist/`.
///
/// # Errors
/// When they cannot be run, or Playwright met a fault outside any test. A failed test is counted, not an error.
pub fn test() -> Result<Counts> {
    page::install_packages()?;
    let chromium = chromium()?;
    let report = tools::target_dir().join("playwright-report.json");
    std::fs::remove_file(&report).ok();
    let mut playwright = tools::program(page::npx());
    playwright.args(["playwright", "test", "--reporter=list,json"]);
    playwright.env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report);
    playwright.env("SECATEUR_CHROMIUM", chromium);
    playwright.env("SECATEUR_URL", serve::spawn(TEST_PATH)?);
    if let Err(error) = model::fetch(MODEL) {
        eprintln!("The tests with {MODEL} are skipped, since it cannot be had: {error:#}");
        playwright.env("SECATEUR_NO_SMOLLM2", "1");
    }
    let run = tools::run(&mut playwright);
    let Ok(text) = std::fs::read_to_string(&report) else {
        run?;
        bail!("Playwright left no report");
    };
    let report: Report =
        serde_json::from_str(&text).context("Playwright's report cannot be read")?;
    if !report.errors.is_empty() {
        bail!(
            "Playwright met {} faults outside the tests",
            report.errors.len()
        );
    }
    if run.is_err() && report.stats.unexpected == 0 {
        run?;
    }
    Ok(report.stats)
}
