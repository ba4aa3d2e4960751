//! What a GPU has to compile for a model's jobs, compiled before the first of them.
//!
//! A kernel is compiled when it is met for the first time, for its widths and, in products, for a tile that follows from
//! the number of rows. So the jobs are run on made-up tokens, over a few blocks of the loaded model, with a handful of
//! numbers of rows.

use burn::tensor::Tensor;

use crate::attribution::sweep::Sweep;
use crate::attribution::target::Target;
use crate::attribution::{Positions, Settings};
use crate::job::Job;
use crate::model::{Capture, Decoder, Edit, ModelError};
use crate::scoring::{BatchRun, Encoded, SharedRun, batches};

const STAGE: &str = "compiling for the graphics card";
/// Items side by side: their tokens, their choices and the nodes of their attribution are the rows.
const ITEMS: [usize; 4] = [4, 1, 16, 64];
/// How long loading may be held up, whereupon no further number of items is run. What is not compiled by then is when it is
/// met.
const MOST_SECS: f64 = 2.0;
/// How long the first may take, in passes of a job.
const PASSES: f64 = 20.0;
/// Tokens of a prompt.
const PROMPT: usize = 12;
/// Choices of an item, and tokens of a choice.
const CHOICES: (usize, usize) = (4, 2);

/// Runs scores, a mask and an attribution by either preset on made-up items.
///
/// # Errors
///
/// [`ModelError::Device`], [`ModelError::Cancelled`].
pub async fn warm_up(decoder: &Decoder, job: Job<'_>) -> Result<(), ModelError> {
    let few = decoder.excerpt();
    // A device that is too slow for that computes far longer than it compiles.
    if flops(&few, ITEMS[0]) > PASSES * few.pace.flops {
        return Ok(());
    }
    let (total, start) = (ITEMS.len(), job.now_secs());
    for (done, count) in ITEMS.into_iter().enumerate() {
        job.progress(STAGE, done, total);
        if job.now_secs() - start > MOST_SECS {
            break;
        }
        match run_jobs(&few, &made_up(count, &few), job).await {
            // What the model makes of such tokens is no matter.
            Ok(()) | Err(ModelError::NotFinite) => {}
            Err(error) => return Err(error),
        }
    }
    job.progress(STAGE, total, total);
    Ok(())
}

/// The presets' paths, sites, positions and targets, with few rows for each position.
fn presets() -> impl Iterator<Item = Settings> {
    let presets = Settings::PRESETS.iter();
    presets
        .filter_map(|name| Settings::preset(name))
        // What the released code is said to do is rarely asked for: its kernels are compiled when it runs.
        .filter(|settings| settings.method.adds_up())
        .map(|settings| Settings {
            steps: if settings.positions == Positions::All {
                1
            } else {
                settings.steps
            },
            ..settings
        })
}

/// Items of no meaning. Where there are many the first is shorter, since a GPU pads it: that is a kernel of its own.
fn made_up(count: usize, decoder: &Decoder) -> Vec<Encoded> {
    let config = &decoder.config;
    let (choices, length) = CHOICES;
    let prompt = PROMPT.min(config.context_length.saturating_sub(length));
    let tokens = |from: usize, count: usize| -> Vec<u32> {
        (from..from + count.max(1))
            .map(|place| (place * 7 % config.vocabulary) as u32)
            .collect()
    };
    let item = |index: usize| Encoded {
        prompt: tokens(
            0,
            prompt.saturating_sub(usize::from(count > ITEMS[0] && index == 0)),
        ),
        choices: (0..choices).map(|choice| tokens(choice, length)).collect(),
        scored_from: vec![0; choices],
        extents: Vec::new(),
    };
    (0..count).map(item).collect()
}

async fn run_jobs(decoder: &Decoder, items: &[Encoded], job: Job<'_>) -> Result<(), ModelError> {
    score(decoder, items, job).await?;
    for settings in presets() {
        attribute(decoder, items, &settings, job).await?;
    }
    Ok(())
}

/// Scores the items as they are, and under masks.
async fn score(decoder: &Decoder, items: &[Encoded], job: Job<'_>) -> Result<(), ModelError> {
    let none = Edit::none();
    let ones = Tensor::ones([decoder.config.d_mlp], decoder.device());
    let masks = vec![Edit::scaling(0, ones); 2];
    for batch in &batches(items, decoder) {
        let shared = &mut SharedRun::default();
        let run = BatchRun::new(decoder, batch, &none, Capture::All, shared, job).await?;
        let top = run.top();
        top.read_log_probabilities(decoder, batch, job).await?;
        for masks in [&masks[..1], &masks] {
            for top in BatchRun::fork(std::slice::from_ref(&run), decoder, masks, job).await? {
                top.read_log_probabilities(decoder, batch, job).await?;
            }
        }
    }
    Ok(())
}

async fn attribute(
    decoder: &Decoder,
    items: &[Encoded],
    settings: &Settings,
    job: Job<'_>,
) -> Result<(), ModelError> {
    let none = Edit::none();
    for batch in &batches(items, decoder) {
        let prompts: Vec<&[u32]> = batch.prompts.iter().map(Vec::as_slice).collect();
        let base = decoder.base_run(&prompts, &none, Capture::All, job).await?;
        let tokens = vec![vec![0]; prompts.len()];
        let target = Target::freeze(decoder, &base, settings.target, &tokens).await?;
        let sweep = Sweep::new(decoder, &prompts, &base, &target, settings);
        sweep.run(job).await?;
    }
    Ok(())
}

/// About what the way up and back of so many items takes.
fn flops(decoder: &Decoder, count: usize) -> f64 {
    let tokens = count * (PROMPT + CHOICES.0 * CHOICES.1);
    6.0 * tokens as f64 * decoder.config.n_parameters() as f64
}
