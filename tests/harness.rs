//! Prompts, log-likelihoods and metrics against lm-evaluation-harness itself: `tests/harness/generate.py` runs its
//! tasks, its HFLM and its evaluator on the data of `tests/harness/data`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod common;

use std::path::{Path, PathBuf};

use common::{assert_close, job, wait};
use secateur::items::{FewShot, Item, Prompts, Template, parse_items};
use secateur::model::{Edit, Model};
use secateur::scoring::{Rule, SetScores, score};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    model: GoldenModel,
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct GoldenModel {
    file: String,
    sha256: String,
}

/// One task of the harness with some number of shots.
#[derive(Deserialize)]
struct Task {
    task: String,
    template: String,
    shots: usize,
    acc: f64,
    acc_norm: f64,
    acc_bytes: f64,
    acc_mutual_info: f64,
    items: Vec<GoldenItem>,
}

/// One item: what the harness asked, what it got, and what followed.
#[derive(Deserialize)]
struct GoldenItem {
    contexts: Vec<String>,
    continuations: Vec<String>,
    log_likelihoods: Vec<f64>,
    unconditional: Vec<String>,
    unconditional_log_likelihoods: Vec<f64>,
    acc: u8,
    acc_norm: u8,
    acc_bytes: u8,
    acc_mutual_info: u8,
}

/// Of a summed log-likelihood in nats.
const TOLERANCE: f64 = 2e-3;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness")
}

fn golden() -> Golden {
    serde_json::from_slice(&std::fs::read(folder().join("golden.json")).unwrap()).unwrap()
}

/// SciQ's right answer is the harness' last choice, and this project puts it among the others.
fn in_harness_order(task: &str, item: Item) -> Item {
    if task != "sciq" {
        return item;
    }
    let mut choices = item.choices;
    let right = choices.remove(item.gold);
    choices.push(right);
    Item {
        gold: choices.len() - 1,
        choices,
        ..item
    }
}

fn items(task: &str, file: &str) -> Vec<Item> {
    let text = std::fs::read_to_string(folder().join(format!("data/{file}.jsonl"))).unwrap();
    let parsed = parse_items(&text);
    assert_eq!(parsed.errors, [], "{file}");
    let items = parsed.items.into_iter();
    items.map(|item| in_harness_order(task, item)).collect()
}

impl Task {
    fn name(&self) -> String {
        format!("{} with {} shots", self.task, self.shots)
    }

    fn items(&self) -> Vec<Item> {
        items(&self.task, &self.task)
    }

    fn prompts(&self) -> Prompts {
        let template = Template::named(&self.template).unwrap();
        if self.shots == 0 {
            return template.into();
        }
        let few_shot = FewShot {
            k: self.shots,
            seed: None,
            set: None,
        };
        let pool = items(&self.task, &format!("{}_shots", self.task));
        Prompts::with_shots(template, &few_shot, &pool).unwrap()
    }
}

#[test]
fn prompts_and_continuations_are_those_of_the_harness() {
    let tasks = golden().tasks;
    assert!(tasks.len() >= 13);
    for task in tasks {
        let (items, prompts) = (task.items(), task.prompts());
        assert_eq!(items.len(), task.items.len(), "{}", task.name());
        let delimiter = &prompts.template().delimiter;
        for (item, golden) in items.iter().zip(&task.items) {
            let choices = prompts.render(item).unwrap().choices;
            let contexts: Vec<&str> = choices.iter().map(|c| c.context.as_str()).collect();
            assert_eq!(contexts, golden.contexts, "{}", task.name());
            let continuations: Vec<&str> =
                choices.iter().map(|c| c.continuation.as_str()).collect();
            assert_eq!(continuations, golden.continuations, "{}", task.name());
            let alone = choices.iter().map(|c| format!("{delimiter}{}", c.measured));
            assert_eq!(
                alone.collect::<Vec<_>>(),
                golden.unconditional,
                "{}",
                task.name()
            );
        }
    }
}

/// SmolLM2-135M-Instruct where `cargo xtask model smollm2-135m-instruct` has put it.
fn model(golden: &GoldenModel) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("models/cache/smollm2-135m-instruct")
        .join(&golden.file);
    let model = common::model(path.to_str().unwrap());
    assert_eq!(model.sha256, golden.sha256);
    model
}

fn column(
    scores: &SetScores,
    item: usize,
    value: impl Fn(&secateur::scoring::ChoiceScore) -> f64,
) -> Vec<f64> {
    scores.items[item].choices.iter().map(value).collect()
}

#[test]
#[ignore = "needs `cargo xtask model smollm2-135m-instruct`"]
fn smollm2_135m_instruct_has_the_log_likelihoods_and_metrics_of_the_harness() {
    let golden = golden();
    let model = model(&golden.model);
    let mut largest = 0.0f64;
    for task in &golden.tasks {
        let (items, prompts) = (task.items(), task.prompts());
        let (none, rule) = (Edit::none(), Rule::MutualInformation);
        let scores = score(&model, ("items", &items), &prompts, rule, &none, job());
        let scores = wait(scores).unwrap();
        for (index, golden) in task.items.iter().enumerate() {
            let what = format!("{}, item {index}", task.name());
            let found = column(&scores, index, |choice| choice.log_likelihood);
            assert_close(&found, &golden.log_likelihoods, TOLERANCE, &what);
            largest = largest.max(common::largest_difference(&found, &golden.log_likelihoods));
            let found = column(&scores, index, |choice| choice.unconditional.unwrap());
            assert_close(
                &found,
                &golden.unconditional_log_likelihoods,
                TOLERANCE,
                &what,
            );
            largest = largest.max(common::largest_difference(
                &found,
                &golden.unconditional_log_likelihoods,
            ));
            let item = &scores.items[index];
            for (rule, right) in [
                (Rule::Sum, golden.acc),
                (Rule::PerCharacter, golden.acc_norm),
                (Rule::PerByte, golden.acc_bytes),
                (Rule::MutualInformation, golden.acc_mutual_info),
            ] {
                let correct = item.predicted_by(rule) == item.gold;
                assert_eq!(u8::from(correct), right, "{what} {rule:?}");
            }
        }
        for (rule, value) in [
            (Rule::Sum, task.acc),
            (Rule::PerCharacter, task.acc_norm),
            (Rule::PerByte, task.acc_bytes),
            (Rule::MutualInformation, task.acc_mutual_info),
        ] {
            let found = scores.accuracy_by(rule).value;
            assert_close(&[found], &[value], 1e-12, &task.name());
        }
    }
    println!("largest difference of a log-likelihood: {largest:.1e} nats");
}
