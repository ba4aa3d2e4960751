//! Files that lie: refused with an error, without a panic, and without taking much more memory than they have
//! bytes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

use std::fmt::Write;

use secateur::model::Tokenizer;
use secateur::model::tokenizer::TokenizerError;
use secateur::weights::{ByteSource, MemorySource, WeightFile, WeightsError};

#[path = "common/counting.rs"]
mod counting;
use counting::measured;
#[path = "common/gguf.rs"]
mod gguf;
use gguf::{ARRAY, BOOL, F32, F32_VALUE, Q4_0, STRING, array, entry, file, string};

const MIB: usize = 1 << 20;

fn open(bytes: Vec<u8>) -> Result<WeightFile, WeightsError> {
    pollster::block_on(WeightFile::open(Box::new(MemorySource(bytes))))
}

/// Opens a file that is nothing but trouble: an error that says this, and at most this many bytes for it.
fn refused(bytes: Vec<u8>, named: &str, most: usize) {
    let (result, held) = measured(|| open(bytes));
    let error = result.err().unwrap().to_string();
    assert!(error.contains(named), "{named}: {error}");
    assert!(held <= most, "{named}: {held} bytes");
}

/// A safetensors file of this header and so many bytes of data.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn gguf_headers_that_lie_are_refused() {
    let huge = u64::MAX.to_le_bytes();
    let much = (1u64 << 27).to_le_bytes();
    let deep = {
        let mut value = Vec::new();
        for _ in 0..1000 {
            value.extend(ARRAY.to_le_bytes());
            value.extend(1u64.to_le_bytes());
        }
        value
    };
    let files = [
        ("version 1", file(1, &[], &[], 0)),
        ("version 4", file(4, &[], &[], 0)),
        ("big endian", file(3u32.swap_bytes(), &[], &[], 0)),
        (
            "a string longer than the file",
            file(3, &[entry("k", STRING, &[&much])], &[], 0),
        ),
        (
            "a string of 2^64 bytes",
            file(3, &[entry("k", STRING, &[&huge])], &[], 0),
        ),
        (
            "an array longer than the file",
            file(
                3,
                &[entry("k", ARRAY, &[&F32.to_le_bytes(), &much])],
                &[],
                0,
            ),
        ),
        (
            "an array of 2^64 values",
            file(
                3,
                &[entry("k", ARRAY, &[&F32.to_le_bytes(), &huge])],
                &[],
                0,
            ),
        ),
        (
            "arrays in arrays",
            file(3, &[entry("k", ARRAY, &[&deep])], &[], 0),
        ),
        (
            "an unknown value type",
            file(3, &[entry("k", 13, &[&huge])], &[], 0),
        ),
        (
            "alignment 0",
            file(3, &[entry("general.alignment", 4, &[&[0; 4]])], &[], 0),
        ),
        (
            "alignment 33",
            file(
                3,
                &[entry("general.alignment", 4, &[&[33, 0, 0, 0]])],
                &[],
                0,
            ),
        ),
        (
            "an unknown tensor type",
            file(3, &[], &[("t", &[2], 99, 0)], 64),
        ),
        (
            "nine dimensions",
            file(3, &[], &[("t", &[1; 9], F32, 0)], 64),
        ),
        (
            "more elements than there are numbers",
            file(3, &[], &[("t", &[1 << 40, 1 << 40], F32, 0)], 64),
        ),
        (
            "more elements than bytes",
            file(3, &[], &[("t", &[17], F32, 0)], 64),
        ),
        (
            "an offset beyond the file",
            file(3, &[], &[("t", &[1], F32, 64)], 64),
        ),
        (
            "an offset that overflows",
            file(3, &[], &[("t", &[1], F32, u64::MAX - 3)], 64),
        ),
        (
            "half a block",
            file(3, &[], &[("t", &[16, 2], Q4_0, 0)], 64),
        ),
        (
            "overlapping tensors",
            file(3, &[], &[("t", &[4], F32, 0), ("u", &[4], F32, 12)], 64),
        ),
        (
            "one name for two tensors",
            file(3, &[], &[("t", &[1], F32, 0), ("t", &[1], F32, 32)], 64),
        ),
    ];
    for (what, bytes) in files {
        assert!(open(bytes).is_err(), "{what}");
    }
    // The same builder, nothing wrong.
    let good = file(
        2,
        &[entry("general.alignment", 4, &[&[32, 0, 0, 0]])],
        &[("t", &[4], F32, 0), ("u", &[4], F32, 32)],
        64,
    );
    let opened = open(good).unwrap();
    assert_eq!(pollster::block_on(opened.read_f32("u")).unwrap(), [0.0; 4]);
}

