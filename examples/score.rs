//! Scores items: how likely a model finds each choice, which it picks, how many it gets right.
//!
//! `cargo run --example score`, or with a model of yours: `cargo run --example score -- model.gguf items.jsonl`

use std::error::Error;

use secateur::items::{Template, parse_items};
use secateur::job::{Job, Silent};
use secateur::model::{Compute, Model};
use secateur::store::{resolve_model, sample_path};
use secateur::study::Session;

/// Scores the items of a file with a model: a folder, a GGUF file, or a model's id.
pub async fn score(model: &str, file: &str) -> Result<f64, Box<dyn Error>> {
    let host = Silent::default();
    let job = Job::new(&host);
    let compute = Compute::flex();
    let model = Model::load(model, resolve_model(model)?.open()?, &compute, job).await?;
    let items = parse_items(&std::fs::read_to_string(file)?).items;

    // A session is one model with a bench, on which item sets lie, and with what has been found of them.
    let mut session = Session::new(compute, model, Template::named("plain@1")?);
    session.change(|bench| bench.set_items("items", items));
    let scores = session.score("items", job).await?;

    for item in scores.items.iter().take(3) {
        println!(
            "{}: picks {} of {}",
            item.id,
            item.predicted,
            item.choices.len()
        );
        for choice in &item.choices {
            println!("  {:8.3} nats  {}", choice.log_likelihood, choice.text);
        }
    }
    let accuracy = scores.accuracy;
    println!(
        "{} of {} right; the share lies between {:.2} and {:.2}",
        accuracy.correct, accuracy.total, accuracy.low, accuracy.high
    );
    Ok(accuracy.value)
}

#[allow(dead_code, reason = "a test runs what it calls")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments
        .next()
        .unwrap_or_else(|| "lesson-planted".to_owned());
    let bundled = sample_path("lesson-planted-shifted").ok_or("run this in the repository")?;
    let file = arguments
        .next()
        .unwrap_or_else(|| bundled.display().to_string());
    pollster::block_on(score(&model, &file))?;
    Ok(())
}
