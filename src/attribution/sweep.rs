//! The forks of all layers and all steps in one pass up, and one pass back for every gradient.
//!
//! At layer `l` the rows born there (one per node of the quadrature, the layer's activation scaled by α)
//! join the rows born below, and every weight matrix is multiplied once for all of them. For T positions,
//! L layers and m steps with a tail of one position that is `m·L·(L+1)/2` token-layers instead of
//! `m·L·L·T`. Where memory does not hold them all, nodes and layers are taken in groups.

use std::ops::Range;

use burn::tensor::Tensor;

use super::settings::Method;
use super::target::Target;
use super::{IntegrationPath, Positions, Settings};
use crate::job::Job;
use crate::kernels::is_gpu;
use crate::model::attention::{Geometry, KeyValues};
use crate::model::decoder::State;
use crate::model::edit::{ActivationEdit, LayerEdits};
use crate::model::feed_forward::PreActivation;
use crate::model::pace::products_per_token;
use crate::model::positions::TailPositions;
use crate::model::{Config, Decoder, ModelError, Run};

/// A sweep over prompts of one length.
pub struct Sweep<'a> {
    pub(super) decoder: &'a Decoder,
    pub(super) prompts: &'a [&'a [u32]],
    base: &'a Run,
    target: &'a Target,
    pub(super) settings: &'a Settings,
    tail: usize,
    positions: TailPositions,
    prefix: Vec<Option<KeyValues>>,
    baseline: Option<&'a [Tensor<1>]>,
}

/// Rows at the top, and the gains that each layer's were born under, in the order of the layers.
pub(super) struct Climbed {
    pub(super) leaves: Vec<Tensor<3>>,
    /// The target's values, `[prompts, rows]`: every layer's rows one after the other.
    pub(super) values: Tensor<2>,
}

impl Climbed {
    /// The gradients of the values' sum by each of the gains, `[prompts, rows of the layer, d_mlp]`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] where none reached a layer.
    pub(super) fn gradients(&self) -> Result<Vec<Tensor<3>>, ModelError> {
        let mut gradients = self.values.clone().sum().backward();
        let by_place = self.leaves.iter().enumerate().map(|(index, leaf)| {
            leaf.grad_remove(&mut gradients).ok_or_else(|| {
                ModelError::Device(format!("no gradient reached the layer at place {index}"))
            })
        });
        by_place.collect()
    }
}

