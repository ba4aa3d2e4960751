//! The items of a tuning, run up to the tuned layer once.

use burn::tensor::{Device, Tensor};

use super::TuneSettings;
use crate::items::Item;
use crate::job::Job;
use crate::model::{Capture, Edit, upload};
use crate::pruning::Trial;
use crate::scoring::{Batch, BatchRun, Encoded, RunError, SharedRun, batches};

/// Log-likelihood of a choice that does not exist.
const NO_CHOICE: f32 = -1e9;

/// Items run up to the tuned layer, ready to fork.
#[derive(Clone)]
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
        encoded: &[Encoded],
        settings: &TuneSettings,
        below: &Edit,
        job: Job<'_>,
    ) -> Result<Vec<Self>, RunError> {
        let decoder = &trial.model.decoder;
        let capture = Capture::Layer(settings.layer);
        let mut prepared = Vec::new();
        let mut shared = SharedRun::default();
        let mut done = 0;
        for batch in batches(encoded, decoder) {
            let run = BatchRun::new(decoder, &batch, below, capture, &mut shared, job).await?;
            let run = run.for_forks_alone();
            let items: Vec<&Item> = (batch.items.iter())
                .map(|&index| &trial.items[index])
                .collect();
            done += items.len();
            prepared.push(Self::new(batch, run, &items, decoder.device()));
            job.progress("preparing items", done, trial.items.len());
        }
        Ok(prepared)
    }

    /// Some of its items.
    pub(super) fn select(&self, items: &[usize]) -> Self {
        if items.iter().copied().eq(0..self.gold.len()) {
            return self.clone();
        }
        let ids: Vec<i32> = items.iter().map(|&item| item as i32).collect();
        let ids = upload::places(ids, [items.len()], &self.padding.device());
        Self {
            batch: self.batch.select(items),
            run: self.run.select(&self.batch, items),
            gold: items.iter().map(|&item| self.gold[item]).collect(),
            padding: self.padding.clone().select(0, ids.clone()),
            gold_mask: self.gold_mask.clone().select(0, ids),
        }
    }

    fn new(batch: Batch, run: BatchRun, items: &[&Item], device: &Device) -> Self {
        let widths = items.iter().map(|item| item.choices.len());
        let width = widths.max().unwrap_or(0);
        let table = |value: fn(&Item, usize) -> f32| {
            let values: Vec<f32> = items
                .iter()
                .flat_map(|item| (0..width).map(|choice| value(item, choice)))
                .collect();
            upload::numbers(values, [items.len(), width], device)
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
