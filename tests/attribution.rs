//! Integrated Gradients against the float64 reference and Captum, against formulas of a decoder small enough to
//! write out, against finite differences; and what makes an attribution out of items.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::cell::Cell;

use burn::tensor::{Tensor, TensorData};
use common::{assert_close, fork, host, items, job, json, model, plain, tensors, wait};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use secateur::attribution::ablation::ablate;
use secateur::attribution::integral::Swept;
use secateur::attribution::quadrature::Quadrature;
use secateur::attribution::sweep::Sweep;
use secateur::attribution::target::Target;
use secateur::attribution::{
    Attribution, IntegrationPath, Positions, Settings, TargetKind, attribute,
};
use secateur::job::{Host, Job};
use secateur::model::load::ModelFiles;
use secateur::model::{Capture, Compute, Decoder, Edit, Model, Neuron, Run, Site};
use secateur::scoring::{self, RunError, SetScores};
use secateur::weights::MemorySource;
use serde::Deserialize;

const PATHS: [IntegrationPath; 2] = [IntegrationPath::PerLayer, IntegrationPath::Joint];
const SITES: [Site; 2] = [Site::Post, Site::GatePre];
const POSITIONS: [Positions; 2] = [Positions::Last, Positions::All];
const TARGETS: [TargetKind; 2] = [TargetKind::TopLogit, TargetKind::ChoiceFirstToken];
const RULES: [Quadrature; 3] = [Quadrature::Right, Quadrature::Left, Quadrature::Middle];

#[derive(Deserialize)]
struct Golden {
    steps: usize,
    prompts: Vec<GoldenPrompt>,
}

#[derive(Deserialize)]
struct GoldenPrompt {
    ids: Vec<u32>,
    target_tokens: TargetTokens,
}

#[derive(Deserialize)]
struct TargetTokens {
    top_logit: u32,
    choice_first_token: u32,
}

fn settings(
    path: IntegrationPath,
    site: Site,
    positions: Positions,
    target: TargetKind,
    (rule, steps): (Quadrature, usize),
) -> Settings {
    Settings {
        preset: None,
        path,
        site,
        positions,
        target,
        rule,
        steps,
        confidence_threshold: 0.0,
        ..Settings::preset("fast").unwrap()
    }
}

/// Every path, site, positions and target.
fn combinations(nodes: (Quadrature, usize)) -> Vec<Settings> {
    let mut all = Vec::new();
    for path in PATHS {
        for site in SITES {
            for positions in POSITIONS {
                for target in TARGETS {
                    all.push(settings(path, site, positions, target, nodes));
                }
            }
        }
    }
    all
}

/// The name that a choice has in JSON and in the fixtures' tensors.
fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

fn key(prompt: usize, settings: &Settings) -> String {
    format!(
        "prompt{prompt}.{}.{}.{}.{}",
        name(settings.path),
        name(settings.site),
        name(settings.positions),
        name(settings.target)
    )
}

fn base(decoder: &Decoder, prompts: &[&[u32]]) -> Run {
    wait(decoder.base_run(prompts, &Edit::none(), Capture::All, job())).unwrap()
}

fn target_of(decoder: &Decoder, run: &Run, settings: &Settings, tokens: &[u32]) -> Target {
    let asked: Vec<Vec<u32>> = tokens.iter().map(|&token| vec![token]).collect();
    wait(Target::freeze(decoder, run, settings.target, &asked)).unwrap()
}

/// A sweep over prompts of one length, the `choice_first_token` of each given, and the target at its end.
fn swept(
    decoder: &Decoder,
    prompts: &[&[u32]],
    tokens: &[u32],
    settings: &Settings,
    job: Job<'_>,
) -> (Swept, Vec<f32>) {
    let run = base(decoder, prompts);
    let target = target_of(decoder, &run, settings, tokens);
    let sweep = Sweep::new(decoder, prompts, &run, &target, settings);
    let swept = wait(sweep.run(job)).unwrap();
    let end = host(target.value(decoder, run.last_resid()));
    (swept, end)
}

/// Asserts that the scores of every layer lie within a share of the layer's largest absolute score.
#[track_caller]
fn assert_scores(found: &[f32], expected: &[f32], d_mlp: usize, share: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (layer, (found, expected)) in found.chunks(d_mlp).zip(expected.chunks(d_mlp)).enumerate() {
        let largest = expected
            .iter()
            .fold(0f32, |max, value| max.max(value.abs()));
        let tolerance = share * f64::from(largest);
        assert_close(
            found,
            expected,
            tolerance,
            &format!("{what}, layer {layer}"),
        );
    }
}

/// Of a score, as a share of the layer's largest absolute score. The reference computes in f64, this engine in f32:
/// a gradient passes about ten matrix products, each with a rounding of 6e-8 of its largest term.
const SHARE: f64 = 2e-5;
/// Of the target at the ends of the path, a logit or log-probability of magnitude 10 in f32.
const VALUE: f64 = 2e-5;