impl<'a> Sweep<'a> {
    /// A sweep that explains `target` of `base`, which captured every layer.
    pub fn new(
        decoder: &'a Decoder,
        prompts: &'a [&'a [u32]],
        base: &'a Run,
        target: &'a Target,
        settings: &'a Settings,
    ) -> Self {
        let length = base.geometry.tail;
        let tail = tail_of(settings.positions, length);
        let before = length - tail;
        Self {
            decoder,
            prompts,
            base,
            target,
            settings,
            tail,
            positions: TailPositions::new(
                &decoder.config,
                before,
                tail,
                base.padding.as_ref(),
                decoder.device(),
            ),
            prefix: base
                .key_values
                .iter()
                .map(|kv| {
                    kv.as_ref()
                        .filter(|_| before > 0)
                        .map(|kv| kv.first(before))
                })
                .collect(),
            baseline: None,
        }
    }

    /// The same with paths that start at these activations, `[d_mlp]` of each layer, and not at zero.
    #[must_use]
    pub fn from_baseline(self, baseline: Option<&'a [Tensor<1>]>) -> Self {
        Self { baseline, ..self }
    }

    /// The same over another decoder that gives the same values, from zero.
    pub(super) fn over<'b>(&self, decoder: &'b Decoder) -> Sweep<'b>
    where
        'a: 'b,
    {
        Sweep::new(decoder, self.prompts, self.base, self.target, self.settings)
    }

    /// How many prompts of a length fit one sweep with at least some nodes of every layer.
    pub fn prompts_at_once(decoder: &Decoder, length: usize, settings: &Settings) -> usize {
        let config = &decoder.config;
        let rows = config.n_layers * settings.steps.min(4);
        let blocks = config.n_layers / 2 + 1;
        let memory = rows * bytes_per_row(decoder, length, settings, blocks);
        let tail = tail_of(settings.positions, length);
        let flops = rows as f64 * flops_per_row(config, tail, settings, blocks);
        (decoder.pace.bytes / memory)
            .min((decoder.pace.flops / flops) as usize)
            .clamp(1, 64)
    }

    /// Layers whose rows climb together: as many as fit one pass with a row each.
    pub(super) fn layer_groups(&self) -> Vec<Range<usize>> {
        let n_layers = self.decoder.config.n_layers;
        let mut groups = Vec::new();
        let mut from = 0;
        while from < n_layers {
            let mut to = from + 1;
            while to < n_layers && self.fit((from..to + 1).map(|layer| (layer, 1))) {
                to += 1;
            }
            groups.push(from..to);
            from = to;
        }
        groups
    }

    /// Rows of every layer of a group that fit one pass, of `wanted`; at least one.
    pub(super) fn rows_at_once(&self, layers: Range<usize>, wanted: usize) -> usize {
        (1..=wanted)
            .rev()
            .find(|&count| self.fit(layers.clone().map(|layer| (layer, count))))
            .unwrap_or(1)
    }

    /// Whether the rows of some layers, or of all on the joint path, fit one pass: `(layer, rows)` each.
    pub(super) fn fit(&self, rows: impl Iterator<Item = (usize, usize)>) -> bool {
        let config = &self.decoder.config;
        let length = self.base.geometry.tail;
        let (mut bytes, mut flops) = (0, 0.0);
        for (layer, rows) in rows {
            // Blocks that a row climbs through.
            let blocks = match self.settings.path {
                IntegrationPath::Joint => config.n_layers,
                IntegrationPath::PerLayer => config.n_layers - layer,
            };
            let rows = rows * self.prompts.len();
            bytes += bytes_per_row(self.decoder, length, self.settings, blocks) * rows;
            flops += flops_per_row(config, self.tail, self.settings, blocks) * rows as f64;
        }
        bytes <= self.decoder.pace.bytes && flops <= self.decoder.pace.flops
    }

    /// A layer's activations at the positions that count, `[prompts, tail, d_mlp]`.
    pub(super) fn activations(&self, layer: usize) -> Result<Tensor<3>, ModelError> {
        Ok(self.base.state(layer)?.last(self.tail).pre.activation())
    }

    fn geometry(&self, rows: usize) -> Geometry {
        Geometry {
            batch: self.prompts.len(),
            rows,
            tail: self.tail,
        }
    }

    /// Rows born at layers, in their order, all on the way to the top together. Each row is a fork under one of its layer's gains,
    /// `[prompts, rows of the layer, d_mlp]`; where those are tracked, they are the leaves of the graph.
    pub(super) async fn climb_per_layer(
        &self,
        births: impl Iterator<Item = (usize, Tensor<3>)>,
        job: Job<'_>,
    ) -> Result<Climbed, ModelError> {
        let mut births = births.peekable();
        let mut leaves = Vec::new();
        let mut n_rows = 0;
        let mut rows: Option<Tensor<3>> = None;
        for layer in 0..self.decoder.config.n_layers {
            if let Some(x) = rows.take() {
                job.checkpoint().await?;
                rows = Some(self.block(layer, self.geometry(n_rows), x, None));
            }
            if let Some((_, leaf)) = births.next_if(|(at, _)| *at == layer) {
                let born = self.born(layer, leaf.clone())?;
                n_rows += leaf.dims()[1];
                leaves.push(leaf);
                rows = Some(match rows {
                    Some(x) => Tensor::cat(vec![x, born], 1),
                    None => born,
                });
            }
        }
        let rows =
            rows.ok_or_else(|| ModelError::Config("a sweep needs at least one layer".into()))?;
        let values = self.value(rows, n_rows);
        Ok(Climbed { leaves, values })
    }

    /// Rows that start at the embedding and are scaled in every layer by the same gains, `[prompts, rows, d_mlp]`.
    pub(super) async fn climb_joint(
        &self,
        gains: Tensor<3>,
        job: Job<'_>,
    ) -> Result<Climbed, ModelError> {
        let n_rows = gains.dims()[1];
        let padding = self.base.padding.as_ref();
        let padded = padding.map(|padding| padding.fill(self.prompts));
        let prompts: Vec<&[u32]> = match &padded {
            Some(padded) => padded.iter().map(Vec::as_slice).collect(),
            None => self.prompts.to_vec(),
        };
        let tails: Vec<&[u32]> = prompts
            .iter()
            .map(|prompt| &prompt[prompt.len() - self.tail..])
            .collect();
        let first_position = self.base.geometry.tail - self.tail;
        let embedded = self.decoder.embed(&tails, first_position, padding)?;
        let mut x = spread(embedded, n_rows);
        let mut leaves = Vec::with_capacity(self.decoder.config.n_layers);
        for layer in 0..self.decoder.config.n_layers {
            job.checkpoint().await?;
            let leaf = gains.clone().autodiff().require_grad();
            x = self.block(layer, self.geometry(n_rows), x, Some(leaf.clone()));
            leaves.push(leaf);
        }
        let values = self.value(x, n_rows);
        Ok(Climbed { leaves, values })
    }

    /// One block over rows, their activations scaled by `leaf` or left alone.
    fn block(
        &self,
        layer: usize,
        geometry: Geometry,
        x: Tensor<3>,
        leaf: Option<Tensor<3>>,
    ) -> Tensor<3> {
        let prefix = self.prefix[layer].as_ref();
        let none = LayerEdits::none();
        let (state, _) =
            self.decoder
                .to_feed_forward(layer, geometry, &self.positions, x, prefix, &none);
        let activation = match leaf {
            Some(leaf) => self.scaled(layer, &state.pre, leaf),
            None => state.pre.activation(),
        };
        self.decoder
            .from_feed_forward(layer, state.resid_mid, activation, &none)
    }

    /// The rows of a layer: the base run's state with its activation scaled, `[prompts, nodes · tail,
    /// d_model]`.
    fn born(&self, layer: usize, leaf: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let n_nodes = leaf.dims()[1];
        let State { resid_mid, pre } = self.base.state(layer)?.last(self.tail);
        let activation = self.scaled(layer, &pre, leaf);
        let resid_mid = spread(resid_mid, n_nodes);
        let none = LayerEdits::none();
        Ok((self.decoder).from_feed_forward(layer, resid_mid, activation, &none))
    }

    /// A layer's activations at points of the path, each of which is an edit of the run: `s · a + (1 − s) · baseline`.
    fn scaled(&self, layer: usize, pre: &PreActivation, factors: Tensor<3>) -> Tensor<3> {
        let baseline = self.baseline.and_then(|of_layers| of_layers.get(layer));
        let edit = ActivationEdit {
            offsets: baseline.map(|of_layer| {
                let of_layer = of_layer.clone().unsqueeze::<3>();
                (-factors.clone() + 1.0) * of_layer
            }),
            ..ActivationEdit::scaling(self.settings.site, factors)
        };
        pre.edited(&edit, self.tail)
    }

    /// The target at the last position of every row: `[prompts, rows]`.
    fn value(&self, x: Tensor<3>, rows: usize) -> Tensor<2> {
        let [prompts, _, d_model] = x.dims();
        let last = x
            .reshape([prompts, rows, self.tail, d_model])
            .narrow(2, self.tail - 1, 1)
            .reshape([prompts, rows, d_model]);
        self.target.value(self.decoder, last)
    }
}

