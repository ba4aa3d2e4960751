//! The other engines, from npm and pip, in a folder of their own.

use crate::{page, tools};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the packages are listed.
const LISTS: &str = "benches/peers";

/// Installs the engines that run in a browser; nothing of theirs is run by that.
///
/// # Errors
/// When npm or its registry cannot be had.
pub fn npm(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for list in ["package.json", "package-lock.json"] {
        fs::copy(tools::root().join(LISTS).join(list), folder.join(list))
            .with_context(|| format!("{LISTS}/{list} cannot be copied"))?;
    }
    page::install_listed(folder, &["--ignore-scripts"])
}

/// Installs PyTorch and what writes the model's other forms; their Python. Which build of PyTorch that is, pip's settings say: the
/// one for the processor alone will do.
///
/// # Errors
/// When Python, its venv module or a package cannot be had.
pub fn python(folder: &Path) -> Result<PathBuf> {
    let requirements = Path::new(LISTS).join("requirements.txt");
    tools::python_environment(&folder.join("python"), &requirements)
}
