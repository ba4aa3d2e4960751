//! Gains trained on the pruned model, against ten steps of PyTorch's AdamW in float64.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::cell::Cell;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use common::{assert_close, host, items, job, json, mask, model, plain, wait};
use secateur::items::{Item, Prompts};
use secateur::job::{Host, Job, Progress};
use secateur::model::{Capture, Edit, Model, Site};
use secateur::pruning::mask::LayerMask;
use secateur::pruning::{Change, Mask, Operation, Trial};
use secateur::scoring::metrics::softmax;
use secateur::scoring::{BatchRun, Rule, RunError, SetScores, SharedRun, batches, encode, score};
use secateur::tuning::{TuneCurve, TuneReport, TuneSets, TuneSettings, tune};
use serde::Deserialize;

/// Of a loss in nats: means of log-likelihoods of magnitude 30 in f32.
const LOSS: f64 = 5e-5;
/// Of a gain: AdamW divides a gradient by its own size, so small gradients magnify their rounding.
const GAIN: f64 = 5e-5;

#[derive(Deserialize)]
struct Golden {
    pruned: GoldenRun,
    unpruned: GoldenRun,
}

#[derive(Deserialize)]
struct GoldenRun {
    layer: usize,
    pruned: Vec<usize>,
    learning_rate: f64,
    steps: usize,
    losses: Vec<f64>,
    final_loss: f64,
    first_gradient: Vec<f64>,
    gains: Vec<f64>,
}

struct Bench {
    model: Model,
    items: Vec<Item>,
    prompts: Prompts,
    scores: SetScores,
}

impl Bench {
    fn new(folder: &str) -> Self {
        Self::with_items(folder, items(folder))
    }

    fn with_items(folder: &str, items: Vec<Item>) -> Self {
        let (model, prompts) = (model(folder), plain());
        let none = Edit::none();
        let named = ("set", items.as_slice());
        let scores = wait(score(&model, named, &prompts, Rule::Sum, &none, job())).unwrap();
        Self {
            model,
            items,
            prompts,
            scores,
        }
    }

    fn trial(&self) -> Trial<'_> {
        Trial {
            model: &self.model,
            set: "set",
            items: &self.items,
            prompts: &self.prompts,
            rule: Rule::Sum,
        }
    }

    fn tune(
        &self,
        mask: &Mask,
        settings: &TuneSettings,
        (seed, compare): (u64, bool),
        job: Job<'_>,
    ) -> Result<TuneReport, RunError> {
        let sets = TuneSets {
            train: vec![self.trial()],
            validation: vec![self.trial()],
            test: vec![(self.trial(), &self.scores)],
        };
        wait(tune(&sets, mask, settings, seed, compare, job))
    }

    /// The pruned run alone.
    fn curve(&self, mask: &Mask, settings: &TuneSettings, seed: u64) -> TuneCurve {
        let mut report = self.tune(mask, settings, (seed, false), job()).unwrap();
        assert_eq!(report.curves.len(), 1);
        report.curves.remove(0)
    }
}

fn settings(layer: usize, steps: usize) -> TuneSettings {
    TuneSettings {
        layer,
        steps,
        learning_rate: 0.05,
        weight_decay: 0.0,
        batch_size: 4,
        evaluate_every: 1,
    }
}

fn losses(curve: &TuneCurve) -> Vec<f64> {
    curve.steps.iter().map(|step| step.loss).collect()
}

/// Mean cross-entropy of the gold choices, from scores.
fn cross_entropy(scores: &SetScores) -> f64 {
    let of_item = |item: &secateur::scoring::ItemScore| {
        let sums: Vec<f64> = item
            .choices
            .iter()
            .map(|choice| choice.log_likelihood)
            .collect();
        -softmax(&sums)[item.gold].ln()
    };
    scores.items.iter().map(of_item).sum::<f64>() / scores.items.len() as f64
}

