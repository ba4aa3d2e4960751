//! Token ids against the `tokenizers` package and lm-evaluation-harness' splitting rule, as
//! `tests/fixtures/generate.py` recorded them, for every kind of tokenizer.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

use std::path::{Path, PathBuf};

use secateur::model::Family;
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

/// Ids of one small tokenizer: `tests/fixtures/tokenizers/{kind}/token_ids.json`.
#[derive(Deserialize)]
struct KindGolden {
    start: u32,
    texts: Vec<Text>,
    pairs: Vec<Pair>,
}

fn kinds(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tokenizers")
        .join(path)
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

fn kind_golden(path: &str) -> KindGolden {
    serde_json::from_slice(&read(kinds(path))).unwrap()
}

fn open_gguf(path: &Path) -> Tokenizer {
    let source = FileSource::open(path).unwrap();
    let file = pollster::block_on(WeightFile::open(Box::new(source))).unwrap();
    Tokenizer::from_gguf(file.metadata().unwrap()).unwrap()
}

fn kind_from_json(kind: &str) -> Tokenizer {
    Tokenizer::from_json(&read(kinds(&format!("{kind}/tokenizer.json"))))
        .unwrap()
        .with_config(&read(kinds(&format!("{kind}/tokenizer_config.json"))))
        .unwrap()
}

fn check(what: &str, tokenizer: &Tokenizer, golden: KindGolden) {
    for Text { text, ids } in golden.texts {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{what}: {text:?}");
    }
    for pair in golden.pairs {
        let found = tokenizer.encode_pair(&pair.context, &pair.continuation);
        assert_eq!(
            found.unwrap(),
            (pair.context_ids, pair.continuation_ids),
            "{what}: {:?} + {:?}",
            pair.context,
            pair.continuation
        );
    }
    let (first, _) = tokenizer.encode_pair("", "the").unwrap();
    assert_eq!(first, [golden.start], "{what}");
}

const BYTE_LEVEL: [&str; 4] = ["gpt2", "neox", "llama3", "qwen2"];
const SENTENCEPIECE: [&str; 2] = ["llama2", "gemma"];

/// Numbers, spaces, emoji, CJK, Arabic, code, control characters, special tokens; and pairs with the tokens
/// that a prompt begins with.
#[test]
fn every_kind_of_tokenizer_json_gives_the_reference_ids() {
    for kind in BYTE_LEVEL.iter().chain(&SENTENCEPIECE).chain(&["unigram"]) {
        let golden = kind_golden(&format!("{kind}/token_ids.json"));
        check(kind, &kind_from_json(kind), golden);
    }
}

#[test]
fn every_kind_of_gguf_vocabulary_gives_the_ids_of_its_tokenizer_json() {
    for kind in BYTE_LEVEL.iter().chain(&SENTENCEPIECE) {
        let golden = kind_golden(&format!("{kind}/token_ids.json"));
        let tokenizer = open_gguf(&kinds(&format!("{kind}/vocabulary.gguf")));
        check(kind, &tokenizer, golden);
    }
}

#[test]
fn a_prompt_begins_with_the_first_token_where_the_model_wants_it_and_never_twice() {
    for (kind, first, adds) in [
        ("gpt2", "<|endoftext|>", false),
        ("qwen2", "<|endoftext|>", false),
        ("llama3", "<|begin_of_text|>", true),
        ("llama2", "<s>", true),
        ("gemma", "<bos>", true),
    ] {
        let start = kind_golden(&format!("{kind}/token_ids.json")).start;
        let gguf = open_gguf(&kinds(&format!("{kind}/vocabulary.gguf")));
        for tokenizer in [kind_from_json(kind), gguf] {
            let ids = tokenizer.encode_prompt("the cat").unwrap();
            assert_eq!(ids[0] == start, adds, "{kind}: {ids:?}");
            let ids = tokenizer.encode_prompt(&format!("{first}the cat")).unwrap();
            let count = ids.iter().filter(|&&id| id == start).count();
            assert_eq!((ids[0], count), (start, 1), "{kind}: {ids:?}");
        }
    }
}

#[test]
fn texts_come_back_from_their_ids() {
    for kind in ["gpt2", "llama3", "llama2", "gemma"] {
        let gguf = open_gguf(&kinds(&format!("{kind}/vocabulary.gguf")));
        for tokenizer in [kind_from_json(kind), gguf] {
            for Text { text, ids } in kind_golden(&format!("{kind}/token_ids.json")).texts {
                // SentencePiece's sign for a space comes back as a space.
                let expected = match kind {
                    "llama2" | "gemma" => text.replace('▁', " "),
                    _ => text,
                };
                // A space is put before what follows a special token too.
                if kind != "llama2" || !expected.contains("s>") {
                    assert_eq!(tokenizer.decode(&ids).unwrap(), expected, "{kind}");
                }
            }
        }
    }
}

#[test]
fn a_token_that_begins_a_word_is_shown_with_its_space() {
    for kind in ["gpt2", "llama2", "gemma"] {
        let gguf = open_gguf(&kinds(&format!("{kind}/vocabulary.gguf")));
        for tokenizer in [kind_from_json(kind), gguf] {
            let ids = tokenizer.encode("a the").unwrap();
            assert_eq!(tokenizer.token_text(*ids.last().unwrap()), " the", "{kind}");
        }
    }
}

#[test]
fn chat_templates_are_recognised_wherever_they_are() {
    let json = || Tokenizer::from_json(&read(kinds("qwen2/tokenizer.json"))).unwrap();
    assert_eq!(json().chat_template(), None);
    for (config, expected) in [
        (r#"{"chat_template":"{{ one }}"}"#, Some("{{ one }}")),
        (
            r#"{"chat_template":[{"name":"tool","template":"t"},{"name":"default","template":"d"}]}"#,
            Some("d"),
        ),
        (r#"{"chat_template":{"tool":"t","default":"d"}}"#, Some("d")),
        (r#"{"chat_template":[]}"#, None),
        (r#"{"chat_template":null}"#, None),
    ] {
        let tokenizer = json().with_config(config.as_bytes()).unwrap();
        assert_eq!(tokenizer.chat_template(), expected, "{config}");
        let own = tokenizer.with_chat_template(b"own".to_vec()).unwrap();
        assert_eq!(own.chat_template(), Some("own"));
    }
    let gguf = open_gguf(&kinds("qwen2/vocabulary.gguf"));
    assert!(gguf.chat_template().unwrap().contains("message.content"));
    let plain = open_gguf(&kinds("gemma/vocabulary.gguf"));
    assert_eq!(plain.chat_template(), None);
}

#[test]
fn a_tokenizer_config_that_is_damaged_is_refused() {
    for (config, named) in [
        (r#"{"bos_token":7}"#, "tokenizer_config.json"),
        (
            r#"{"added_tokens_decoder":{"x":"y"}}"#,
            "tokenizer_config.json",
        ),
        ("[", "tokenizer_config.json"),
    ] {
        let tokenizer = Tokenizer::from_json(&read(kinds("qwen2/tokenizer.json"))).unwrap();
        let error = tokenizer.with_config(config.as_bytes()).err().unwrap();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
#[ignore = "needs `cargo xtask model smollm2-135m-instruct`"]
fn the_published_smollm2_135m_instruct_gives_the_ids_that_transformers_gives() {
    hold_published(
        "smollm2.json",
        "smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf",
    );
}

#[test]
#[ignore = "needs `cargo xtask model gemma-3-270m`"]
fn the_published_gemma_3_270m_gives_the_ids_that_transformers_gives() {
    hold_published("gemma-3.json", "gemma-3-270m/gemma-3-270m-q4_k_m.gguf");
}

/// A published model's file: ids as `transformers` reads it.
fn hold_published(golden: &str, file: &str) {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/cache");
    check(golden, &open_gguf(&cache.join(file)), kind_golden(golden));
}

#[test]
fn a_kind_that_is_not_read_is_named() {
    let vocabulary: [(&str, &[&str]); 2] = [(TOKENS, &["a", "b", "ab"]), (MERGES, &["a b"])];
    for (texts, named) in [
        (vec![(MODEL, "bert")], "bert"),
        (
            vec![(MODEL, "gpt2"), (PRE, "deepseek-coder")],
            "deepseek-coder",
        ),
    ] {
        let error = gguf(&texts, &vocabulary).err().unwrap().to_string();
        assert!(error.contains(named), "{error}");
    }
    for pre in [
        "smollm",
        "gpt-2",
        "phi-2",
        "default",
        "llama-bpe",
        "qwen2",
        "mpt",
        "olmo",
    ] {
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
        r#"{"type":"BPE","vocab":{"a":4294967295},"merges":[]}"#,
        r#"{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":4294967295,"content":"x","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]"#,
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
    for (pre, ids) in [
        ("llama-bpe", vec![4]),
        ("gpt-2", vec![3, 2]),
        ("dbrx", vec![3, 2]),
    ] {
        let tokenizer = gguf(&[(MODEL, "gpt2"), (PRE, pre)], &vocabulary).unwrap();
        assert_eq!(tokenizer.encode("abc").unwrap(), ids, "{pre}");
    }
}

/// A prompt that goes on has not ended.
#[test]
fn a_token_at_the_end_of_a_text_is_in_no_prompt_that_is_continued() {
    let end = serde_json::json!({ "SpecialToken": { "id": "e", "type_id": 0 } });
    let text = serde_json::json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let file = serde_json::json!({
        "version": "1.0",
        "post_processor": {
            "type": "TemplateProcessing", "single": [end, text, end], "pair": [],
            "special_tokens": { "e": { "id": "e", "ids": [2], "tokens": ["e"] } },
        },
        "model": { "type": "BPE", "vocab": { "a": 0, "b": 1, "e": 2 }, "merges": [] },
    });
    let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    assert_eq!(tokenizer.encode_prompt("a").unwrap(), [2, 0, 2]);
    let pair = tokenizer.encode_pair("a", "ba").unwrap();
    assert_eq!(pair, (vec![2, 0], vec![1, 0]));
}

/// `tests/fixtures/tokenizers/settings.json`, by transformers: tokens that only `tokenizer_config.json` has, special tokens that
/// are none in a text, and tokens before a text that a class does not add.
#[test]
fn what_tokenizer_config_json_adds_gets_the_ids_that_transformers_gives() {
    #[derive(Deserialize)]
    struct Case {
        kind: String,
        family: Family,
        config: serde_json::Value,
        post_processor: Option<serde_json::Value>,
        texts: Vec<Text>,
    }
    // In the order of the fields, which decides ids.
    #[derive(Deserialize)]
    struct Raw<'a> {
        #[serde(borrow)]
        config: &'a serde_json::value::RawValue,
    }
    let golden = read(kinds("settings.json"));
    let cases: Vec<Case> = serde_json::from_slice(&golden).unwrap();
    let raw: Vec<Raw> = serde_json::from_slice(&golden).unwrap();
    for (case, Raw { config }) in cases.into_iter().zip(raw) {
        let file = read(kinds(&format!("{}/tokenizer.json", case.kind)));
        let mut file: serde_json::Value = serde_json::from_slice(&file).unwrap();
        if let Some(processor) = case.post_processor {
            file["post_processor"] = processor;
        }
        let file = file.to_string();
        let config = config.get().as_bytes();
        let tokenizer =
            Tokenizer::from_hugging_face(file.as_bytes(), Some(config), case.family).unwrap();
        for Text { text, ids } in case.texts {
            let found = tokenizer.encode_prompt(&text).unwrap();
            assert_eq!(found, ids, "{} {text:?} {}", case.kind, case.config);
        }
    }
}

/// What is in neither file is added, and said.
#[test]
fn a_token_that_tokenizer_json_lacks_begins_a_text_and_is_reported() {
    let json = || Tokenizer::from_json(&read(kinds("gpt2/tokenizer.json"))).unwrap();
    let tokenizer = json()
        .with_config(br#"{"bos_token":"<nobody>","eos_token":"<nobody>"}"#)
        .unwrap();
    assert_eq!(tokenizer.encode_pair("", "the").unwrap().0, [420]);
    let notes: Vec<&str> = tokenizer.notes().collect();
    assert_eq!(
        notes,
        [
            "tokens are added that tokenizer.json lacks, as transformers does: 1, the first `<nobody>`"
        ]
    );
    // A text of nothing is no token.
    let tokenizer = json()
        .with_config(br#"{"bos_token":"","eos_token":"the"}"#)
        .unwrap();
    assert_eq!(
        tokenizer.encode_pair("", "the").unwrap().0,
        json().encode("the").unwrap()
    );
    assert_eq!(tokenizer.notes().count(), 0);
}

/// A tokenizer of two words with a byte-level step, alone or after another.
fn with_prefix_space(adds_space: bool, is_sequence: bool) -> Vec<u8> {
    let step = serde_json::json!({ "type": "ByteLevel", "add_prefix_space": adds_space, "trim_offsets": true, "use_regex": true });
    let digits = serde_json::json!({ "type": "Digits", "individual_digits": true });
    let steps = match is_sequence {
        true => serde_json::json!({ "type": "Sequence", "pretokenizers": [digits, step] }),
        false => step,
    };
    serde_json::json!({
        "version": "1.0",
        "pre_tokenizer": steps,
        "model": { "type": "BPE", "vocab": { "a": 0, "Ġ": 1, "Ġa": 2, "1": 3, "2": 4 }, "merges": ["Ġ a"] },
    })
    .to_string()
    .into_bytes()
}

/// The classes GPT2Tokenizer and GPTNeoXTokenizer of transformers 5 build their steps anew, from the setting; others take
/// those of `tokenizer.json`.
#[test]
fn a_space_before_a_text_is_decided_as_in_transformers() {
    let ids = |file: &[u8], config: Option<&str>, family: Family| {
        let config = config.map(str::as_bytes);
        let tokenizer = Tokenizer::from_hugging_face(file, config, family).unwrap();
        tokenizer.encode("a").unwrap()
    };
    let (with, without) = (vec![2], vec![0]);
    let gpt2 = r#"{"tokenizer_class":"GPT2Tokenizer","add_prefix_space":"#;
    for (adds_space, config, family, expected) in [
        (false, Some(format!("{gpt2}true}}")), Family::Gpt2, &with),
        (true, Some(format!("{gpt2}false}}")), Family::Gpt2, &without),
        (
            true,
            Some(r#"{"tokenizer_class":"GPT2TokenizerFast"}"#.into()),
            Family::Llama,
            &without,
        ),
        (
            false,
            Some(r#"{"tokenizer_class":"PreTrainedTokenizerFast","add_prefix_space":true}"#.into()),
            Family::Gpt2,
            &without,
        ),
        (
            true,
            Some(r#"{"tokenizer_class":"TokenizersBackend","add_prefix_space":false}"#.into()),
            Family::Gpt2,
            &with,
        ),
        (
            true,
            Some(r#"{"tokenizer_class":"GPTNeoXTokenizer"}"#.into()),
            Family::GptNeox,
            &without,
        ),
        // Without a class it is the family's.
        (true, None, Family::Gpt2, &without),
        (true, None, Family::Llama, &with),
        // For a mistake of this family's files.
        (
            false,
            Some(r#"{"tokenizer_class":"PreTrainedTokenizerFast","add_prefix_space":true}"#.into()),
            Family::Qwen2,
            &with,
        ),
        // A byte-level file of this class is taken as it is.
        (
            true,
            Some(r#"{"tokenizer_class":"LlamaTokenizer","add_prefix_space":false}"#.into()),
            Family::Llama,
            &with,
        ),
    ] {
        let file = with_prefix_space(adds_space, false);
        assert_eq!(
            ids(&file, config.as_deref(), family),
            *expected,
            "{config:?} {family:?}"
        );
    }
    // What is built anew is one step: a space before the text, and none before its second digit.
    let config = format!("{gpt2}true}}");
    let file = with_prefix_space(false, true);
    let tokenizer =
        Tokenizer::from_hugging_face(&file, Some(config.as_bytes()), Family::Gpt2).unwrap();
    assert_eq!(tokenizer.encode("12").unwrap(), [1, 3, 4]);
}

/// transformers' LlamaTokenizer goes by the setting, which is true where it is not given.
#[test]
fn a_sentencepiece_file_of_the_class_of_llama_goes_by_the_setting() {
    let prepend = r#"{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"#;
    let replace = r#"{"type":"Replace","pattern":{"String":" "},"content":"▁"}"#;
    let metaspace = |scheme: &str| {
        format!(
            r#"{{"type":"Metaspace","replacement":"▁","prepend_scheme":"{scheme}","split":false}}"#
        )
    };
    let file = |normalizer: &str, pre_tokenizer: &str| {
        format!(
            r#"{{"version":"1.0","normalizer":{normalizer},"pre_tokenizer":{pre_tokenizer},
            "model":{{"type":"BPE","vocab":{{"a":0,"▁":1,"▁a":2}},"merges":["▁ a"]}}}}"#
        )
    };
    for file in [
        file(prepend, "null"),
        file(replace, "null"),
        file("null", &metaspace("first")),
        file("null", &metaspace("never")),
    ] {
        for (setting, expected) in [(r#","add_prefix_space":false"#, [0, 2]), ("", [2, 2])] {
            let config = format!(r#"{{"tokenizer_class":"LlamaTokenizer"{setting}}}"#);
            let tokenizer = Tokenizer::from_hugging_face(
                file.as_bytes(),
                Some(config.as_bytes()),
                Family::Llama,
            );
            assert_eq!(
                tokenizer.unwrap().encode("a a").unwrap(),
                expected,
                "{file} {setting}"
            );
        }
    }
}
