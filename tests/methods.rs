//! Scores that need no gradients, against numbers computed here from the checkpoint's weights and from the activations that
//! transformers has.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;
#[path = "methods/targets.rs"]
mod targets;

use std::collections::HashMap;

use burn::tensor::{Tensor, TensorData};
use common::{assert_close, host, items, job, json, model, plain, scored, tensors, wait};
use secateur::attribution::portrait::{Firing, TokenWeight, portrait};
use secateur::attribution::salience::{Salience, salience};
use secateur::attribution::settings::{Baseline, Method};
use secateur::attribution::sweep::Sweep;
use secateur::attribution::target::Target;
use secateur::attribution::{Attribution, Positions, Settings, TargetKind, attribute};
use secateur::model::{Capture, Edit, Model, Neuron, Site};
use secateur::scoring::{self, RunError, encode};
use serde::Deserialize;

const FOLDER: &str = "tiny-llama-tied";

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<GoldenPrompt>,
}

#[derive(Deserialize)]
struct GoldenPrompt {
    ids: Vec<u32>,
}

fn settings(method: Method, positions: Positions) -> Settings {
    let fast = Settings::preset("fast").unwrap().by(method);
    Settings {
        positions,
        confidence_threshold: 0.0,
        ..fast
    }
}

/// What a method gives for a prompt, layer by layer.
fn found(model: &Model, ids: &[u32], settings: &Settings) -> Vec<f32> {
    let decoder = &model.decoder;
    let prompts = [ids];
    let run = wait(decoder.base_run(&prompts, &Edit::none(), Capture::All, job())).unwrap();
    let target = wait(Target::freeze(decoder, &run, settings.target, &[vec![1]])).unwrap();
    let sweep = Sweep::new(decoder, &prompts, &run, &target, settings);
    wait(sweep.run(job())).unwrap().scores_of(0)
}

/// One neuron as a plain program has it.
struct Plain<'a> {
    /// Its activation at the positions that count.
    activations: Vec<f64>,
    weights: &'a HashMap<String, Vec<f32>>,
    layer: usize,
    neuron: usize,
    d_model: usize,
    d_mlp: usize,
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

impl Plain<'_> {
    fn output(&self) -> Vec<f64> {
        let name = format!("model.layers.{}.mlp.down_proj.weight", self.layer);
        let weight = |row: usize| self.weights[&name][row * self.d_mlp + self.neuron];
        (0..self.d_model).map(|row| weight(row).into()).collect()
    }

    fn input(&self) -> Vec<f64> {
        let name = format!("model.layers.{}.mlp.gate_proj.weight", self.layer);
        let row = &self.weights[&name][self.neuron * self.d_model..][..self.d_model];
        row.iter().map(|&weight| weight.into()).collect()
    }

    fn score(&self, method: Method) -> f64 {
        match method {
            Method::Activation => self.activations.iter().sum(),
            Method::WeightNorm => norm(&self.output()),
            Method::Wanda => {
                let weights = self.output();
                norm(&self.activations) * weights.iter().map(|weight| weight.abs()).sum::<f64>()
            }
            Method::Cosine => {
                let (input, output) = (self.input(), self.output());
                let dot: f64 = input.iter().zip(&output).map(|(a, b)| a * b).sum();
                dot / (norm(&input) * norm(&output))
            }
            other => panic!("{other} has no plain formula here"),
        }
    }
}

#[test]
fn each_is_its_formula_on_the_checkpoint_s_weights_and_transformers_activations() {
    let model = model(FOLDER);
    let config = &model.decoder.config;
    let (d_model, d_mlp) = (config.d_model, config.d_mlp);
    let weights = tensors(&format!("{FOLDER}/model.safetensors"));
    let golden = tensors(&format!("{FOLDER}/golden.safetensors"));
    let Golden { prompts } = json(&format!("{FOLDER}/golden.json"));
    for (index, GoldenPrompt { ids }) in prompts.iter().enumerate() {
        let activations = &golden[&format!("prompt{index}.activation")];
        for positions in [Positions::Last, Positions::All] {
            for method in [
                Method::Activation,
                Method::WeightNorm,
                Method::Wanda,
                Method::Cosine,
            ] {
                let found = found(&model, ids, &settings(method, positions));
                assert_eq!(found.len(), config.n_layers * d_mlp);
                for layer in 0..config.n_layers {
                    let expected: Vec<f64> = (0..d_mlp)
                        .map(|neuron| {
                            let first = match positions {
                                Positions::Last => ids.len() - 1,
                                Positions::All => 0,
                            };
                            let at = |position| {
                                let place = (layer * ids.len() + position) * d_mlp + neuron;
                                f64::from(activations[place])
                            };
                            let plain = Plain {
                                activations: (first..ids.len()).map(at).collect(),
                                weights: &weights,
                                layer,
                                neuron,
                                d_model,
                                d_mlp,
                            };
                            plain.score(method)
                        })
                        .collect();
                    let largest = expected
                        .iter()
                        .fold(0f64, |max, score| max.max(score.abs()));
                    let what = format!("{method}, prompt {index}, layer {layer}");
                    let found = &found[layer * d_mlp..(layer + 1) * d_mlp];
                    assert_close(found, &expected, 2e-5 * largest, &what);
                }
            }
        }
    }
}

