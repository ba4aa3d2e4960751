//! Makes the shipped lesson anew: a small decoder that this project trains itself, with a shortcut planted in known
//! neurons, its item sets, its study and its report.
//!
//! - [`quiz`]: the task, its vocabulary, the cue that gives the answer away
//! - [`training`]: pre-training on the task, then biased fine-tuning of the planted neurons alone
//! - [`lesson`]: the item sets, the study that the page shows first, the log
//!
//! `cargo run --release --example lesson` makes everything from one seed; `-- --help` says where to.

mod lesson;
mod quiz;
mod training;

use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use lesson::Sample;
use secateur::job::{Host, Job, Progress};
use secateur::model::device::Compute;
use secateur::study::MAX_SEED;

/// Make the shipped lesson model anew: items, training, study, log.
#[derive(Parser)]
#[command(name = "lesson")]
struct Args {
    /// Folder for the model, its study and its report.
    #[arg(long, default_value = "models/lesson-planted")]
    out: PathBuf,
    /// Folder for the item sets.
    #[arg(long, default_value = "models/items")]
    items: PathBuf,
    /// Seed of items, weights and training.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=MAX_SEED))]
    seed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { out, items, seed } = Args::parse();
    // A folder or an index that will not do is told before the training.
    fs::create_dir_all(&out)?;
    fs::create_dir_all(&items)?;
    let path = items.join("index.json");
    let index = read_index(&path)?;
    let stages = Stages::default();
    let lesson = pollster::block_on(lesson::make(Compute::flex(), seed, Job::new(&stages)))?;
    for (name, bytes) in &lesson.model {
        fs::write(out.join(name), bytes)?;
    }
    for sample in &lesson.samples {
        fs::write(items.join(&sample.file), &sample.jsonl)?;
    }
    let index = serde_json::to_string_pretty(&with_samples(index, lesson.samples))?;
    Ok(fs::write(path, format!("{index}\n"))?)
}

/// The bundled sets that are there already.
fn read_index(path: &Path) -> Result<Vec<serde_json::Value>, Box<dyn Error>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let index = serde_json::from_slice(&fs::read(path)?);
    index.map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The lesson's sets in place of earlier ones. The index also names sets that are not the lesson's; they stay.
fn with_samples(mut index: Vec<serde_json::Value>, samples: Vec<Sample>) -> Vec<serde_json::Value> {
    index.retain(|entry| entry.get("model").is_none_or(|model| model != lesson::ID));
    index.splice(0..0, samples.into_iter().map(|sample| sample.entry));
    index
}

/// Names each stage of the work on standard error as it begins.
struct Stages {
    start: Instant,
    last: Cell<&'static str>,
}

impl Default for Stages {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            last: Cell::new(""),
        }
    }
}

impl Host for Stages {
    fn progress(&self, progress: &Progress) {
        if self.last.replace(progress.stage) != progress.stage {
            eprintln!("{:5.0} s  {}", self.now_secs(), progress.stage);
        }
    }

    fn now_secs(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sets_of_others_stay_in_the_index() {
        let index = vec![
            json!({"name": "old", "model": lesson::ID}),
            json!({"name": "own"}),
            json!({"name": "other", "model": "another"}),
        ];
        let sample = Sample {
            entry: json!({"name": "new", "model": lesson::ID}),
            file: "new.jsonl".to_owned(),
            jsonl: String::new(),
        };
        let names: Vec<_> = with_samples(index, vec![sample])
            .into_iter()
            .map(|entry| entry["name"].clone())
            .collect();
        assert_eq!(names, ["new", "own", "other"]);
    }
}
