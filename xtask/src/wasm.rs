//! The engine for the browser: package `secateur` compiled for wasm32, and its JavaScript surface.

use crate::tools;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use wasm_bindgen_cli_support::Bindgen;

/// The browser's target.
const TARGET: &str = "wasm32-unknown-unknown";

/// The directory of clippy's configuration for wasm32, from the repository's root.
const CLIPPY_CONFIGURATION: &str = "xtask/clippy-wasm32";

/// Where Debian's packages `rustc-web` and `rust-web-clippy` put their programs.
const DEBIAN_BIN: &str = "/usr/bin";

/// What the site is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As it is shipped.
    Release,
    /// For finding faults: function names in the engine's stack traces, the page not minified. The engine is
    /// compiled the same way, since an unoptimised one is too slow to use and would be compiled all anew.
    Dev,
}

/// Where the standard library for wasm32 comes from.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StandardLibrary {
    /// Rustup's, else Debian's
    #[default]
    Auto,
    /// The target that rustup installs
    Rustup,
    /// Compiled from Debian's packages rustc-web and rust-web-src
    Debian,
}

/// A compiler that has a standard library for wasm32.
pub enum Toolchain {
    /// The toolchain in use has the target's library.
    Target,
    /// Debian's compiler; the standard library is compiled along with the engine.
    Debian {
        /// The linker for wasm32, which Debian's compiler lacks.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds a toolchain for wasm32, and installs one where there is none.
    ///
    /// # Errors
    /// One line that says what cannot be installed and what to do.
    pub fn find(wanted: StandardLibrary) -> Result<Self> {
        match wanted {
            StandardLibrary::Rustup => rustup(),
            StandardLibrary::Debian => debian(),
            StandardLibrary::Auto => rustup().or_else(|rustup_error| {
                eprintln!("{rustup_error:#}; trying Debian's compiler");
                debian().map_err(|debian_error| {
                    anyhow::anyhow!(
                        "no standard library for {TARGET}: {rustup_error:#}; {debian_error:#}. Install one with \
                         `rustup target add {TARGET}`, or Debian's rustc-web, rust-web-src and rust-web-clippy"
                    )
                })
            }),
        }
    }

    /// A build of the engine's library, without its profile.
    fn build(&self) -> Command {
        let mut command = tools::cargo();
        command.args([
            "build",
            "--package",
            "secateur",
            "--lib",
            "--target",
            TARGET,
        ]);
        if let Self::Debian { linker } = self {
            command.env("RUSTC", Path::new(DEBIAN_BIN).join("rustc"));
            // Compiling the standard library is an unstable option of cargo's, which this admits.
            command.env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            command.arg("-Zbuild-std=std,panic_abort");
        }
        // The page catches no panic: it ends the worker and starts another. Natively they are caught.
        command.env("CARGO_PROFILE_RELEASE_PANIC", "abort");
        // These would replace the flags of .cargo/config.toml, and with them SIMD.
        command
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        command
    }
}

/// The toolchain in use, with the target added by rustup where it is missing.
fn rustup() -> Result<Toolchain> {
    if !has_target_library()? {
        if tools::find("rustup").is_none() {
            bail!("there is no rustup to add the target {TARGET} with");
        }
        let mut add = tools::program("rustup");
        add.args(["target", "add", TARGET]);
        add.env("RUST_BACKTRACE", "0");
        // Rustup retries an unreachable server for a long time.
        tools::run_within(&mut add, Duration::from_secs(180))?;
        if !has_target_library()? {
            bail!("rustup added {TARGET}, but to another toolchain than the one in use");
        }
    }
    Ok(Toolchain::Target)
}

/// Whether the compiler in use has the compiled standard library of the target.
fn has_target_library() -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut print = tools::program(rustc);
    let libraries = tools::output(print.args(["--print", "target-libdir", "--target", TARGET]))?;
    Ok(has_file(Path::new(&libraries), |name| {
        name.starts_with("libstd-") && name.ends_with(".rlib")
    }))
}

