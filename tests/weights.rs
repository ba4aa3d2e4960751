//! Weight files: every stored type against the reference implementation, the fixtures' files, and files that
//! are damaged on purpose.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

use std::collections::HashMap;
#[path = "common/gguf.rs"]
#[allow(dead_code)]
mod gguf;

use std::ops::Range;
use std::path::{Path, PathBuf};

use secateur::weights::{
    ByteSource, FileSource, MemorySource, TensorType, WeightFile, WeightKind, WeightsError,
};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(path)
}

fn open(path: &str) -> WeightFile {
    let source = FileSource::open(&fixture(path)).unwrap();
    pollster::block_on(WeightFile::open(Box::new(source))).unwrap()
}

fn open_bytes(bytes: Vec<u8>) -> Result<WeightFile, WeightsError> {
    pollster::block_on(WeightFile::open(Box::new(MemorySource(bytes))))
}

fn read(file: &WeightFile, name: &str) -> Vec<f32> {
    pollster::block_on(file.read_f32(name)).unwrap()
}

/// Blocks and their values by `gguf.quants.dequantize`: bit for bit, zeros' signs included.
#[test]
fn every_stored_type_is_dequantised_as_the_reference_does() {
    let bytes = std::fs::read(fixture("quantised.safetensors")).unwrap();
    let golden = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for kind in [
        TensorType::F16,
        TensorType::Bf16,
        TensorType::Q4_0,
        TensorType::Q4_1,
        TensorType::Q5_0,
        TensorType::Q5_1,
        TensorType::Q8_0,
        TensorType::Q2K,
        TensorType::Q3K,
        TensorType::Q4K,
        TensorType::Q5K,
        TensorType::Q6K,
    ] {
        let blocks = golden.tensor(&format!("{kind}.blocks")).unwrap();
        let values = golden.tensor(&format!("{kind}.values")).unwrap();
        let expected: Vec<u32> = values
            .data()
            .chunks_exact(4)
            .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        let found: Vec<u32> = kind
            .dequantise(blocks.data())
            .into_iter()
            .map(f32::to_bits)
            .collect();
        assert_eq!(found, expected, "{kind}");
        assert_eq!(
            kind.n_bytes(expected.len()),
            Some(blocks.data().len() as u64),
            "{kind}"
        );
    }
}

/// The same parse by the `safetensors` crate, whose header code is another.
#[test]
fn a_safetensors_file_has_the_tensors_that_the_safetensors_crate_finds() {
    for folder in ["tied", "untied", "tied-f16", "tied-bf16"] {
        let path = format!("tiny-llama-{folder}/model.safetensors");
        let bytes = std::fs::read(fixture(&path)).unwrap();
        let expected = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let file = open(&path);
        assert_eq!(file.kind(), WeightKind::Safetensors);
        assert!(file.metadata().is_none());
        assert_eq!(file.tensors().len(), expected.len());
        for (name, view) in expected.iter() {
            let tensor = file.tensor(name).unwrap();
            assert_eq!(tensor.shape, view.shape(), "{path} {name}");
            assert_eq!(
                read(&file, name),
                tensor.kind.dequantise(view.data()),
                "{path} {name}"
            );
        }
    }
}

/// A model's file and its parts have the same tensors, the index as `save_pretrained` writes it.
#[test]
fn shards_are_read_as_the_whole_file_is() {
    let whole = open("tiny-llama-tied/model.safetensors");
    let (index, shards) = shards();
    let file = pollster::block_on(WeightFile::open_sharded(&index, sources(&shards))).unwrap();
    assert_eq!(file.tensors().len(), whole.tensors().len());
    assert_eq!(file.sources().count(), 2);
    for tensor in whole.tensors() {
        assert_eq!(file.tensor(&tensor.name).unwrap().shape, tensor.shape);
        assert_eq!(read(&file, &tensor.name), read(&whole, &tensor.name));
    }
}

/// The tied model in two shards, every second tensor in the first, and their index.
fn shards() -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let bytes = std::fs::read(fixture("tiny-llama-tied/model.safetensors")).unwrap();
    let whole = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut parts: [Vec<_>; 2] = [Vec::new(), Vec::new()];
    let mut weight_map = serde_json::Map::new();
    for (position, (name, view)) in whole.iter().enumerate() {
        weight_map.insert(name.into(), shard_name(position % 2).into());
        parts[position % 2].push((name, view));
    }
    let index =
        serde_json::json!({"metadata": {"total_size": bytes.len()}, "weight_map": weight_map});
    let shards = parts.into_iter().enumerate().map(|(number, part)| {
        let bytes = safetensors::serialize(part, None).unwrap();
        (shard_name(number), bytes)
    });
    (index.to_string().into_bytes(), shards.collect())
}

fn shard_name(number: usize) -> String {
    format!("model-{:05}-of-00002.safetensors", number + 1)
}

