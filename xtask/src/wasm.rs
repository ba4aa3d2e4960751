//! What runs in the browser, compiled for wasm32: the engine (package `secateur`) with its JavaScript surface, once for the
//! processor alone and once with the GPU, and the kernels for a processor (package `secateur-kernels`), once for every browser
//! and once for those with relaxed SIMD.

use crate::tools;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use walrus::ir::Value;
use walrus::{ConstExpr, DataKind, Module};
use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

/// The browser's target.
const TARGET: &str = "wasm32-unknown-unknown";

/// Its profile in Cargo.toml.
const PROFILE: &str = "web";

/// Where all that runs in the browser goes to, from the repository's root.
const ENGINE_DIR: &str = "www/engine";

/// The directory of clippy's configuration for wasm32, from the repository's root.
const CLIPPY_CONFIGURATION: &str = "xtask/clippy-wasm32";

/// Where Debian's packages `rustc-web` and `rust-web-clippy` put their programs.
const DEBIAN_BIN: &str = "/usr/bin";

/// An engine. Both have one surface.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Small, and the first on the page.
    Cpu,
    /// With the GPU: loaded where there is one.
    Gpu,
}

impl Engine {
    /// Both, the smaller one first.
    pub const ALL: [Self; 2] = [Self::Cpu, Self::Gpu];

    /// What its files are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }

    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Cpu => &["--no-default-features"],
            Self::Gpu => &[],
        }
    }
}

/// The kernels' modules: what they are called, and the compiler's flags.
const KERNELS: [(&str, &[&str]); 2] = [
    ("kernels", &[]),
    ("kernels-relaxed", &["-C", "target-feature=+relaxed-simd"]),
];

