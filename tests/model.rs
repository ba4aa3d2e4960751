//! The decoder against transformers' numbers; forks, continuations and batches against plain runs; files that
//! are damaged on purpose.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::collections::BTreeSet;

use burn::tensor::{Tensor, TensorData};
use common::{FAMILIES, assert_close, files, fork, host, job, json, model, tensors, wait};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use secateur::model::edit::LayerEdits;
use secateur::model::load::ModelFiles;
use secateur::model::{
    Capture, Compute, Decoder, Edit, Link, MissingTensor, Model, ModelError, Precision, Run,
};
use secateur::weights::{MemorySource, WeightsError};
use serde::Deserialize;

/// Of a value of the forward pass, as a share of its tensor's largest. Both sides compute in f32: some thirty
/// sums of products in a row, each with a rounding of 6e-8 of its largest term. Never more than 1e-4.
const SHARE: f64 = 5e-6;

#[derive(Deserialize)]
struct Prompts {
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    text: String,
    ids: Vec<u32>,
}

/// The model, its golden prompts and its golden tensors.
const GOLDEN: [(&str, &str, &str); 6] = [
    (
        "tiny-llama-tied",
        "tiny-llama-tied/golden.json",
        "tiny-llama-tied/golden.safetensors",
    ),
    (
        "tiny-llama-untied",
        "tiny-llama-untied/golden.json",
        "tiny-llama-untied/golden.safetensors",
    ),
    (
        "tiny-llama-tied-f16",
        "tiny-llama-tied/golden.json",
        "tiny-llama-tied-f16/golden.safetensors",
    ),
    (
        "tiny-llama-tied-bf16",
        "tiny-llama-tied/golden.json",
        "tiny-llama-tied-bf16/golden.safetensors",
    ),
    (
        "tiny-llama-bpe/f32.gguf",
        "tiny-llama-bpe/golden.json",
        "tiny-llama-bpe/f32.safetensors",
    ),
    (
        "tiny-llama-bpe/mixed.gguf",
        "tiny-llama-bpe/golden.json",
        "tiny-llama-bpe/mixed.safetensors",
    ),
];

fn base(decoder: &Decoder, prompts: &[&[u32]], gains: &Edit) -> Run {
    wait(decoder.base_run(prompts, gains, Capture::All, job())).unwrap()
}

/// Logits at every position of a run, `[batch · rows · tail · vocabulary]`.
fn logits(decoder: &Decoder, run: &Run) -> Vec<f32> {
    host(decoder.unembed(decoder.final_norm(run.resid_final.clone())))
}

fn concatenated(parts: impl Iterator<Item = Tensor<3>>) -> Vec<f32> {
    parts.flat_map(host).collect()
}

#[test]
fn every_value_of_the_forward_pass_is_that_of_transformers() {
    for (name, prompts, golden) in GOLDEN {
        let model = model(name);
        let decoder = &model.decoder;
        let golden = tensors(golden);
        for (index, prompt) in json::<Prompts>(prompts).prompts.iter().enumerate() {
            let run = base(decoder, &[&prompt.ids], &Edit::none());
            let layers = 0..decoder.config.n_layers;
            let state = |layer| run.state(layer).unwrap();
            let gate = |layer| {
                let projected = state(layer).pre.projected.clone();
                projected.narrow(2, 0, decoder.config.d_mlp)
            };
            let embedding = decoder.embed(&[&prompt.ids], 0, None).unwrap();
            let above = layers.clone().map(|layer| {
                let activation = state(layer).pre.activation();
                decoder.from_feed_forward(
                    layer,
                    state(layer).resid_mid.clone(),
                    activation,
                    &LayerEdits::none(),
                )
            });
            let found = [
                ("logits", logits(decoder, &run)),
                (
                    "hidden",
                    concatenated(std::iter::once(embedding).chain(above)),
                ),
                ("gate", concatenated(layers.clone().map(gate))),
                (
                    "activation",
                    concatenated(layers.clone().map(|layer| state(layer).pre.activation())),
                ),
            ];
            for (what, values) in found {
                let key = format!("prompt{index}.{what}");
                let expected = &golden[&key];
                let largest = expected
                    .iter()
                    .fold(0f32, |max, value| max.max(value.abs()));
                let tolerance = (SHARE * f64::from(largest)).min(1e-4);
                assert_close(&values, expected, tolerance, &format!("{name} {key}"));
            }
        }
    }
}