fn sources(shards: &[(String, Vec<u8>)]) -> Vec<(String, Box<dyn ByteSource>)> {
    let source = |(name, bytes): &(String, Vec<u8>)| {
        let source: Box<dyn ByteSource> = Box::new(MemorySource(bytes.clone()));
        (name.clone(), source)
    };
    shards.iter().map(source).collect()
}

#[test]
fn an_index_that_does_not_fit_its_shards_is_refused() {
    let (index, shards) = shards();
    let text = String::from_utf8(index.clone()).unwrap();
    let refused = |index: &str, shards: &[(String, Vec<u8>)], named: &str| {
        let error = pollster::block_on(WeightFile::open_sharded(index.as_bytes(), sources(shards)))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(named), "{error}");
    };
    refused(&text, &shards[..1], "`model-00002-of-00002.safetensors`");
    // A tensor that the index does not have, in both shards.
    let map = "\"weight_map\":{";
    let unlisted = text.replace("model.norm.weight", "model.mron.weight");
    let holder = shards
        .iter()
        .find(|(_, bytes)| bytes.windows(17).any(|part| part == b"model.norm.weight"));
    let both = [0, 1].map(|number| (shard_name(number), holder.unwrap().1.clone()));
    refused(&unlisted, &both, "`model.norm.weight` is there twice");
    let twice = text.replace(
        map,
        &format!("{map}\"model.norm.weight\":\"{}\",", shard_name(0)),
    );
    refused(&twice, &shards, "twice");
    for name in [
        "../model.safetensors",
        "/model.safetensors",
        "c:\\\\model.safetensors",
        "model.bin",
        "a\\n.safetensors",
        "",
    ] {
        let index = format!("{{{map}\"t\":\"{name}\"}}}}");
        refused(&index, &shards, "beside it");
    }
    let cut = (shard_name(0), shards[0].1[..shards[0].1.len() - 1].to_vec());
    refused(&text, &[cut, shards[1].clone()], "cut off");
    let gguf = std::fs::read(fixture("tiny-llama-bpe/f32.gguf")).unwrap();
    refused(
        &text,
        &[(shard_name(0), gguf), shards[1].clone()],
        "neither",
    );
    for (index, named) in [
        ("", "EOF"),
        ("[]", "index"),
        ("{}", "weight_map"),
        ("{\"weight_map\":{}}", "0 shards"),
        ("{\"weight_map\":{\"t\":{}}}", "string"),
        (&"{\"weight_map\":".repeat(100_000), "index"),
        (&text[..text.len() - 1], "EOF"),
    ] {
        refused(index, &shards, named);
    }
}

#[test]
fn a_table_read_in_pieces_is_the_table() {
    for path in [
        "tiny-llama-bpe/mixed.gguf",
        "tiny-llama-tied/model.safetensors",
    ] {
        let file = open(path);
        for tensor in file.tensors() {
            let whole = read(&file, &tensor.name);
            let mut pieces = Vec::new();
            for first in (0..tensor.shape[0]).step_by(7) {
                let rows = first..tensor.shape[0].min(first + 7);
                pieces.extend(pollster::block_on(file.read_rows_f32(&tensor.name, rows)).unwrap());
            }
            assert_eq!(pieces, whole, "{path} {}", tensor.name);
        }
    }
}

#[test]
fn rows_that_a_table_does_not_have_are_refused() {
    let file = open("tiny-llama-bpe/mixed.gguf");
    let backwards = Range { start: 2, end: 1 };
    for rows in [0..341, 341..341, usize::MAX - 1..usize::MAX, backwards] {
        let result = pollster::block_on(file.read_rows_f32("token_embd.weight", rows));
        assert!(matches!(result, Err(WeightsError::Rows { .. })));
    }
    let empty = pollster::block_on(file.read_rows_f32("token_embd.weight", 340..340)).unwrap();
    assert!(empty.is_empty());
    // A vector of quantised blocks: its elements are no rows.
    let bytes = gguf::file(3, &[], &[("t", &[32], gguf::Q4_0, 0)], 32);
    let file = open_bytes(bytes).unwrap();
    let result = pollster::block_on(file.read_rows_f32("t", 0..16));
    assert!(matches!(result, Err(WeightsError::Rows { .. })));
    // The index of a value that is no number counts from the table's start.
    let mut bytes = gguf::file(3, &[], &[("t", &[1, 4], gguf::F32, 0)], 0);
    for value in [1.0, 2.0, 3.0, f32::NAN] {
        bytes.extend(value.to_le_bytes());
    }
    let file = open_bytes(bytes).unwrap();
    let result = pollster::block_on(file.read_rows_f32("t", 2..4));
    assert!(matches!(
        result,
        Err(WeightsError::NotFinite { index: 3, .. })
    ));
}

