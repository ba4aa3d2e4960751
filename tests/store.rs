//! Models and samples as the command line finds them.

use std::path::{Path, PathBuf};

use secateur::store::{StoreError, resolve_model, sample_path};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(path)
}

fn spec(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_folder_is_named_by_its_own_name_and_brings_what_lies_beside_the_weights() {
    let folder = fixture("tiny-llama-tied");
    let model = resolve_model(spec(&folder)).unwrap();
    assert_eq!(model.id, "tiny-llama-tied");
    assert_eq!(model.weights, folder.join("model.safetensors"));
    assert_eq!(model.config, Some(folder.join("config.json")));
    assert_eq!(model.tokenizer, Some(folder.join("tokenizer.json")));
}

#[test]
fn a_gguf_file_is_a_model_and_a_folder_with_two_is_asked_about() {
    let file = fixture("tiny-llama-bpe/f32.gguf");
    let model = resolve_model(spec(&file)).unwrap();
    assert_eq!((model.weights, model.config), (file, None));
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