#[test]
fn the_golden_prompts_have_the_reference_tokens() {
    for (name, prompts, _) in GOLDEN {
        let model = model(name);
        for prompt in json::<Prompts>(prompts).prompts {
            assert_eq!(
                model.tokenizer.encode(&prompt.text).unwrap(),
                prompt.ids,
                "{name}"
            );
        }
    }
}

#[test]
fn a_load_says_what_the_file_held() {
    let tied = model("tiny-llama-tied");
    // Nine tensors a block, the embedding and the last norm.
    assert_eq!(tied.report.applied, 3 * 9 + 2);
    assert_eq!(tied.report.source, "safetensors");
    assert!(tied.report.unused.is_empty());
    assert_eq!(tied.report.tensor_types["F32"], 3 * 9 + 2);
    let mixed = model("tiny-llama-bpe/mixed.gguf");
    assert_eq!(mixed.report.source, "gguf");
    assert_eq!(mixed.report.applied, 2 * 9 + 3);
    assert!(mixed.report.unused.is_empty());
    for (kind, count) in [
        ("Q4_1", 6),
        ("Q4_0", 4),
        ("Q8_0", 3),
        ("F16", 2),
        ("BF16", 1),
    ] {
        assert_eq!(mixed.report.tensor_types[kind], count, "{kind}");
    }
    assert!(!mixed.config().tied && model("tiny-llama-bpe/f32.gguf").config().tied);
}

/// By hand from `tiny-llama-tied/config.json`: per block 2 · 16 · 4 · (4 + 2) for attention, 3 · 16 · 24 for the
/// feed-forward layer, 2 · 16 for the norms; then the last norm and 42 · 16 for the embedding.
#[test]
fn a_tied_embedding_counts_once() {
    let tied = 3 * (768 + 1152 + 32) + 16 + 672;
    assert_eq!(model("tiny-llama-tied").config().n_parameters(), tied);
    let untied = 2 * (768 + 1152 + 32) + 16 + 2 * 672;
    assert_eq!(model("tiny-llama-untied").config().n_parameters(), untied);
}

#[test]
fn the_hash_is_that_of_the_weight_file() {
    use sha2::Digest;
    let path = common::fixture("tiny-llama-tied/model.safetensors");
    let digest = sha2::Sha256::digest(std::fs::read(path).unwrap());
    let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(model("tiny-llama-tied").sha256, expected);
}

/// Of logits of the same arithmetic in another order: of magnitude 10, as `SHARE`.
const REORDERED: f64 = 5e-5;

const PROMPTS: [&[u32]; 2] = [&[6, 8, 12, 7, 11], &[34, 14, 6, 21, 23]];

/// Different factors for every neuron of some layers, from 0 to 1.5.
fn some_gains(decoder: &Decoder, layers: &[usize]) -> Edit {
    let d_mlp = decoder.config.d_mlp;
    let mut gains = Edit::none();
    for &layer in layers {
        let values: Vec<f32> = (0..d_mlp)
            .map(|neuron| ((neuron * 7 + layer * 5) % 16) as f32 / 10.0)
            .collect();
        let values = TensorData::new(values, [d_mlp]);
        gains = gains.scale(layer, Tensor::from_data(values, decoder.device()));
    }
    gains
}

