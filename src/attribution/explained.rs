//! The items that are explained, and what the target takes of each.

use std::collections::BTreeSet;

use burn::tensor::Tensor;

use super::settings::{Baseline, Positions, Settings, TargetKind};
use super::sweep::Sweep;
use super::target::{Continuation, Runs, Target};
use crate::items::{Item, Prompts};
use crate::job::Job;
use crate::model::run::read;
use crate::model::{Capture, Decoder, Edit, Model, ModelError, Run};
use crate::scoring::{Encoded, ItemScore, RunError, batches, encode};

/// The items of a set that settings choose, ready to be run.
pub(super) struct Explained<'a> {
    model: &'a Model,
    pub(super) settings: &'a Settings,
    pub(super) items: Vec<&'a Item>,
    /// Items left out: not confident enough, or without the target.
    pub(super) skipped: usize,
    encoded: Vec<Encoded>,
    /// What the target takes of each item.
    asked: Vec<Asked>,
    /// Every layer's activations where the path starts, `[d_mlp]` each; zero where there are none.
    baseline: Option<Vec<Tensor<1>>>,
}

/// What a target takes of an item.
enum Asked {
    /// Tokens behind its prompt ([`Target::freeze`]).
    Tokens(Vec<u32>),
    /// Its choices, the predicted one first ([`Target::of_choices`]).
    Choices(Vec<Continuation>),
}

impl Asked {
    fn tokens(&self) -> &[u32] {
        match self {
            Self::Tokens(tokens) => tokens,
            Self::Choices(_) => &[],
        }
    }

    fn choices(&self) -> &[Continuation] {
        match self {
            Self::Tokens(_) => &[],
            Self::Choices(choices) => choices,
        }
    }
}

/// Some items' prompts, run.
pub(super) struct Together {
    /// Which items they are.
    pub(super) indices: Vec<usize>,
    /// What was run: the prompts or, where the target is read behind them, each with each of its choices.
    pub(super) sequences: Vec<Vec<u32>>,
    base: Run,
    pub(super) target: Target,
    /// The target's value of each.
    pub(super) at_one: Vec<f32>,
}

impl<'a> Explained<'a> {
    /// `scores` are the items' without any edit; they say which are confident and which choice each predicts.
    pub(super) async fn new(
        model: &'a Model,
        items: &'a [Item],
        prompts: &Prompts,
        scores: &[ItemScore],
        settings: &'a Settings,
        job: Job<'_>,
    ) -> Result<Self, RunError> {
        let confident: Vec<(&Item, usize)> = items
            .iter()
            .zip(scores)
            .filter(|(_, score)| score.confidence >= settings.confidence_threshold)
            .map(|(item, score)| (item, score.predicted))
            .collect();
        if confident.is_empty() {
            let confidences = scores.iter().map(|score| score.confidence);
            return Err(RunError::NoConfidentItem {
                threshold: settings.confidence_threshold,
                highest: confidences.fold(0.0, f64::max),
            });
        }
        let whole: Vec<Item> = confident.iter().map(|(item, _)| (*item).clone()).collect();
        let all = encode(model, &whole, prompts)?;
        let (mut kept, mut encoded, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for ((item, predicted), of_item) in confident.into_iter().zip(all) {
            if let Some(of_target) = asked_of(item, &of_item, predicted, settings.target) {
                kept.push(item);
                encoded.push(of_item);
                asked.push(of_target);
            }
        }
        if kept.is_empty() {
            return Err(RunError::Settings(
                "the choices of every item begin with the same token, so that there is no gold margin at it; take another \
                 target, or a template that has the choices' letters answered"
                    .into(),
            ));
        }
        let mut explained = Self {
            model,
            settings,
            skipped: items.len() - kept.len(),
            items: kept,
            encoded,
            asked,
            baseline: None,
        };
        if settings.baseline == Baseline::Mean {
            let prompts = explained.encoded.iter().map(|item| item.prompt.as_slice());
            let tail = match settings.positions {
                Positions::Last => Some(1),
                Positions::All => None,
            };
            explained.baseline = Some(mean_activations(&model.decoder, prompts, tail, job).await?);
        }
        Ok(explained)
    }

    /// The items in groups whose prompts run together.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        let decoder = &self.model.decoder;
        let mut groups = Vec::new();
        for batch in batches(&self.encoded, decoder) {
            let positions = batch.shared.len() + batch.prompt_length();
            let runs = self.runs_of(&batch.items);
            let at_once = Sweep::prompts_at_once(decoder, positions, runs, self.settings);
            groups.extend(batch.items.chunks(at_once).map(<[usize]>::to_vec));
        }
        groups
    }

    /// What of some items is run.
    fn runs_of(&self, indices: &[usize]) -> Runs {
        Runs::of(indices.iter().map(|&index| self.asked[index].choices()))
    }

