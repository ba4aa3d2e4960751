//! Model files as people have them: with keys and tensors that change the numbers, in several parts, or at odds with
//! themselves. What is in a file is used, known to change nothing, or refused by name.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;
// Hostile headers use the rest.
#[allow(dead_code)]
#[path = "common/gguf.rs"]
mod gguf;
#[path = "common/gguf_parts.rs"]
mod gguf_parts;

use common::{assert_close, files, fixture, host, job, model, wait};
use gguf::{BOOL, F32_VALUE, STRING, string};
use gguf_parts::{Parts, U32};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use secateur::model::load::ModelFiles;
use secateur::model::{Capture, Compute, Edit, Model, ModelError};
use secateur::weights::{ByteSource, MemorySource};
use serde_json::{Value, json};

/// Of logits of the same arithmetic in another order.
const REORDERED: f64 = 5e-5;

/// Longer than the window of tiny-gemma3.
const PROMPT: &[u32] = &[60, 80, 120, 7, 11, 200, 31, 5, 90];

fn logits(model: &Model) -> Vec<f32> {
    let decoder = &model.decoder;
    let capture = Capture::KeyValues;
    let run = wait(decoder.base_run(&[PROMPT], &Edit::none(), capture, job())).unwrap();
    host(decoder.last_logits(&run))
}

fn load(files: ModelFiles) -> Result<Model, ModelError> {
    wait(Model::load("model", files, &Compute::flex(), job()))
}

fn source(name: &str, bytes: Vec<u8>) -> (String, Box<dyn ByteSource>) {
    (name.to_owned(), Box::new(MemorySource(bytes)))
}

/// A model's GGUF file taken apart.
fn parts(folder: &str) -> Parts {
    Parts::of(&std::fs::read(fixture(&format!("{folder}/model.gguf"))).unwrap())
}

fn of_parts(parts: &Parts) -> Result<Model, ModelError> {
    load(ModelFiles {
        weights: vec![source("model.gguf", parts.bytes())],
        index: None,
        config: None,
        tokenizer: None,
        tokenizer_config: None,
        chat_template: None,
    })
}

/// A model's GGUF file with other metadata.
fn edited(folder: &str, edit: impl FnOnce(&mut Parts)) -> Result<Model, ModelError> {
    let mut parts = parts(folder);
    edit(&mut parts);
    of_parts(&parts)
}

fn refused(result: Result<Model, ModelError>) -> String {
    result.err().unwrap().to_string()
}

/// A model's safetensors file with other fields in its configuration, and more tensors of F32.
fn configured(
    folder: &str,
    fields: Value,
    tensors: &[(&str, &[usize], Vec<f32>)],
) -> Result<Model, ModelError> {
    let bytes = std::fs::read(fixture(&format!("{folder}/config.json"))).unwrap();
    let mut config: Value = serde_json::from_slice(&bytes).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        config[name] = value.clone();
    }
    let bytes = std::fs::read(fixture(&format!("{folder}/model.safetensors"))).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let more: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let more = tensors.iter().zip(&more).map(|((name, shape, _), bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap();
        ((*name).to_owned(), view)
    });
    let all = stored
        .tensors()
        .into_iter()
        .filter(|(name, _)| tensors.iter().all(|(other, ..)| other != name))
        .chain(more);
    let weights = safetensors::serialize(all, None).unwrap();
    load(ModelFiles {
        weights: vec![source("model.safetensors", weights)],
        config: Some(config.to_string().into_bytes()),
        ..files(folder)
    })
}

fn some(count: usize, scale: f32) -> Vec<f32> {
    (0..count)
        .map(|index| scale * ((index * 7 % 11) as f32 - 5.0))
        .collect()
}

#[test]
fn a_gguf_file_put_together_again_is_the_same_model() {
    let again = of_parts(&parts("tiny-llama3")).unwrap();
    assert_eq!(logits(&again), logits(&model("tiny-llama3/model.gguf")));
    assert!(again.report.notes.is_empty(), "{:?}", again.report.notes);
}