#[test]
fn a_fork_is_the_full_run_with_the_same_gains() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let plain = base(decoder, &PROMPTS, &Edit::none());
    for layers in [&[0][..], &[1], &[2], &[0, 1], &[1, 2], &[0, 1, 2]] {
        let gains = some_gains(decoder, layers);
        let fork = fork(decoder, &plain, &gains);
        let full = base(decoder, &PROMPTS, &gains);
        let (fork, full) = (logits(decoder, &fork), logits(decoder, &full));
        assert_close(&fork, &full, REORDERED, &format!("{layers:?}"));
        // The gains do something, or the comparison would say nothing.
        let unchanged = logits(decoder, &plain);
        assert!(common::largest_difference(&full, &unchanged) > 0.1);
    }
    let nothing = fork(decoder, &plain, &Edit::none());
    assert_eq!(logits(decoder, &nothing), logits(decoder, &plain));
}

/// Continuations of unequal prompts, padded on the right to one length.
fn tails() -> Vec<Vec<Vec<u32>>> {
    vec![
        vec![vec![26, 6, 9], vec![37, 0, 0], vec![28, 6, 0]],
        vec![vec![36, 37, 3], vec![7, 10, 0], vec![1, 1, 1]],
    ]
}

/// Logits at the continuation's positions of the whole sequence, for every prompt and row.
fn of_whole_sequences(decoder: &Decoder, gains: &Edit) -> Vec<f32> {
    let mut all = Vec::new();
    for (prompt, rows) in PROMPTS.iter().zip(tails()) {
        for tail in rows {
            let sequence = [prompt, tail.as_slice()].concat();
            let values = logits(decoder, &base(decoder, &[&sequence], gains));
            all.extend_from_slice(&values[prompt.len() * decoder.config.vocabulary..]);
        }
    }
    all
}

#[test]
fn a_continuation_is_the_run_over_the_whole_sequence() {
    for name in common::SCORED {
        let model = model(name);
        let decoder = &model.decoder;
        for gains in [Edit::none(), some_gains(decoder, &[0, 1])] {
            let prompts = base(decoder, &PROMPTS, &gains);
            let tails = tails();
            let run = decoder.continue_run(&prompts, &tails, &gains, Capture::All, job());
            let run = wait(run).unwrap();
            let expected = of_whole_sequences(decoder, &gains);
            assert_close(&logits(decoder, &run), &expected, REORDERED, name);
        }
    }
}

#[test]
fn a_fork_of_a_continuation_follows_the_fork_of_its_prompt() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let runs = base_and_tails(decoder);
    for layers in [&[0][..], &[1], &[1, 2]] {
        let gains = some_gains(decoder, layers);
        let links = continued(&runs);
        let forks = wait(decoder.fork(&links, std::slice::from_ref(&gains), job())).unwrap();
        let fork = &forks[1];
        let expected = of_whole_sequences(decoder, &gains);
        let what = format!("{layers:?}");
        assert_close(&logits(decoder, fork), &expected, REORDERED, &what);
    }
}

/// A run of the prompts, and the run of the tails that continues it.
fn base_and_tails(decoder: &Decoder) -> [Run; 2] {
    let none = Edit::none();
    let prompts = base(decoder, &PROMPTS, &none);
    let tails = tails();
    let run = decoder.continue_run(&prompts, &tails, &none, Capture::All, job());
    let run = wait(run).unwrap();
    [prompts, run]
}

/// Such runs as they are forked together.
fn continued([prompts, run]: &[Run; 2]) -> [Link<'_>; 2] {
    [Link::first(prompts), Link::first(run).after(0)]
}