#[test]
fn rounded_weights_lie_within_the_rounding_of_their_type() {
    let exact = open("tiny-llama-tied/model.safetensors");
    for (folder, relative, smallest) in [
        ("f16", 2f32.powi(-11), 2f32.powi(-25)),
        ("bf16", 2f32.powi(-8), 0.0),
    ] {
        let rounded = open(&format!("tiny-llama-tied-{folder}/model.safetensors"));
        for tensor in exact.tensors() {
            let pairs = read(&exact, &tensor.name)
                .into_iter()
                .zip(read(&rounded, &tensor.name));
            for (value, stored) in pairs {
                assert!(
                    (value - stored).abs() <= relative * value.abs() + smallest,
                    "{folder} {}: {value} as {stored}",
                    tensor.name
                );
            }
        }
    }
}

#[test]
fn a_gguf_file_has_its_types_and_shapes_with_the_slowest_dimension_first() {
    let file = open("tiny-llama-bpe/mixed.gguf");
    assert_eq!(file.kind(), WeightKind::Gguf);
    let metadata = file.metadata().unwrap();
    let architecture = metadata.get("general.architecture").unwrap();
    assert_eq!(architecture.as_str(), Some("llama"));
    let expected: HashMap<&str, (TensorType, [usize; 2])> = HashMap::from([
        ("token_embd.weight", (TensorType::Q8_0, [340, 32])),
        ("blk.0.attn_q.weight", (TensorType::Q4_1, [32, 32])),
        ("blk.0.attn_k.weight", (TensorType::Q4_1, [16, 32])),
        ("blk.0.attn_v.weight", (TensorType::Q4_0, [16, 32])),
        ("blk.0.attn_output.weight", (TensorType::F16, [32, 32])),
        ("blk.1.ffn_gate.weight", (TensorType::Q8_0, [64, 32])),
        ("blk.1.ffn_up.weight", (TensorType::Q4_1, [64, 32])),
        ("blk.1.ffn_down.weight", (TensorType::Q4_0, [32, 64])),
        ("output.weight", (TensorType::Bf16, [340, 32])),
    ]);
    for (name, (kind, shape)) in expected {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(
            (tensor.kind, tensor.shape.as_slice()),
            (kind, &shape[..]),
            "{name}"
        );
        assert_eq!(read(&file, name).len(), shape[0] * shape[1], "{name}");
    }
}

/// Version 2 has the layout of version 3, which only adds files in the other byte order.
#[test]
fn version_2_of_gguf_is_read_as_version_3() {
    let newer = open("tiny-llama-bpe/mixed.gguf");
    let mut bytes = std::fs::read(fixture("tiny-llama-bpe/mixed.gguf")).unwrap();
    assert_eq!(bytes[4..8], 3u32.to_le_bytes());
    bytes[4..8].copy_from_slice(&2u32.to_le_bytes());
    let older = open_bytes(bytes).unwrap();
    for name in [
        "token_embd.weight",
        "blk.1.ffn_down.weight",
        "output.weight",
    ] {
        assert_eq!(read(&older, name), read(&newer, name), "{name}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_an_error_wherever_it_is_cut() {
    for path in [
        "tiny-llama-bpe/mixed.gguf",
        "tiny-llama-tied/model.safetensors",
    ] {
        let whole = std::fs::read(fixture(path)).unwrap();
        // A prime stride meets every kind of place; the unit tests cut a small file at every byte.
        for length in (0..whole.len()).step_by(211).chain([whole.len() - 1]) {
            assert!(
                open_bytes(whole[..length].to_vec()).is_err(),
                "{path}: {length} bytes"
            );
        }
    }
}

#[test]
fn a_file_of_another_kind_is_not_taken_for_weights() {
    for bytes in [
        &b""[..],
        b"GGU",
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"version 1",
        b"{\"a\":1}",
        b"PK\x03\x04 a zip archive",
    ] {
        let error = open_bytes(bytes.to_vec()).err().unwrap();
        assert!(matches!(error, WeightsError::UnknownFormat), "{error}");
    }
}

#[test]
fn errors_name_the_tensor() {
    let unsupported = gguf::file(3, &[], &[("strange", &[2], 99, 0)], 64);
    let cut = gguf::file(3, &[], &[("long", &[17], gguf::F32, 0)], 64);
    for (bytes, name) in [(unsupported, "strange"), (cut, "long")] {
        let error = open_bytes(bytes).err().unwrap().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    let mut bytes = gguf::file(3, &[], &[("t", &[4], gguf::F32, 0)], 0);
    for value in [1.0, f32::NEG_INFINITY, f32::NAN, 0.0] {
        bytes.extend(value.to_le_bytes());
    }
    let file = open_bytes(bytes).unwrap();
    let error = pollster::block_on(file.read_f32("t")).unwrap_err();
    assert!(
        error.to_string().contains("`t`") && error.to_string().contains("index 1"),
        "{error}"
    );
    let missing = pollster::block_on(file.read_f32("nobody")).unwrap_err();
    assert!(matches!(missing, WeightsError::NoTensor(name) if name == "nobody"));
}
