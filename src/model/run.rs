//! Base runs, and runs that continue them.
//!
//! A base run is the plain forward pass over prompts of one length. What it keeps per layer is what forks need to leave
//! from it with altered activations ([`super::forks`]).

use burn::tensor::Tensor;

use super::attention::{Geometry, KeyValues};
use super::decoder::{Decoder, State};
use super::edit::{Edit, LayerEdits, Leaving};
use super::layers::check_rows;
use super::positions::{Padding, TailPositions};
use super::{ModelError, upload};
use crate::job::Job;
use crate::kernels::log_sum_exp;

/// What a run keeps beside keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// Nothing: choices can follow it, no fork can leave it.
    KeyValues,
    /// The feed-forward state of one layer: forks can leave there.
    Layer(usize),
    /// The feed-forward state of every layer.
    All,
    /// The same, and what enters every block: forks can leave before any.
    Blocks,
}

impl Capture {
    fn covers(self, layer: usize) -> bool {
        match self {
            Self::KeyValues => false,
            Self::Layer(captured) => captured == layer,
            Self::All | Self::Blocks => true,
        }
    }

    /// What a run must keep so that all of some forks can leave it.
    pub fn of(edits: &[Edit]) -> Self {
        let mut places: Vec<Leaving> = edits.iter().filter_map(Edit::leaves_at).collect();
        places.sort_unstable();
        places.dedup();
        match places.as_slice() {
            [] => Self::KeyValues,
            all if all.iter().any(|place| !place.at_activation) => Self::Blocks,
            [one] => Self::Layer(one.layer),
            _ => Self::All,
        }
    }
}

/// One forward pass, or the upper part of one that left another.
#[derive(Clone)]
pub struct Run {
    /// Prompts, rows and positions.
    pub geometry: Geometry,
    /// Position of the tail's first token in the whole sequence.
    pub first_position: usize,
    /// Positions before the beginning of each prompt, where prompts are of unequal length: they end together.
    pub padding: Option<Padding>,
    /// Keys and values per layer, of `batch · rows` prompts; a fork has none.
    pub key_values: Vec<Option<KeyValues>>,
    /// Captured states per layer.
    pub states: Vec<Option<State>>,
    /// What enters each block, where it was captured.
    pub entries: Vec<Tensor<3>>,
    /// Residual stream above the last block, `[batch, rows · tail, d_model]`.
    pub resid_final: Tensor<3>,
}

impl Run {
    /// The captured state of a layer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when that layer was not captured.
    pub fn state(&self, layer: usize) -> Result<&State, ModelError> {
        self.states
            .get(layer)
            .and_then(Option::as_ref)
            .ok_or_else(|| ModelError::Config(format!("layer {layer} was not captured")))
    }

    /// What enters a block.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] when that was not captured.
    pub(super) fn entry(&self, layer: usize) -> Result<&Tensor<3>, ModelError> {
        let uncaptured =
            || ModelError::Config(format!("what enters layer {layer} was not captured"));
        self.entries.get(layer).ok_or_else(uncaptured)
    }

    /// Residual stream of the last position of every row, `[batch, rows, d_model]`.
    pub fn last_resid(&self) -> Tensor<3> {
        self.last_resids(1)
    }

    /// Residual stream of the last positions of every row, `[batch, rows · positions, d_model]`.
    pub fn last_resids(&self, positions: usize) -> Tensor<3> {
        self.geometry.last(&self.resid_final, positions)
    }

    /// Position after its last one, in the whole sequence.
    fn end(&self) -> usize {
        self.first_position + self.geometry.tail
    }

    /// The run as further runs can follow it: with the keys and values of `shared`, the run of one prompt that it
    /// continues, before its own. Each of its rows is a prompt of its own, and no fork can leave it.
    pub fn joined(&self, shared: Option<&Self>) -> Self {
        let Some(shared) = shared else {
            return self.clone();
        };
        let Geometry { batch, rows, tail } = self.geometry;
        let prompts = batch * rows;
        let layers = shared.key_values.iter().zip(&self.key_values);
        let key_values = layers.map(|(shared, own)| Some(own.clone()?.after(shared.as_ref())));
        let d_model = self.resid_final.dims()[2];
        Self {
            geometry: Geometry {
                batch: prompts,
                rows: 1,
                tail,
            },
            first_position: self.first_position,
            padding: None,
            key_values: key_values.collect(),
            states: Vec::new(),
            entries: Vec::new(),
            resid_final: self.resid_final.clone().reshape([prompts, tail, d_model]),
        }
    }

