//! The same numbers on a GPU, or a software Vulkan driver, as on the CPU.
//!
//! One test, because a device is made once: compiling its shaders takes longer than everything else here.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use common::{
    FAMILIES, assert_close, files, fork, host, items, job, mask, model_on, plain, scored, wait,
};
use secateur::attribution::settings::{Baseline, Method};
use secateur::attribution::sweep::Sweep;
use secateur::attribution::target::Target;
use secateur::attribution::{IntegrationPath, Positions, Settings, TargetKind, attribute};
use secateur::items::{FewShot, Item, Prompts};
use secateur::model::device::{Compute, DeviceKind, TOLERANCE};
use secateur::model::edit::{LowRank, Projection};
use secateur::model::run::log_probabilities_of;
use secateur::model::{Capture, Edit, Model, Precision, Site};
use secateur::pruning::Trial;
use secateur::pruning::effect::prune;
use secateur::scoring::{Batch, Rule, SetScores, batches, encode};
use secateur::tuning::{TuneSets, TuneSettings, tune};

const FOLDER: &str = "tiny-llama-tied";

/// Both devices compute in f32 and differ in the order of their sums: a few roundings of values up to 30.
const VALUE: f64 = 1e-4;

#[test]
#[ignore = "needs a graphics card, or a Vulkan driver for the processor"]
fn wgpu_gives_the_numbers_of_the_cpu() {
    let compute = wait(Compute::wgpu(job())).unwrap();
    let (adapter, error) = (&compute.info.adapter, &compute.info.self_test.max_error);
    println!("adapter: {adapter}, self-test within {error:.1e}");
    assert_eq!(compute.info.kind, DeviceKind::Wgpu);
    assert!(compute.info.self_test.passed && error <= &TOLERANCE.min(VALUE));
    let cpu = Bench::new(&Device::flex());
    let gpu = Bench::new(&compute.device);
    for (what, part) in [
        ("logits", Bench::logits as fn(&Bench) -> Vec<f64>),
        ("sums", Bench::sums),
        ("scores of the fast preset", Bench::fast_scores),
        ("scores of the paper preset", Bench::paper_scores),
        (
            "scores from the mean on the gold margin",
            Bench::margin_scores,
        ),
        ("exact ablation", Bench::effects),
        ("masked sums", Bench::masked_sums),
        ("losses and gains", Bench::tuning),
        ("scores by every method", Bench::scores_by_every_method),
        ("sums after the same shots", Bench::sums_after_shots),
    ] {
        let (found, expected) = (part(&gpu), part(&cpu));
        assert_close(&found, &expected, VALUE, what);
        compute.faults.check().unwrap();
        println!("{what}: {} values agree", found.len());
    }
    every_family_and_precision(&compute);
    every_family_s_gradients(&compute);
    every_family_s_edits(&compute);
    every_family_s_relevance(&compute);
}

const PROMPT: [&[u32]; 1] = [&[60, 80, 120, 7, 11, 200, 31, 5, 90]];

/// The gradient of a log-probability by the gains of a layer, on which IG and tuning rest: through norms, attention and
/// activation of every family.
fn every_family_s_gradients(gpu: &Compute) {
    for folder in FAMILIES {
        let gradient = |compute: Compute| {
            let model = wait(Model::load(folder, files(folder), &compute, job())).unwrap();
            let decoder = &model.decoder;
            let none = Edit::none();
            let base = wait(decoder.base_run(&PROMPT, &none, Capture::All, job())).unwrap();
            let gains = Tensor::<1>::full([model.config().d_mlp], 0.5, decoder.device());
            let gains = gains.autodiff().require_grad();
            let of_layer = Edit::scaling(0, gains.clone());
            let fork = fork(decoder, &base, &of_layer);
            let mut gradients = log_probabilities_of(decoder.last_logits(&fork), &[9])
                .unwrap()
                .sum()
                .backward();
            host(gains.grad_remove(&mut gradients).unwrap())
        };
        let (found, expected) = (gradient(gpu.clone()), gradient(Compute::flex()));
        let largest = expected.iter().fold(1.0, |most: f32, x| most.max(x.abs()));
        let share = |values: &[f32]| {
            values
                .iter()
                .map(|x| f64::from(x / largest))
                .collect::<Vec<_>>()
        };
        assert_close(
            &share(&found),
            &share(&expected),
            VALUE,
            &format!("{folder}'s gradient"),
        );
    }
    println!("gradients of every family: agree");
}