#[test]
fn forks_that_are_made_together_are_those_that_are_made_alone() {
    for name in common::SCORED {
        let model = model(name);
        let decoder = &model.decoder;
        let runs = base_and_tails(decoder);
        // They leave at several layers, in no order; one changes nothing, and two are the same.
        let layers = [&[1][..], &[0, 1], &[], &[0], &[1]];
        let gains: Vec<Edit> = layers.map(|layers| some_gains(decoder, layers)).into();
        let links = continued(&runs);
        let forks = wait(decoder.fork(&links, &gains, job())).unwrap();
        let [of_prompts, of_tails] = forks.as_slice() else {
            panic!("{} runs", forks.len());
        };
        let (found, further) = (logits(decoder, of_prompts), logits(decoder, of_tails));
        let (found, further) = (
            found.chunks(found.len() / 5),
            further.chunks(further.len() / 5),
        );
        for ((gains, layers), (found, further)) in gains.iter().zip(layers).zip(found.zip(further))
        {
            let what = format!("{name}, {layers:?}");
            let whole = logits(decoder, &base(decoder, &PROMPTS, gains));
            assert_close(found, &whole, REORDERED, &what);
            let whole = of_whole_sequences(decoder, gains);
            assert_close(further, &whole, REORDERED, &what);
        }
    }
}

#[test]
fn forks_of_which_only_the_last_position_is_read_have_the_same_logits_there() {
    for name in common::SCORED {
        let model = model(name);
        let decoder = &model.decoder;
        let runs = base_and_tails(decoder);
        let last = decoder.config.n_layers - 1;
        let layers = [&[last][..], &[0, last], &[], &[last - 1]];
        let gains: Vec<Edit> = layers.map(|layers| some_gains(decoder, layers)).into();
        let links = continued(&runs);
        let everywhere = wait(decoder.fork(&links, &gains, job())).unwrap();
        let at_last =
            wait(decoder.fork(&links.map(|link| link.reading(1)), &gains, job())).unwrap();
        for (everywhere, at_last) in everywhere.iter().zip(&at_last) {
            assert_eq!(at_last.geometry, everywhere.geometry.of_last(1));
            let logits = |run: &Run| host(decoder.last_logits(run));
            assert_close(&logits(at_last), &logits(everywhere), REORDERED, name);
        }
    }
}

#[test]
fn the_last_logits_are_those_of_the_last_position_of_every_row() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let prompts = base(decoder, &PROMPTS, &Edit::none());
    let none = Edit::none();
    let tails = tails();
    let run = decoder.continue_run(&prompts, &tails, &none, Capture::KeyValues, job());
    let run = wait(run).unwrap();
    let vocabulary = decoder.config.vocabulary;
    let expected: Vec<f32> = logits(decoder, &run)
        .chunks(3 * vocabulary)
        .flat_map(|row| row[2 * vocabulary..].to_vec())
        .collect();
    let found = host(decoder.last_logits(&run));
    assert_eq!(found.len(), 2 * 3 * vocabulary);
    assert_close(&found, &expected, REORDERED, "last logits");
}

#[test]
fn a_prompt_gives_the_same_alone_and_in_a_batch() {
    for name in ["tiny-llama-tied", "tiny-llama-untied"] {
        let model = model(name);
        let decoder = &model.decoder;
        let together = logits(decoder, &base(decoder, &PROMPTS, &Edit::none()));
        let alone = PROMPTS.map(|ids| logits(decoder, &base(decoder, &[ids], &Edit::none())));
        assert_close(&together, &alone.concat(), REORDERED, name);
    }
}

#[test]
fn a_layer_that_was_not_captured_cannot_be_left_from() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let capture = Capture::Layer(1);
    let run = wait(decoder.base_run(&PROMPTS, &Edit::none(), capture, job())).unwrap();
    let fork = |layer| {
        wait(decoder.fork(
            &[Link::first(&run)],
            &[some_gains(decoder, &[layer])],
            job(),
        ))
    };
    assert!(fork(1).is_ok());
    let error = fork(2).err().unwrap().to_string();
    assert!(error.contains("layer 2 was not captured"), "{error}");
}

