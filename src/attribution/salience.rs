//! Which words of a prompt drive its answer: gradient × input of every token's embedding (Shrikumar et al., 2016).

use serde::Serialize;

use super::Settings;
use super::explained::{Explained, Together};
use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::run::read;
use crate::model::{Model, ModelError};
use crate::scoring::{ItemScore, RunError};

/// What every token of an item's prompt contributes to the target, to first order.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Salience {
    /// Whose target is explained.
    pub settings: Settings,
    /// The item's id.
    pub id: String,
    /// Text of the token that is explained.
    pub target: String,
    /// The target's value.
    pub value: f32,
    /// The prompt's tokens.
    pub tokens: Vec<String>,
    /// `Σ x · ∂M/∂x` over each token's embedding `x`.
    pub scores: Vec<f32>,
}

/// The salience of one item of a scored set, by the target of the settings.
///
/// # Errors
///
/// [`RunError`].
pub async fn salience(
    model: &Model,
    item: &Item,
    prompts: &Prompts,
    score: &ItemScore,
    settings: &Settings,
    job: Job<'_>,
) -> Result<Salience, RunError> {
    let sure_or_not = Settings {
        confidence_threshold: 0.0,
        ..settings.clone()
    };
    let (items, scores) = ([item.clone()], [score.clone()]);
    let explained = Explained::new(model, &items, prompts, &scores, &sure_or_not, job).await?;
    // The run itself is made again below, with a way back.
    let Together {
        sequences,
        target,
        at_one,
        ..
    } = explained.run(vec![0], job).await?;
    let ids = explained.prompt(0);
    let decoder = &model.decoder;
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let embedded = decoder.embed(&sequences, 0, None)?;
    let embedded = embedded.autodiff().require_grad();
    let run = decoder.run_embedded(embedded.clone(), job).await?;
    let read_from = run.last_resids(target.runs.after + 1);
    let value = target.value(decoder, read_from);
    let mut gradients = value.clone().sum().backward();
    let gradient = embedded
        .grad_remove(&mut gradients)
        .ok_or_else(|| ModelError::Device("no gradient reached the embeddings".into()))?;
    // A prompt's token is the same in each of its sequences.
    let products = (embedded.inner() * gradient).narrow(1, 0, ids.len());
    let scores = read(products.sum_dim(2).sum_dim(0)).await?;
    let text = |&id: &u32| model.tokenizer.token_text(id);
    Ok(Salience {
        settings: settings.clone(),
        id: item.id.clone(),
        target: target.text(model, 0),
        value: at_one[0],
        tokens: ids.iter().map(text).collect(),
        scores,
    })
}