/// Relevance Patching, whose way back is made of the library's operations.
fn every_family_s_relevance(gpu: &Compute) {
    for folder in FAMILIES {
        for positions in [Positions::Last, Positions::All] {
            let settings = Settings {
                positions,
                target: TargetKind::TopLogit,
                ..Settings::preset("fast").unwrap().by(Method::Relp)
            };
            let relevance = |compute: Compute| {
                let model = wait(Model::load(folder, files(folder), &compute, job())).unwrap();
                let decoder = &model.decoder;
                let none = Edit::none();
                let base = wait(decoder.base_run(&PROMPT, &none, Capture::All, job())).unwrap();
                let target = wait(Target::freeze(decoder, &base, settings.target, &[])).unwrap();
                let sweep = Sweep::new(decoder, &PROMPT, &base, &target, &settings);
                wait(sweep.run(job())).unwrap().scores_of(0)
            };
            let (found, expected) = (relevance(gpu.clone()), relevance(Compute::flex()));
            let what = format!("{folder}'s relevance, {positions:?}");
            assert_close(&found, &expected, VALUE, &what);
        }
        gpu.faults.check().unwrap();
    }
    println!("relevance of every family: agrees");
}

/// Logits under factors, offsets and low-rank additions, and what trains those: their gradients.
fn every_family_s_edits(gpu: &Compute) {
    for folder in FAMILIES {
        let numbers = |compute: Compute| {
            let model = wait(Model::load(folder, files(folder), &compute, job())).unwrap();
            let decoder = &model.decoder;
            let (config, device) = (&decoder.config, decoder.device());
            let d_kv = config.n_kv_heads * config.d_head;
            let spread = |shape: [usize; 2]| {
                let count = shape[0] * shape[1];
                let values: Vec<f32> = (0..count)
                    .map(|i| (i * 37 % 29) as f32 / 29.0 - 0.5)
                    .collect();
                let values = Tensor::<2>::from_data(TensorData::new(values, shape), device);
                values.autodiff().require_grad()
            };
            let factors = Tensor::<1>::full([config.d_mlp], 0.5, device);
            let offsets = spread([1, config.d_mlp]);
            let (a, b) = (spread([config.d_model, 2]), spread([2, d_kv]));
            let addition = LowRank {
                projection: Projection::V,
                a: a.clone(),
                b: b.clone(),
            };
            let edit = Edit::scaling(0, factors)
                .offset(0, offsets.clone().reshape([-1]))
                .add(1, addition);
            let base = wait(decoder.base_run(&PROMPT, &Edit::none(), Capture::Blocks, job()));
            let logits = decoder.last_logits(&fork(decoder, &base.unwrap(), &edit));
            let values = host(logits.clone().inner());
            let log_probability = log_probabilities_of(logits, &[9]).unwrap().sum();
            let mut gradients = log_probability.backward();
            let gradient = |of: Tensor<2>, from: &mut _| host(of.grad_remove(from).unwrap());
            [
                values,
                gradient(offsets, &mut gradients),
                gradient(a, &mut gradients),
                gradient(b, &mut gradients),
            ]
        };
        let (found, expected) = (numbers(gpu.clone()), numbers(Compute::flex()));
        for (found, expected) in found.iter().zip(&expected) {
            let largest = expected.iter().fold(1.0, |most: f32, x| most.max(x.abs()));
            let share = |values: &[f32]| -> Vec<f64> {
                values.iter().map(|x| f64::from(x / largest)).collect()
            };
            let what = format!("{folder}'s edit");
            assert_close(&share(found), &share(expected), VALUE, &what);
        }
        gpu.faults.check().unwrap();
    }
    println!("edits of every family: agree");
}

