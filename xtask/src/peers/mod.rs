//! Secateur beside other engines: `cargo xtask bench --peers`.
//!
//! In `target/peers/` lie npm's and pip's packages of `benches/peers/` and the model as the other engines read it. In the browser
//! each engine has a tab of its own, natively a process pinned to one core; all of them have their turn in each round, and the
//! fastest round counts: whatever else the machine does slows some rounds and not others.

mod native;
mod packages;
mod table;

use crate::{browser, model, tools};
use anyhow::{Context, Result};
use axum::Router;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use table::{Row, Side, Table};
use tower_http::services::ServeDir;

/// Rows of the products alone, of 576 → 1536.
const PRODUCT_ROWS: [u32; 2] = [64, 640];

/// What was measured in every round, or why nothing was.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rounds {
    Seconds(Vec<f64>),
    LeftOut(String),
}

impl Rounds {
    /// The fastest round's seconds.
    fn fastest(&self) -> Result<f64, String> {
        match self {
            Self::Seconds(seconds) => seconds
                .iter()
                .copied()
                .min_by(f64::total_cmp)
                .ok_or_else(|| "not measured".into()),
            Self::LeftOut(reason) => Err(reason.clone()),
        }
    }
}

/// What the browser's tabs found. An engine is called by its name and its threads, or by its name and the rows of a product.
#[derive(Deserialize)]
struct InBrowser {
    /// What the page's engine computes on.
    engine: String,
    /// The browser's version.
    browser: String,
    /// The prompt's tokens.
    ids: Vec<u32>,
    /// Seconds of a forward pass.
    forward: BTreeMap<String, Rounds>,
    /// The largest difference of a logit to ours.
    differences: BTreeMap<String, f64>,
    /// Seconds of one product.
    products: BTreeMap<String, Rounds>,
}

impl InBrowser {
    fn side(measured: &BTreeMap<String, Rounds>, engine: &str, number: u32) -> Side {
        let name = format!("{engine} {number}");
        let seconds = match measured.get(&name) {
            Some(rounds) => rounds.fastest(),
            None => Err("not measured".into()),
        };
        Side {
            name: engine.to_owned(),
            seconds,
        }
    }

    fn rows(&self, table: &mut Table) {
        let forward = |engine, threads| Self::side(&self.forward, engine, threads);
        let of_threads = |threads| match threads {
            1 => "one thread".to_owned(),
            _ => format!("{threads} threads"),
        };
        for threads in [1, 2] {
            for (engine, aim) in [
                ("onnxruntime", (threads == 1).then_some(1.0 / 1.3)),
                ("jax", None),
                ("wllama", None),
            ] {
                let difference = self.differences.get(&format!("{engine} {threads}"));
                let note = match difference {
                    Some(difference) => format!("logits differ by at most {difference:.0e}"),
                    None if engine == "wllama" => {
                        "4-bit weights, 8-bit activations: no logits to compare".into()
                    }
                    None => String::new(),
                };
                table.push(Row {
                    work: format!("browser: forward pass, 64 tokens, {}", of_threads(threads)),
                    ours: forward("secateur", threads),
                    other: forward(engine, threads),
                    aim,
                    note,
                });
            }
        }
        table.push(Row {
            work: "browser: forward pass, two threads against one".into(),
            ours: forward("secateur", 2),
            other: forward("secateur", 1),
            aim: Some(1.0 / 1.8),
            note: String::new(),
        });
        for rows in PRODUCT_ROWS {
            let ours = Self::side(&self.products, "kernels", rows);
            let other = Self::side(&self.products, "jax", rows);
            let note = table::speeds(2.0 * f64::from(rows) * 576.0 * 1536.0, &ours, &other);
            table.push(Row {
                work: format!("browser: product, {rows} × 576 → 1536, one thread"),
                ours,
                other,
                aim: None,
                note,
            });
        }
    }
}

/// Where everything lies that does not belong to the repository.
fn folder() -> PathBuf {
    tools::target_dir().join("peers")
}

/// Measures and prints one table. What is missing is said, and the rest measured.
///
/// # Errors
/// When the model cannot be had, without which nothing can be measured.
pub fn bench() -> Result<()> {
    model::fetch(browser::MODEL)?;
    let gguf = model::single_file(browser::MODEL)?;
    let mut table = Table::default();
    table.machine(processor());
    or_say("npm's packages", packages::npm(&folder()));
    let python = or_say("Python's packages", packages::python(&folder()));
    if let Some(python) = &python {
        or_say("the model's other forms", export(python, &gguf));
    }
    let in_browser = or_say("the browser's figures", in_browser());
    if let Some(found) = &in_browser {
        table.machine(format!("Chromium {}, {}", found.browser, found.engine));
        found.rows(&mut table);
    }
    // Any tokens will do, but the browser's are those of a text.
    let ids = in_browser.map_or_else(
        || (0..64).map(|place| place * 37 + 11).collect(),
        |found| found.ids,
    );
    let native = native::measure(python.as_deref(), &gguf, &ids, &mut table);
    or_say("the native figures", native);
    println!("\n{table}");
    Ok(())
}

/// What a step made; where it failed, that is said, and what needs it is left out.
fn or_say<T>(what: &str, made: Result<T>) -> Option<T> {
    made.inspect_err(|error| eprintln!("{what}: left out, since {error:#}"))
        .ok()
}

/// What the processor calls itself, where the system tells, and its cores.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or("a processor", |name| {
        name.trim_start_matches([':', '\t', ' '])
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} cores")
}

/// Writes the model as the other engines read it, unless it is there.
fn export(python: &Path, gguf: &Path) -> Result<()> {
    let model = folder().join("model");
    if model.is_dir() {
        return Ok(());
    }
    // One that was broken off is begun anew.
    let part = folder().join("model.part");
    std::fs::remove_dir_all(&part).ok();
    let mut export = tools::program(python);
    export
        .env("TQDM_DISABLE", "1")
        .arg("benches/peers/export.py");
    tools::run(export.arg(gguf).arg(&part))?;
    Ok(std::fs::rename(part, model)?)
}

/// Measures what runs in a browser.
fn in_browser() -> Result<InBrowser> {
    let root = tools::root();
    let pages = ServeDir::new(root.join("benches/peers")).fallback(ServeDir::new(folder()));
    let site = Router::new()
        .nest_service("/peers/engine", ServeDir::new(root.join("www/engine")))
        .nest_service("/peers", pages);
    let out = folder().join("browser.json");
    std::fs::remove_file(&out).ok();
    browser::bench("peers", site, Some(("SECATEUR_PEERS", &out)))?;
    let text = std::fs::read_to_string(&out).context("the browser left no figures")?;
    serde_json::from_str(&text).context("the browser's figures cannot be read")
}

#[cfg(test)]
mod tests {
    use super::Rounds;

    #[test]
    fn the_fastest_round_counts() {
        let rounds: Rounds = serde_json::from_str("[0.4, 0.3, 0.5]").unwrap();
        assert_eq!(rounds.fastest(), Ok(0.3));
        let left_out: Rounds = serde_json::from_str("\"no such file\"").unwrap();
        assert_eq!(left_out.fastest(), Err("no such file".into()));
    }
}
