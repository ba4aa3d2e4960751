//! Running other programs: where they are, what they are called with, how they are installed.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The repository's root directory.
pub fn root() -> PathBuf {
    // Cargo sets the variable for `cargo xtask`; the compiled-in value serves a binary started by hand.
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = PathBuf::from(manifest);
    manifest.parent().map(Path::to_path_buf).unwrap_or(manifest)
}

/// Cargo's target directory.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The cargo that started this program, to be run in the repository's root.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Cargo describes the running package to its children; to the cargo below they would be stale.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            command.env_remove(name);
        }
    }
    command
}

/// The folders in which cargo keeps the sources of dependencies.
pub fn registries() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let folders = home.and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> = (folders.into_iter().flatten().flatten())
        .map(|folder| folder.path())
        .collect();
    folders.sort();
    folders
}

/// What the tests' profile has otherwise than a release, which differs from it in nothing else that is measured.
const AS_RELEASED: [&str; 5] = [
    "secateur.opt-level=3",
    "secateur.debug-assertions=false",
    "secateur.overflow-checks=false",
    "secateur-kernels.debug-assertions=false",
    "secateur-kernels.overflow-checks=false",
];

/// The engine's benchmark, as fast as a release: on the tests' dependencies, which are compiled already.
pub fn engine_bench() -> Command {
    let mut bench = cargo();
    bench.args(["bench", "--package", "secateur", "--bench", "engine"]);
    bench.args(["--profile", "dev"]);
    for setting in AS_RELEASED {
        bench.args(["--config", &format!("profile.dev.package.{setting}")]);
    }
    bench
}

/// A program of the engine's package, compiled as for the tests: `["--bin", "secateur"]`, or an example.
pub fn secateur(which: [&str; 2]) -> Command {
    let mut program = cargo();
    program.args(["run", "--quiet", "--package", "secateur"]);
    program.args(which).arg("--");
    program
}

/// Writes the first items of a bundled set to a file.
///
/// # Errors
/// When the set cannot be read, or the file not written.
pub fn write_first_items(set: &str, count: usize, to: &Path) -> Result<()> {
    let path = root().join(format!("models/items/{set}.jsonl"));
    let all =
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let first: Vec<&str> = all.lines().take(count).collect();
    fs::write(to, first.join("\n")).with_context(|| format!("{} cannot be written", to.display()))
}

/// Has a build run clippy's lints on the packages of the workspace, warnings being errors, as `cargo clippy` does for a
/// check. A check shares no compiled dependency with a build; on a fresh machine that would be ten minutes for nothing.
pub fn with_lints(build: &mut Command, clippy_driver: impl AsRef<OsStr>) {
    build.env("RUSTC_WORKSPACE_WRAPPER", clippy_driver);
    build.env(
        "CLIPPY_ARGS",
        "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
    );
}

/// A program to be run in the repository's root.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The command line as a person would type it, without the environment.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Says on standard error what is about to run.
pub fn announce(command: &Command) {
    let environment: String = command
        .get_envs()
        .filter_map(|(name, value)| {
            Some(format!(
                "{}={} ",
                name.to_string_lossy(),
                value?.to_string_lossy()
            ))
        })
        .collect();
    eprintln!("$ {environment}{}", line(command));
}

/// Runs a command to its end, its output going to the terminal.
///
/// # Errors
/// When it cannot be started or ends with another exit code than 0.
pub fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command silently; what it wrote to standard output, without the final line end.
///
/// # Errors
/// When it cannot be started or ends with another exit code than 0.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", line(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// Runs a command, and ends it when it has not ended by itself after `limit`.
///
/// # Errors
/// As [`run`], and when the time is up.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    announce(command);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("`{}` failed ({status})", line(command));
            }
            return Ok(());
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!(
                "`{}` did not end within {} s",
                line(command),
                limit.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Where a program lies on the search path.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = if cfg!(windows) {
        format!("{name}.exe")
    } else {
        name.to_owned()
    };
    std::env::split_paths(&path)
        .map(|dir| dir.join(&name))
        .find(|candidate| candidate.is_file())
}

/// Whether a person is looking at standard error.
pub fn is_interactive() -> bool {
    std::io::stderr().is_terminal()
}

/// A virtual environment of Python with the packages of a list, made where there is none; its Python.
///
/// # Errors
/// When Python 3 or its venv module is missing, or pip cannot install a package.
pub fn python_environment(folder: &Path, requirements: &Path) -> Result<PathBuf> {
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    // Without Debian's venv module there is a program and no pip.
    let has_pip =
        python.is_file() && output(program(&python).args(["-m", "pip", "--version"])).is_ok();
    if !has_pip {
        run(program("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder))
        .context("no Python environment: install Python 3 with its venv module")?;
    }
    let mut install = program(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
    ]);
    run(install.arg("--requirement").arg(requirements))?;
    Ok(python)
}

/// Installs packages of Debian or a system built on it.
///
/// # Errors
/// One line that says what to install by hand: where there is no apt-get, the user may not use it, or it fails.
pub fn install_debian(packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!(
            "this system has no apt-get to install {} with",
            packages.join(", ")
        );
    }
    if output(Command::new("id").arg("-u"))? != "0" {
        bail!(
            "only root can install {}; run `sudo {by_hand}`",
            packages.join(", ")
        );
    }
    let install = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(packages);
        run(command.stdout(Stdio::null()))
    };
    // The package lists of a fresh machine are missing or old: the second attempt brings them up to date.
    if install().is_err() {
        run(Command::new("apt-get")
            .args(["update", "--quiet"])
            .stdout(Stdio::null()))
        .and_then(|()| install())
        .with_context(|| format!("`{by_hand}` failed"))?;
    }
    Ok(())
}