/// Logits of every family as each device holds its weights; the smaller forms are the same numbers on both.
fn every_family_and_precision(gpu: &Compute) {
    let precisions = [Precision::F32, Precision::F16, Precision::Int8];
    for precision in precisions {
        if let Err(error) = precision.check(&gpu.device) {
            println!("skipped: {error}");
            continue;
        }
        for folder in FAMILIES {
            let logits = |compute: Compute| {
                let compute = Compute {
                    precision,
                    ..compute
                };
                let model = wait(Model::load(folder, files(folder), &compute, job())).unwrap();
                let none = Edit::none();
                let run = model
                    .decoder
                    .base_run(&PROMPT, &none, Capture::KeyValues, job());
                let resid = wait(run).unwrap().resid_final;
                host(model.decoder.unembed(model.decoder.final_norm(resid)))
            };
            let (found, expected) = (logits(gpu.clone()), logits(Compute::flex()));
            assert_close(&found, &expected, VALUE, &format!("{folder} {precision:?}"));
            gpu.faults.check().unwrap();
        }
        println!("logits of every family in {}: agree", precision.name());
    }
}

/// The model on one device, and every action on it as numbers.
struct Bench {
    model: Model,
    scores: SetScores,
}

impl Bench {
    fn new(device: &Device) -> Self {
        let model = model_on(FOLDER, device);
        let scores = scored(&model, &items(FOLDER), &plain(), &Edit::none()).unwrap();
        Self { model, scores }
    }

    fn logits(&self) -> Vec<f64> {
        let decoder = &self.model.decoder;
        let prompts: [&[u32]; 2] = [&[6, 8, 12, 7, 11], &[34, 14, 6, 21, 23]];
        let none = Edit::none();
        let run = wait(decoder.base_run(&prompts, &none, Capture::KeyValues, job())).unwrap();
        doubles(&host(decoder.unembed(decoder.final_norm(run.resid_final))))
    }

    fn sums(&self) -> Vec<f64> {
        log_likelihoods(&self.scores)
    }

    fn scores_of(&self, settings: &Settings) -> Vec<f64> {
        let items = items(FOLDER);
        let scores = &self.scores.items;
        let named = ("set", items.as_slice());
        let found = wait(attribute(
            &self.model,
            named,
            &plain(),
            scores,
            settings,
            job(),
        ));
        doubles(&found.unwrap().per_item.concat())
    }

    fn fast_scores(&self) -> Vec<f64> {
        self.scores_of(&Settings {
            confidence_threshold: 0.0,
            ..Settings::preset("fast").unwrap()
        })
    }

    fn paper_scores(&self) -> Vec<f64> {
        let paper = Settings::preset("paper").unwrap();
        assert_eq!(
            (paper.path, paper.positions),
            (IntegrationPath::Joint, Positions::All)
        );
        assert_eq!(paper.site, Site::GatePre);
        self.scores_of(&Settings {
            confidence_threshold: 0.0,
            steps: 3,
            ..paper
        })
    }

    fn margin_scores(&self) -> Vec<f64> {
        self.scores_of(&from_the_mean())
    }

    fn effects(&self) -> Vec<f64> {
        self.scores_of(&from_the_mean().by(Method::Ablation))
    }

    fn masked_sums(&self) -> Vec<f64> {
        let (items, prompts) = (items(FOLDER), plain());
        let trial = trial(&self.model, &items, &prompts);
        let report = wait(prune(&[(trial, &self.scores)], mask(FOLDER), job())).unwrap();
        log_likelihoods(&report.sets[0].after)
    }

    fn tuning(&self) -> Vec<f64> {
        let (items, prompts) = (items(FOLDER), plain());
        losses_and_gains(trial(&self.model, &items, &prompts))
    }

