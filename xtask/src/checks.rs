//! `cargo xtask test`: every check and every test, one after the other, and a summary.

use crate::wasm::{Engine, Profile, StandardLibrary, Toolchain};
use crate::{browser, catalog, model, page, rooms, tools, wasm};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// A part of the tests.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Formatting, direction of dependencies, the catalogue, the style of the page, and clippy natively and on the engines, which it compiles
    Lint,
    /// The Rust tests
    Native,
    /// The engines' and the page's build, the page's types, the tests of its parts, and those in headless Chromium
    Browser,
}

/// The packages of the workspace. They are compiled one by one, as `cargo test` and `cargo xtask` do it: together
/// their dependencies would get other features, and be compiled a second time.
const PACKAGES: [&str; 3] = ["secateur-kernels", "secateur", "xtask"];

/// Models of the catalogue that native tests hold against other implementations. What a machine may lack, such as these, stands in the
/// name of a test that needs it; `cargo test` ignores that test.
const REAL_MODELS: [&str; 2] = ["smollm2-135m-instruct", "gemma-3-270m"];

/// In the name of a test that needs an adapter.
const WGPU: &str = "wgpu";

/// The lints of the toolchain in use.
pub const CLIPPY_DRIVER: &str = "clippy-driver";

/// What has been run so far.
#[derive(Default)]
struct Summary {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Steps that failed, with the reason.
    faults: Vec<String>,
}

impl Summary {
    /// Takes in what ran beside.
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.faults.extend(other.faults);
    }

    /// Runs one step under a heading; whether it went well. The steps after it run all the same.
    fn step(&mut self, name: &str, step: impl FnOnce(&mut Self) -> Result<()>) -> bool {
        println!("\n=== {name}");
        let started = Instant::now();
        let failed_before = self.failed;
        let result = step(self);
        let seconds = started.elapsed().as_secs_f64();
        if let Err(error) = result {
            println!("=== {name}: FAILED after {seconds:.0} s: {error:#}");
            self.faults.push(format!("{name}: {error:#}"));
            // A step that failed before it could count a test counts as one.
            if self.failed == failed_before {
                self.failed += 1;
            }
            return false;
        }
        println!("=== {name}: ok, {seconds:.0} s");
        true
    }
}