/// Arrays stay as small as they are in the file, however many elements they have.
#[test]
fn gguf_arrays_do_not_expand_in_memory() {
    for (what, bytes) in [
        (
            "booleans",
            file(3, &[array("k", BOOL, 16 * MIB, &vec![1; 16 * MIB])], &[], 0),
        ),
        (
            "empty strings",
            file(
                3,
                &[array("k", STRING, 2 * MIB, &vec![0; 16 * MIB])],
                &[],
                0,
            ),
        ),
    ] {
        let size = bytes.len();
        let (opened, held) = measured(|| open(bytes));
        let opened = opened.unwrap();
        let elements = opened.metadata().unwrap().get("k").unwrap();
        assert!(elements.as_array().unwrap().len() >= 2 * MIB);
        assert!(held < 6 * size, "{what}: {held} bytes for a file of {size}");
    }
}

#[test]
fn gguf_headers_are_limited() {
    let endless = array("k", BOOL, 65 * MIB, &vec![0; 65 * MIB]);
    refused(file(3, &[endless], &[], 0), "68157440 values", 150 * MIB);
    let twice = entry("k", BOOL, &[&[0]]);
    refused(file(3, &[twice.clone(), twice], &[], 0), "twice", MIB);
    let latin_1 = [&4u64.to_le_bytes()[..], b"caf\xe9"].concat();
    refused(
        file(3, &[entry("k", STRING, &[&latin_1])], &[], 0),
        "UTF-8",
        MIB,
    );
    // Counts that the file is far too short for take nothing.
    for (n_tensors, n_entries) in [(u64::MAX, 0), (0, u64::MAX), (100_000, 65_536)] {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(n_tensors.to_le_bytes());
        bytes.extend(n_entries.to_le_bytes());
        refused(bytes, "", MIB);
    }
}

#[test]
fn safetensors_headers_do_not_expand_in_memory() {
    let mut many = String::from("{");
    for index in 0..200_000 {
        let _ = write!(
            many,
            r#""{index}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}},"#
        );
    }
    many.pop();
    many.push('}');
    let size = many.len();
    refused(safetensors(&many, 0), "too many tensors", 5 * size);
    let long = format!(
        r#"{{"a":{{"dtype":"F32","shape":[{}1]}}}}"#,
        "1,".repeat(4 * MIB)
    );
    refused(safetensors(&long, 0), "too many dimensions", 2 * long.len());
    // Metadata is skipped without being kept, however deep.
    let deep = format!(
        r#"{{"__metadata__":{}{}}}"#,
        "[".repeat(MIB),
        "]".repeat(MIB)
    );
    let (opened, held) = measured(|| open(safetensors(&deep, 0)));
    assert!(opened.is_ok() || opened.is_err_and(|error| error.to_string().contains("recursion")));
    assert!(held < 4 * deep.len(), "{held} bytes");
    let nested = format!(r#"{{"a":{}{}}}"#, r#"{"a":"#.repeat(1000), "}".repeat(1000));
    refused(safetensors(&nested, 0), "safetensors header", MIB);
}

#[test]
fn safetensors_headers_that_lie_are_refused() {
    for (header, data, named) in [
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            8,
            "twice",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[3,7]}}"#,
            7,
            "overlap",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
            4,
            "`a`",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#,
            4,
            "`a`",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[4294967296],"data_offsets":[0,17179869184]}}"#,
            4,
            "`a`",
        ),
        (
            r#"{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}"#,
            8,
            "`a` is stored as C64",
        ),
        (r#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, "shape"),
        (r#"{"a":[]}"#, 4, "`a`"),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#,
            4,
            "`a`",
        ),
        ("{}}", 0, "trailing"),
        ("{\u{0}", 0, "safetensors header"),
    ] {
        refused(safetensors(header, data), named, MIB);
    }
    // A header longer than the file, and one longer than any.
    for length in [3u64, 100_000_001, u64::MAX] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{}");
        refused(bytes, "", MIB);
    }
}

