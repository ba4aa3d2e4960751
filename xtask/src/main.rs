//! The project's commands: `cargo xtask <command>`.
//!
//! | command | what it leaves |
//! |---|---|
//! | `build` | the engines in `www/engine/`, the whole static site in `dist/` |
//! | `serve` | the same, served on localhost together with the fetched models |
//! | `test` | every check and every test, native and in headless Chromium |
//! | `bench` | nothing: the engine's and the page's speed go to the terminal, last as a table of aims |
//! | `bench --peers` | other engines and PyTorch in `target/peers/`; what takes how long beside them goes to the terminal |
//! | `profile` | nothing: the kernels of the page's jobs by their time go to the terminal |
//! | `model <id>` | a model of the catalogue in `models/cache/` |
//! | `critique` | what a sceptic asks of the shipped lesson and a real model, answered in `docs/critique/` |
//! | `types` | the page's types in `www/src/wire/engine.ts`, made of the engine's |
//! | `catalog` | sizes and hashes of the shipped models in `models/catalog.json` |
//! | `fixtures` | the golden fixtures, made anew by the reference implementation |
//! | `fuzz [target]` | what the fuzzer found, in `fuzz/artifacts/` |

mod browser;
mod catalog;
mod checks;
mod critique;
mod fixtures;
mod fuzz;
mod model;
mod page;
mod peers;
mod rooms;
mod serve;
mod tools;
mod wasm;

use anyhow::Result;
use axum::Router;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's commands", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the engines (wasm32) and the page into dist/, a static site for any host and any sub-path
    Build {
        /// Keep function names in the engine, and leave the page unminified
        #[arg(long)]
        dev: bool,
        /// Stop after the engines, www/engine/
        #[arg(long)]
        engine_only: bool,
        #[arg(long, value_enum, default_value_t)]
        wasm_std: wasm::StandardLibrary,
    },
    /// Build, then serve the page and the fetched models on localhost
    Serve {
        /// The port to try first
        #[arg(long, default_value_t = 5173)]
        port: u16,
        /// Serve what dist/ holds already
        #[arg(long)]
        no_build: bool,
        /// Serve below this path, the way a project site is hosted
        #[arg(long, default_value = "/")]
        path: String,
    },
    /// Run every check and every test
    Test {
        /// Run one part only
        #[arg(long, value_enum)]
        only: Option<checks::Part>,
        #[arg(long, value_enum, default_value_t)]
        wasm_std: wasm::StandardLibrary,
    },
    /// Measure the engine natively, then the page in dist/ in headless Chromium
    Bench {
        /// Measure beside other engines instead: onnxruntime-web, jax-js and wllama in the same browser, PyTorch natively
        #[arg(long)]
        peers: bool,
    },
    /// The GPU's kernels of the page in dist/ by their time, in headless Chromium on whatever adapter there is
    Profile,
    /// Fetch a model of the catalogue into models/cache/ and verify it
    Model {
        /// Its id in models/catalog.json
        id: String,
    },
    /// Write the reports of docs/critique/ that are not there; with the real model a report takes about half an hour
    Critique {
        /// Make all of them anew
        #[arg(long)]
        anew: bool,
    },
    /// Write the types that the page shares with the engine, from the Rust sources
    Types,
    /// Write the sizes and hashes of the shipped models into models/catalog.json
    Catalog,
    /// Make the golden fixtures of the tests anew (Python, in an environment of its own)
    Fixtures,
    /// Fuzz the readers of files: one target, or all of them one after the other
    Fuzz {
        /// A file of fuzz/fuzz_targets/, without its ending
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 600)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command. The tests bring their own exit code, since they print their summary last.
fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build {
            dev,
            engine_only,
            wasm_std,
        } => {
            let profile = if dev {
                wasm::Profile::Dev
            } else {
                wasm::Profile::Release
            };
            wasm::build(profile, &wasm::Toolchain::find(wasm_std)?)?;
            if !engine_only {
                page::build(profile)?;
            }
        }
        Command::Serve {
            port,
            no_build,
            path,
        } => {
            if !no_build {
                let toolchain = wasm::Toolchain::find(wasm::StandardLibrary::Auto)?;
                wasm::build(wasm::Profile::Release, &toolchain)?;
                page::build(wasm::Profile::Release)?;
            }
            serve::run(port, &path)?;
        }
        Command::Test { only, wasm_std } => return checks::run(only, wasm_std),
        Command::Bench { peers: true } => peers::bench()?,
        Command::Bench { peers: false } => {
            let mut bench = tools::engine_bench();
            let native = tools::target_dir().join("bench-native.json");
            bench.env("SECATEUR_BENCH_NATIVE", &native);
            tools::run(&mut bench)?;
            browser::bench(
                "speed",
                Router::new(),
                Some(("SECATEUR_BENCH_NATIVE", &native)),
            )?;
        }
        Command::Profile => browser::bench("profile", Router::new(), None)?,
        Command::Model { id } => model::fetch(&id)?,
        Command::Critique { anew } => critique::run(anew)?,
        Command::Types => page::write_types()?,
        Command::Catalog => catalog::record()?,
        Command::Fixtures => fixtures::generate()?,
        Command::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds)?,
    }
    Ok(ExitCode::SUCCESS)
}