#[test]
fn losses_and_gains_are_those_of_pytorch_with_the_mask_and_without() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let golden: Golden = json(&format!("{folder}/tuning.json"));
        for run in [&golden.pruned, &golden.unpruned] {
            let mask = Mask::of_layer(Site::Post, run.layer, run.pruned.clone());
            let settings = TuneSettings {
                learning_rate: run.learning_rate,
                evaluate_every: run.steps,
                ..settings(run.layer, run.steps)
            };
            let curve = bench.curve(&mask, &settings, 0);
            let what = format!("{folder}, {} pruned", run.pruned.len());
            assert_close(&losses(&curve), &run.losses, LOSS, &what);
            let steps: Vec<usize> = curve.steps.iter().map(|step| step.step).collect();
            assert_eq!(steps, (1..=run.steps).collect::<Vec<_>>());
            let validation: Vec<(usize, f64)> =
                curve.validation.iter().map(|v| (v.step, v.loss)).collect();
            let [(0, first), (last_step, last)] = validation[..] else {
                panic!("{validation:?}");
            };
            assert_eq!(last_step, run.steps);
            assert_close(
                &[first, last],
                &[run.losses[0], run.final_loss],
                LOSS,
                &what,
            );
            assert_eq!(curve.best_step, run.steps, "{what}");
            assert_close(&curve.gains, &run.gains, GAIN, &what);
            for &neuron in &run.pruned {
                assert_eq!(curve.gains[neuron], 0.0, "{what}: pruned neuron {neuron}");
            }
        }
    }
}

#[test]
fn both_runs_are_in_one_report() {
    let folder = "tiny-llama-tied";
    let bench = Bench::new(folder);
    let golden: Golden = json(&format!("{folder}/tuning.json"));
    let settings = settings(1, 10);
    let report = bench
        .tune(&mask(folder), &settings, (0, true), job())
        .unwrap();
    assert_eq!((report.layer, report.trained_gains), (1, 24 - 6));
    let [pruned, unpruned] = report.curves.as_slice() else {
        panic!("{} curves", report.curves.len());
    };
    assert!(pruned.pruned && !unpruned.pruned);
    assert_close(&losses(pruned), &golden.pruned.losses, LOSS, "pruned");
    assert_close(&losses(unpruned), &golden.unpruned.losses, LOSS, "unpruned");
    for curve in [pruned, unpruned] {
        // The validation items are the test items here.
        let best = curve
            .validation
            .iter()
            .find(|v| v.step == curve.best_step)
            .unwrap();
        assert_eq!(curve.sets[0].before, bench.scores.accuracy);
        assert_eq!(curve.sets[0].after, best.accuracy);
    }
}

/// The gradient of the mean cross-entropy in the gains, through forks of runs of all batches.
#[test]
fn the_first_gradient_is_that_of_pytorch() {
    for folder in common::SCORED {
        let bench = Bench::new(folder);
        let golden: Golden = json(&format!("{folder}/tuning.json"));
        let decoder = &bench.model.decoder;
        let device = decoder.device();
        let config = bench.model.config();
        for run in [&golden.pruned, &golden.unpruned] {
            let mask = Mask::of_layer(Site::Post, run.layer, run.pruned.clone());
            let keep = mask.factors(run.layer, config.d_mlp);
            let mut gradient = vec![0f32; config.d_mlp];
            let encoded = encode(&bench.model, &bench.items, &bench.prompts).unwrap();
            for batch in batches(&encoded, decoder) {
                let capture = Capture::Layer(run.layer);
                let none = Edit::none();
                let whole = wait(BatchRun::new(
                    decoder,
                    &batch,
                    &none,
                    capture,
                    &mut SharedRun::default(),
                    job(),
                ))
                .unwrap();
                let gains =
                    Tensor::<1>::from_data(TensorData::new(keep.clone(), [keep.len()]), device)
                        .autodiff()
                        .require_grad();
                let of_layer = Edit::scaling(run.layer, gains.clone());
                let runs = [whole];
                let tops = wait(BatchRun::fork(&runs, decoder, &[of_layer], job())).unwrap();
                // Every reference item has three choices.
                let sums = wait(tops[0].log_likelihoods(decoder, &batch, job())).unwrap();
                let normalised = log_softmax(sums, 1);
                let mut gold = vec![0f32; batch.items.len() * 3];
                for (row, &item) in batch.items.iter().enumerate() {
                    gold[row * 3 + bench.items[item].gold] = -0.25;
                }
                let gold = TensorData::new(gold, [batch.items.len(), 3]);
                let loss = (normalised * Tensor::<2>::from_data(gold, device)).sum();
                let part = host(gains.grad(&loss.backward()).unwrap());
                for (sum, part) in gradient.iter_mut().zip(part) {
                    *sum += part;
                }
            }
            // The reference's gradient is of the gain before the mask.
            let masked: Vec<f32> = gradient.iter().zip(&keep).map(|(g, k)| g * k).collect();
            let what = format!("{folder}, {} pruned", run.pruned.len());
            assert_close(&masked, &run.first_gradient, 2e-5, &what);
        }
    }
}