    /// Without keys and values: forks can leave it, and no run can continue it.
    pub fn for_forks_alone(self) -> Self {
        Self {
            key_values: vec![None; self.key_values.len()],
            ..self
        }
    }

    /// Some of its `n_items` prompts, or rows of its only prompt, for forks alone: no run can continue it.
    pub fn select(&self, n_items: usize, items: &[usize]) -> Self {
        let ids: Vec<i32> = items.iter().map(|&item| item as i32).collect();
        let ids = upload::places(ids, [items.len()], &self.resid_final.device());
        let Geometry { batch, rows, tail } = self.geometry;
        let geometry = match batch == n_items {
            true => Geometry {
                batch: items.len(),
                ..self.geometry
            },
            false => Geometry {
                rows: items.len(),
                ..self.geometry
            },
        };
        let select = |x: &Tensor<3>| {
            let width = x.dims()[2];
            x.clone()
                .reshape([n_items, batch * rows * tail / n_items, width])
                .select(0, ids.clone())
                .reshape([geometry.batch, geometry.rows * tail, width])
        };
        let states = self
            .states
            .iter()
            .map(|state| Some(state.as_ref()?.map(select)));
        Self {
            geometry,
            first_position: self.first_position,
            padding: (self.padding.as_ref()).and_then(|padding| padding.select(items)),
            key_values: vec![None; self.key_values.len()],
            states: states.collect(),
            entries: self.entries.iter().map(select).collect(),
            resid_final: select(&self.resid_final),
        }
    }
}

impl Decoder {
    /// A base run over prompts `[batch][tokens]`. Where they are of unequal length, the shorter ones are padded.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] for no prompts or an empty one, [`ModelError::TooLong`] past the model's context,
    /// [`ModelError::Cancelled`].
    pub async fn base_run(
        &self,
        prompts: &[&[u32]],
        edit: &Edit,
        capture: Capture,
        job: Job<'_>,
    ) -> Result<Run, ModelError> {
        let padding = match prompts.iter().any(|prompt| prompt.is_empty()) {
            true => None,
            false => Padding::of(prompts, &self.device),
        };
        let x = match &padding {
            None => self.embed(prompts, 0, None)?,
            Some(padding) => {
                let padded = padding.fill(prompts);
                let padded: Vec<&[u32]> = padded.iter().map(Vec::as_slice).collect();
                self.embed(&padded, 0, Some(padding))?
            }
        };
        self.climb_from_bottom(x, padding, edit, capture, job).await
    }

    /// Runs one prompt from its embeddings, `[1, tokens, d_model]`, which may be tracked.
    ///
    /// # Errors
    ///
    /// [`ModelError::Cancelled`].
    pub async fn run_embedded(&self, x: Tensor<3>, job: Job<'_>) -> Result<Run, ModelError> {
        self.climb_from_bottom(x, None, &Edit::none(), Capture::KeyValues, job)
            .await
    }

    /// Prompts by their embeddings, `[batch, tokens, d_model]`.
    async fn climb_from_bottom(
        &self,
        x: Tensor<3>,
        padding: Option<Padding>,
        edit: &Edit,
        capture: Capture,
        job: Job<'_>,
    ) -> Result<Run, ModelError> {
        let [batch, tail, _] = x.dims();
        let geometry = Geometry {
            batch,
            rows: 1,
            tail,
        };
        self.climb(x, geometry, padding, None, edit, capture, job)
            .await
    }

    /// Runs continuations of a base run: `rows` token sequences per prompt, `[batch][rows][tail]`, all of
    /// one length (pad on the right: attention is causal).
    ///
    /// # Errors
    ///
    /// As [`Decoder::base_run`].
    pub async fn continue_run(
        &self,
        base: &Run,
        tails: &[Vec<Vec<u32>>],
        edit: &Edit,
        capture: Capture,
        job: Job<'_>,
    ) -> Result<Run, ModelError> {
        let rows = tails.first().map_or(0, Vec::len);
        let flat: Vec<&[u32]> = tails.iter().flatten().map(Vec::as_slice).collect();
        let x = self.embed(&flat, base.end(), base.padding.as_ref())?;
        let [_, tail, d_model] = x.dims();
        let geometry = Geometry {
            batch: base.geometry.batch,
            rows,
            tail,
        };
        if geometry.batch * rows != flat.len() {
            return Err(ModelError::Config(format!(
                "{} continuations for {} prompts of {rows} each",
                flat.len(),
                geometry.batch
            )));
        }
        let x = x.reshape([geometry.batch, rows * tail, d_model]);
        let padding = base.padding.clone();
        self.climb(x, geometry, padding, Some(base), edit, capture, job)
            .await
    }