fn attributed(model: &Model, settings: &Settings) -> Result<Attribution, RunError> {
    let items = items(FOLDER);
    let scored = scored(model, &items, &plain(), &Edit::none()).unwrap();
    wait(attribute(
        model,
        ("set", &items),
        &plain(),
        &scored.items,
        settings,
        job(),
    ))
}

#[test]
fn every_method_scores_items_and_only_a_gradient_s_scores_have_something_to_add_up_to() {
    let model = model(FOLDER);
    let mut all: Vec<Vec<Vec<f32>>> = Vec::new();
    for method in Method::ALL {
        let found = attributed(&model, &settings(method, Positions::Last)).unwrap();
        let n_layers = model.decoder.config.n_layers;
        let adds_up = matches!(
            method,
            Method::IntegratedGradients | Method::GradientTimesActivation
        );
        let gaps = if adds_up { n_layers } else { 0 };
        assert_eq!(found.gaps.len(), gaps, "{method}");
        assert_eq!(found.settings.method, method);
        assert!(
            found.scores.iter().flatten().all(|score| score.is_finite()),
            "{method}"
        );
        assert!(!all.contains(&found.scores), "{method} is another one");
        all.push(found.scores);
    }
    let again = attributed(&model, &settings(Method::Random, Positions::Last)).unwrap();
    let random = Method::ALL
        .iter()
        .position(|&method| method == Method::Random);
    assert_eq!(
        all.get(random.unwrap()),
        Some(&again.scores),
        "random numbers are the same in every run"
    );
}

#[test]
fn what_a_method_does_not_know_is_refused_by_name() {
    let of = |method| settings(method, Positions::Last);
    let path = Settings::preset("paper").unwrap().path;
    for (settings, named) in [
        (
            Settings {
                path,
                ..of(Method::Wanda)
            },
            "the method wanda has no path",
        ),
        (
            Settings {
                steps: 8,
                ..of(Method::GradientTimesActivation)
            },
            "the method gradient_times_activation has no number of steps but 1",
        ),
        (
            Settings {
                target: secateur::attribution::TargetKind::TopLogit,
                ..of(Method::Random)
            },
            "the method random has no target but choice_first_token",
        ),
        (
            Settings {
                site: Site::GatePre,
                ..of(Method::Relp)
            },
            "the method relp has no site but post",
        ),
        (
            Settings {
                baseline: Baseline::Mean,
                ..of(Method::Relp)
            },
            "the method relp has no baseline but zero",
        ),
    ] {
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let choices = Settings::choices();
    assert_eq!(
        choices.len(),
        Settings::PRESETS.len() + Method::ALL.len() - 1
    );
    for (name, settings) in choices {
        settings.check().unwrap();
        let is_preset = Settings::PRESETS.contains(&name.as_str());
        assert_eq!(settings.preset.is_some(), is_preset, "{name}");
    }
}

#[test]
fn a_portrait_is_what_the_checkpoint_and_transformers_activations_say() {
    let model = model(FOLDER);
    let config = model.config();
    let (d_model, d_mlp) = (config.d_model, config.d_mlp);
    let items = items(FOLDER);
    let neuron = Neuron { layer: 1, index: 5 };
    let named = ("set", items.as_slice());
    let found = wait(portrait(&model, named, &plain(), neuron, job())).unwrap();

    // Its output weights through the final norm's gains and the unembedding, from the file.
    let weights = tensors(&format!("{FOLDER}/model.safetensors"));
    let written = Plain {
        activations: Vec::new(),
        weights: &weights,
        layer: 1,
        neuron: 5,
        d_model,
        d_mlp,
    }
    .output();
    let gains = &weights["model.norm.weight"];
    let logit = |row: &[f32]| -> f64 {
        let parts = row.iter().zip(&written).zip(gains);
        parts
            .map(|((&row, written), &gain)| f64::from(row) * written * f64::from(gain))
            .sum()
    };
    let table = &weights["model.embed_tokens.weight"];
    let mut expected: Vec<f64> = table.chunks(d_model).map(logit).collect();
    expected.sort_by(f64::total_cmp);
    let of = |named: &[TokenWeight]| named.iter().map(|token| token.weight).collect::<Vec<_>>();
    let lowest = &expected[..10];
    let highest: Vec<f64> = expected.iter().rev().take(10).copied().collect();
    assert_close(&of(&found.raises), &highest, 1e-5, "raised");
    assert_close(&of(&found.lowers), lowest, 1e-5, "lowered");

    // Where it fires, and with whom, from every prompt's activations.
    let mut all: Vec<Vec<f64>> = Vec::new();
    for encoded in encode(&model, &items, &plain()).unwrap() {
        let prompts = [encoded.prompt.as_slice()];
        let none = Edit::none();
        let run = wait(model.decoder.base_run(&prompts, &none, Capture::All, job())).unwrap();
        let activations = host(run.state(1).unwrap().pre.activation());
        let rows = activations.chunks(d_mlp);
        all.extend(rows.map(|row| row.iter().map(|&value| value.into()).collect()));
    }
    assert_eq!(found.positions, all.len());
    let mut own: Vec<f64> = all.iter().map(|row| row[5].abs()).collect();
    own.sort_by(|a, b| b.total_cmp(a));
    let fires: Vec<f64> = found
        .fires
        .iter()
        .map(|place| f64::from(place.activation.abs()))
        .collect();
    assert_close(&fires, &own[..fires.len()], 1e-6, "activations");
    let whole = |place: &Firing| format!("{}{}{}", place.before, place.token, place.after);
    let prompt_of = |id: &str| items.iter().find(|item| item.id == id).unwrap();
    for place in &found.fires {
        assert!(!place.token.trim().is_empty());
        let prompt = &prompt_of(&place.id).context;
        assert!(prompt.contains(whole(place).trim()), "{place:?}");
    }
    let column = |neuron: usize| -> Vec<f64> { all.iter().map(|row| row[neuron]).collect() };
    let pearson = |a: &[f64], b: &[f64]| {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (of_a, of_b) = (mean(a), mean(b));
        let product = |x: &[f64], y: &[f64], of_x: f64, of_y: f64| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - of_x) * (y - of_y)).sum()
        };
        product(a, b, of_a, of_b) / (product(a, a, of_a, of_a) * product(b, b, of_b, of_b)).sqrt()
    };
    let own = column(5);
    for neighbour in &found.neighbours {
        let expected = pearson(&own, &column(neighbour.neuron.index));
        assert!((f64::from(neighbour.correlation) - expected).abs() < 1e-4);
    }
    let outside = Neuron { layer: 9, index: 0 };
    let refused = wait(portrait(&model, named, &plain(), outside, job())).unwrap_err();
    assert!(refused.to_string().contains("no neuron"), "{refused}");
}