#[test]
fn a_shape_with_a_zero_is_no_way_around_the_limits() {
    let header = format!(
        r#"{{"a":{{"dtype":"F32","shape":[0,{0},{0}],"data_offsets":[0,0]}},"b":{{"dtype":"F32","shape":[{0},0],"data_offsets":[0,0]}}}}"#,
        1u64 << 60
    );
    let opened = open(safetensors(&header, 0)).unwrap();
    for name in ["a", "b"] {
        assert!(
            pollster::block_on(opened.read_f32(name))
                .unwrap()
                .is_empty()
        );
        let rows = pollster::block_on(opened.read_rows_f32(name, 0..0));
        assert!(rows.is_ok_and(|rows| rows.is_empty()) || name == "a");
    }
}

#[test]
fn indexes_of_shards_do_not_expand_in_memory() {
    let mut many = String::from(r#"{"weight_map":{"#);
    for index in 0..200_000 {
        let _ = write!(many, r#""{index}":"a.safetensors","#);
    }
    many.pop();
    many.push_str("}}");
    for (index, named) in [
        (many.into_bytes(), "too many tensors"),
        (vec![b' '; 33 * MIB], "34603008 bytes"),
    ] {
        let size = index.len();
        let shards: Vec<(String, Box<dyn ByteSource>)> = Vec::new();
        let (result, held) =
            measured(|| pollster::block_on(WeightFile::open_sharded(&index, shards)));
        let error = result.err().unwrap().to_string();
        assert!(error.contains(named), "{error}");
        assert!(held < 6 * size, "{named}: {held} bytes");
    }
}

fn tokenizer_refused(json: &str, named: &str, most: usize) {
    let (result, held) = measured(|| Tokenizer::from_json(json.as_bytes()));
    let error = result.err().unwrap().to_string();
    assert!(error.contains(named), "{named}: {error}");
    assert!(held <= most, "{named}: {held} bytes");
}

#[test]
fn a_hostile_tokenizer_json_is_refused_in_bounded_memory() {
    tokenizer_refused(&" ".repeat(65 * MIB), "68157440 bytes", MIB);
    let flat = format!("[{}[]]", "[],".repeat(4 * MIB));
    tokenizer_refused(&flat, "too many values", MIB);
    let deep = "[".repeat(MIB);
    tokenizer_refused(&deep, "recursion limit", 8 * MIB);
    let allowed = format!("[{}[]]", "[],".repeat(2 * MIB));
    tokenizer_refused(&allowed, "", 200 * MIB);
}

/// A post-processor whose template names a token that it does not describe made the `tokenizers` crate panic;
/// the fuzzer found it.
#[test]
fn a_template_that_is_not_a_prompts_is_refused() {
    let json = |processor: &str| {
        format!(
            r#"{{"version":"1.0","post_processor":{processor},"model":{{"type":"WordLevel","vocab":{{"a":0,"b":1}},"unk_token":"a"}}}}"#
        )
    };
    let template = |single: &str, tokens: &str| {
        json(&format!(
            r#"{{"type":"TemplateProcessing","single":[{single}],"pair":[],"special_tokens":{{{tokens}}}}}"#
        ))
    };
    let (text, b) = (
        r#"{"Sequence":{"id":"A","type_id":0}}"#,
        r#"{"SpecialToken":{"id":"b","type_id":0}}"#,
    );
    let described = r#""b":{"id":"b","ids":[1],"tokens":["b"]}"#;
    let good = template(&format!("{b},{text},{b}"), described);
    let good = Tokenizer::from_json(good.as_bytes()).unwrap();
    assert_eq!(good.encode_prompt("a").unwrap(), [1, 0, 1]);
    let many = format!("{},{text}", vec![b; 65].join(","));
    for (single, tokens, named) in [
        (format!("{b},{text}"), "", "`b`"),
        (b.to_owned(), described, "leaves out the text"),
        (format!("{text},{text}"), described, "repeats the text"),
        (format!("7,{text}"), described, "``"),
        (many, described, "too many tokens"),
    ] {
        tokenizer_refused(&template(&single, tokens), named, MIB);
    }
    let steps = format!(
        "[{}]",
        vec![r#"{"type":"BertProcessing","cls":["a",0],"sep":["b",1]}"#; 65].join(",")
    );
    let steps = format!(r#"{{"type":"Sequence","processors":{steps}}}"#);
    tokenizer_refused(&json(&steps), "too many tokens", MIB);
    tokenizer_refused(
        &json(r#"{"type":"BertProcessing","cls":["a"]}"#),
        "`cls`",
        MIB,
    );
    tokenizer_refused(&json(r#"{"type":"Other"}"#), "`Other`", MIB);
}

/// A step that replaces nothing by something made the `tokenizers` crate panic at the next step; the fuzzer found
/// it.
#[test]
fn a_step_with_an_empty_pattern_is_refused() {
    let step = |pattern: &str| format!(r#"{{"type":"Replace","pattern":{pattern},"content":"x"}}"#);
    for pattern in [r#"{"String":""}"#, r#"{"Regex":""}"#] {
        for part in ["normalizer", "decoder"] {
            let list = part.replace("er", "ers");
            let steps = format!(r#"{{"type":"Sequence","{list}":[{}]}}"#, step(pattern));
            for value in [step(pattern), steps] {
                let json = format!(
                    r#"{{"version":"1.0","{part}":{value},"model":{{"type":"WordLevel","vocab":{{"a":0}},"unk_token":"a"}}}}"#
                );
                tokenizer_refused(&json, "empty pattern", MIB);
            }
        }
    }
}

/// A tokenizer of one word with some of its steps.
fn with_step(part: &str, step: &str) -> String {
    format!(
        r#"{{"version":"1.0","{part}":{step},"model":{{"type":"WordLevel","vocab":{{"a":0}},"unk_token":"a"}}}}"#
    )
}

/// Each of these made the `tokenizers` crate panic, or fill the memory.
#[test]
fn a_step_that_cannot_be_run_is_refused_by_name() {
    let replace = |from: &str, to: &str| {
        format!(r#"{{"type":"Replace","pattern":{{"String":"{from}"}},"content":"{to}"}}"#)
    };
    let sequence = |list: &str, step: &str, count: usize| {
        let steps = vec![step; count].join(",");
        format!(r#"{{"type":"Sequence","{list}":[{steps}]}}"#)
    };
    let split = |pattern: &str| {
        format!(
            r#"{{"type":"Split","pattern":{{"Regex":"{pattern}"}},"behavior":"Isolated","invert":false}}"#
        )
    };
    let doubling = sequence("normalizers", &replace("a", "aa"), 34);
    let bytes = r#"{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}"#;
    let pieces = sequence("pretokenizers", bytes, 40);
    let long = "b".repeat(2000);
    for (part, step, named) in [
        (
            "pre_tokenizer",
            r#"{"type":"FixedLength","length":0}"#,
            "`FixedLength`",
        ),
        (
            "normalizer",
            r#"{"type":"Precompiled","precompiled_charsmap":""}"#,
            "`precompiled_charsmap`",
        ),
        (
            "normalizer",
            r#"{"type":"Precompiled","precompiled_charsmap":"/////w=="}"#,
            "cut off",
        ),
        ("normalizer", &doubling, "times as long"),
        (
            "normalizer",
            &sequence("normalizers", r#"{"type":"NFC"}"#, 65),
            "more than 64 steps",
        ),
        ("normalizer", &replace("a", &long), "2000 bytes"),
        ("decoder", &replace(&"a".repeat(70_000), ""), "70000 bytes"),
        (
            "pre_tokenizer",
            &split(&r"\\b".repeat(1000)),
            "a pattern of",
        ),
        (
            "normalizer",
            &format!(r#"{{"type":"Prepend","prepend":"{long}"}}"#),
            "2000 bytes",
        ),
        ("pre_tokenizer", &pieces, "times as long"),
        (
            "pre_tokenizer",
            r#"{"type":"Split","pattern":{"Regex":""},"behavior":"Isolated","invert":false}"#,
            "empty pattern",
        ),
        (
            "decoder",
            &sequence("decoders", &replace("a", "aa"), 34),
            "times as long",
        ),
        (
            "decoder",
            r#"{"type":"Strip","content":"a","start":0,"stop":3}"#,
            "`Strip`",
        ),
        (
            "normalizer",
            r#"{"pattern":{"String":""},"content":"b"}"#,
            "no `type`",
        ),
    ] {
        tokenizer_refused(&with_step(part, step), named, 8 * MIB);
    }
    let fine = sequence("normalizers", &replace("b", "cc"), 3);
    assert!(Tokenizer::from_json(with_step("normalizer", &fine).as_bytes()).is_ok());
}

/// What grows a text a little is allowed, as long as the text is no giant.
#[test]
fn a_text_that_steps_would_make_too_long_is_refused_before_it_is() {
    let step = r#"{"type":"Replace","pattern":{"String":"b"},"content":"cccccccc"}"#;
    let tokenizer = Tokenizer::from_json(with_step("normalizer", step).as_bytes()).unwrap();
    assert_eq!(tokenizer.encode("b").unwrap(), [0]);
    let giant = "b".repeat(3 * MIB);
    let (result, held) = measured(|| tokenizer.encode(&giant));
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains("8 times as long") && held < MIB,
        "{error} {held}"
    );
}

/// The crate takes a regular expression that gives up for one that does not match.
#[test]
fn a_regular_expression_that_gives_up_is_an_error_and_no_other_tokens() {
    let hostile = "(?:a|b|ab)*(?<!d)c";
    let split = format!(
        r#"{{"type":"Split","pattern":{{"Regex":"{hostile}"}},"behavior":"Isolated","invert":false}}"#
    );
    let replace =
        format!(r#"{{"type":"Replace","pattern":{{"Regex":"{hostile}"}},"content":"b"}}"#);
    for (part, step) in [("pre_tokenizer", split), ("normalizer", replace)] {
        let tokenizer = Tokenizer::from_json(with_step(part, &step).as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("x").unwrap(), [0]);
        let error = tokenizer.encode(&"ab".repeat(40)).unwrap_err().to_string();
        assert!(error.contains("gave up"), "{error}");
    }
}

/// Whoever replaces each of many characters by one makes a text no longer.
#[test]
fn expressions_that_always_take_text_grow_it_by_no_more_than_they_put_in() {
    let steps = |pattern: &str| {
        let step =
            format!(r#"{{"type":"Replace","pattern":{{"Regex":"{pattern}"}},"content":"-"}}"#);
        let steps = vec![step; 10].join(",");
        with_step(
            "normalizer",
            &format!(r#"{{"type":"Sequence","normalizers":[{steps}]}}"#),
        )
    };
    let tokenizer = Tokenizer::from_json(steps("[\u{2010}]").as_bytes()).unwrap();
    assert_eq!(tokenizer.encode("a").unwrap(), [0]);
    tokenizer_refused(&steps("b*"), "1024 times as long", 8 * MIB);
}

#[test]
fn merges_are_not_left_out_at_random() {
    let json = r#"{"version":"1.0","model":{"type":"BPE","dropout":0.9,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}"#;
    let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
    for _ in 0..50 {
        assert_eq!(tokenizer.encode("abab").unwrap(), [2, 2]);
    }
}

fn vocabulary(tokens: &[String], more: &[Vec<u8>]) -> Result<Tokenizer, TokenizerError> {
    let texts: Vec<u8> = tokens.iter().flat_map(|token| string(token)).collect();
    let mut entries = vec![
        entry("tokenizer.ggml.model", STRING, &[&string("llama")]),
        array("tokenizer.ggml.tokens", STRING, tokens.len(), &texts),
    ];
    entries.extend_from_slice(more);
    let file = open(file(3, &entries, &[], 0)).unwrap();
    Tokenizer::from_gguf(file.metadata().unwrap())
}

fn scores(scores: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = scores
        .iter()
        .flat_map(|score| score.to_le_bytes())
        .collect();
    array("tokenizer.ggml.scores", F32_VALUE, scores.len(), &bytes)
}

#[test]
fn a_hostile_sentencepiece_vocabulary_is_refused() {
    let tokens = ["a", "b", "ab"].map(str::to_owned);
    assert!(vocabulary(&tokens, &[scores(&[0.0, -1.0, -2.0])]).is_ok());
    // Every text of two letters up to a length: each can be made in as many ways as it has places to cut.
    let all: Vec<String> = (1..=17)
        .flat_map(|length| (0..1u32 << length).map(move |bits| (bits, length)))
        .map(|(bits, length)| format!("{bits:0length$b}"))
        .collect();
    let long = ["a".to_owned(), "a".repeat(1000)];
    for (tokens, more, named) in [
        (&tokens[..], vec![], "no scores"),
        (&tokens, vec![scores(&[0.0])], "1 scores for 3 tokens"),
        (&tokens, vec![scores(&[0.0, f32::NAN, 0.0])], "NaN"),
        (&long, vec![scores(&[0.0, 0.0])], "1000 bytes"),
        (&all, vec![scores(&vec![0.0; all.len()])], "merges"),
    ] {
        let (result, held) = measured(|| vocabulary(tokens, &more));
        let error = result.err().unwrap().to_string();
        assert!(error.contains(named), "{named}: {error}");
        assert!(held < 200 * MIB, "{named}: {held} bytes");
    }
}