#[test]
fn every_combination_gives_the_scores_and_the_ends_of_the_reference() {
    for folder in common::SCORED {
        let model = model(folder);
        let decoder = &model.decoder;
        let d_mlp = decoder.config.d_mlp;
        let scores = tensors(&format!("{folder}/ig.safetensors"));
        let golden: Golden = json(&format!("{folder}/ig.json"));
        for (index, prompt) in golden.prompts.iter().enumerate() {
            let run = base(decoder, &[&prompt.ids]);
            for rule in RULES {
                for settings in combinations((rule, golden.steps)) {
                    let key = key(index, &settings);
                    let tokens = &prompt.target_tokens;
                    let target = target_of(decoder, &run, &settings, &[tokens.choice_first_token]);
                    let expected = match settings.target {
                        TargetKind::TopLogit => tokens.top_logit,
                        TargetKind::ChoiceFirstToken => tokens.choice_first_token,
                        TargetKind::GoldMargin | TargetKind::ChoiceLogprob => {
                            panic!("its numbers are in tests/effects.rs and tests/methods")
                        }
                    };
                    assert_eq!(target.tokens, [[expected]], "{folder} {key}");
                    let prompts: [&[u32]; 1] = [&prompt.ids];
                    let sweep = Sweep::new(decoder, &prompts, &run, &target, &settings);
                    let swept = wait(sweep.run(job())).unwrap();
                    let what = format!("{folder} {key}.{}", name(rule));
                    let expected = &scores[&format!("{key}.{}", name(rule))];
                    assert_scores(&swept.scores_of(0), expected, d_mlp, SHARE, &what);
                    let start = &scores[&format!("{key}.start")];
                    assert_close(&swept.at_zero_of(0), start, VALUE, &what);
                    let end = host(target.value(decoder, run.last_resid()));
                    assert_close(&end, &scores[&format!("{key}.end")], VALUE, &what);
                }
            }
        }
    }
}

/// With many steps the sums of the scores are the differences of the target, and the scores those of 200
/// Gauss-Legendre nodes. The middle rule errs by a share of 1 / (24 · 400²) of a second derivative.
#[test]
fn many_steps_are_complete_and_reach_the_integral() {
    let folder = "tiny-llama-tied";
    let model = model(folder);
    let decoder = &model.decoder;
    let d_mlp = decoder.config.d_mlp;
    let scores = tensors(&format!("{folder}/ig.safetensors"));
    let golden: Golden = json(&format!("{folder}/ig.json"));
    let prompt = &golden.prompts[0];
    for settings in combinations((Quadrature::Middle, 400)) {
        let key = key(0, &settings);
        let token = prompt.target_tokens.choice_first_token;
        let (swept, end) = swept(decoder, &[&prompt.ids], &[token], &settings, job());
        let found = swept.scores_of(0);
        let integral = &scores[&format!("{key}.integral")];
        assert_scores(&found, integral, d_mlp, 1e-4, &key);
        let sum = |scores: &[f32]| scores.iter().map(|&score| f64::from(score)).sum::<f64>();
        let totals: Vec<f64> = match settings.path {
            IntegrationPath::PerLayer => found.chunks(d_mlp).map(sum).collect(),
            IntegrationPath::Joint => vec![sum(&found)],
        };
        let differences: Vec<f64> = swept
            .at_zero_of(0)
            .iter()
            .map(|start| f64::from(end[0]) - start)
            .collect();
        assert_close(&totals, &differences, 1e-4, &key);
    }
}

/// To a tolerance of a thousandth no layer of a prompt misses more of completeness, and the scores are those of 200 Gauss-Legendre
/// nodes to half a percent of the layer's largest: errors of single neurons may cancel in the sum that is watched.
#[test]
fn the_adaptive_rule_meets_its_tolerance_and_reaches_the_integral() {
    let folder = "tiny-llama-tied";
    let model = model(folder);
    let decoder = &model.decoder;
    let d_mlp = decoder.config.d_mlp;
    let scores = tensors(&format!("{folder}/ig.safetensors"));
    let golden: Golden = json(&format!("{folder}/ig.json"));
    for settings in combinations((Quadrature::Adaptive, 500)) {
        let settings = Settings {
            tolerance: Some(1e-3),
            ..settings
        };
        for (index, prompt) in golden.prompts.iter().enumerate() {
            let key = key(index, &settings);
            let token = prompt.target_tokens.choice_first_token;
            let (swept, end) = swept(decoder, &[&prompt.ids], &[token], &settings, job());
            let found = swept.scores_of(0);
            let integral = &scores[&format!("{key}.integral")];
            assert_scores(&found, integral, d_mlp, 5e-3, &key);
            let layers: Vec<&[f32]> = match settings.path {
                IntegrationPath::PerLayer => found.chunks(d_mlp).collect(),
                IntegrationPath::Joint => vec![&found],
            };
            for (layer, start) in layers.iter().zip(swept.at_zero_of(0)) {
                let total: f64 = layer.iter().map(|&score| f64::from(score)).sum();
                let difference = f64::from(end[0]) - start;
                let rounding = 2e-5 * f64::from(end[0].abs()).max(start.abs());
                let allowed = 1e-3 * difference.abs() + rounding;
                assert!(
                    (total - difference).abs() <= allowed,
                    "{key}: {total}, {difference}"
                );
            }
            for nodes in swept.nodes_of(0) {
                assert!((8..=500).contains(&nodes), "{key}: {nodes} nodes");
            }
        }
    }
}