/// AdamW's first step goes by the sign of the gradient alone: its moments are the gradient and its square.
#[test]
fn the_first_step_moves_every_gain_by_the_learning_rate_against_its_gradient() {
    let folder = "tiny-llama-untied";
    let bench = Bench::new(folder);
    let golden: Golden = json(&format!("{folder}/tuning.json"));
    let rate = 0.01;
    let settings = TuneSettings {
        learning_rate: rate,
        ..settings(1, 1)
    };
    let curve = bench.curve(&mask(folder), &settings, 0);
    assert_eq!(curve.best_step, 1);
    let run = golden.pruned;
    let expected: Vec<f64> = (0..run.first_gradient.len())
        .map(|neuron| match run.pruned.contains(&neuron) {
            true => 0.0,
            false => 1.0 - rate * run.first_gradient[neuron].signum(),
        })
        .collect();
    assert_close(&curve.gains, &expected, 1e-5, "gains after a step");
}

/// A mask may prune other layers than the tuned one: below it the kept runs are pruned, above it every fork is.
#[test]
fn training_starts_from_the_pruned_model_wherever_the_mask_lies() {
    let bench = Bench::new("tiny-llama-tied");
    let config = bench.model.config();
    let layer = |layer| LayerMask::new(layer, vec![2, 3, 5, 7, 11]);
    let zero = |masked: &[usize]| Mask {
        layers: masked.iter().copied().map(layer).collect(),
        ..Mask::empty(Site::Post)
    };
    let mut masks = vec![zero(&[0]), zero(&[2]), zero(&[0, 2]), zero(&[0, 1, 2])];
    masks.push(zero(&[0, 1, 2]).by(Change::Scale(-0.5)).unwrap());
    let mut means = zero(&[0, 1, 2]);
    means.operation = Operation::Mean;
    for layer in &mut means.layers {
        layer.means = Some(vec![0.5, -0.25, 1.0, 0.0, -2.0]);
    }
    masks.push(means);
    for mask in masks {
        let masked: Vec<usize> = mask.layers.iter().map(|layer| layer.layer).collect();
        let gains = mask.edit(config, bench.model.decoder.device());
        let named = ("set", bench.items.as_slice());
        let expected = score(
            &bench.model,
            named,
            &bench.prompts,
            Rule::Sum,
            &gains,
            job(),
        );
        let expected = wait(expected).unwrap();
        let what = format!("{:?} in {masked:?}", mask.operation);
        let unmoved = TuneSettings {
            learning_rate: 1e-9,
            ..settings(1, 1)
        };
        let report = bench.tune(&mask, &unmoved, (0, false), job()).unwrap();
        let curve = &report.curves[0];
        assert_eq!(curve.validation[0].accuracy, expected.accuracy, "{what}");
        let entropy = cross_entropy(&expected);
        let found = [curve.validation[0].loss, curve.steps[0].loss];
        assert_close(&found, &[entropy, entropy], LOSS, &what);
        assert_eq!(curve.sets[0].after, expected.accuracy, "{what}");
        let pruned_here = if masked.contains(&1) { 5 } else { 0 };
        assert_eq!(report.trained_gains, 24 - pruned_here);
    }
}