/// Where the kernels' constants lie in the engine's memory: at the far end of its stack, which begins at a megabyte and goes down.
const KERNELS_CONSTANTS: Range<u64> = 1024..8192;

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

    /// A build of a package's library for the browser.
    fn build(&self, package: &str) -> Command {
        let mut build = tools::cargo();
        build.args(["rustc", "--package", package, "--lib"]);
        // Natively nobody needs it, and linking it takes a while.
        build.args(["--crate-type", "cdylib"]);
        build.args(["--target", TARGET, "--profile", PROFILE]);
        if let Self::Debian { linker } = self {
            build.env("RUSTC", Path::new(DEBIAN_BIN).join("rustc"));
            // Compiling the standard library is an unstable option of cargo's, which this admits.
            build.env("RUSTC_BOOTSTRAP", "1");
            build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            build.arg("-Zbuild-std=std,panic_abort");
        }
        // Where the machine keeps the sources stands in every panic's message; it is nobody's business, and takes room.
        let paths = tools::registries().into_iter().map(|path| {
            let flag = format!("--remap-path-prefix={}/=", path.display());
            format!("{flag:?}")
        });
        let flags = paths.collect::<Vec<String>>().join(", ");
        build.arg("--config");
        build.arg(format!("target.{TARGET}.rustflags=[{flags}]"));
        // These would replace the flags of .cargo/config.toml, and with them SIMD.
        build
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        build
    }

    /// Has the lints run on a build, with the configuration that bans blocking calls.
    fn with_lints(&self, build: &mut Command) {
        build.env("CLIPPY_CONF_DIR", tools::root().join(CLIPPY_CONFIGURATION));
        let driver = match self {
            Self::Target => PathBuf::from("clippy-driver"),
            Self::Debian { .. } => Path::new(DEBIAN_BIN).join("clippy-driver"),
        };
        tools::with_lints(build, driver);
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

/// Compiles the kernels and writes `kernels.wasm` and `kernels-relaxed.wasm` to `www/engine/`.
///
/// # Errors
/// When they do not compile, or their constants would lie on memory that the engine uses.
pub fn build_kernels(toolchain: &Toolchain) -> Result<()> {
    let to = tools::root().join(ENGINE_DIR);
    std::fs::create_dir_all(&to)?;
    for (name, flags) in KERNELS {
        let mut build = toolchain.build("secateur-kernels");
        build.args(["--features", "module", "--"]);
        build.args(flags);
        // They work on the engine's memory, on a stack that the engine gives them.
        build.args(["-C", "link-arg=--import-memory"]);
        build.args(["-C", "link-arg=--export=__stack_pointer"]);
        // What the linker takes for the stack's size is where it has the constants begin.
        build
            .arg("-C")
            .arg(format!("link-arg=-zstack-size={}", KERNELS_CONSTANTS.start));
        tools::run(&mut build).context("the kernels do not compile for wasm32")?;
        let compiled = compiled("secateur_kernels");
        let module = Module::from_file(&compiled)
            .with_context(|| format!("{} cannot be read", compiled.display()))?;
        check_constants(&module).with_context(|| name.to_owned())?;
        write_shared(module, &to.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// Sees to it that a module's constants lie where they may.
fn check_constants(module: &Module) -> Result<()> {
    for data in module.data.iter() {
        let DataKind::Active {
            offset: ConstExpr::Value(Value::I32(start)),
            ..
        } = data.kind
        else {
            bail!("the kernels have data of another kind than constants");
        };
        let start = u64::try_from(start)?;
        let end = start + data.value.len() as u64;
        if start < KERNELS_CONSTANTS.start || end > KERNELS_CONSTANTS.end {
            bail!("the kernels' constants at {start} to {end} would lie on the engine's data");
        }
    }
    Ok(())
}

/// Compiles an engine and writes its surface (`cpu.js`, `cpu.d.ts`) and itself (`cpu_bg.wasm`) to `www/engine/`.
///
/// # Errors
/// When it does not compile, a lint finds anything where lints are wanted, or wasm-bindgen cannot make its surface.
pub fn build_engine(
    engine: Engine,
    profile: Profile,
    toolchain: &Toolchain,
    lints: bool,
) -> Result<()> {
    let mut build = toolchain.build("secateur");
    build.args(engine.features());
    if lints {
        toolchain.with_lints(&mut build);
    }
    tools::run(&mut build).context("the engine does not compile for wasm32")?;
    let compiled = compiled("secateur");
    let to = tools::root().join(ENGINE_DIR);
    let mut surface = Bindgen::new();
    surface
        .input_path(&compiled)
        .out_name(engine.name())
        .web(true)?
        .typescript(true)
        // The page's worker fetches the engine itself.
        .omit_default_module_path(true)
        // It would write to memory that may be shared, which browsers refuse.
        .encode_into(EncodeInto::Never)
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(profile == Profile::Release);
    let mut surface = surface
        .generate_output()
        .with_context(|| format!("wasm-bindgen cannot read {}", compiled.display()))?;
    surface.emit(&to)?;
    let js = to.join(format!("{}.js", engine.name()));
    std::fs::write(&js, for_shared_memory(std::fs::read_to_string(&js)?)?)?;
    write_shared(
        std::mem::take(surface.wasm_mut()),
        &to.join(format!("{}_bg.wasm", engine.name())),
    )
}

/// The largest memory of a module for 32 bits, in pages: a shared memory has to say how large it may become.
const MOST_PAGES: u64 = 1 << 16;

/// Where each file says whether its memory is shared, next to them.
const SHARING: &str = "sharing.json";

/// Writes a module whose memory threads can share, and notes the place of the byte that says so: where a page may have no
/// threads, its worker changes that byte while it fetches the file. Nothing but the kernels runs on several threads, and those
/// are given what they work on, so that nothing else in the engine needs to know of threads.
fn write_shared(mut module: Module, path: &Path) -> Result<()> {
    let mut emit = |shared| {
        for memory in module.memories.iter_mut() {
            memory.shared = shared;
            memory.maximum = Some(MOST_PAGES);
        }
        module.emit_wasm()
    };
    let (alone, shared) = (emit(false), emit(true));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let differences: Vec<usize> = (0..shared.len())
        .filter(|&at| alone.get(at) != shared.get(at))
        .collect();
    let &[place] = differences.as_slice() else {
        bail!(
            "{name}: sharing its memory changes {} bytes instead of one",
            differences.len()
        );
    };
    std::fs::write(path, shared)?;
    let list = path.with_file_name(SHARING);
    let mut places: BTreeMap<String, usize> = std::fs::read(&list)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    places.insert(name.into_owned(), place);
    std::fs::write(list, serde_json::to_string_pretty(&places)?)?;
    report_size(path)
}

/// What a surface's code says for memory of its own, and what it has to say for memory that may be shared: such memory keeps
/// its old views when it grows, and browsers refuse to decode text from it and to fill it with random numbers.
const FOR_SHARED_MEMORY: [(&str, &str); 3] = [
    (
        "ArrayMemory0.byteLength === 0",
        "ArrayMemory0.buffer !== wasm.memory.buffer",
    ),
    (
        "cachedTextDecoder.decode(bytes)",
        "cachedTextDecoder.decode(bytes.slice())",
    ),
    (
        "globalThis.crypto.getRandomValues(getArrayU8FromWasm0(arg0, arg1))",
        "getArrayU8FromWasm0(arg0, arg1).set(globalThis.crypto.getRandomValues(new Uint8Array(arg1 >>> 0)))",
    ),
];

/// The code of an engine's surface, for memory that may be shared. wasm-bindgen writes such code by itself where a module is
/// compiled for threads, with a standard library for threads, which is not to be had compiled.
fn for_shared_memory(mut js: String) -> Result<String> {
    for (own, shared) in FOR_SHARED_MEMORY {
        if !js.contains(own) {
            bail!("the surface's code has no `{own}`: what wasm-bindgen writes has changed");
        }
        js = js.replace(own, shared);
    }
    Ok(js)
}

/// Builds all that runs in the browser.
///
/// # Errors
/// As [`build_kernels`] and [`build_engine`].
pub fn build(profile: Profile, toolchain: &Toolchain) -> Result<()> {
    build_kernels(toolchain)?;
    for engine in Engine::ALL {
        build_engine(engine, profile, toolchain, false)?;
    }
    Ok(())
}

/// What cargo made of a library.
fn compiled(library: &str) -> PathBuf {
    let dir = tools::target_dir().join(TARGET).join(PROFILE);
    dir.join(format!("{library}.wasm"))
}

fn report_size(path: &Path) -> Result<()> {
    let bytes = std::fs::metadata(path)?.len();
    let name = path.file_name().unwrap_or_default();
    eprintln!("{}: {:.2} MB", name.display(), bytes as f64 / 1e6);
    Ok(())
}