/// `config.json` says the same, and its reading is held against transformers.
#[test]
fn biases_in_a_gguf_file_of_the_llama_family_are_used() {
    let plain = model("tiny-llama3");
    let config = plain.config();
    let (d_model, d_mlp, d_head) = (config.d_model, config.d_mlp, config.d_head);
    let rows = |heads: usize| heads * d_head;
    let biases = [
        ("self_attn.q_proj", "attn_q", rows(config.n_heads)),
        ("self_attn.k_proj", "attn_k", rows(config.n_kv_heads)),
        ("self_attn.v_proj", "attn_v", rows(config.n_kv_heads)),
        ("self_attn.o_proj", "attn_output", d_model),
        ("mlp.gate_proj", "ffn_gate", d_mlp),
        ("mlp.up_proj", "ffn_up", d_mlp),
        ("mlp.down_proj", "ffn_down", d_model),
    ];
    let mut named = Vec::new();
    let mut file = parts("tiny-llama3");
    for layer in 0..config.n_layers {
        for (long, short, width) in biases {
            let values = some(width, 0.05);
            // llama.cpp's converter puts the rows of queries and keys in the order of an interleaved rotation.
            let in_file: Vec<f32> = match short {
                "attn_q" | "attn_k" => (0..width)
                    .map(|row| {
                        let (head, place) = (row / d_head, row % d_head);
                        values[head * d_head + place % 2 * (d_head / 2) + place / 2]
                    })
                    .collect(),
                _ => values.clone(),
            };
            file.add_vector(&format!("blk.{layer}.{short}.bias"), &in_file);
            named.push((format!("model.layers.{layer}.{long}.bias"), width, values));
        }
    }
    let shapes: Vec<[usize; 1]> = named.iter().map(|(_, width, _)| [*width]).collect();
    let tensors: Vec<(&str, &[usize], Vec<f32>)> = named
        .iter()
        .zip(&shapes)
        .map(|((name, _, values), shape)| (name.as_str(), shape.as_slice(), values.clone()))
        .collect();
    let both = json!({ "attention_bias": true, "mlp_bias": true });
    let expected = logits(&configured("tiny-llama3", both, &tensors).unwrap());
    assert!(common::largest_difference(&expected, &logits(&plain)) > 0.01);
    assert_close(
        &logits(&of_parts(&file).unwrap()),
        &expected,
        REORDERED,
        "biases",
    );
    // Without a word in the configuration they are no part of the model, and not passed over.
    let unused = refused(configured("tiny-llama3", json!({}), &tensors));
    assert!(
        unused.contains("model.layers.0.mlp.down_proj.bias"),
        "{unused}"
    );
}

