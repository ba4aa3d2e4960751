//! The items of a tuning, run up to the tuned layer once.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::{TuneSettings, TuningError};
use crate::items::Item;
use crate::job::Job;
use crate::model::{Capture, Gains};
use crate::pruning::Trial;
use crate::scoring::{Batch, BatchRun, SharedRun, batches, encode};

/// Log-likelihood of a choice that does not exist.
const NO_CHOICE: f32 = -1e9;

/// Items run up to the tuned layer, ready to fork.
pub(super) struct Prepared {
    pub(super) batch: Batch,
    pub(super) run: BatchRun,
    /// Gold choice of each item.
    pub(super) gold: Vec<usize>,
    /// 0 for an item's own choices, a large negative number for padding, `[items, choices]`.
    pub(super) padding: Tensor<2>,
    pub(super) gold_mask: Tensor<2>,
}

impl Prepared {
    /// Runs a set's items once, keeping what forks at the tuned layer need.
    pub(super) async fn of(
        trial: Trial<'_>,
        settings: &TuneSettings,
        below: &Gains,
        job: Job<'_>,
    ) -> Result<Vec<Self>, TuningError> {
        let decoder = &trial.model.decoder;
        let encoded = encode(trial.model, trial.items, trial.prompts)?;
        // No batch larger than a step; prompts of one length only go together.
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, item) in encoded.iter().enumerate() {
            by_length.entry(item.prompt.len()).or_default().push(index);
        }
        let mut prepared = Vec::new();
        let mut shared = SharedRun::default();
        let mut done = 0;
        for indices in by_length.into_values() {
            for chunk in indices.chunks(settings.batch_size) {
                let part: Vec<_> = chunk.iter().map(|&index| encoded[index].clone()).collect();
                for batch in batches(&part, decoder) {
                    let capture = Capture::Layer(settings.layer);
                    let run =
                        BatchRun::new(decoder, &batch, below, capture, &mut shared, job).await?;
                    let items: Vec<_> = (batch.items.iter())
                        .map(|&index| &trial.items[chunk[index]])
                        .collect();
                    done += items.len();
                    prepared.push(Self::new(batch, run, &items, decoder.device()));
                    job.progress("preparing items", done, trial.items.len());
                }
            }
        }
        Ok(prepared)
    }

    fn new(batch: Batch, run: BatchRun, items: &[&Item], device: &Device) -> Self {
        let widths = items.iter().map(|item| item.choices.len());
        let width = widths.max().unwrap_or(0);
        let table = |value: fn(&Item, usize) -> f32| {
            let values: Vec<f32> = items
                .iter()
                .flat_map(|item| (0..width).map(|choice| value(item, choice)))
                .collect();
            Tensor::<2>::from_data(TensorData::new(values, [items.len(), width]), device)
        };
        Self {
            padding: table(|item, choice| {
                if choice < item.choices.len() {
                    0.0
                } else {
                    NO_CHOICE
                }
            }),
            gold_mask: table(|item, choice| f32::from(u8::from(choice == item.gold))),
            gold: items.iter().map(|item| item.gold).collect(),
            run,
            batch,
        }
    }
}
