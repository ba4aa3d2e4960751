//! The reports in `docs/critique/`: what `secateur critique` says of the shipped lesson, of two more that other seeds give, and of
//! a real model on the bundled sets.

use crate::browser::MODEL;
use crate::{model, tools};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// Where the reports are, from the repository's root.
const REPORTS: &str = "docs/critique";

/// Seeds of the lessons. The first one is the shipped lesson's.
const SEEDS: [u64; 3] = [1, 2, 3];

/// How a lesson is asked about: its items are short, and its search is cheap.
const OF_A_LESSON: &str = "--template plain --preset paper --confidence 0 --control 19";

/// The bundled sets that the real model is asked.
const SETS: [&str; 4] = [
    "general-knowledge",
    "cause-and-effect",
    "physical-intuition",
    "similarities-abstraction",
];

/// How many items of each, from the first: a third for each part. More take hours.
const ITEMS: usize = 36;

/// How it is asked about.
const OF_THE_MODEL: &str =
    "--confidence 0 --race-layers 22,29 --percents 5 --control 3 --resamples 100";

/// Writes the reports that are not there; all of them where they are to be made anew.
///
/// # Errors
/// When a model cannot be fetched or trained, or a critique fails; the reports before it stay.
pub fn run(anew: bool) -> Result<()> {
    for seed in SEEDS {
        let name = format!("lesson-{seed}");
        write(&name, anew, || of_lesson(seed))?;
    }
    for set in SETS {
        write(set, anew, || of_set(set))?;
    }
    Ok(())
}

/// What is asked: a model, its items, and the options.
struct Asked {
    model: PathBuf,
    items: PathBuf,
    options: &'static str,
}

fn of_lesson(seed: u64) -> Result<Asked> {
    let (model, items) = if seed == SEEDS[0] {
        let models = tools::root().join("models");
        (models.join("lesson-planted"), models.join("items"))
    } else {
        let folder = scratch()?.join(format!("lesson-{seed}"));
        let (model, items) = (
            folder.join(format!("lesson-planted-seed-{seed}")),
            folder.join("items"),
        );
        let mut lesson = tools::secateur(["--example", "lesson"]);
        lesson.arg("--seed").arg(seed.to_string());
        lesson.arg("--out").arg(&model).arg("--items").arg(&items);
        tools::run(&mut lesson)?;
        (model, items)
    };
    Ok(Asked {
        model,
        items: items.join("lesson-planted-validation.jsonl"),
        options: OF_A_LESSON,
    })
}

fn of_set(set: &str) -> Result<Asked> {
    model::fetch(MODEL)?;
    let items = scratch()?.join(format!("{set}.jsonl"));
    tools::write_first_items(set, ITEMS, &items)?;
    Ok(Asked {
        model: MODEL.into(),
        items,
        options: OF_THE_MODEL,
    })
}

/// Has one report written, unless it is there.
fn write(name: &str, anew: bool, asked: impl FnOnce() -> Result<Asked>) -> Result<()> {
    let report = tools::root().join(REPORTS).join(format!("{name}.md"));
    if report.is_file() && !anew {
        println!("{} is there", report.display());
        return Ok(());
    }
    let Asked {
        model,
        items,
        options,
    } = asked()?;
    let mut critique = tools::secateur(["--bin", "secateur"]);
    critique.arg("critique").arg("--model").arg(model);
    critique.arg("--items").arg(items);
    critique.args(options.split(' ')).arg("--out").arg(&report);
    tools::run(&mut critique)
}

/// A folder for what the reports are made of.
fn scratch() -> Result<PathBuf> {
    let folder = tools::target_dir().join("critique");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