#[test]
fn a_part_of_a_decoder_that_is_not_used_is_an_error_that_names_it() {
    for name in [
        "blk.0.attn_q_norm.weight",
        "blk.7.attn_q.weight",
        "output_norm.bias",
        "token_embd_norm.weight",
        "rope_factors_long.weight",
    ] {
        let error = refused(edited("tiny-llama3", |file| {
            file.add_vector(name, &[1.0; 12]);
        }));
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    for name in [
        "model.layers.0.self_attn.q_norm.weight",
        "model.norm.bias",
        "lm_head.bias",
        "model.embed_tokens.bias",
    ] {
        let more = [(name, [1].as_slice(), vec![0.0])];
        let error = refused(configured("tiny-llama-tied", json!({}), &more));
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    let buffers = [(
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        [1].as_slice(),
        vec![0.0],
    )];
    assert!(configured("tiny-llama-tied", json!({}), &buffers).is_ok());
}

/// As transformers 5: an output matrix that is stored and differs from the embedding is the output matrix.
#[test]
fn a_stored_output_matrix_that_differs_from_a_tied_embedding_is_used() {
    let tied = model("tiny-llama-tied");
    let config = tied.config();
    let shape = [config.vocabulary, config.d_model];
    let other = some(shape[0] * shape[1], 0.1);
    let logits = |model: &Model| {
        let capture = Capture::KeyValues;
        let none = Edit::none();
        let run = (model.decoder).base_run(&[&[6, 8, 12]], &none, capture, job());
        host(model.decoder.last_logits(&wait(run).unwrap()))
    };
    let with = |is_tied: bool, values: Vec<f32>| {
        let head = [("lm_head.weight", shape.as_slice(), values)];
        configured(
            "tiny-llama-tied",
            json!({ "tie_word_embeddings": is_tied }),
            &head,
        )
        .unwrap()
    };
    let (found, expected) = (with(true, other.clone()), with(false, other));
    assert_eq!(logits(&found), logits(&expected));
    assert!(!found.config().tied);
    assert!(found.report.notes[0].contains("`lm_head.weight` differs"));
    let embedding = common::tensors("tiny-llama-tied/model.safetensors");
    let same = with(true, embedding["model.embed_tokens.weight"].clone());
    assert_eq!(logits(&same), logits(&tied));
    assert!(same.config().tied && same.report.notes.is_empty());
    assert!(same.report.unused.is_empty(), "{:?}", same.report.unused);
    let wrong = [("lm_head.weight", [2].as_slice(), vec![0.0; 2])];
    let wrong = refused(configured("tiny-llama-tied", json!({}), &wrong));
    assert!(wrong.contains("`lm_head.weight` has shape [2]"), "{wrong}");
}

/// What `safetensors.torch.save_model` leaves of a model whose output matrix is its embedding: the name that comes first.
#[test]
fn one_matrix_under_the_output_s_name_is_the_embedding_too() {
    let bytes = std::fs::read(fixture("tiny-llama-tied/model.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let renamed = |name: String| match name.as_str() {
        "model.embed_tokens.weight" => "lm_head.weight".to_owned(),
        _ => name,
    };
    let all = stored.tensors().into_iter();
    let weights = safetensors::serialize(all.map(|(name, view)| (renamed(name), view)), None);
    let found = load(ModelFiles {
        weights: vec![source("model.safetensors", weights.unwrap())],
        ..files("tiny-llama-tied")
    })
    .unwrap();
    let none = Edit::none();
    let logits = |model: &Model| {
        let run = (model.decoder).base_run(&[&[6, 8, 12]], &none, Capture::KeyValues, job());
        host(model.decoder.last_logits(&wait(run).unwrap()))
    };
    assert_eq!(logits(&found), logits(&model("tiny-llama-tied")));
    assert!(found.report.notes[0].contains("they are one matrix"));
    assert!(found.report.unused.is_empty(), "{:?}", found.report.unused);
}

#[test]
fn a_pointer_of_git_lfs_is_called_that() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 269060552\n";
    let of = |weights: Vec<u8>, tokenizer: Option<Vec<u8>>| {
        load(ModelFiles {
            weights: vec![source("model.safetensors", weights)],
            tokenizer: tokenizer.or(files("tiny-llama-tied").tokenizer),
            ..files("tiny-llama-tied")
        })
    };
    let weights = std::fs::read(fixture("tiny-llama-tied/model.safetensors")).unwrap();
    for error in [
        of(pointer.to_vec(), None),
        of(weights, Some(pointer.to_vec())),
    ] {
        let error = refused(error);
        assert!(error.contains("Git LFS pointer"), "{error}");
    }
}

#[test]
fn every_key_of_the_architecture_is_read_or_refused_by_its_name() {
    let float = |value: f32| value.to_le_bytes();
    for (key, kind, value) in [
        ("attn_logit_softcapping", F32_VALUE, float(50.0)),
        ("expert_count", U32, 8u32.to_le_bytes()),
        ("logit_scale", F32_VALUE, float(0.5)),
        ("attention.max_alibi_bias", F32_VALUE, float(8.0)),
        ("attention.sliding_window", U32, 4u32.to_le_bytes()),
        ("rope.scaling.attn_factor", F32_VALUE, float(1.2)),
        ("of_tomorrow", U32, 1u32.to_le_bytes()),
    ] {
        let key = format!("llama.{key}");
        let error = refused(edited("tiny-llama3", |file| {
            file.set(&key, kind, &value);
        }));
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
    let error = refused(edited("tiny-llama3", |file| {
        file.set("llama.attention.causal", BOOL, &[0]);
    }));
    assert!(error.contains("`llama.attention.causal`"), "{error}");
    let error = refused(edited("tiny-llama3", |file| {
        file.set("llama.block_count", STRING, &string("two"));
    }));
    assert!(error.contains("`llama.block_count`"), "{error}");
    // Values that say that a model does without, and keys of how it was made.
    let same = edited("tiny-llama3", |file| {
        file.set("llama.expert_count", U32, &0u32.to_le_bytes())
            .set("llama.logit_scale", F32_VALUE, &float(1.0))
            .set("llama.attention.causal", BOOL, &[1])
            .set(
                "llama.attention.sliding_window",
                U32,
                &4096u32.to_le_bytes(),
            )
            .set("llama.rope.scaling.finetuned", BOOL, &[1])
            .set(
                "llama.tensor_data_layout",
                STRING,
                &string("Meta AI original pth"),
            );
    });
    let plain = logits(&model("tiny-llama3/model.gguf"));
    assert_eq!(logits(&same.unwrap()), plain);
}

/// llama.cpp's loader takes a factor without a type for a linear one, in its newer and its older key.
#[test]
fn a_factor_of_the_rotary_frequencies_without_a_type_is_linear() {
    let factor = 4f32.to_le_bytes();
    let scaling = json!({ "rope_type": "linear", "factor": 4, "rope_theta": 1e6 });
    let expected =
        logits(&configured("tiny-qwen3", json!({ "rope_parameters": scaling }), &[]).unwrap());
    let theta = 1e6f32.to_le_bytes();
    for key in ["rope.scaling.factor", "rope.scale_linear"] {
        let found = edited("tiny-qwen3", |file| {
            file.set(&format!("qwen3.{key}"), F32_VALUE, &factor).set(
                "qwen3.rope.freq_base",
                F32_VALUE,
                &theta,
            );
        });
        assert_close(&logits(&found.unwrap()), &expected, REORDERED, key);
    }
    let plain = edited("tiny-qwen3", |file| {
        file.set("qwen3.rope.freq_base", F32_VALUE, &theta);
    });
    let plain = logits(&plain.unwrap());
    assert!(common::largest_difference(&expected, &plain) > 1e-3);
    let none = edited("tiny-qwen3", |file| {
        file.set("qwen3.rope.scaling.factor", F32_VALUE, &factor)
            .set("qwen3.rope.scaling.type", STRING, &string("none"))
            .set("qwen3.rope.freq_base", F32_VALUE, &theta);
    });
    assert_eq!(logits(&none.unwrap()), plain);
    // Divisors of single frequencies, as Llama 3.1 has them, and a common factor are both applied.
    let doubled = edited("tiny-llama3", |file| {
        file.set("llama.rope.scaling.factor", F32_VALUE, &2f32.to_le_bytes());
    });
    let by_hand = edited("tiny-llama3", |file| {
        for (name, _, _, bytes) in &mut file.tensors {
            if name == "rope_freqs.weight" {
                let twice = bytes.chunks_exact(4).flat_map(|value| {
                    let value = f32::from_le_bytes(value.try_into().unwrap());
                    (2.0 * value).to_le_bytes()
                });
                *bytes = twice.collect();
            }
        }
    });
    assert_eq!(logits(&doubled.unwrap()), logits(&by_hand.unwrap()));
}

/// llama.cpp's `LLM_ARCH_GEMMA3`; the fields of `config.json` that say the same are held against transformers.
#[test]
fn the_variants_of_gemma_3_in_a_gguf_file_are_those_of_its_configuration() {
    let plain = logits(&model("tiny-gemma3"));
    // Bounded by hand.
    let cap = 3f32;
    let bounded: Vec<f32> = plain.iter().map(|x| cap * (x / cap).tanh()).collect();
    let softcap = edited("tiny-gemma3", |file| {
        file.set(
            "gemma3.final_logit_softcapping",
            F32_VALUE,
            &cap.to_le_bytes(),
        );
    });
    assert_close(&logits(&softcap.unwrap()), &bounded, REORDERED, "softcap");
    let softcap = configured(
        "tiny-gemma3",
        json!({ "final_logit_softcapping": cap }),
        &[],
    );
    assert_close(
        &logits(&softcap.unwrap()),
        &bounded,
        REORDERED,
        "softcap, config.json",
    );
    let of_layers = |locals: [bool; 6]| {
        let kind = |local| {
            if local {
                "sliding_attention"
            } else {
                "full_attention"
            }
        };
        let fields = json!({ "layer_types": locals.map(kind) });
        logits(&configured("tiny-gemma3", fields, &[]).unwrap())
    };
    let every_second = of_layers([true, false, true, false, true, false]);
    let all_global = of_layers([false; 6]);
    let all_local = of_layers([true; 6]);
    let distinct = [&plain, &every_second, &all_global, &all_local];
    for (index, one) in distinct.iter().enumerate() {
        for other in &distinct[..index] {
            assert!(common::largest_difference(one, other) > 1e-3);
        }
    }
    const PATTERN: &str = "gemma3.attention.sliding_window_pattern";
    let with =
        |edit: &dyn Fn(&mut Parts)| logits(&edited("tiny-gemma3", |file| edit(file)).unwrap());
    let found = with(&|file| {
        file.set(PATTERN, U32, &2u32.to_le_bytes());
    });
    assert_close(&found, &every_second, REORDERED, "pattern");
    let found = with(&|file| {
        file.set_array(PATTERN, &[1, 0, 1, 0, 1, 0]);
    });
    assert_close(&found, &every_second, REORDERED, "pattern as a list");
    let found = with(&|file| {
        file.set(PATTERN, U32, &0u32.to_le_bytes());
    });
    assert_close(&found, &all_local, REORDERED, "pattern of 0");
    let found = with(&|file| {
        file.remove("gemma3.attention.sliding_window");
    });
    assert_close(&found, &all_global, REORDERED, "no window");
    let bases = json!({ "rope_parameters": {
        "full_attention": { "rope_type": "default", "rope_theta": 1e6 },
        "sliding_attention": { "rope_type": "default", "rope_theta": 100.0 },
    } });
    let expected = logits(&configured("tiny-gemma3", bases, &[]).unwrap());
    assert!(common::largest_difference(&expected, &plain) > 1e-3);
    for key in ["gemma3.rope.freq_base_swa", "gemma3.rope.local.freq_base"] {
        let found = with(&|file| {
            file.set(key, F32_VALUE, &100f32.to_le_bytes());
        });
        assert_close(&found, &expected, REORDERED, key);
    }
}

#[test]
fn a_key_may_say_the_same_of_every_layer() {
    let plain = model("tiny-llama3/model.gguf");
    let config = plain.config();
    let (heads, kv_heads) = (config.n_heads as u32, config.n_kv_heads as u32);
    let d_mlp = config.d_mlp as u32;
    let same = edited("tiny-llama3", |file| {
        file.set_array("llama.attention.head_count", &vec![heads; config.n_layers])
            .set_array(
                "llama.attention.head_count_kv",
                &vec![kv_heads; config.n_layers],
            )
            .set_array("llama.feed_forward_length", &vec![d_mlp; config.n_layers]);
    });
    assert_eq!(logits(&same.unwrap()), logits(&plain));
    for (key, values) in [
        ("llama.attention.head_count", vec![heads, 2 * heads]),
        ("llama.attention.head_count_kv", vec![kv_heads, 0]),
    ] {
        let error = refused(edited("tiny-llama3", |file| {
            file.set_array(key, &values);
        }));
        assert!(
            error.contains(key) && error.contains("differs from layer to layer"),
            "{error}"
        );
    }
    let error = refused(edited("tiny-llama3", |file| {
        file.set_array("llama.attention.head_count", &[]);
    }));
    assert!(error.contains("`llama.attention.head_count`"), "{error}");
}

/// The parts of a model in two files, as `gguf-split` makes them.
fn split() -> [Vec<u8>; 2] {
    let whole = parts("tiny-qwen3");
    let half = whole.tensors.len() / 2;
    [0u16, 1].map(|number| {
        let (first, second) = whole.tensors.split_at(half);
        let mut part = Parts {
            entries: if number == 0 {
                whole.entries.clone()
            } else {
                Vec::new()
            },
            tensors: if number == 0 {
                first.to_vec()
            } else {
                second.to_vec()
            },
        };
        let total = (whole.tensors.len() as u32).to_le_bytes();
        part.set("split.no", 2, &number.to_le_bytes())
            .set("split.count", 2, &2u16.to_le_bytes())
            .set("split.tensors.count", 5, &total);
        part.bytes()
    })
}

const PART_NAMES: [&str; 2] = ["tiny-00001-of-00002.gguf", "tiny-00002-of-00002.gguf"];

#[test]
fn a_split_gguf_model_is_read_from_its_parts_and_a_part_alone_says_what_is_missing() {
    let [first, second] = split();
    let of = |weights| {
        load(ModelFiles {
            weights,
            ..files("tiny-qwen3/model.gguf")
        })
    };
    let [name, other] = PART_NAMES;
    // In any order.
    let found = of(vec![
        source(other, second.clone()),
        source(name, first.clone()),
    ])
    .unwrap();
    let whole = model("tiny-qwen3/model.gguf");
    assert_eq!(logits(&found), logits(&whole));
    assert_eq!(found.report.applied, whole.report.applied);
    for (named, bytes, missing) in [(name, &first, other), (other, &second, name)] {
        let error = refused(of(vec![source(named, bytes.clone())]));
        assert!(error.contains(named) && error.contains(missing), "{error}");
    }
    let renamed = refused(of(vec![source("model.gguf", second.clone())]));
    assert!(renamed.contains("`part 1`"), "{renamed}");
    let twice = refused(of(vec![
        source(name, first.clone()),
        source(other, first.clone()),
    ]));
    assert!(twice.contains(other), "{twice}");
    let alien = std::fs::read(fixture("tiny-llama3/model.gguf")).unwrap();
    let alien = refused(of(vec![source(name, first), source("other.gguf", alien)]));
    assert!(alien.contains("`other.gguf` is no part"), "{alien}");
}

#[test]
fn the_parts_of_a_split_model_are_found_by_any_of_them_or_their_folder() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("split-gguf");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in PART_NAMES.iter().zip(split()) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let paths = PART_NAMES.map(|name| folder.join(name));
    for spec in [&folder, &paths[0], &paths[1]] {
        let found = secateur::store::resolve_model(spec.to_str().unwrap()).unwrap();
        assert_eq!(found.weights, paths, "{}", spec.display());
        assert!(load(found.open().unwrap()).is_ok());
    }
    std::fs::write(folder.join("other.gguf"), b"GGUF").unwrap();
    let several = secateur::store::resolve_model(folder.to_str().unwrap());
    assert!(several.unwrap_err().to_string().contains("several"));
    std::fs::remove_file(folder.join("other.gguf")).unwrap();
    std::fs::remove_file(&paths[0]).unwrap();
    let found = secateur::store::resolve_model(paths[1].to_str().unwrap()).unwrap();
    let error = refused(load(found.open().unwrap()));
    assert!(error.contains(&format!("`{}`", PART_NAMES[0])), "{error}");
    std::fs::remove_file(&paths[1]).unwrap();
}

#[test]
fn a_gguf_file_that_does_not_say_how_its_texts_are_cut_goes_by_its_architecture_and_says_so() {
    const PRE: &str = "tokenizer.ggml.pre";
    let text = "It's the boat in 2024 (past 345 houses)\n\ncafe\u{301}";
    let ids = |model: &Model| model.tokenizer.encode(text).unwrap();
    let named = edited("tiny-qwen2", |file| {
        file.set(PRE, STRING, &string("qwen2"));
    });
    let expected = ids(&named.unwrap());
    for is_there in [false, true] {
        let found = edited("tiny-qwen2", |file| {
            file.remove(PRE);
            if is_there {
                file.set(PRE, STRING, &string("default"));
            }
        });
        let found = found.unwrap();
        assert_eq!(ids(&found), expected);
        let note = found.report.notes.join(" ");
        assert!(note.contains(PRE) && note.contains("Qwen 2"), "{note}");
    }
    let gpt2 = edited("tiny-qwen2", |file| {
        file.set(PRE, STRING, &string("gpt-2"));
    });
    assert_ne!(ids(&gpt2.unwrap()), expected);
}

/// transformers reads a GPT-2's fields under either name.
#[test]
fn two_names_of_one_field_may_agree_or_one_be_null() {
    let expected = logits(&model("tiny-gpt2"));
    let [layers, heads, width, context] = {
        let config = model("tiny-gpt2");
        let config = config.config();
        [
            config.n_layers,
            config.n_heads,
            config.d_model,
            config.context_length,
        ]
    };
    for fields in [
        json!({ "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
            "max_position_embeddings": context }),
        json!({ "hidden_size": null, "n_inner": null, "intermediate_size": 4 * width }),
        json!({ "n_embd": null, "hidden_size": width, "layer_norm_eps": 0.5, "hidden_act": "silu" }),
    ] {
        let found = configured("tiny-gpt2", fields.clone(), &[]).unwrap();
        assert_eq!(logits(&found), expected, "{fields}");
    }
    let error = refused(configured(
        "tiny-gpt2",
        json!({ "hidden_size": 2 * width }),
        &[],
    ));
    assert!(error.contains("`n_embd` and `hidden_size`"), "{error}");
}

/// An index may be older than its shards: what matters is what the model needs and the shards hold.
#[test]
fn a_stale_index_of_shards_does_no_harm() {
    let bytes = std::fs::read(fixture("tiny-llama-tied/model.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let names = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    let shard_of = |name: &str| usize::from(name.contains("layers.1."));
    let buffer = 1f32.to_le_bytes();
    let buffer = TensorView::new(safetensors::Dtype::F32, vec![1], &buffer).unwrap();
    let shard = |index: usize| {
        let own = stored.tensors().into_iter();
        let own = own.filter(|(name, _)| shard_of(name) == index);
        let name = "model.layers.0.self_attn.rotary_emb.inv_freq".to_owned();
        let buffer = std::iter::once((name, buffer.clone())).filter(|_| index == 1);
        safetensors::serialize(own.chain(buffer), None).unwrap()
    };
    let load = |edit: &dyn Fn(&mut Value)| {
        let listed = stored.names().into_iter();
        let map: serde_json::Map<_, _> = listed
            .map(|name| (name.to_owned(), names[shard_of(name)].into()))
            .collect();
        let mut index = json!({ "metadata": {}, "weight_map": map });
        edit(&mut index["weight_map"]);
        load(ModelFiles {
            weights: vec![source(names[0], shard(0)), source(names[1], shard(1))],
            index: Some(index.to_string().into_bytes()),
            ..files("tiny-llama-tied")
        })
    };
    for edit in [
        (&|_: &mut Value| {}) as &dyn Fn(&mut Value),
        // A tied model needs no output matrix.
        &|map| map["lm_head.weight"] = names[1].into(),
        // It is in the other shard.
        &|map| map["model.norm.weight"] = names[1].into(),
    ] {
        let found = load(edit).unwrap();
        assert_eq!(
            found.report.applied,
            model("tiny-llama-tied").report.applied
        );
    }
    let shards = [names[0]];
    let missing = refused(wait(Model::load(
        "model",
        ModelFiles {
            weights: vec![source(shards[0], shard(1)), source(names[1], shard(1))],
            index: Some(
                json!({ "weight_map": { "a": names[0], "b": names[1] } })
                    .to_string()
                    .into_bytes(),
            ),
            ..files("tiny-llama-tied")
        },
        &Compute::flex(),
        job(),
    )));
    assert!(missing.contains("twice"), "{missing}");
}

#[test]
fn one_shard_alone_names_the_others_and_a_whole_file_needs_no_index() {
    let bytes = std::fs::read(fixture("tiny-llama-tied/model.safetensors")).unwrap();
    let map =
        json!({ "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors" });
    let open = |name: &str| {
        let files = ModelFiles {
            weights: vec![source(name, bytes.clone())],
            index: Some(json!({ "weight_map": map }).to_string().into_bytes()),
            ..files("tiny-llama-tied")
        };
        wait(Model::load("model", files, &Compute::flex(), job()))
    };
    let missing = refused(open("model-00001-of-00002.safetensors"));
    assert!(missing.contains("model-00002-of-00002"), "{missing}");
    assert!(open("model.safetensors").is_ok());
}