#[test]
fn the_adaptive_rule_takes_more_nodes_the_less_it_may_miss_and_no_more_than_the_most() {
    let model = model(FOLDER);
    let found = |tolerance, steps| {
        let settings = Settings {
            tolerance: Some(tolerance),
            confidence_threshold: 0.0,
            rule: Quadrature::Adaptive,
            steps,
            positions: Positions::All,
            target: TargetKind::TopLogit,
            ..Settings::preset("fast").unwrap()
        };
        attributed(&model, &settings).unwrap()
    };
    let nodes = |found: &Attribution| found.gaps.iter().filter_map(|gap| gap.nodes).sum::<f64>();
    let (loose, strict) = (found(0.5, 500), found(1e-4, 500));
    assert!(nodes(&strict) > 1.5 * nodes(&loose));
    let limited = found(1e-4, 12);
    assert!(
        limited
            .gaps
            .iter()
            .all(|gap| gap.nodes.is_some_and(|nodes| nodes <= 12.0))
    );
}

/// Prompts of one length that the fixtures know nothing of.
const PROMPTS: [&[u32]; 4] = [
    &[6, 8, 12, 7, 11],
    &[34, 14, 6, 21, 23],
    &[36, 37, 7, 19, 10],
    &[6, 9, 13, 7, 17],
];
const TOKENS: [u32; 4] = [22, 28, 6, 1];

#[test]
fn a_prompt_has_the_same_scores_alone_and_beside_others() {
    let model = model("tiny-llama-untied");
    let decoder = &model.decoder;
    for settings in combinations((Quadrature::Right, 3)) {
        let (together, ends) = swept(decoder, &PROMPTS, &TOKENS, &settings, job());
        for (index, prompt) in PROMPTS.iter().enumerate() {
            let tokens = &TOKENS[index..=index];
            let (alone, end) = swept(decoder, &[prompt], tokens, &settings, job());
            let what = format!("{}, prompt {index}", key(0, &settings));
            let (found, expected) = (together.scores_of(index), alone.scores_of(0));
            assert_scores(&found, &expected, decoder.config.d_mlp, SHARE, &what);
            assert_close(
                &together.at_zero_of(index),
                &alone.at_zero_of(0),
                VALUE,
                &what,
            );
            assert_close(&ends[index..=index], &end, VALUE, &what);
        }
    }
}

/// Counts the checkpoints of a job.
#[derive(Default)]
struct Counter(Cell<usize>);

impl Host for Counter {
    fn is_cancelled(&self) -> bool {
        self.0.set(self.0.get() + 1);
        false
    }

    fn now_secs(&self) -> f64 {
        0.0
    }
}

/// Memory of a pass, in bytes, that a few prompts of the tiny model do not fit, and one does.
const FEW_BYTES: f64 = (1 << 20) as f64;

/// Asserts that `prompts`, too many for one pass, have the scores that each has alone, in one pass.
fn assert_groups_agree(prompts: &[&[u32]], settings: &Settings) {
    let mut model = model("tiny-llama-tied");
    model.decoder.pace.bytes = FEW_BYTES;
    let decoder = &model.decoder;
    let (many, one) = (Counter::default(), Counter::default());
    let tokens = vec![22; prompts.len()];
    let (together, _) = swept(decoder, prompts, &tokens, settings, Job::new(&many));
    for index in [0, prompts.len() - 1] {
        one.0.set(0);
        let (alone, _) = swept(decoder, &[prompts[index]], &[22], settings, Job::new(&one));
        let (found, expected) = (together.scores_of(index), alone.scores_of(0));
        assert_scores(&found, &expected, decoder.config.d_mlp, SHARE, "scores");
        assert_close(
            &together.at_zero_of(index),
            &alone.at_zero_of(0),
            VALUE,
            "M(0)",
        );
    }
    assert!(
        many.0.get() > one.0.get(),
        "{} checkpoints together and {} alone: the prompts were to need more than one pass",
        many.0.get(),
        one.0.get()
    );
}

/// More nodes than one pass holds.
#[test]
fn nodes_in_groups_give_the_scores_of_one_group() {
    let prompts: Vec<Vec<u32>> = (0..16)
        .map(|i| vec![6, 8, 12, 7, 11, 29, 6, 8 + i])
        .collect();
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    for path in PATHS {
        let rule = (Quadrature::Middle, 20);
        let target = TargetKind::ChoiceFirstToken;
        let settings = settings(path, Site::Post, Positions::All, target, rule);
        assert_groups_agree(&prompts, &settings);
    }
}

