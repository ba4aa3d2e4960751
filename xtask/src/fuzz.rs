//! The fuzz targets of `fuzz/`, with libFuzzer on the stable compiler.
//!
//! `fuzz/instrument.sh` stands before rustc and instruments the engine and the crates that parse for it, so that
//! the other compiled dependencies of the tests serve here too. (`cargo fuzz` works as well and compiles everything anew.)

use crate::tools;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Runs a target, or all of them one after the other.
///
/// # Errors
/// When the build fails or the fuzzer found something; it says which input, and where it keeps it.
pub fn run(target: Option<&str>, seconds: u32) -> Result<()> {
    let folder = tools::root().join("fuzz");
    let mut targets: Vec<String> = fs::read_dir(folder.join("fuzz_targets"))?
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    targets.sort();
    if let Some(target) = target {
        if !targets.iter().any(|known| known == target) {
            bail!(
                "there is no target {target}; there are {}",
                targets.join(", ")
            );
        }
        targets = vec![target.to_owned()];
    }
    // The same versions as the project's, or its compiled dependencies would not serve.
    fs::copy(tools::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let mut build = tools::cargo();
    build.current_dir(&folder).args(["build", "--bins"]);
    build.env("RUSTC_WRAPPER", folder.join("instrument.sh"));
    build.env("CARGO_TARGET_DIR", tools::target_dir());
    forget_engine();
    let built = tools::run(&mut build);
    forget_engine();
    built?;
    for target in &targets {
        run_one(&folder, target, seconds).with_context(|| format!("the target {target}"))?;
    }
    Ok(())
}

/// Removes the compiled engine: the one with counters and the one without are one file to cargo, and each build would take the
/// other's for its own.
fn forget_engine() {
    let deps = tools::target_dir().join("debug").join("deps");
    let Ok(files) = fs::read_dir(deps) else {
        return;
    };
    for file in files.flatten() {
        let name = file.file_name();
        let is_engine = name
            .to_str()
            .is_some_and(|name| name.starts_with("libsecateur-") && name.ends_with(".rlib"));
        if is_engine {
            // It need not be there.
            let _ = fs::remove_file(file.path());
        }
    }
}

fn run_one(folder: &Path, target: &str, seconds: u32) -> Result<()> {
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut fuzzer = tools::program(tools::target_dir().join("debug").join(target));
    fuzzer.arg(corpus).arg(folder.join("seeds").join(target));
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.args(["-rss_limit_mb=200", "-timeout=10", "-print_final_stats=1"]);
    tools::run(&mut fuzzer)
}