    /// Runs a group.
    pub(super) async fn run(
        &self,
        indices: Vec<usize>,
        job: Job<'_>,
    ) -> Result<Together, ModelError> {
        let decoder = &self.model.decoder;
        let runs = self.runs_of(&indices);
        let of_item =
            |&index: &usize| runs.with(&self.encoded[index].prompt, self.asked[index].choices());
        let sequences: Vec<Vec<u32>> = indices.iter().flat_map(of_item).collect();
        let run: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let base = decoder
            .base_run(&run, &Edit::none(), Capture::All, job)
            .await?;
        let asked = || indices.iter().map(|&index| &self.asked[index]);
        let target = match self.settings.target {
            TargetKind::ChoiceLogprob => {
                let choices: Vec<&[Continuation]> = asked().map(Asked::choices).collect();
                Target::of_choices(decoder, &base, &choices).await?
            }
            kind => {
                let tokens: Vec<Vec<u32>> = asked().map(|asked| asked.tokens().to_vec()).collect();
                Target::freeze(decoder, &base, kind, &tokens).await?
            }
        };
        let at_one = read(target.value(decoder, base.last_resids(runs.after + 1))).await?;
        Ok(Together {
            indices,
            sequences,
            base,
            target,
            at_one,
        })
    }

    /// The sweep over a group, by these settings.
    pub(super) fn sweep<'b>(&'b self, group: &'b Together, settings: &'b Settings) -> Sweep<'b> {
        let Together {
            sequences,
            base,
            target,
            ..
        } = group;
        let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let sweep = Sweep::new(self.decoder(), &sequences, base, target, settings);
        sweep.from_baseline(self.baseline.as_deref())
    }

    /// The tokens of an item's prompt.
    pub(super) fn prompt(&self, item: usize) -> &[u32] {
        &self.encoded[item].prompt
    }

    fn decoder(&self) -> &Decoder {
        &self.model.decoder
    }
}

/// Each neuron's mean activation over the last `tail` positions of each prompt, or over all of them: layer by layer `[d_mlp]`.
///
/// # Errors
///
/// [`ModelError`] when a run fails or is cancelled.
pub(crate) async fn mean_activations<'a>(
    decoder: &Decoder,
    prompts: impl Iterator<Item = &'a [u32]>,
    tail: Option<usize>,
    job: Job<'_>,
) -> Result<Vec<Tensor<1>>, ModelError> {
    let config = &decoder.config;
    let mut sums: Vec<Tensor<1>> = (0..config.n_layers)
        .map(|_| Tensor::zeros([config.d_mlp], decoder.device()))
        .collect();
    let mut positions = 0;
    // One by one, since what fills up shorter prompts of a batch is no position.
    for prompt in prompts {
        let base = decoder
            .base_run(&[prompt], &Edit::none(), Capture::All, job)
            .await?;
        let tail = tail.unwrap_or(prompt.len());
        positions += tail;
        for (layer, sum) in sums.iter_mut().enumerate() {
            let activations = base.state(layer)?.last(tail).pre.activation();
            *sum = sum.clone() + activations.sum_dim(1).reshape([config.d_mlp]);
        }
    }
    let scale = 1.0 / positions.max(1) as f64;
    Ok(sums.into_iter().map(|sum| sum * scale).collect())
}

/// What a target takes of an item; nothing where the item has no such target.
fn asked_of(item: &Item, encoded: &Encoded, predicted: usize, target: TargetKind) -> Option<Asked> {
    let first = |choice: usize| encoded.choices.get(choice)?.first().copied();
    match target {
        TargetKind::TopLogit => Some(Asked::Tokens(Vec::new())),
        TargetKind::ChoiceFirstToken => Some(Asked::Tokens(vec![first(predicted)?])),
        TargetKind::ChoiceLogprob => {
            let choice = |choice: usize| {
                Some(Continuation {
                    tokens: encoded.choices.get(choice)?.clone(),
                    scored_from: encoded.scored_from.get(choice).copied().unwrap_or(0),
                })
            };
            let others = (0..encoded.choices.len()).filter(|&other| other != predicted);
            let choices = std::iter::once(predicted).chain(others).map(choice);
            choices.collect::<Option<_>>().map(Asked::Choices)
        }
        TargetKind::GoldMargin => {
            let gold = first(item.gold)?;
            let all: BTreeSet<u32> = (0..encoded.choices.len()).filter_map(first).collect();
            let wrong = all.into_iter().filter(|&token| token != gold);
            let tokens: Vec<u32> = std::iter::once(gold).chain(wrong).collect();
            (tokens.len() > 1).then_some(Asked::Tokens(tokens))
        }
    }
}
