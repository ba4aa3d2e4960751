//! Scores that need no gradients, against numbers computed here from the checkpoint's weights and from the activations that
//! transformers has.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::collections::HashMap;

use common::{assert_close, items, job, json, model, plain, tensors, wait};
use secateur::attribution::settings::Method;
use secateur::attribution::sweep::Sweep;
use secateur::attribution::target::Target;
use secateur::attribution::{Attribution, Positions, Settings, attribute};
use secateur::model::{Capture, Edit, Model};
use secateur::scoring::{self, RunError};
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
    let scored = wait(scoring::score(
        model,
        ("set", &items),
        &plain(),
        scoring::Rule::Sum,
        &Edit::none(),
        job(),
    ))
    .unwrap();
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
        let adds_up = method.has_target() && method != Method::Ablation;
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
        let is_preset = settings.method == Method::IntegratedGradients;
        assert_eq!(settings.preset.is_some(), is_preset, "{name}");
    }
}
