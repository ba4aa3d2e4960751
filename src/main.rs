//! The command line; see `secateur --help`.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    secateur::cli::main()
}

#[cfg(target_family = "wasm")]
fn main() {}