/// Runs the tests, or one part of them. The last line is `N passed, N failed`: what cargo's tests and Playwright
/// counted, and one failure for every other check that failed.
///
/// # Errors
/// None of a test's: those decide the exit code.
pub fn run(only: Option<Part>, wasm_std: StandardLibrary) -> Result<ExitCode> {
    let wanted = |part| only.is_none_or(|only| only == part);
    let mut summary = Summary::default();
    let mut toolchain = None;
    if wanted(Part::Lint) || wanted(Part::Browser) {
        summary.step("toolchain for wasm32", |_| {
            toolchain = Some(Toolchain::find(wasm_std)?);
            Ok(())
        });
    }
    if wanted(Part::Lint) {
        lint(&mut summary);
    }
    // Native tests leave much of a second core idle, and so does the linking of an engine.
    let is_built = std::thread::scope(|scope| {
        let engines = toolchain.map(|toolchain| {
            scope.spawn(move || {
                let mut summary = Summary::default();
                let are_built = engines(&mut summary, &toolchain);
                (summary, are_built)
            })
        });
        if wanted(Part::Native) {
            native(&mut summary);
        }
        let Some(engines) = engines else {
            return false;
        };
        let Ok((of_engines, are_built)) = engines.join() else {
            summary.failed += 1;
            return false;
        };
        summary.add(of_engines);
        are_built
    });
    if is_built && wanted(Part::Browser) {
        in_browser(&mut summary);
    }
    println!();
    for fault in &summary.faults {
        println!("failed: {fault}");
    }
    if summary.skipped > 0 {
        println!("{} skipped", summary.skipped);
    }
    println!("{} passed, {} failed", summary.passed, summary.failed);
    Ok(if summary.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Everything that is read and not run, but for the engines: those are linted where they are compiled.
fn lint(summary: &mut Summary) {
    summary.step("formatting", |_| {
        tools::run(tools::cargo().args(["fmt", "--all", "--check"]))
    });
    summary.step("direction of dependencies", |_| {
        rooms::check(&tools::root().join("src"))
    });
    summary.step("catalogue of models", |_| catalog::check());
    summary.step("style of the page", |_| page::check_style());
    for package in PACKAGES {
        summary.step(&format!("clippy, native, {package}"), |_| {
            let mut build = tools::cargo();
            build.args(["build", "--package", package, "--all-targets"]);
            tools::with_lints(&mut build, CLIPPY_DRIVER);
            tools::run(&mut build)
        });
    }
}

/// The Rust tests.
fn native(summary: &mut Summary) {
    let models = REAL_MODELS.map(|id| (id, model::fetch(id)));
    let needs = models.into_iter().chain([(WGPU, provide_vulkan())]);
    let lacking: Vec<String> = needs
        .filter_map(|(need, provided)| {
            let error = provided.err()?;
            println!("Tests on {need} are left out, since it cannot be had: {error:#}");
            Some(need.replace('-', "_"))
        })
        .collect();
    for package in PACKAGES {
        summary.step(&format!("tests, native, {package}"), |summary| {
            tests_of(package, &lacking, summary)
        });
    }
}

/// Sees to it that the native tests on wgpu find an adapter: Linux has a Vulkan driver for the processor.
fn provide_vulkan() -> Result<()> {
    let has_driver = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
        .into_iter()
        .any(|dir| std::fs::read_dir(dir).is_ok_and(|mut drivers| drivers.next().is_some()));
    if cfg!(target_os = "linux") && !has_driver {
        tools::install_debian(&["mesa-vulkan-drivers"])?;
    }
    Ok(())
}

/// Runs a package's tests and counts them, but for those whose names say that they need what is `lacking`.
fn tests_of(package: &str, lacking: &[String], summary: &mut Summary) -> Result<()> {
    let mut command = tools::cargo();
    command.args(["test", "--package", package, "--no-fail-fast"]);
    command.args(["--", "--include-ignored"]);
    for need in lacking {
        command.args(["--skip", need]);
    }
    // What was linted is not compiled again.
    tools::with_lints(&mut command, CLIPPY_DRIVER);
    count_tests(&mut command, summary)
}

/// Runs `cargo test`, passing its output on, and adds up what the test programs report.
fn count_tests(command: &mut Command, summary: &mut Summary) -> Result<()> {
    tools::announce(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        if let Some([passed, failed, left_out]) = test_result(&line) {
            summary.passed += passed;
            summary.failed += failed;
            summary.skipped += left_out;
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo test failed ({status})");
    }
    Ok(())
}

/// The counts of a line `test result: ok. 3 passed; 0 failed; 1 ignored; …`: passed, failed, and those that were left out.
fn test_result(line: &str) -> Option<[usize; 3]> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |name: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(name)?.trim().parse().ok())
    };
    let left_out = count("ignored")? + count("filtered out")?;
    Some([count("passed")?, count("failed")?, left_out])
}

/// Compiles and lints what runs in the browser, in one; whether it went well.
fn engines(summary: &mut Summary, toolchain: &Toolchain) -> bool {
    let kernels = summary.step("kernels for wasm32", |_| wasm::build_kernels(toolchain));
    let built = Engine::ALL.map(|engine| {
        summary.step(
            &format!("engine and clippy, wasm32, {}", engine.name()),
            |_| wasm::build_engine(engine, Profile::Release, toolchain, true),
        )
    });
    kernels && built == [true; 2]
}

/// The page around the engines, and its tests.
fn in_browser(summary: &mut Summary) {
    if !summary.step("page", |_| page::build(Profile::Release)) {
        return;
    }
    summary.step("sizes on the wire", |_| page::check_sizes());
    summary.step("types of the page", |_| page::check_types());
    summary.step("tests, the page's parts", |summary| {
        let page::UnitTests {
            passed,
            failed,
            skipped,
        } = page::unit_tests()?;
        summary.passed += passed;
        summary.failed += failed;
        summary.skipped += skipped;
        if failed > 0 {
            bail!("{failed} failed");
        }
        Ok(())
    });
    summary.step("tests, headless Chromium", |summary| {
        let counts = browser::test()?;
        summary.passed += counts.expected + counts.flaky;
        summary.failed += counts.unexpected;
        summary.skipped += counts.skipped;
        if counts.unexpected > 0 {
            bail!("{} failed", counts.unexpected);
        }
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.1s";
        assert_eq!(test_result(line), Some([12, 3, 5]));
        assert_eq!(
            test_result("test attribution::tests::completeness ... ok"),
            None
        );
    }

    #[test]
    fn a_failed_check_counts_once_and_the_next_step_runs() {
        let mut summary = Summary::default();
        assert!(!summary.step("a check", |_| bail!("no")));
        assert!(!summary.step("tests", |summary| {
            summary.failed += 2;
            bail!("2 failed")
        }));
        assert!(summary.step("another", |_| Ok(())));
        assert_eq!(summary.failed, 3);
        assert_eq!(summary.faults.len(), 2);
    }
}
