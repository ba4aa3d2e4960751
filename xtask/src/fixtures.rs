//! The golden fixtures of the tests, made by the reference implementation in Python.

use crate::tools;
use anyhow::Result;
use std::path::Path;

/// Runs `tests/fixtures/generate.py` in a virtual environment of its own.
///
/// # Errors
/// When Python is missing, its packages cannot be installed, or the generator fails.
pub fn generate() -> Result<()> {
    let environment = tools::target_dir().join("fixtures-python");
    let requirements = Path::new("tests/fixtures/requirements.txt");
    let python = tools::python_environment(&environment, requirements)?;
    tools::run(tools::program(&python).arg("tests/fixtures/generate.py"))
}