/// More layers than one pass holds at a single node.
#[test]
fn layers_in_groups_give_the_scores_of_one_group() {
    let prompt = |i: u32| -> Vec<u32> { (0..32).map(|t| (i * 5 + t * 11 + t * t) % 42).collect() };
    let prompts: Vec<Vec<u32>> = (0..16).map(prompt).collect();
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let rule = (Quadrature::Right, 1);
    let target = TargetKind::TopLogit;
    let settings = settings(
        IntegrationPath::PerLayer,
        Site::GatePre,
        Positions::All,
        target,
        rule,
    );
    assert_groups_agree(&prompts, &settings);
}

/// At gains of one every path has the same gradient: activation times gradient.
#[test]
fn one_step_at_the_end_of_the_path_is_the_same_for_both_paths() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    for positions in POSITIONS {
        for site in SITES {
            let [layers, joint] = PATHS.map(|path| {
                let target = TargetKind::ChoiceFirstToken;
                let settings = settings(path, site, positions, target, (Quadrature::Right, 1));
                swept(decoder, &PROMPTS[..1], &TOKENS[..1], &settings, job())
                    .0
                    .scores_of(0)
            });
            assert_scores(&joint, &layers, decoder.config.d_mlp, SHARE, &name(site));
        }
    }
}

/// `(M(s + h) − M(s − h)) / 2h` for a neuron's gain, the layer's others at α, by plain forks.
#[test]
fn a_gradient_is_the_finite_difference_of_the_target_in_the_gain() {
    const STEP: f32 = 0.02;
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let d_mlp = decoder.config.d_mlp;
    let run = base(decoder, &PROMPTS[..1]);
    // The node of one step is α = 1 by the right rule and ½ by the middle one.
    for (rule, alpha) in [(Quadrature::Right, 1.0f32), (Quadrature::Middle, 0.5)] {
        for kind in TARGETS {
            let settings = settings(
                IntegrationPath::PerLayer,
                Site::Post,
                Positions::All,
                kind,
                (rule, 1),
            );
            let target = target_of(decoder, &run, &settings, &TOKENS[..1]);
            let value = |layer: usize, neuron: usize, gain: f32| {
                let mut gains = vec![alpha; d_mlp];
                gains[neuron] = gain;
                let data = TensorData::new(gains, [d_mlp]);
                let gains = Edit::scaling(layer, Tensor::from_data(data, decoder.device()));
                let fork = fork(decoder, &run, &gains);
                host(target.value(decoder, fork.last_resid()))[0]
            };
            let differences: Vec<f32> = (0..decoder.config.n_layers * d_mlp)
                .map(|index| {
                    let (layer, neuron) = (index / d_mlp, index % d_mlp);
                    let above = value(layer, neuron, alpha + STEP);
                    (above - value(layer, neuron, alpha - STEP)) / (2.0 * STEP)
                })
                .collect();
            let (swept, _) = swept(decoder, &PROMPTS[..1], &TOKENS[..1], &settings, job());
            // The differences err by h²/6 of a third derivative, and by the rounding of M over 2h.
            let what = format!("{} {}", name(rule), name(kind));
            assert_scores(&swept.scores_of(0), &differences, d_mlp, 2e-3, &what);
        }
    }
}

#[test]
fn prompts_of_unequal_length_have_together_the_scores_that_each_has_alone() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let d_mlp = decoder.config.d_mlp;
    let prompts = [&PROMPTS[0][..3], PROMPTS[0], &PROMPTS[1][..5]];
    for path in [IntegrationPath::PerLayer, IntegrationPath::Joint] {
        for positions in [Positions::Last, Positions::All] {
            let kind = TargetKind::ChoiceFirstToken;
            let settings = settings(path, Site::Post, positions, kind, (Quadrature::Middle, 3));
            let tokens = [TOKENS[0], TOKENS[1], TOKENS[0]];
            let (together, end) = swept(decoder, &prompts, &tokens, &settings, job());
            for (slot, (prompt, token)) in prompts.iter().zip(tokens).enumerate() {
                let what = format!("prompt {slot}, {path:?}, {positions:?}");
                let (alone, alone_end) = swept(decoder, &[prompt], &[token], &settings, job());
                assert_close(&end[slot..=slot], &alone_end, 1e-4, &what);
                let (found, expected) = (together.scores_of(slot), alone.scores_of(0));
                assert_scores(&found, &expected, d_mlp, 1e-4, &what);
            }
        }
    }
}

/// A decoder that is a formula: one layer, d_model 2, everything along the first axis of the residual stream,
/// attention without effect (o_proj is zero), three neurons, three tokens.
///
/// With `norm(x) = x / sqrt(x² / 2 + eps)`: a token's stream is `r`, the feed-forward layer reads
/// `n = norm(r)`, neuron j's activation is `a_j = silu(g_j n) u_j n`, and the logits are `h_v norm(z)` with
/// `z = r + Σ_j d_j a_j`.
struct Toy {
    eps: f64,
    /// The layer norm's weight.
    norm_weight: f64,
}

