//! The browser tests: a Chromium, the local server, Playwright.

use crate::{model, page, serve, tools};
use anyhow::{Context, Result, bail};
use axum::Router;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The model that the tests on a real language model use.
pub const MODEL: &str = "smollm2-135m-instruct";

/// Items that the page and the command line are compared on.
const ITEMS_COMPARED: usize = 3;

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

/// Playwright on the page in `dist/`, which a thread of this program serves, with more beside it.
fn playwright(beside: Router) -> Result<Command> {
    page::install_packages()?;
    let mut playwright = tools::program(page::npx());
    playwright.args(["playwright", "test"]);
    playwright.env("SECATEUR_CHROMIUM", chromium()?);
    playwright.env("SECATEUR_URL", serve::spawn(TEST_PATH, beside)?);
    Ok(playwright)
}

/// What the command line makes of a few bundled items with the real language model: the page must come to the same.
/// The folder with `items.jsonl`, `scores.json` and `attribution.json`.
fn command_line_numbers() -> Result<PathBuf> {
    let folder = tools::target_dir().join("smollm2-numbers");
    std::fs::create_dir_all(&folder)?;
    let items = folder.join("items.jsonl");
    tools::write_first_items("general-knowledge", ITEMS_COMPARED, &items)?;
    let secateur = |arguments: &[&str]| {
        let mut command = tools::secateur(["--bin", "secateur"]);
        command
            .args(arguments)
            .args(["--quiet", "--model", MODEL, "--items"]);
        command.arg(&items);
        command
    };
    tools::run(
        secateur(&["score"])
            .arg("--out")
            .arg(folder.join("scores.json")),
    )?;
    let attribute = [
        "attribute",
        "--preset",
        "fast",
        "--steps",
        "2",
        "--confidence",
        "0",
    ];
    tools::run(
        secateur(&attribute)
            .arg("--out")
            .arg(folder.join("ig.safetensors"))
            .arg("--summary")
            .arg(folder.join("attribution.json")),
    )?;
    Ok(folder)
}

/// Measures the page in `dist/`, by the file of `tests/browser` of this name, with more served `beside` it. `file` is one that the
/// measurement reads or writes, and the environment's name for it.
///
/// # Errors
/// When Playwright cannot be run, or the page fails.
pub fn bench(name: &str, beside: Router, file: Option<(&str, &Path)>) -> Result<()> {
    let mut playwright = playwright(beside)?;
    playwright
        .arg("--reporter=line")
        .env("SECATEUR_BENCH", name)
        .envs(file);
    tools::run(&mut playwright)
}

/// Runs the browser tests against the page in `dist/`.
///
/// # Errors
/// When they cannot be run, or Playwright met a fault outside any test. A failed test is counted, not an error.
pub fn test() -> Result<Counts> {
    let report = tools::target_dir().join("playwright-report.json");
    std::fs::remove_file(&report).ok();
    let mut playwright = playwright(Router::new())?;
    playwright.arg("--reporter=list,json");
    playwright.env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report);
    match model::fetch(MODEL) {
        Ok(()) => {
            playwright.env("SECATEUR_SMOLLM2", command_line_numbers()?);
        }
        Err(error) => {
            eprintln!("The tests with {MODEL} are skipped, since it cannot be had: {error:#}");
        }
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