/// The gradient along an embedding, by a small step along it.
#[test]
fn salience_is_the_change_of_the_target_along_each_token_s_embedding() {
    let model = model(FOLDER);
    let decoder = &model.decoder;
    let items = items(FOLDER);
    let prompts = plain();
    let scored = scored(&model, &items, &prompts, &Edit::none());
    let scores = scored.unwrap().items;
    let settings = Settings {
        target: TargetKind::GoldMargin,
        ..Settings::preset("fast").unwrap()
    };
    let item = &items[0];
    let found = wait(salience(
        &model,
        item,
        &prompts,
        &scores[0],
        &settings,
        job(),
    ))
    .unwrap();
    let encoded = encode(&model, &items[..1], &prompts).unwrap().remove(0);
    let ids = [encoded.prompt.as_slice()];
    assert_eq!(found.tokens.len(), ids[0].len());
    let embedded = decoder.embed(&ids, 0, None).unwrap();
    let margin = |scales: &[f32]| {
        let scales = TensorData::new(scales.to_vec(), [1, scales.len(), 1]);
        let scaled = embedded.clone() * Tensor::<3>::from_data(scales, decoder.device());
        let run = wait(decoder.run_embedded(scaled, job())).unwrap();
        let logits = host(decoder.last_logits(&run));
        let first = |choice: usize| f64::from(logits[encoded.choices[choice][0] as usize]);
        let token = |choice: usize| encoded.choices[choice][0];
        let wrong = (0..item.choices.len()).filter(|&choice| token(choice) != token(item.gold));
        first(item.gold) - wrong.map(first).fold(f64::NEG_INFINITY, f64::max)
    };
    assert!((f64::from(found.value) - margin(&vec![1.0; ids[0].len()])).abs() < 1e-4);
    along_each_token(&found, margin, 2e-3);
}

/// Salience is what `value` changes by along each token's embedding, in two hundredths and at least `least`. `value` takes a factor
/// for each token.
fn along_each_token(found: &Salience, value: impl Fn(&[f32]) -> f64, least: f64) {
    const STEP: f32 = 0.02;
    let ones = vec![1.0; found.scores.len()];
    for (place, &score) in found.scores.iter().enumerate() {
        let along = |by: f32| {
            let mut scales = ones.clone();
            scales[place] += by;
            value(&scales)
        };
        let expected = (along(STEP) - along(-STEP)) / (2.0 * f64::from(STEP));
        let allowed = 0.02 * expected.abs() + least;
        assert!(
            (f64::from(score) - expected).abs() < allowed,
            "{place}: {score}, {expected}"
        );
    }
}