const R: [f64; 3] = [1.5, -0.75, 0.5];
const G: [f64; 3] = [0.8, -1.1, 2.0];
const U: [f64; 3] = [1.2, 0.7, -0.4];
const D: [f64; 3] = [0.9, -0.6, 1.3];
const H: [f64; 3] = [1.0, -2.0, 0.5];

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

fn silu_slope(x: f64) -> f64 {
    sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x)))
}

impl Toy {
    fn model(&self) -> Model {
        let first = |values: &[f64; 3]| -> Vec<f64> {
            values.iter().flat_map(|&value| [value, 0.0]).collect()
        };
        let tensors: [(&str, Vec<usize>, Vec<f64>); 12] = [
            ("model.embed_tokens.weight", vec![3, 2], first(&R)),
            (
                "model.layers.0.input_layernorm.weight",
                vec![2],
                vec![1.0; 2],
            ),
            (
                "model.layers.0.self_attn.q_proj.weight",
                vec![2, 2],
                vec![0.3; 4],
            ),
            (
                "model.layers.0.self_attn.k_proj.weight",
                vec![2, 2],
                vec![0.2; 4],
            ),
            (
                "model.layers.0.self_attn.v_proj.weight",
                vec![2, 2],
                vec![0.7; 4],
            ),
            (
                "model.layers.0.self_attn.o_proj.weight",
                vec![2, 2],
                vec![0.0; 4],
            ),
            (
                "model.layers.0.post_attention_layernorm.weight",
                vec![2],
                vec![self.norm_weight; 2],
            ),
            ("model.layers.0.mlp.gate_proj.weight", vec![3, 2], first(&G)),
            ("model.layers.0.mlp.up_proj.weight", vec![3, 2], first(&U)),
            (
                "model.layers.0.mlp.down_proj.weight",
                vec![2, 3],
                [D, [0.0; 3]].concat(),
            ),
            ("model.norm.weight", vec![2], vec![self.norm_weight; 2]),
            ("lm_head.weight", vec![3, 2], first(&H)),
        ];
        let bytes = tensors.map(|(name, shape, values)| {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|&v| (v as f32).to_le_bytes())
                .collect();
            (name, shape, bytes)
        });
        let views = bytes.iter().map(|(name, shape, bytes)| {
            (
                *name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        let config = format!(
            r#"{{"model_type":"llama","hidden_size":2,"intermediate_size":3,"num_hidden_layers":1,
                "num_attention_heads":1,"vocab_size":3,"rms_norm_eps":{:e}}}"#,
            self.eps
        );
        let tokenizer = r#"{"version":"1.0","pre_tokenizer":{"type":"Whitespace"},"model":
            {"type":"WordLevel","vocab":{"a":0,"b":1,"c":2},"unk_token":"a"}}"#;
        let files = ModelFiles {
            weights: vec![(
                "model.safetensors".to_owned(),
                Box::new(MemorySource(safetensors::serialize(views, None).unwrap())),
            )],
            index: None,
            config: Some(config.into_bytes()),
            tokenizer: Some(tokenizer.into()),
            tokenizer_config: None,
            chat_template: None,
        };
        wait(Model::load("toy", files, &Compute::flex(), job())).unwrap()
    }

    fn norm(&self, x: f64) -> f64 {
        self.norm_weight * x / (x * x / 2.0 + self.eps).sqrt()
    }

    fn norm_slope(&self, x: f64) -> f64 {
        self.norm_weight * self.eps / (x * x / 2.0 + self.eps).powf(1.5)
    }

    /// The target for the last token's `r` when the neurons are scaled by `alpha`, and its derivatives by the
    /// gains.
    fn target(&self, r: f64, settings: &Settings, token: usize, alpha: f64) -> (f64, [f64; 3]) {
        let n = self.norm(r);
        let (mut z, mut slopes) = (r, [0.0; 3]);
        for j in 0..3 {
            let (gate, up) = (G[j] * n, U[j] * n);
            let (value, slope) = match settings.site {
                Site::Post => (alpha * silu(gate) * up, silu(gate) * up),
                Site::GatePre => (
                    silu(alpha * gate) * up,
                    silu_slope(alpha * gate) * gate * up,
                ),
            };
            z += D[j] * value;
            slopes[j] = D[j] * slope;
        }
        let (y, y_slope) = (self.norm(z), self.norm_slope(z));
        let exps = H.map(|h| (h * y).exp());
        let total: f64 = exps.iter().sum();
        let mean: f64 = H.iter().zip(exps).map(|(h, exp)| h * exp / total).sum();
        let (value, by_y) = match settings.target {
            TargetKind::TopLogit => (H[token] * y, H[token]),
            TargetKind::ChoiceFirstToken => (H[token] * y - total.ln(), H[token] - mean),
            TargetKind::GoldMargin | TargetKind::ChoiceLogprob => {
                panic!("its numbers are in tests/effects.rs and tests/methods")
            }
        };
        (value, slopes.map(|slope| by_y * y_slope * slope))
    }
}

/// Of values of magnitude 3 in f32, against the formulas in f64.
const TOY: f64 = 1e-5;

