//! What reading takes in memory: a model no more than itself and its largest tensor, items not many times their file.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use secateur::items::{MAX_BYTES, parse_items};
use secateur::model::device::Compute;
use secateur::model::{Config, Decoder, Model, Precision};
use secateur::store::resolve_model;

mod common;
use common::{fixture, job, wait};
#[path = "common/counting.rs"]
mod counting;
use counting::measured;

const MIB: usize = 1 << 20;

/// A folder with a model whose table is its largest tensor by far, and its configuration.
fn wide_model() -> (PathBuf, Config) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory");
    std::fs::create_dir_all(&folder).unwrap();
    let from = fixture("tiny-llama-tied");
    std::fs::copy(from.join("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    let config = std::fs::read(from.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    for (name, value) in [
        ("hidden_size", 256),
        ("intermediate_size", 1024),
        ("vocab_size", 20_000),
        ("num_attention_heads", 4),
        ("num_key_value_heads", 4),
        ("head_dim", 64),
    ] {
        config[name] = value.into();
    }
    let text = config.to_string();
    let config = Config::from_json(text.as_bytes()).unwrap();
    std::fs::write(folder.join("config.json"), text).unwrap();
    let decoder = Decoder::random(config.clone(), 0.02, &Device::flex());
    let weights = wait(decoder.to_safetensors()).unwrap();
    std::fs::write(folder.join("model.safetensors"), weights).unwrap();
    (folder, config)
}

#[test]
fn loading_takes_the_model_and_its_largest_tensor() {
    let (folder, config) = wide_model();
    let files = resolve_model(folder.to_str().unwrap()).unwrap();
    for precision in [Precision::F32, Precision::Int8] {
        let compute = Compute {
            precision,
            ..Compute::flex()
        };
        let files = files.open().unwrap();
        let (model, held) = measured(|| wait(Model::load("wide", files, &compute, job())).unwrap());
        let most = config.load_bytes(precision) as usize;
        let weights = precision.bytes_of(config.n_parameters()) as usize;
        assert!(
            held >= weights,
            "{precision:?}: {held} of {weights} bytes were counted"
        );
        assert!(
            held <= most + 2 * MIB,
            "{precision:?}: {held}, and {most} are said"
        );
        drop(model);
    }
}

/// Texts close to the largest that is read, each nothing but one thing over and over.
#[test]
fn giant_texts_that_are_no_items_do_not_expand_in_memory() {
    let filled = |head: &str, part: &str, tail: &str| {
        let count = (MAX_BYTES - head.len() - tail.len()) / part.len();
        format!("{head}{}{tail}", part.repeat(count))
    };
    let row = "question,a,b,correct\nq,x,y,a\n";
    for (format, text) in [
        ("a list of numbers", filled("[0", ",0", "]")),
        (
            "one object of many choices",
            filled(
                r#"{"context":"q","choices":["a""#,
                r#","a""#,
                r#"],"gold":0}"#,
            ),
        ),
        (
            "one object of many fields",
            filled(r#"{"context":"q""#, r#","a":0"#, "}"),
        ),
        ("examples", filled(r#"{"examples":[0"#, ",0", "]}")),
        ("a header", filled("question,a,b,correct", ",", "")),
        ("a row", filled(row, ",", "")),
        ("answers", filled("q {=a", "~b", "}")),
        ("lines of answers", filled("q {=a\n", "~b\n", "}")),
    ] {
        let (parsed, held) = measured(|| parse_items(&text));
        assert!(!parsed.errors.is_empty(), "{format}");
        assert!(held <= 32 * MIB, "{format}: {held} bytes");
    }
}