    /// Logits at the last position of every row, `[batch, rows, vocabulary]`.
    pub fn last_logits(&self, run: &Run) -> Tensor<3> {
        self.unembed(self.final_norm(run.last_resid()))
    }

    #[allow(clippy::too_many_arguments)]
    async fn climb(
        &self,
        mut x: Tensor<3>,
        geometry: Geometry,
        padding: Option<Padding>,
        prefix: Option<&Run>,
        edit: &Edit,
        capture: Capture,
        job: Job<'_>,
    ) -> Result<Run, ModelError> {
        edit.check(&self.config)?;
        let first_position = prefix.map_or(0, Run::end);
        let tokens = first_position + geometry.tail;
        if tokens > self.config.context_length {
            return Err(ModelError::TooLong {
                tokens,
                context_length: self.config.context_length,
            });
        }
        let held = |base: &Run| {
            let known = base.key_values.iter().flatten().next();
            known.map_or(0, KeyValues::positions)
        };
        if prefix.is_some_and(|base| held(base) != first_position) {
            return Err(ModelError::Config(
                "a run that continues another must be joined with it before it is continued".into(),
            ));
        }
        let positions = TailPositions::new(
            &self.config,
            first_position,
            geometry.tail,
            padding.as_ref(),
            &self.device,
        );
        let n_layers = self.config.n_layers;
        let mut key_values = vec![None; n_layers];
        let mut states = vec![None; n_layers];
        let mut entries = Vec::new();
        for layer in 0..n_layers {
            job.checkpoint().await?;
            let below = prefix.and_then(|base| base.key_values[layer].as_ref());
            if capture == Capture::Blocks {
                entries.push(x.clone());
            }
            let edits = LayerEdits::new(layer, [edit]);
            let (state, own) = self.to_feed_forward(layer, geometry, &positions, x, below, &edits);
            let activation = match edits.of_activations() {
                Some(edit) => state.pre.of_forks(&edit, geometry),
                None => state.pre.activation(),
            };
            x = self.from_feed_forward(layer, state.resid_mid.clone(), activation, &edits);
            key_values[layer] = Some(own);
            if capture.covers(layer) {
                states[layer] = Some(state);
            }
        }
        Ok(Run {
            geometry,
            first_position,
            padding,
            key_values,
            states,
            entries,
            resid_final: x,
        })
    }
}

/// Log-probabilities of `k` tokens at every position of `logits`: `[batch, positions, vocabulary]` and ids
/// `[batch · positions · k]` give `[batch, positions · k]`.
///
/// # Errors
///
/// [`ModelError::NoRow`].
pub fn log_probabilities_of(logits: Tensor<3>, ids: &[u32]) -> Result<Tensor<2>, ModelError> {
    let [batch, positions, vocabulary] = logits.dims();
    check_rows(ids, vocabulary)?;
    let device = logits.device();
    let k = ids.len() / (batch * positions);
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let ids = upload::places(ids, [batch, positions, k], &device);
    let chosen = logits.clone().gather(2, ids);
    Ok((chosen - log_sum_exp(logits)).reshape([batch, positions * k]))
}

/// A tensor's values on the host.
///
/// # Errors
///
/// [`ModelError::Device`] when the device cannot be read, [`ModelError::NotFinite`] when it gave a value that is no number.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ModelError> {
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| ModelError::Device(error.to_string()))?;
    let values = data
        .try_into_vec::<f32>()
        .map_err(|error| ModelError::Device(format!("{error:?}")))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(ModelError::NotFinite);
    }
    Ok(values)
}

/// Index of the largest value; the first of equals, 0 for none.
pub fn arg_max(values: impl Iterator<Item = f64>) -> usize {
    values
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, (index, value)| {
            if value > best.1 { (index, value) } else { best }
        })
        .0
}