/// Attention has no effect here, so all positions are as good as the last one and all paths are one.
#[test]
fn a_decoder_that_is_a_formula_has_the_scores_of_the_formula() {
    let toy = Toy {
        eps: 0.01,
        norm_weight: 1.0,
    };
    let model = toy.model();
    let decoder = &model.decoder;
    for ids in [&[0u32][..], &[2, 0], &[0, 2, 1]] {
        let r = R[*ids.last().unwrap() as usize];
        for (rule, nodes) in [
            (Quadrature::Right, [0.25, 0.5, 0.75, 1.0]),
            (Quadrature::Left, [0.0, 0.25, 0.5, 0.75]),
            (Quadrature::Middle, [0.125, 0.375, 0.625, 0.875]),
        ] {
            for settings in combinations((rule, 4)) {
                let (swept, end) = swept(decoder, &[ids], &[1], &settings, job());
                let token = match settings.target {
                    TargetKind::ChoiceFirstToken => 1,
                    TargetKind::GoldMargin | TargetKind::ChoiceLogprob => {
                        panic!("its numbers are in tests/effects.rs and tests/methods")
                    }
                    TargetKind::TopLogit => {
                        let y = toy.norm(toy.at_one(r));
                        (0..3)
                            .max_by(|&a, &b| (H[a] * y).total_cmp(&(H[b] * y)))
                            .unwrap()
                    }
                };
                let target = |alpha| toy.target(r, &settings, token, alpha);
                let mut expected = [0.0; 3];
                for alpha in nodes {
                    for (sum, slope) in expected.iter_mut().zip(target(alpha).1) {
                        *sum += slope / 4.0;
                    }
                }
                let what = format!("{ids:?} {} {}", name(rule), key(0, &settings));
                assert_close(&swept.scores_of(0), &expected, TOY, &what);
                assert_close(&swept.at_zero_of(0), &[target(0.0).0], TOY, &what);
                assert_close(&end, &[target(1.0).0], TOY, &what);
            }
        }
    }
}

impl Toy {
    /// The residual stream after the feed-forward layer.
    fn at_one(&self, r: f64) -> f64 {
        let n = self.norm(r);
        (0..3)
            .map(|j| D[j] * silu(G[j] * n) * U[j] * n)
            .sum::<f64>()
            + r
    }
}

/// An epsilon far above the stream makes the norms linear, so a logit is linear in the gains: any rule with any
/// number of steps gives `h d_j a_j`, and completeness is exact.
#[test]
fn a_linear_target_has_the_same_scores_by_every_rule() {
    let toy = Toy {
        eps: 1e8,
        norm_weight: 1e4,
    };
    let model = toy.model();
    let n = R[0];
    let (top, h) = (0, H[0]);
    let expected: Vec<f64> = (0..3)
        .map(|j| h * D[j] * silu(G[j] * n) * U[j] * n)
        .collect();
    for rule in RULES {
        for steps in [1, 2, 7] {
            let target = TargetKind::TopLogit;
            let settings = settings(
                IntegrationPath::PerLayer,
                Site::Post,
                Positions::Last,
                target,
                (rule, steps),
            );
            let (swept, end) = swept(&model.decoder, &[&[0]], &[top], &settings, job());
            let what = format!("{} of {steps}", name(rule));
            assert_close(&swept.scores_of(0), &expected, TOY, &what);
            let difference = f64::from(end[0]) - swept.at_zero_of(0)[0];
            assert_close(&[expected.iter().sum::<f64>()], &[difference], TOY, &what);
        }
    }
}

const FOLDER: &str = "tiny-llama-tied";

fn baseline(model: &Model) -> SetScores {
    let items = items(FOLDER);
    let gains = Edit::none();
    let rule = scoring::Rule::Sum;
    wait(scoring::score(
        model,
        ("set", &items),
        &plain(),
        rule,
        &gains,
        job(),
    ))
    .unwrap()
}

fn attributed(model: &Model, settings: &Settings) -> Result<Attribution, RunError> {
    let (items, scores) = (items(FOLDER), baseline(model));
    wait(attribute(
        model,
        ("set", &items),
        &plain(),
        &scores.items,
        settings,
        job(),
    ))
}

