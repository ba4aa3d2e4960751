//! The command line as a user meets it: what its files and its standard output hold, and what it says about
//! input that is wrong.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

#[path = "../common/mod.rs"]
mod common;

mod attribution;
mod items;
mod masks;
mod outputs;
mod scores;
mod search;
mod studies;
mod wrong;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{fixture, golden_items, model};
use secateur::items::canonical_jsonl;
use secateur::scoring::SetScores;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const FOLDER: &str = "tiny-llama-tied";

/// Of a summed log-likelihood in nats, as in the tests of scoring.
const TOLERANCE: f64 = 5e-5;

/// A folder of one test with the reference items in `items.jsonl`.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        let desk = Self(folder);
        desk.put("items.jsonl", canonical_jsonl(&common::items(FOLDER)));
        desk
    }

    fn put(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), contents).unwrap();
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    /// Runs the program in this folder; `MODEL` stands for the fixture model's folder, which is also found by its id.
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let model = fixture(FOLDER);
        let arguments = arguments.iter().map(|&argument| match argument {
            "MODEL" => model.as_os_str(),
            other => other.as_ref(),
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_secateur"));
        command
            .args(arguments)
            .current_dir(&self.0)
            .env("SECATEUR_MODELS", fixture(""));
        command
    }

    /// Runs a command that must succeed without a word on standard error; its standard output.
    fn ok(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        assert_eq!(errors, "", "{arguments:?}");
        output.stdout
    }

    /// Runs a command that must succeed with one warning, of this; its standard output.
    fn warned(&self, arguments: &[&str], of: &str) -> Vec<u8> {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{arguments:?}: {errors}");
        let is_its = errors.starts_with("warning: ") && errors.contains(of);
        assert!(is_its, "{arguments:?}: {errors}");
        output.stdout
    }

    /// Runs a command that must end with code 2 and one line; the line.
    fn wrong(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let lines: Vec<&str> = errors.lines().collect();
        assert_eq!(lines.len(), 1, "{arguments:?}: {errors}");
        assert!(lines[0].starts_with("secateur: "), "{errors}");
        lines[0].to_owned()
    }
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> T {
    serde_json::from_slice(bytes).unwrap()
}

/// A subcommand with the fixture model, the reference items and their template.
fn with<'a>(command: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let input = [
        "--model",
        "MODEL",
        "--items",
        "items.jsonl",
        "--template",
        "plain",
    ];
    [&[command], &input[..], rest].concat()
}

fn sums(scores: &SetScores) -> Vec<f64> {
    let choices = scores.items.iter().flat_map(|item| &item.choices);
    choices.map(|choice| choice.log_likelihood).collect()
}

fn golden(sums: fn(&common::GoldenItem) -> &Vec<f64>) -> Vec<f64> {
    golden_items(FOLDER)
        .iter()
        .flat_map(|item| sums(item).clone())
        .collect()
}

/// A study of the reference items in a file beside it.
fn study() -> Value {
    json!({
        "format": "secateur-study",
        "version": 1,
        "model": {"id": FOLDER, "sha256": model(FOLDER).sha256},
        "item_sets": [
            {"name": "reference", "roles": ["attribution", "validation"], "sample": "items.jsonl"},
        ],
        "template": "plain@1",
        "attribution": {
            "path": "per_layer", "site": "post", "positions": "last", "target": "choice_first_token",
            "steps": 2, "rule": "middle", "confidence_threshold": 0.0,
        },
        "search": {"percents": [20.0]},
    })
}