fn has_file(dir: &Path, wanted: impl Fn(&str) -> bool) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_str().is_some_and(&wanted))
}

/// Debian's compiler, installed where it is missing, and a linker for it.
fn debian() -> Result<Toolchain> {
    let rustc = Path::new(DEBIAN_BIN).join("rustc");
    let clippy = Path::new(DEBIAN_BIN).join("clippy-driver");
    if !rustc.is_file() || !clippy.is_file() || !has_library_source(&rustc) {
        tools::install_debian(&["rustc-web", "rust-web-src", "rust-web-clippy"])?;
    }
    if !has_library_source(&rustc) {
        bail!(
            "{} has no source of the standard library (Debian's rust-web-src)",
            rustc.display()
        );
    }
    Ok(Toolchain::Debian { linker: linker()? })
}

fn has_library_source(rustc: &Path) -> bool {
    tools::output(tools::program(rustc).args(["--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(&sysroot)
            .join("lib/rustlib/src/rust/library/std")
            .is_dir()
    })
}

/// A linker for wasm32: the one in rustup's toolchain, or LLVM's.
fn linker() -> Result<PathBuf> {
    // Not RUSTC: that may be Debian's compiler, which is here because it has none.
    let in_toolchain = tools::output(tools::program("rustc").args(["--print", "target-libdir"]))
        .ok()
        .and_then(|libraries| Some(Path::new(&libraries).parent()?.join("bin/rust-lld")));
    if let Some(linker) = in_toolchain.filter(|linker| linker.is_file()) {
        return Ok(linker);
    }
    if tools::find("wasm-ld").is_none() {
        tools::install_debian(&["lld"])?;
    }
    tools::find("wasm-ld")
        .context("there is no linker for wasm32: neither rust-lld nor wasm-ld (Debian's lld)")
}

/// Compiles the engine and writes `engine.js`, `engine_bg.wasm` and `engine.d.ts` to `www/engine/`.
///
/// # Errors
/// When the engine does not compile, or wasm-bindgen cannot make its surface.
pub fn build_engine(profile: Profile, toolchain: &Toolchain) -> Result<()> {
    tools::run(toolchain.build().arg("--release"))
        .context("the engine does not compile for wasm32")?;
    let compiled = tools::target_dir()
        .join(TARGET)
        .join("release/secateur.wasm");
    let engine = tools::root().join("www/engine");
    Bindgen::new()
        .input_path(&compiled)
        .out_name("engine")
        .web(true)?
        .typescript(true)
        // Without an address given, the engine is looked for beside its surface; Vite sees that and moves both.
        .omit_default_module_path(false)
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(profile == Profile::Release)
        .generate(&engine)
        .with_context(|| format!("wasm-bindgen cannot read {}", compiled.display()))?;
    let bytes = std::fs::metadata(engine.join("engine_bg.wasm"))?.len();
    eprintln!(
        "engine: www/engine/engine_bg.wasm, {:.1} MB",
        bytes as f64 / 1e6
    );
    Ok(())
}

/// Runs clippy on what is compiled for the browser, with the configuration that bans blocking calls.
///
/// # Errors
/// When clippy finds anything.
pub fn clippy(toolchain: &Toolchain) -> Result<()> {
    let mut command = toolchain.build();
    // The page's profile: the engine's build shares all that is compiled here but the engine itself.
    command.arg("--release");
    command.env("CLIPPY_CONF_DIR", tools::root().join(CLIPPY_CONFIGURATION));
    let driver = match toolchain {
        Toolchain::Target => PathBuf::from("clippy-driver"),
        Toolchain::Debian { .. } => Path::new(DEBIAN_BIN).join("clippy-driver"),
    };
    tools::with_lints(&mut command, driver);
    tools::run(&mut command)
}
