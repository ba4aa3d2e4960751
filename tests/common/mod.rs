//! What tests of several topics share: fixtures, golden numbers, models that are ready to run.

// Every test program uses a part of it.
#![allow(dead_code)]

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use secateur::items::{Item, Prompts, Template};
use secateur::job::{Job, Silent};
use secateur::model::load::ModelFiles;
use secateur::model::run::read;
use secateur::model::{Compute, Decoder, Edit, Link, Model, Run};
use secateur::pruning::Mask;
use secateur::scoring::{Rule, RunError, SetScores, score};
use secateur::store::resolve_model;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The models that have scores, gradients and trained gains.
pub const SCORED: [&str; 2] = ["tiny-llama-tied", "tiny-llama-untied"];

/// A model of every family.
pub const FAMILIES: [&str; 7] = [
    "tiny-llama3",
    "tiny-qwen2",
    "tiny-qwen3",
    "tiny-gemma3",
    "tiny-gpt2",
    "tiny-gpt-neox",
    "tiny-olmo2",
];

pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(path)
}

pub fn json<T: DeserializeOwned>(path: &str) -> T {
    serde_json::from_slice(&std::fs::read(fixture(path)).unwrap()).unwrap()
}

/// The F32 tensors of a safetensors file, by name.
pub fn tensors(path: &str) -> HashMap<String, Vec<f32>> {
    let bytes = std::fs::read(fixture(path)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |bytes: &[u8]| {
        let of = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        bytes.chunks_exact(4).map(of).collect()
    };
    file.iter()
        .map(|(name, view)| (name.to_owned(), floats(view.data())))
        .collect()
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// A job that reports to nobody and is never cancelled.
pub fn job() -> Job<'static> {
    static HOST: LazyLock<Silent> = LazyLock::new(Silent::default);
    Job::new(&*HOST)
}

/// A run's fork under some gains.
pub fn fork(decoder: &Decoder, run: &Run, gains: &Edit) -> Run {
    let links = [Link::first(run)];
    let forks = decoder.fork(&links, std::slice::from_ref(gains), job());
    wait(forks).unwrap().pop().unwrap()
}

pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    wait(read(tensor)).unwrap()
}

/// The files of a fixture model: a folder's name, or a GGUF file's path.
pub fn files(path: &str) -> ModelFiles {
    resolve_model(fixture(path).to_str().unwrap())
        .unwrap()
        .open()
        .unwrap()
}

pub fn model_on(path: &str, device: &Device) -> Model {
    let compute = Compute {
        device: device.clone(),
        ..Compute::flex()
    };
    wait(Model::load(path, files(path), &compute, job())).unwrap()
}

pub fn model(path: &str) -> Model {
    model_on(path, &Device::flex())
}

/// The template of `scores.json`.
pub fn plain() -> Prompts {
    Template::named("plain@1").unwrap().into()
}

/// One item of `scores.json`.
#[derive(Deserialize)]
pub struct GoldenItem {
    #[serde(flatten)]
    pub item: Item,
    pub prompt_ids: Vec<u32>,
    pub choice_ids: Vec<Vec<u32>>,
    pub token_log_probs: Vec<Vec<f64>>,
    pub sums: Vec<f64>,
    pub masked_token_log_probs: Vec<Vec<f64>>,
    pub masked_sums: Vec<f64>,
    pub characters: Vec<usize>,
}

pub fn golden_items(folder: &str) -> Vec<GoldenItem> {
    #[derive(Deserialize)]
    struct File {
        items: Vec<GoldenItem>,
    }
    json::<File>(&format!("{folder}/scores.json")).items
}

pub fn items(folder: &str) -> Vec<Item> {
    let golden = golden_items(folder);
    golden.into_iter().map(|golden| golden.item).collect()
}

/// Items of a set called "set", scored by the sum of their tokens.
pub fn scored(
    model: &Model,
    items: &[Item],
    prompts: &Prompts,
    edit: &Edit,
) -> Result<SetScores, RunError> {
    let scores = score(model, ("set", items), prompts, Rule::Sum, edit, job());
    wait(scores)
}

pub fn mask(folder: &str) -> Mask {
    json(&format!("{folder}/mask.json"))
}

/// Largest absolute difference; infinite when the lengths differ or a value is no number.
pub fn largest_difference<A, B>(found: &[A], expected: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    found
        .iter()
        .zip(expected)
        .map(|(&a, &b)| (a.into() - b.into()).abs())
        .fold(0.0, |largest, difference| {
            if difference.is_nan() {
                f64::INFINITY
            } else {
                largest.max(difference)
            }
        })
}

#[track_caller]
pub fn assert_close<A, B>(found: &[A], expected: &[B], tolerance: f64, what: &str)
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let difference = largest_difference(found, expected);
    assert!(
        difference <= tolerance,
        "{what}: differs by {difference:.2e}, at most {tolerance:.0e} is accepted ({} and {} values)",
        found.len(),
        expected.len()
    );
}