#[test]
fn items_are_attributed_as_their_prompts_and_predicted_choices() {
    let model = model(FOLDER);
    let d_mlp = model.config().d_mlp;
    let golden = common::golden_items(FOLDER);
    for settings in combinations((Quadrature::Middle, 4)) {
        let found = attributed(&model, &settings).unwrap();
        assert_eq!((found.items_used.len(), found.items_skipped), (4, 0));
        assert_eq!(
            (found.n_layers, found.d_mlp, found.set.as_str()),
            (3, d_mlp, "set")
        );
        for (index, golden) in golden.iter().enumerate() {
            assert_eq!(found.items_used[index].id, golden.item.id);
            let best = (0..golden.sums.len())
                .max_by(|&a, &b| golden.sums[a].total_cmp(&golden.sums[b]))
                .unwrap();
            let token = golden.choice_ids[best][0];
            let prompts: [&[u32]; 1] = [&golden.prompt_ids];
            let (swept, end) = swept(&model.decoder, &prompts, &[token], &settings, job());
            let what = format!("{} {}", golden.item.id, key(0, &settings));
            let expected = swept.scores_of(0);
            assert_scores(&found.per_item[index], &expected, d_mlp, SHARE, &what);
            let sum = |scores: &[f32]| scores.iter().map(|&s| f64::from(s)).sum::<f64>();
            let totals: Vec<f64> = match settings.path {
                IntegrationPath::PerLayer => expected.chunks(d_mlp).map(sum).collect(),
                IntegrationPath::Joint => vec![sum(&expected)],
            };
            let gaps: Vec<f64> = totals
                .iter()
                .zip(swept.at_zero_of(0))
                .map(|(total, start)| total - (f64::from(end[0]) - start))
                .collect();
            assert_close(&found.item_gaps[index], &gaps, 1e-4, &what);
            if settings.target == TargetKind::ChoiceFirstToken {
                let word = golden.item.choices[best].split(' ').next().unwrap();
                assert_eq!(found.items_used[index].target, word);
            }
        }
    }
}

#[test]
fn a_neuron_s_score_is_the_signed_mean_over_the_items() {
    let model = model(FOLDER);
    let found = attributed(&model, &combinations((Quadrature::Right, 3))[0]).unwrap();
    for layer in 0..found.n_layers {
        for neuron in Neuron::of_layer(layer, found.d_mlp) {
            let items = found.item_scores(neuron);
            assert_eq!(items.len(), 4);
            let mean = items.iter().map(|&score| f64::from(score)).sum::<f64>() / 4.0;
            assert_close(&[found.scores[layer][neuron.index]], &[mean], 1e-6, "mean");
        }
    }
}

#[test]
fn the_gaps_sum_up_what_the_items_miss_of_completeness() {
    let model = model(FOLDER);
    for path in PATHS {
        let target = TargetKind::ChoiceFirstToken;
        let of_steps = |steps| {
            let rule = (Quadrature::Right, steps);
            let settings = settings(path, Site::Post, Positions::Last, target, rule);
            attributed(&model, &settings).unwrap()
        };
        let (few, many) = (of_steps(3), of_steps(60));
        let layers: Vec<Option<usize>> = few.gaps.iter().map(|gap| gap.layer).collect();
        match path {
            IntegrationPath::PerLayer => assert_eq!(layers, [Some(0), Some(1), Some(2)]),
            IntegrationPath::Joint => assert_eq!(layers, [None]),
        }
        for (entry, gap) in few.gaps.iter().enumerate() {
            let items: Vec<f64> = few.item_gaps.iter().map(|gaps| gaps[entry].abs()).collect();
            let mean = items.iter().sum::<f64>() / items.len() as f64;
            let largest = items.iter().copied().fold(0.0, f64::max);
            assert_close(&[gap.gap, gap.gap_max], &[mean, largest], 1e-12, "gap");
            let scores = few.per_item.iter().flat_map(|scores| match path {
                IntegrationPath::PerLayer => &scores[entry * few.d_mlp..(entry + 1) * few.d_mlp],
                IntegrationPath::Joint => &scores[..],
            });
            let largest = scores.fold(0f32, |max, score| max.max(score.abs()));
            assert_close(&[gap.max_abs], &[largest], 0.0, "largest score");
            // The right rule errs in proportion to 1 / steps; the difference does not depend on it.
            let better = &many.gaps[entry];
            assert!(better.gap < gap.gap / 10.0, "{better:?} after {gap:?}");
            assert_close(&[gap.difference], &[better.difference], VALUE, "difference");
        }
    }
}

#[test]
fn only_items_above_the_confidence_threshold_are_used() {
    let model = model(FOLDER);
    let scores = baseline(&model);
    let mut confidences: Vec<f64> = scores.items.iter().map(|item| item.confidence).collect();
    confidences.sort_by(f64::total_cmp);
    let settings = |threshold| Settings {
        confidence_threshold: threshold,
        steps: 1,
        ..Settings::preset("fast").unwrap()
    };
    for (skipped, pair) in confidences.windows(2).enumerate() {
        let threshold = (pair[0] + pair[1]) / 2.0;
        let found = attributed(&model, &settings(threshold)).unwrap();
        assert_eq!(found.items_skipped, skipped + 1, "threshold {threshold}");
        let used: Vec<&str> = found
            .items_used
            .iter()
            .map(|item| item.id.as_str())
            .collect();
        let expected: Vec<&str> = scores
            .items
            .iter()
            .filter(|item| item.confidence > threshold)
            .map(|item| item.id.as_str())
            .collect();
        assert_eq!(used, expected);
        assert_eq!(found.per_item.len(), used.len());
    }
    // An item exactly at the threshold is used.
    let highest = confidences[3];
    assert_eq!(
        attributed(&model, &settings(highest))
            .unwrap()
            .items_skipped,
        3
    );
}

