//! Models and samples as the command line finds them.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

use std::path::{Path, PathBuf};

use secateur::model::Model;
use secateur::model::device::Compute;
use secateur::store::{StoreError, resolve_model, sample_path};

mod common;
use common::{fixture, job, wait};

fn spec(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_folder_is_named_by_its_own_name_and_brings_what_lies_beside_the_weights() {
    let folder = fixture("tiny-llama-tied");
    let model = resolve_model(spec(&folder)).unwrap();
    assert_eq!(model.id, "tiny-llama-tied");
    assert_eq!(model.weights, [folder.join("model.safetensors")]);
    assert_eq!(model.index, None);
    assert_eq!(model.config, Some(folder.join("config.json")));
    assert_eq!(model.tokenizer, Some(folder.join("tokenizer.json")));
    let tokenizer_config = folder.join("tokenizer_config.json");
    assert_eq!(model.tokenizer_config, Some(tokenizer_config));
}

/// Files of other tools have names of their own, and newer ones bring their chat template beside the tokenizer.
#[test]
fn one_safetensors_file_of_any_name_is_a_model_and_its_chat_template_is_recognised() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("named-otherwise");
    std::fs::create_dir_all(&folder).unwrap();
    let from = fixture("tiny-llama-tied");
    for (name, as_name) in [
        ("model.safetensors", "weights.safetensors"),
        ("config.json", "config.json"),
        ("tokenizer.json", "tokenizer.json"),
    ] {
        std::fs::copy(from.join(name), folder.join(as_name)).unwrap();
    }
    std::fs::write(folder.join("chat_template.jinja"), "{{ messages }}").unwrap();
    let model = resolve_model(spec(&folder)).unwrap();
    assert_eq!(model.weights, [folder.join("weights.safetensors")]);
    let files = model.open().unwrap();
    let loaded = wait(Model::load("named", files, &Compute::flex(), job())).unwrap();
    assert!(loaded.report.has_chat_template);
    assert_eq!(loaded.tokenizer.chat_template(), Some("{{ messages }}"));
}

/// A folder with the files named, in the test's own corner of the build's folder; the index says which are
/// shards.
fn folder_of_shards(name: &str, shards: &[&str], index: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for shard in shards {
        std::fs::write(folder.join(shard), b"").unwrap();
    }
    std::fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    folder
}

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

#[test]
fn shards_are_found_by_their_folder_their_index_or_one_of_them() {
    let index = format!(r#"{{"weight_map": {{"a": "{SECOND}", "b": "{FIRST}", "c": "{FIRST}"}}}}"#);
    let folder = folder_of_shards("shards", &[FIRST, SECOND], &index);
    std::fs::write(folder.join("config.json"), b"{}").unwrap();
    for given in [
        folder.clone(),
        folder.join(FIRST),
        folder.join("model.safetensors.index.json"),
    ] {
        let model = resolve_model(spec(&given)).unwrap();
        assert_eq!(model.id, "shards");
        assert_eq!(model.weights, [folder.join(FIRST), folder.join(SECOND)]);
        assert_eq!(
            model.index,
            Some(folder.join("model.safetensors.index.json"))
        );
        assert_eq!(model.config, Some(folder.join("config.json")));
        let files = model.open().unwrap();
        let names: Vec<&str> = files.weights.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, [FIRST, SECOND]);
    }
}

#[test]
fn a_missing_shard_is_named_and_an_index_cannot_point_elsewhere() {
    let index = format!(r#"{{"weight_map": {{"a": "{FIRST}", "b": "{SECOND}"}}}}"#);
    let folder = folder_of_shards("one-shard", &[FIRST], &index);
    let error = resolve_model(spec(&folder)).unwrap_err();
    assert!(matches!(&error, StoreError::MissingShard(path) if path.ends_with(SECOND)));
    for damaged in [
        r#"{"weight_map": {"a": "../one-shard/model-00001-of-00002.safetensors"}}"#,
        r#"{"weight_map": {"a": ".."}}"#,
        r#"{"weight_map": {}}"#,
        "{}",
        "",
    ] {
        let folder = folder_of_shards("damaged-index", &[], damaged);
        let error = resolve_model(spec(&folder)).unwrap_err();
        assert!(matches!(error, StoreError::Index(..)), "{damaged}: {error}");
    }
}

#[test]
fn a_gguf_file_is_a_model_and_a_folder_with_two_is_asked_about() {
    let file = fixture("tiny-llama-bpe/f32.gguf");
    let model = resolve_model(spec(&file)).unwrap();
    assert_eq!((model.weights, model.config), (vec![file], None));
    let several = resolve_model(spec(&fixture("tiny-llama-bpe"))).unwrap_err();
    assert!(matches!(several, StoreError::Several(_)));
    let none = resolve_model(spec(&fixture("generator"))).unwrap_err();
    assert!(matches!(none, StoreError::NoModel(_)));
}

#[test]
fn an_error_says_how_to_get_a_model_but_not_how_to_get_a_path() {
    let unknown = resolve_model("no-such-model").unwrap_err().to_string();
    assert!(
        unknown.contains("cargo xtask model no-such-model"),
        "{unknown}"
    );
    for path in ["no/such/folder", "missing.gguf", ""] {
        let error = resolve_model(path).unwrap_err().to_string();
        assert!(error.contains("no such file"), "{error}");
    }
}

#[test]
fn samples_are_found_by_name_and_nothing_else_is() {
    let path = sample_path("general-knowledge").unwrap();
    assert_eq!(sample_path("general-knowledge.jsonl"), Some(path));
    for name in ["no-such-set", "../catalog.json", "..", "", "/etc/hostname"] {
        assert_eq!(sample_path(name), None, "{name}");
    }
}