fn item(id: &str, context: &str, choices: &[&str], gold: usize) -> Item {
    Item {
        id: id.into(),
        context: context.into(),
        choices: choices.iter().map(|&choice| choice.into()).collect(),
        gold,
    }
}

#[test]
fn items_with_unequal_choices_keep_their_own_softmax() {
    let items = vec![
        item(
            "two",
            "the cat sees a",
            &["fish", "small bird in the tree"],
            1,
        ),
        item(
            "four",
            "the dog is a",
            &["cat", "bird", "big red fish", "."],
            2,
        ),
        item(
            "three",
            "who likes the old house ?",
            &["the cat", "a dog", "it"],
            0,
        ),
    ];
    let bench = Bench::with_items("tiny-llama-tied", items);
    let curve = bench.curve(&Mask::empty(Site::Post), &settings(0, 1), 0);
    let expected = cross_entropy(&bench.scores);
    let found = [curve.steps[0].loss, curve.validation[0].loss];
    assert_close(&found, &[expected, expected], LOSS, "loss");
}

/// With a learning rate of next to nothing the losses are those of the untrained model, item by item.
#[test]
fn small_batches_take_every_item_once_in_an_order_of_the_seed() {
    let bench = Bench::new("tiny-llama-tied");
    let small = TuneSettings {
        learning_rate: 1e-9,
        batch_size: 1,
        evaluate_every: 8,
        ..settings(1, 8)
    };
    let of_seed = |seed| losses(&bench.curve(&Mask::empty(Site::Post), &small, seed));
    let mut expected: Vec<f64> = (0..bench.items.len())
        .map(|index| {
            let one = bench.scores.items[index..=index].to_vec();
            cross_entropy(&SetScores {
                items: one,
                ..bench.scores.clone()
            })
        })
        .collect();
    expected.sort_by(f64::total_cmp);
    let orders: Vec<Vec<f64>> = (0..6).map(of_seed).collect();
    for order in &orders {
        for epoch in order.chunks(4) {
            let mut epoch = epoch.to_vec();
            epoch.sort_by(f64::total_cmp);
            assert_close(&epoch, &expected, LOSS, "losses of an epoch");
        }
    }
    assert_eq!(of_seed(3), orders[3], "the same seed, the same order");
    let differs = |order: &Vec<f64>| common::largest_difference(order, &orders[0]) > 0.01;
    assert!(orders.iter().any(differs), "other seeds, other orders");
}

/// Two items of one length and two of another: three do not fit into a step together with others.
#[test]
fn a_step_has_no_more_items_than_the_batch_size() {
    let items = vec![
        item("1", "the cat sees a", &["fish", "bird"], 1),
        item("2", "the dog sees a", &["fish", "bird"], 0),
        item("3", "the old house sees a", &["fish", "bird"], 1),
        item("4", "the small house sees a", &["fish", "bird"], 1),
    ];
    let bench = Bench::with_items("tiny-llama-tied", items);
    let threes = TuneSettings {
        learning_rate: 1e-9,
        batch_size: 3,
        evaluate_every: 2,
        ..settings(1, 4)
    };
    let of_pair = |first: usize| {
        let pair = bench.scores.items[first..first + 2].to_vec();
        cross_entropy(&SetScores {
            items: pair,
            ..bench.scores.clone()
        })
    };
    let mut expected = [of_pair(0), of_pair(2)];
    expected.sort_by(f64::total_cmp);
    let found = losses(&bench.curve(&Mask::empty(Site::Post), &threes, 0));
    for epoch in found.chunks(2) {
        let mut epoch = epoch.to_vec();
        epoch.sort_by(f64::total_cmp);
        assert_close(&epoch, &expected, LOSS, "losses of an epoch");
    }
}