#[test]
fn sequences_that_the_model_cannot_take_are_refused() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let run = |prompts: &[&[u32]]| {
        wait(decoder.base_run(prompts, &Edit::none(), Capture::KeyValues, job()))
    };
    let message = |prompts: &[&[u32]]| match run(prompts).err().unwrap() {
        ModelError::Config(message) => message,
        other => panic!("{other}"),
    };
    assert!(matches!(
        run(&[&[6, 42]]).err().unwrap(),
        ModelError::NoRow {
            id: 42,
            rows: 42,
            ..
        }
    ));
    assert!(message(&[&[]]).contains("not empty"));
    assert!(message(&[&[], &[6, 8]]).contains("not empty"));
    assert!(message(&[]).contains("not empty"));
    // max_position_embeddings is 128.
    assert!(run(&[&[6; 128]]).is_ok());
    let too_long = run(&[&[6; 129]]).err().unwrap();
    assert!(matches!(
        too_long,
        ModelError::TooLong {
            tokens: 129,
            context_length: 128
        }
    ));
    let full = run(&[&[6; 127]]).unwrap();
    let none = Edit::none();
    let go_on = |tail: usize| {
        let tails = vec![vec![vec![6; tail]]];
        wait(decoder.continue_run(&full, &tails, &none, Capture::KeyValues, job()))
    };
    assert!(go_on(1).is_ok());
    assert!(matches!(
        go_on(2).err().unwrap(),
        ModelError::TooLong { tokens: 129, .. }
    ));
}

#[test]
fn continuations_must_belong_to_the_prompts() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let none = Edit::none();
    let run = base(decoder, &PROMPTS, &none);
    for tails in [
        vec![vec![vec![6]]],
        vec![vec![vec![6], vec![7]], vec![vec![6]]],
        vec![],
    ] {
        let result = decoder.continue_run(&run, &tails, &none, Capture::KeyValues, job());
        assert!(
            matches!(wait(result), Err(ModelError::Config(_))),
            "{tails:?}"
        );
    }
}

/// A tensor of a safetensors file: name, type, shape, bytes.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// The files of a fixture model, its tensors changed.
fn edited(folder: &str, edit: impl FnOnce(&mut Vec<Stored>)) -> ModelFiles {
    let path = common::fixture(&format!("{folder}/model.safetensors"));
    let bytes = std::fs::read(path).unwrap();
    let mut stored: Vec<Stored> = SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, view)| {
            let shape = view.shape().to_vec();
            (name.to_owned(), view.dtype(), shape, view.data().to_vec())
        })
        .collect();
    edit(&mut stored);
    let views = stored.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    let weights = safetensors::serialize(views, None).unwrap();
    ModelFiles {
        weights: vec![(
            "model.safetensors".to_owned(),
            Box::new(MemorySource(weights)),
        )],
        ..files(folder)
    }
}

fn refused(files: ModelFiles) -> ModelError {
    wait(Model::load("damaged", files, &Compute::flex(), job()))
        .err()
        .unwrap()
}

const UP: &str = "model.layers.1.mlp.up_proj.weight";

#[test]
fn a_missing_tensor_is_named_with_the_nearest_there_is() {
    let renamed = "model.layers.1.mlp.up.weight";
    let other_name = edited("tiny-llama-tied", |stored| {
        let up = stored.iter_mut().find(|(name, ..)| name == UP).unwrap();
        up.0 = renamed.to_owned();
    });
    match refused(other_name) {
        ModelError::MissingTensors { named, more: 0 } => {
            let [MissingTensor { name, nearest }] = named.as_slice() else {
                panic!("{named:?}");
            };
            assert_eq!(name, UP);
            assert_eq!(nearest.as_deref(), Some(renamed));
        }
        other => panic!("{other}"),
    }
    for name in ["model.embed_tokens.weight", "model.norm.weight"] {
        let gone = edited("tiny-llama-tied", |stored| {
            stored.retain(|(other, ..)| other != name)
        });
        // What the model needs itself is not what was meant.
        let error = refused(gone).to_string();
        assert!(error.ends_with(&format!("no tensor `{name}`")), "{error}");
    }
}