/// Repeats `[prompts, tail, width]` for every row: `[prompts, rows · tail, width]`.
fn spread(x: Tensor<3>, rows: usize) -> Tensor<3> {
    let [prompts, tail, width] = x.dims();
    x.reshape([prompts, 1, tail, width])
        .expand([prompts, rows, tail, width])
        .reshape([prompts, rows * tail, width])
}

/// Positions that are scaled, of so many.
fn tail_of(positions: Positions, length: usize) -> usize {
    match positions {
        Positions::Last => 1,
        Positions::All => length,
    }
}

/// Matrix products of one row through `blocks` blocks and, where the target takes all logits, the output projection; up and, where
/// there are gradients, back.
fn flops_per_row(config: &Config, tail: usize, settings: &Settings, blocks: usize) -> f64 {
    let logits = match settings.target.takes_all_logits() {
        true => config.d_model * config.vocabulary,
        false => 0,
    };
    let both_ways = if settings.method == Method::Ablation {
        2.0
    } else {
        4.0
    };
    both_ways * (tail * blocks * products_per_token(config) + logits) as f64
}

/// What one row keeps for the way back when it climbs through `layers` blocks, in bytes: what goes into the norms,
/// attention's inputs and output, gate and up; on a processor the logits as well, and what is computed from them.
fn bytes_per_row(decoder: &Decoder, length: usize, settings: &Settings, layers: usize) -> usize {
    let config = &decoder.config;
    let tail = tail_of(settings.positions, length);
    let heads = (config.n_heads + config.n_kv_heads) * config.d_head;
    let token_layer = 2 * (config.d_model + heads + config.d_mlp);
    // Without a way back, one layer's are held at a time, and what goes from one to the next.
    let layers = if settings.method == Method::Ablation {
        2
    } else {
        layers
    };
    let has_logits = settings.target.takes_all_logits() && !is_gpu(decoder.device());
    let tensors_of_logits = if has_logits { 4 } else { 0 };
    4 * (tail * token_layer * layers + tensors_of_logits * config.vocabulary)
}