#[test]
fn weight_decay_pulls_the_gains_towards_one() {
    let bench = Bench::new("tiny-llama-tied");
    let mask = mask("tiny-llama-tied");
    let distance = |weight_decay| {
        let settings = TuneSettings {
            weight_decay,
            evaluate_every: 10,
            ..settings(1, 10)
        };
        let curve = bench.curve(&mask, &settings, 0);
        assert_eq!(curve.best_step, 10);
        for &neuron in &mask.layers[0].neurons {
            assert_eq!(curve.gains[neuron], 0.0);
        }
        let free = curve.gains.iter().filter(|gain| **gain != 0.0);
        free.map(|gain| f64::from((gain - 1.0).abs())).sum::<f64>()
    };
    let (without, with) = (distance(0.0), distance(5.0));
    assert!(
        with < 0.8 * without,
        "{with} with decay and {without} without"
    );
}

/// A host that stops the job at a step of a training run, or in a stage before it.
struct Stopping {
    stage: &'static str,
    curve: u64,
    step: u64,
    stopped: Cell<bool>,
}

impl Stopping {
    fn at(stage: &'static str, curve: u64, step: u64) -> Self {
        Self {
            stage,
            curve,
            step,
            stopped: Cell::new(false),
        }
    }
}

impl Host for Stopping {
    fn progress(&self, progress: &Progress) {
        let curve = progress
            .detail
            .as_ref()
            .and_then(|detail| detail["curve"].as_u64());
        let here = progress.stage == self.stage && progress.done >= self.step;
        if here && curve.unwrap_or(self.curve) == self.curve {
            self.stopped.set(true);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stopped.get()
    }

    fn now_secs(&self) -> f64 {
        0.0
    }
}

#[test]
fn a_stopped_training_keeps_its_best_state() {
    let folder = "tiny-llama-tied";
    let bench = Bench::new(folder);
    let mask = mask(folder);
    let settings = TuneSettings {
        evaluate_every: 2,
        ..settings(1, 10)
    };
    let whole = bench.curve(&mask, &settings, 0);
    let host = Stopping::at("tuning", 0, 5);
    let report = bench
        .tune(&mask, &settings, (0, true), Job::new(&host))
        .unwrap();
    assert_eq!(report.curves.len(), 1, "the comparison is not begun");
    let stopped = &report.curves[0];
    assert!(stopped.cancelled && stopped.pruned && !whole.cancelled);
    assert_eq!(stopped.steps, whole.steps[..5]);
    // Evaluated before training, after 2 and after 4 steps, better each time.
    assert_eq!(stopped.validation, whole.validation[..3]);
    assert_eq!(stopped.best_step, 4);
    let until_then = bench.curve(
        &mask,
        &TuneSettings {
            steps: 4,
            ..settings
        },
        0,
    );
    assert_eq!(until_then.best_step, 4);
    assert_eq!(stopped.gains, until_then.gains);
    assert!(stopped.sets.is_empty());
}

#[test]
fn a_training_that_is_stopped_before_its_first_step_keeps_gains_of_one() {
    let folder = "tiny-llama-tied";
    let bench = Bench::new(folder);
    let host = Stopping::at("tuning", 0, 0);
    let mask = mask(folder);
    let report = bench
        .tune(&mask, &settings(1, 10), (0, false), Job::new(&host))
        .unwrap();
    let curve = &report.curves[0];
    assert!(curve.cancelled && curve.steps.is_empty());
    assert_eq!((curve.best_step, curve.validation.len()), (0, 1));
    assert_eq!(curve.gains, mask.factors(1, 24));
}

#[test]
fn stopping_the_comparison_keeps_the_pruned_run() {
    let folder = "tiny-llama-tied";
    let bench = Bench::new(folder);
    let whole = bench.curve(&mask(folder), &settings(1, 4), 0);
    // In the comparison's training, and at the last step of the pruned run: then neither its test sets nor the
    // comparison's items are run any more.
    for (curve, step, curves) in [(1, 2, 2), (0, 4, 1)] {
        let host = Stopping::at("tuning", curve, step);
        let report = bench.tune(&mask(folder), &settings(1, 4), (0, true), Job::new(&host));
        let report = report.unwrap();
        assert_eq!(report.curves.len(), curves);
        assert!(report.curves.last().unwrap().cancelled);
        assert_eq!(report.curves[0].steps, whole.steps);
        assert_eq!(report.curves[0].gains, whole.gains);
    }
}

#[test]
fn a_job_that_is_stopped_while_items_are_prepared_is_cancelled() {
    let bench = Bench::new("tiny-llama-tied");
    let host = Stopping::at("preparing items", 0, 0);
    let mask = mask("tiny-llama-tied");
    let error = bench
        .tune(&mask, &settings(1, 4), (0, false), Job::new(&host))
        .unwrap_err();
    assert_eq!(error.to_string(), secateur::job::Cancelled.to_string());
}

/// Settings within their ranges that are too much for the model: said of the settings, not of the device.
#[test]
fn a_training_that_leaves_the_finite_numbers_names_its_settings() {
    let bench = Bench::new("tiny-llama-tied");
    let wild = TuneSettings {
        learning_rate: 10.0,
        weight_decay: 10.0,
        ..settings(1, 200)
    };
    match bench
        .tune(&Mask::empty(Site::Post), &wild, (0, false), job())
        .unwrap_err()
    {
        RunError::Settings(message) => assert!(message.contains("learning rate"), "{message}"),
        other => panic!("{other}"),
    }
}

#[test]
fn a_stopped_training_that_left_the_finite_numbers_keeps_its_best_state() {
    let bench = Bench::new("tiny-llama-tied");
    let wild = TuneSettings {
        learning_rate: 10.0,
        weight_decay: 10.0,
        evaluate_every: 1000,
        ..settings(1, 200)
    };
    let host = Stopping::at("tuning", 0, 150);
    let mask = Mask::empty(Site::Post);
    let report = bench.tune(&mask, &wild, (0, false), Job::new(&host));
    let curve = &report.unwrap().curves[0];
    assert!(curve.cancelled && curve.steps.is_empty());
    assert_eq!(curve.gains, mask.factors(1, 24));
}

#[test]
fn settings_out_of_range_are_refused() {
    let bench = Bench::new("tiny-llama-tied");
    let good = settings(1, 1);
    let changed = |change: fn(&mut TuneSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings
    };
    for (settings, named) in [
        (changed(|s| s.layer = 3), "layer 3"),
        (changed(|s| s.steps = 0), "steps"),
        (changed(|s| s.steps = 10_001), "steps"),
        (changed(|s| s.batch_size = 0), "batch_size"),
        (changed(|s| s.evaluate_every = 0), "evaluate_every"),
        (changed(|s| s.learning_rate = 0.0), "learning_rate"),
        (changed(|s| s.learning_rate = f64::NAN), "learning_rate"),
        (changed(|s| s.weight_decay = -1.0), "weight_decay"),
    ] {
        let result = bench.tune(&Mask::empty(Site::Post), &settings, (0, false), job());
        match result.unwrap_err() {
            RunError::Settings(message) => assert!(message.contains(named), "{message}"),
            other => panic!("{other}"),
        }
    }
    let none = TuneSets {
        train: vec![],
        validation: vec![bench.trial()],
        test: vec![],
    };
    let result = wait(tune(
        &none,
        &Mask::empty(Site::Post),
        &good,
        0,
        false,
        job(),
    ));
    assert!(matches!(result, Err(RunError::Settings(_))));
}