    /// By every method at every position: what a GPU fills shorter prompts up with has no activations.
    fn scores_by_every_method(&self) -> Vec<f64> {
        let (items, prompts) = (uneven(), plain());
        let encoded = encode(&self.model, &items, &prompts).unwrap();
        let batches = batches(&encoded, &self.model.decoder);
        assert_eq!(batches.iter().any(is_uneven), self.model.decoder.pads());
        let scores = scored(&self.model, &items, &prompts, &Edit::none()).unwrap();
        let by = |method: Method| {
            let settings = Settings {
                positions: Positions::All,
                confidence_threshold: 0.0,
                ..Settings::preset("fast").unwrap().by(method)
            };
            let named = ("set", items.as_slice());
            let found = attribute(
                &self.model,
                named,
                &prompts,
                &scores.items,
                &settings,
                job(),
            );
            doubles(&wait(found).unwrap().per_item.concat())
        };
        Method::ALL.iter().copied().flat_map(by).collect()
    }

    /// Prompts that share their shots and go on for different lengths: their scores without a mask and with it, and a tuning.
    fn sums_after_shots(&self) -> Vec<f64> {
        let items = uneven();
        let shots = FewShot {
            k: 2,
            seed: None,
            set: None,
        };
        let pool = [
            "the small dog sees the red house and the",
            "the cat is a bird in the old house and the",
        ];
        let pool = pool.map(|question| Item {
            id: question.to_owned(),
            context: question.to_owned(),
            ..items[0].clone()
        });
        let prompts = Prompts::with_shots(plain().template().clone(), &shots, &pool).unwrap();
        let decoder = &self.model.decoder;
        let encoded = encode(&self.model, &items, &prompts).unwrap();
        let batches = batches(&encoded, decoder);
        assert!(batches.iter().all(|batch| batch.shared.len() >= 16));
        assert_eq!(batches.iter().any(is_uneven), decoder.pads());
        let trial = trial(&self.model, &items, &prompts);
        let before = scored(&self.model, &items, &prompts, &Edit::none()).unwrap();
        let report = wait(prune(&[(trial, &before)], mask(FOLDER), job())).unwrap();
        let after = &report.sets[0].after;
        [
            log_likelihoods(&before),
            log_likelihoods(after),
            losses_and_gains(trial),
        ]
        .concat()
    }
}

/// Of two steps of tuning, which must both help.
fn losses_and_gains(trial: Trial<'_>) -> Vec<f64> {
    let sets = TuneSets {
        train: vec![trial],
        validation: vec![trial],
        test: vec![],
    };
    let settings = TuneSettings {
        layer: 1,
        steps: 2,
        learning_rate: 0.05,
        weight_decay: 0.0,
        batch_size: 4,
        evaluate_every: 1,
    };
    let report = wait(tune(&sets, &mask(FOLDER), &settings, 0, false, job())).unwrap();
    let curve = &report.curves[0];
    assert_eq!(curve.best_step, 2);
    let losses = curve.steps.iter().map(|step| step.loss);
    losses.chain(doubles(&curve.gains)).collect()
}

/// Questions of different lengths, which a GPU runs side by side.
fn uneven() -> Vec<Item> {
    let questions = [
        "the dog sees a",
        "a",
        "the bird likes the old house and the red",
        "the cat sees a bird in the",
        "who likes the old",
    ];
    (questions.iter().enumerate())
        .map(|(index, question)| Item {
            id: format!("{index}"),
            context: (*question).to_owned(),
            choices: ["cat", "house", "fish"].map(str::to_owned).to_vec(),
            gold: index % 3,
        })
        .collect()
}

fn is_uneven(batch: &Batch) -> bool {
    let length = batch.prompt_length();
    batch.prompts.iter().any(|prompt| prompt.len() != length)
}

/// On the gold margin, of paths that start at the mean over the items.
fn from_the_mean() -> Settings {
    Settings {
        target: TargetKind::GoldMargin,
        baseline: Baseline::Mean,
        positions: Positions::All,
        confidence_threshold: 0.0,
        ..Settings::preset("fast").unwrap()
    }
}

fn trial<'a>(
    model: &'a Model,
    items: &'a [secateur::items::Item],
    prompts: &'a secateur::items::Prompts,
) -> Trial<'a> {
    Trial {
        model,
        set: "set",
        items,
        prompts,
        rule: Rule::Sum,
    }
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

fn log_likelihoods(scores: &SetScores) -> Vec<f64> {
    let choices = scores.items.iter().flat_map(|item| &item.choices);
    choices.map(|choice| choice.log_likelihood).collect()
}
