//! The page: npm's packages, Vite's build, and the models and items that go with it.

use crate::wasm::Profile;
use crate::{checks, tools};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// Largest sizes of the engines on the wire, brotli.
const ENGINE_BYTES_AT_MOST: [(&str, u64); 2] = [("cpu_bg", 1_300_000), ("gpu_bg", 3_000_000)];

/// Builds the page around the engines in `www/engine/` into `dist/`.
///
/// # Errors
/// When npm's packages cannot be installed, or Vite fails.
pub fn build(profile: Profile) -> Result<()> {
    install_packages()?;
    let mut vite = tools::program(npx());
    vite.args(["vite", "build", "--outDir", "dist", "--emptyOutDir"]);
    if profile == Profile::Dev {
        vite.args(["--mode", "development", "--minify", "false", "--sourcemap"]);
    }
    tools::run(&mut vite).context("the page cannot be built")?;
    copy_models()?;
    if profile == Profile::Release {
        compress()?;
    }
    eprintln!("page: dist/");
    Ok(())
}

/// The names of npm's programs, which are scripts on Windows.
pub fn npx() -> &'static str {
    if cfg!(windows) { "npx.cmd" } else { "npx" }
}

/// The same of npm itself.
pub fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

/// Installs the page's packages, unless these very packages are there.
///
/// # Errors
/// One line that says what is missing: Node, or npm's registry.
pub fn install_packages() -> Result<()> {
    install_listed(&tools::root(), &[])
}

/// Installs the packages of a folder's `package-lock.json`, unless these very packages are there.
///
/// # Errors
/// As [`install_packages`].
pub fn install_listed(folder: &Path, options: &[&str]) -> Result<()> {
    let lock =
        fs::read(folder.join("package-lock.json")).context("package-lock.json cannot be read")?;
    // A copy of the lock file says what was installed. Dates would not do: a checkout makes every file new.
    let installed = folder.join("node_modules/.installed-package-lock.json");
    if fs::read(&installed).is_ok_and(|copy| copy == lock) {
        return Ok(());
    }
    if tools::output(tools::program(npm()).arg("--version")).is_err() {
        bail!("there is no npm: install Node 20.19 or newer");
    }
    let mut install = tools::program(npm());
    install
        .args(["ci", "--no-audit", "--no-fund"])
        .args(options);
    tools::run(install.current_dir(folder)).context("npm cannot install the packages")?;
    fs::write(installed, lock)?;
    Ok(())
}

/// Puts the catalogue, the sample item sets and the shipped models beside the page.
fn copy_models() -> Result<()> {
    let from = tools::root().join("models");
    let to = tools::root().join("dist/models");
    fs::create_dir_all(&to)?;
    fs::copy(from.join("catalog.json"), to.join("catalog.json"))
        .context("models/catalog.json cannot be copied")?;
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_shipped = name
            .to_str()
            .is_some_and(|name| name == "items" || name.starts_with("lesson"));
        if is_shipped && entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to.join(&name))?;
        }
    }
    Ok(())
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("{} cannot be copied", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Compresses what the page is made of, beside it: hosts and [`crate::serve`] send that where the browser takes it.
fn compress() -> Result<()> {
    tools::run(tools::program("node").args(["xtask/compress.mjs", "dist"]))
        .context("the page cannot be compressed")
}

/// Checks that the engines are small enough to be fetched by a class on one connection, as they are sent.
///
/// # Errors
/// When one is larger than its limit.
pub fn check_sizes() -> Result<()> {
    let assets: Vec<_> =
        fs::read_dir(tools::root().join("dist/assets"))?.collect::<Result<_, _>>()?;
    for (engine, limit) in ENGINE_BYTES_AT_MOST {
        let is_it = |name: &str| name.starts_with(engine) && name.ends_with(".wasm.br");
        let asset = assets
            .iter()
            .find(|asset| asset.file_name().to_str().is_some_and(is_it))
            .with_context(|| format!("dist/assets/ has no {engine} with brotli"))?;
        let bytes = asset.metadata()?.len();
        eprintln!("{engine}: {:.2} MB with brotli", bytes as f64 / 1e6);
        if bytes > limit {
            bail!("{engine} has {bytes} bytes with brotli, more than {limit}");
        }
    }
    Ok(())
}

/// Writes the types that the page shares with the engine.
///
/// # Errors
/// When the library's tests do not compile, or the file cannot be written.
pub fn write_types() -> Result<()> {
    // A test of the library knows them, since nothing else needs to; it compares them wherever the tests run.
    let mut test = tools::cargo();
    test.args(["test", "--package", "secateur", "--lib", "wire::typescript"]);
    test.env("SECATEUR_WRITE_TYPES", "1");
    tools::with_lints(&mut test, checks::CLIPPY_DRIVER);
    tools::run(&mut test)
}

/// Checks the types of the page's TypeScript.
///
/// # Errors
/// When the compiler finds any fault.
pub fn check_types() -> Result<()> {
    tools::run(tools::program(npx()).args(["tsc", "--noEmit"]))
}

/// What Prettier writes: the page and its tests.
const FORMATTED: [&str; 4] = ["www/src", "tests/page", "tests/browser", "*.{js,ts}"];

/// Checks the page's source against the rules of `eslint.config.js` and the form that Prettier gives it.
///
/// # Errors
/// When a rule is broken or a file has another form, or npm's packages cannot be installed.
pub fn check_style() -> Result<()> {
    install_packages()?;
    // Each takes some seconds of one core.
    std::thread::scope(|scope| {
        let form = scope.spawn(|| {
            let mut prettier = tools::program(npx());
            tools::run(prettier.args(["prettier", "--check"]).args(FORMATTED))
                .context("`npx prettier --write` with the same paths gives the files their form")
        });
        let rules = tools::run(tools::program(npx()).args(["eslint", "."]));
        let form = form
            .join()
            .unwrap_or_else(|_| bail!("the check of the form came to no end"));
        rules.and(form)
    })
}

/// What vitest counted.
#[derive(Debug, Deserialize)]
pub struct UnitTests {
    #[serde(rename = "numPassedTests")]
    pub passed: usize,
    #[serde(rename = "numFailedTests")]
    pub failed: usize,
    #[serde(rename = "numPendingTests")]
    pub skipped: usize,
}

/// Runs the tests of the page's services and views that need no browser.
///
/// # Errors
/// When they cannot be run, or a file of them does not load. A failed test is counted, not an error.
pub fn unit_tests() -> Result<UnitTests> {
    install_packages()?;
    let report = tools::target_dir().join("vitest-report.json");
    fs::remove_file(&report).ok();
    let mut vitest = tools::program(npx());
    vitest.args(["vitest", "run", "--reporter=default", "--reporter=json"]);
    vitest.arg(format!("--outputFile.json={}", report.display()));
    let run = tools::run(&mut vitest);
    let Ok(text) = fs::read_to_string(&report) else {
        run?;
        bail!("vitest left no report");
    };
    let counted: UnitTests =
        serde_json::from_str(&text).context("vitest's report cannot be read")?;
    if counted.failed == 0 {
        run?;
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_vitest_is_counted() -> serde_json::Result<()> {
        let report = r#"{"numTotalTests": 6, "numPassedTests": 3, "numFailedTests": 2, "numPendingTests": 1, "success": false}"#;
        let UnitTests {
            passed,
            failed,
            skipped,
        } = serde_json::from_str(report)?;
        assert_eq!([passed, failed, skipped], [3, 2, 1]);
        Ok(())
    }
}
