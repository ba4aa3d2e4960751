//! The golden fixtures of the tests, made by the reference implementation in Python.

use crate::tools;
use anyhow::{Context, Result};

/// Runs `tests/fixtures/generate.py` in a virtual environment of its own.
///
/// # Errors
/// When Python is missing, its packages cannot be installed, or the generator fails.
pub fn generate() -> Result<()> {
    let environment = tools::target_dir().join("fixtures-python");
    let python = environment.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    if !python.is_file() {
        tools::run(
            tools::program("python3")
                .args(["-m", "venv"])
                .arg(&environment),
        )
        .context("no Python environment: install Python 3 with its venv module")?;
    }
    let mut install = tools::program(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
    ]);
    tools::run(install.args(["--requirement", "tests/fixtures/requirements.txt"]))?;
    tools::run(tools::program(&python).arg("tests/fixtures/generate.py"))
}