#[test]
fn all_missing_tensors_of_every_family_are_named_or_counted() {
    for family in FAMILIES {
        // Every third tensor is gone, weights and biases alike.
        for first in 0..3 {
            let mut gone = BTreeSet::new();
            let files = edited(family, |stored| {
                let names = stored.iter().map(|(name, ..)| name.clone());
                gone = names.skip(first).step_by(3).collect();
                stored.retain(|(name, ..)| !gone.contains(name));
            });
            match refused(files) {
                ModelError::MissingTensors { named, more } => {
                    assert_eq!(named.len() + more, gone.len(), "{family}");
                    assert!(named.iter().all(|missing| gone.contains(&missing.name)));
                }
                other => panic!("{family}: {other}"),
            }
        }
    }
    let empty = refused(edited("tiny-gpt2", |stored| stored.truncate(1))).to_string();
    assert!(empty.starts_with("the weight file lacks"), "{empty}");
    assert!(empty.ends_with(" more"), "{empty}");
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let turned = edited("tiny-llama-tied", |stored| {
        let up = stored.iter_mut().find(|(name, ..)| name == UP).unwrap();
        up.2.reverse();
    });
    match refused(turned) {
        ModelError::Shape {
            name,
            expected,
            found,
        } => {
            assert_eq!(name, UP);
            assert_eq!((expected, found), (vec![24, 16], vec![16, 24]));
        }
        other => panic!("{other}"),
    }
    // A vocabulary of another size than config.json says.
    let short = edited("tiny-llama-untied", |stored| {
        let head = stored
            .iter_mut()
            .find(|(name, ..)| name == "lm_head.weight")
            .unwrap();
        head.2[0] -= 1;
        let bytes = head.2[0] * head.2[1] * 4;
        head.3.truncate(bytes);
    });
    let error = refused(short).to_string();
    assert!(error.contains("`lm_head.weight`") && error.contains("[41, 16]"));
}

#[test]
fn a_weight_that_f16_cannot_hold_is_named() {
    let large = || {
        edited("tiny-llama-tied", |stored| {
            let up = stored.iter_mut().find(|(name, ..)| name == UP).unwrap();
            up.3[12..16].copy_from_slice(&1e5f32.to_le_bytes());
        })
    };
    let load = |precision| {
        let mut compute = Compute::flex();
        compute.precision = precision;
        wait(Model::load("large", large(), &compute, job())).err()
    };
    let error = load(Precision::F16).unwrap().to_string();
    assert!(
        error.contains(UP) && error.contains("it holds 100000"),
        "{error}"
    );
    assert!(load(Precision::F32).is_none() && load(Precision::Int8).is_none());
}

#[test]
fn a_weight_that_is_no_number_is_named() {
    let spoilt = edited("tiny-llama-tied", |stored| {
        let up = stored.iter_mut().find(|(name, ..)| name == UP).unwrap();
        up.3[12..16].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(matches!(
        refused(spoilt),
        ModelError::Weights(WeightsError::NotFinite { name, index: 3 }) if name == UP
    ));
}

#[test]
fn a_tensor_that_nothing_asks_for_is_reported_and_does_no_harm() {
    let more = edited("tiny-llama-tied", |stored| {
        for name in [
            "model.extra.weight",
            "model.layers.0.self_attn.rotary_emb.inv_freq",
        ] {
            stored.push((name.to_owned(), Dtype::F32, vec![1], vec![0; 4]));
        }
    });
    let loaded = wait(Model::load("more", more, &Compute::flex(), job())).unwrap();
    // Rotary frequencies are computed, not loaded; they are no surprise in a file.
    assert_eq!(loaded.report.unused, ["model.extra.weight"]);
    assert_eq!(loaded.report.applied, 29);
}

#[test]
fn safetensors_without_its_companions_is_refused_by_name() {
    let (mut no_config, mut no_tokenizer) = (files("tiny-llama-tied"), files("tiny-llama-tied"));
    no_config.config = None;
    no_tokenizer.tokenizer = None;
    assert!(refused(no_config).to_string().contains("config.json"));
    assert!(refused(no_tokenizer).to_string().contains("tokenizer.json"));
}