#[test]
fn no_confident_item_is_an_error_that_says_how_confident_the_best_is() {
    let model = model(FOLDER);
    let scores = baseline(&model);
    let best = scores
        .items
        .iter()
        .map(|item| item.confidence)
        .fold(0.0, f64::max);
    assert!(best < 1.0);
    let settings = Settings {
        confidence_threshold: 1.0,
        ..Settings::preset("fast").unwrap()
    };
    match attributed(&model, &settings).unwrap_err() {
        RunError::NoConfidentItem { threshold, highest } => {
            assert_eq!((threshold, highest), (1.0, best));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let model = model(FOLDER);
    let fast = Settings::preset("fast").unwrap();
    for (steps, confidence_threshold, named) in [
        (0, 0.0, "steps"),
        (1001, 0.0, "steps"),
        (4, -0.1, "confidence_threshold"),
        (4, 1.1, "confidence_threshold"),
        (4, f64::NAN, "confidence_threshold"),
    ] {
        let settings = Settings {
            steps,
            confidence_threshold,
            ..fast.clone()
        };
        let error = attributed(&model, &settings).unwrap_err();
        assert!(matches!(&error, RunError::Settings(text) if text.contains(named)));
    }
}

/// With all positions zeroed, the effect of a neuron is that of a run whose gain of the neuron is zero.
#[test]
fn exact_ablation_is_the_difference_to_a_run_without_the_neuron() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let config = &decoder.config;
    let (n_layers, d_mlp) = (config.n_layers, config.d_mlp);
    let prompts: [&[u32]; 2] = [&[6, 8, 12, 7], &[11, 20, 31, 5]];
    let settings = Settings {
        path: IntegrationPath::PerLayer,
        site: Site::Post,
        positions: Positions::All,
        target: TargetKind::ChoiceFirstToken,
        ..Settings::preset("fast").unwrap()
    };
    let run = base(decoder, &prompts);
    let target = target_of(decoder, &run, &settings, &[9, 12]);
    let at_one = host(target.value(decoder, run.last_resid()));
    let sweep = Sweep::new(decoder, &prompts, &run, &target, &settings);
    let effects = wait(sweep.ablate(&at_one, job())).unwrap();
    for layer in 0..n_layers {
        for neuron in [0, d_mlp / 2, d_mlp - 1] {
            let mut gains = vec![1.0f32; d_mlp];
            gains[neuron] = 0.0;
            let gains = Tensor::<1>::from_data(TensorData::new(gains, [d_mlp]), decoder.device());
            let gains = Edit::scaling(layer, gains);
            let without = wait(decoder.base_run(&prompts, &gains, Capture::KeyValues, job()));
            let without = host(target.value(decoder, without.unwrap().last_resid()));
            let expected: Vec<f32> = at_one.iter().zip(without).map(|(a, b)| a - b).collect();
            let found: Vec<f32> = effects
                .iter()
                .map(|all| all[layer * d_mlp + neuron])
                .collect();
            let what = format!("layer {layer}, neuron {neuron}");
            assert_close(&found, &expected, VALUE, &what);
        }
    }
}

/// In the last layer nothing but the last position reaches the target.
#[test]
fn ablation_at_the_last_position_of_the_last_layer_is_that_at_all_positions() {
    let model = model("tiny-llama-tied");
    let decoder = &model.decoder;
    let config = &decoder.config;
    let last_layer = (config.n_layers - 1) * config.d_mlp;
    let prompts: [&[u32]; 1] = [&[6, 8, 12, 7]];
    let effects = |positions| {
        let settings = Settings {
            path: IntegrationPath::PerLayer,
            positions,
            target: TargetKind::TopLogit,
            ..Settings::preset("fast").unwrap()
        };
        let run = base(decoder, &prompts);
        let target = target_of(decoder, &run, &settings, &[9]);
        let at_one = host(target.value(decoder, run.last_resid()));
        let sweep = Sweep::new(decoder, &prompts, &run, &target, &settings);
        wait(sweep.ablate(&at_one, job())).unwrap().remove(0)
    };
    let (last, all) = (effects(Positions::Last), effects(Positions::All));
    assert_close(&last[last_layer..], &all[last_layer..], VALUE, "last layer");
    assert!(last.iter().any(|effect| effect.abs() > 1e-3));
}

/// The same from a text, for the largest logit.
#[test]
fn the_effects_of_a_text_are_those_of_its_tokens() {
    let model = model(FOLDER);
    let (decoder, text) = (&model.decoder, "the cat sees a");
    let settings = Settings::preset("fast").unwrap();
    let found = wait(ablate(&model, text, &settings, job())).unwrap();
    let ids = model.tokenizer.encode_prompt(text).unwrap();
    let prompts = [ids.as_slice()];
    let run = base(decoder, &prompts);
    let top = host(decoder.last_logits(&run));
    let best = top.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let target = Target::freeze(decoder, &run, TargetKind::TopLogit, &[]);
    let target = wait(target).unwrap();
    let sweep = Sweep::new(decoder, &prompts, &run, &target, &settings);
    let expected = wait(sweep.ablate(&[best], job())).unwrap().remove(0);
    assert_close(&found, &expected, VALUE, "effects");
}
