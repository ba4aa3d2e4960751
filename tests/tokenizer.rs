//! Token ids against the `tokenizers` package and lm-evaluation-harness' splitting rule, as
//! `tests/fixtures/generate.py` recorded them.

use std::path::{Path, PathBuf};

use secateur::model::tokenizer::{Tokenizer, TokenizerError};
use secateur::weights::{FileSource, MemorySource, WeightFile};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Text>,
    special_texts: Vec<Text>,
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Pair {
    context: String,
    continuation: String,
    context_ids: Vec<u32>,
    continuation_ids: Vec<u32>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-llama-bpe")
}

fn golden() -> Golden {
    serde_json::from_slice(&std::fs::read(folder().join("token_ids.json")).unwrap()).unwrap()
}

fn from_gguf() -> Tokenizer {
    let source = FileSource::open(&folder().join("f32.gguf")).unwrap();
    let file = pollster::block_on(WeightFile::open(Box::new(source))).unwrap();
    Tokenizer::from_gguf(file.metadata().unwrap()).unwrap()
}

fn from_json() -> Tokenizer {
    Tokenizer::from_json(&std::fs::read(folder().join("tokenizer.json")).unwrap()).unwrap()
}

#[test]
fn texts_get_the_reference_ids_from_both_files() {
    let golden = golden();
    for (kind, tokenizer) in [("gguf", from_gguf()), ("json", from_json())] {
        for Text { text, ids } in golden.texts.iter().chain(&golden.special_texts) {
            assert_eq!(&tokenizer.encode(text).unwrap(), ids, "{kind}: {text:?}");
        }
    }
}

#[test]
fn byte_level_texts_come_back_as_they_were() {
    let golden = golden();
    for tokenizer in [from_gguf(), from_json()] {
        for Text { text, ids } in golden.texts.iter().chain(&golden.special_texts) {
            assert_eq!(&tokenizer.decode(ids).unwrap(), text);
        }
    }
}

#[test]
fn pairs_are_split_as_the_harness_splits_them() {
    for (kind, tokenizer) in [("gguf", from_gguf()), ("json", from_json())] {
        for pair in golden().pairs {
            assert_eq!(
                tokenizer
                    .encode_pair(&pair.context, &pair.continuation)
                    .unwrap(),
                (pair.context_ids, pair.continuation_ids),
                "{kind}: {:?} + {:?}",
                pair.context,
                pair.continuation
            );
        }
    }
}

/// All choices of an item are scored after one prompt: its ids may not depend on the choice.
#[test]
fn a_prompt_has_the_same_ids_whatever_follows_it() {
    let tokenizer = from_gguf();
    for prompt in [
        "because th",
        "the r",
        "Question: What did the dog see?\nAnswer:",
    ] {
        let alone = tokenizer.encode(prompt).unwrap();
        for continuation in ["e mat", " cat", "iver", "\n"] {
            let (ids, _) = tokenizer.encode_pair(prompt, continuation).unwrap();
            assert_eq!(ids, alone, "{prompt:?} before {continuation:?}");
        }
    }
}

#[test]
fn a_prompt_of_spaces_alone_still_gives_a_token_to_start_from() {
    let (prompt, continuation) = from_gguf().encode_pair("  ", "cat").unwrap();
    assert_eq!(prompt, [1]);
    assert!(!continuation.is_empty());
}

#[test]
fn a_token_is_shown_as_text_and_one_that_does_not_exist_as_its_number() {
    let tokenizer = from_gguf();
    assert_eq!(tokenizer.token_text(261), " the");
    assert_eq!(tokenizer.token_text(1), "<|im_start|>");
    assert_eq!(tokenizer.token_text(999_999), "#999999");
    // One byte of a character of several: the vocabulary's own spelling, not the replacement character.
    let part = tokenizer.encode("🙂").unwrap()[0];
    assert!(!tokenizer.token_text(part).contains('\u{fffd}'));
}

/// A GGUF file without tensors whose metadata are these strings and lists of strings.
fn gguf(texts: &[(&str, &str)], lists: &[(&str, &[&str])]) -> Result<Tokenizer, TokenizerError> {
    fn string(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(0u64.to_le_bytes());
    bytes.extend(((texts.len() + lists.len()) as u64).to_le_bytes());
    for (key, text) in texts {
        string(&mut bytes, key);
        bytes.extend(8u32.to_le_bytes());
        string(&mut bytes, text);
    }
    for (key, list) in lists {
        string(&mut bytes, key);
        bytes.extend(9u32.to_le_bytes());
        bytes.extend(8u32.to_le_bytes());
        bytes.extend((list.len() as u64).to_le_bytes());
        for text in *list {
            string(&mut bytes, text);
        }
    }
    let file = pollster::block_on(WeightFile::open(Box::new(MemorySource(bytes)))).unwrap();
    Tokenizer::from_gguf(file.metadata().unwrap())
}

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";

#[test]
fn a_kind_that_is_not_read_is_named() {
    let vocabulary: [(&str, &[&str]); 2] = [(TOKENS, &["a", "b", "ab"]), (MERGES, &["a b"])];
    for (texts, named) in [
        (vec![(MODEL, "llama")], "llama"),
        (
            vec![(MODEL, "gpt2"), (PRE, "deepseek-coder")],
            "deepseek-coder",
        ),
    ] {
        let error = gguf(&texts, &vocabulary).err().unwrap().to_string();
        assert!(error.contains(named), "{error}");
    }
    for pre in ["smollm", "gpt-2", "default", "llama-bpe", "qwen2"] {
        let tokenizer = gguf(&[(MODEL, "gpt2"), (PRE, pre)], &vocabulary).unwrap();
        assert_eq!(tokenizer.encode("abb").unwrap(), [2, 1], "{pre}");
    }
}

#[test]
fn a_damaged_vocabulary_is_an_error_and_never_a_panic() {
    let cases: [&[(&str, &[&str])]; 5] = [
        &[],
        &[(TOKENS, &["a", "b"])],
        &[(TOKENS, &["a", "b"]), (MERGES, &["ab"])],
        &[(TOKENS, &["a", "b"]), (MERGES, &["a b"])],
        &[(TOKENS, &["a", "b"]), (MERGES, &["a c"])],
    ];
    for lists in cases {
        assert!(gguf(&[(MODEL, "gpt2")], lists).is_err(), "{lists:?}");
    }
    assert!(gguf(&[], &[]).is_err());
    for model in [
        r#"{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]}"#,
        r#"{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}"#,
        r####"{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]],"continuing_subword_prefix":"##"}"####,
        r#"{"type":"BPE","vocab":["a"],"merges":[7]}"#,
    ] {
        let json = format!(r#"{{"version":"1.0","model":{model}}}"#);
        assert!(Tokenizer::from_json(json.as_bytes()).is_err(), "{model}");
    }
    assert!(Tokenizer::from_json(b"{}").is_err());
    assert!(Tokenizer::from_json(b"\xff").is_err());
}

/// Llama 3 takes a word of the vocabulary whole; the others go by the merges.
#[test]
fn llama_bpe_prefers_whole_words_to_merges() {
    let vocabulary: [(&str, &[&str]); 2] =
        [(TOKENS, &["a", "b", "c", "ab", "abc"]), (MERGES, &["a b"])];
    for (pre, ids) in [("llama-bpe", vec![4]), ("gpt-2", vec![3, 2])] {
        let tokenizer = gguf(&[(MODEL, "gpt2"), (PRE, pre)], &vocabulary).unwrap();
        assert_eq!(tokenizer.encode("abc").unwrap(), ids, "{pre}");
    }
}
