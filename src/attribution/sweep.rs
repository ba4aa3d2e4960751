//! The forks of all layers and all steps in one pass up, and one pass back for every gradient.
//!
//! At layer `l` the rows born there (one per node of the quadrature, the layer's activation scaled by α)
//! join the rows born below, and every weight matrix is multiplied once for all of them. For T positions,
//! L layers and m steps with a tail of one position that is `m·L·(L+1)/2` token-layers instead of
//! `m·L·L·T`. Where memory does not hold them all, nodes and layers are taken in groups.

use std::ops::Range;

use burn::tensor::Tensor;

use super::settings::Method;
use super::target::{Runs, Target};
use super::{IntegrationPath, Positions, Settings};
use crate::job::Job;
use crate::kernels::is_gpu;
use crate::model::attention::{Geometry, KeyValues};
use crate::model::decoder::State;
use crate::model::edit::{ActivationEdit, LayerEdits};
use crate::model::feed_forward::PreActivation;
use crate::model::pace::{kept_per_token, products_per_token, widest_bytes};
use crate::model::positions::TailPositions;
use crate::model::{Config, Decoder, ModelError, Pace, Run, Site};

/// A sweep over prompts of one length.
pub struct Sweep<'a> {
    pub(super) decoder: &'a Decoder,
    /// What is run: the prompts or, where the target is read behind them, each with each of its choices.
    sequences: Vec<&'a [u32]>,
    base: &'a Run,
    pub(super) target: &'a Target,
    pub(super) settings: &'a Settings,
    /// The positions that are scaled, and those behind the prompts.
    tail: usize,
    /// All of them, as a layer needs them whose neurons are scaled.
    everywhere: TailPositions,
    /// The same for rows as they are, of which the target is read.
    positions: TailPositions,
    prefix: Vec<Option<KeyValues>>,
    baseline: Option<&'a [Tensor<1>]>,
}

/// Rows at the top, and the gains that each layer's were born under, in the order of the layers.
pub(super) struct Climbed {
    /// What gradients are taken by, of each layer: the gains `[prompts, rows, d_mlp]`, or what is added at every position,
    /// `[sequences, rows · tail, d_mlp]`.
    pub(super) leaves: Vec<Tensor<3>>,
    /// The target's values, `[prompts, rows]`: every layer's rows one after the other.
    pub(super) values: Tensor<2>,
}

impl Climbed {
    /// The gradients of the values' sum by each of the leaves.
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
    /// A sweep that explains `target` of `base`, which captured every layer; `sequences` are what was run.
    pub fn new(
        decoder: &'a Decoder,
        sequences: &[&'a [u32]],
        base: &'a Run,
        target: &'a Target,
        settings: &'a Settings,
    ) -> Self {
        let length = base.geometry.tail;
        let tail = tail_of(settings.positions, length, target.runs.after);
        let before = length - tail;
        let below = |kv: &Option<KeyValues>| {
            let kv = kv.as_ref().filter(|_| before > 0)?;
            Some(kv.first(before))
        };
        let padding = base.padding.as_ref();
        let everywhere =
            TailPositions::new(&decoder.config, before, tail, padding, decoder.device());
        Self {
            decoder,
            sequences: sequences.to_vec(),
            base,
            target,
            settings,
            tail,
            positions: everywhere.clone().reading(target.runs.after + 1),
            everywhere,
            prefix: base.key_values.iter().map(below).collect(),
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
        let (base, target) = (self.base, self.target);
        Sweep::new(decoder, &self.sequences, base, target, self.settings)
    }

    /// Prompts that are explained.
    pub(super) fn n_prompts(&self) -> usize {
        self.sequences.len() / self.target.runs.sequences
    }

    /// How many prompts of a length fit one sweep with at least some nodes of every layer.
    pub fn prompts_at_once(
        decoder: &Decoder,
        length: usize,
        runs: Runs,
        settings: &Settings,
    ) -> usize {
        let config = &decoder.config;
        let Runs { sequences, after } = runs;
        let rows = (sequences * config.n_layers * settings.steps.min(4)) as f64;
        let blocks = config.n_layers / 2 + 1;
        let tail = tail_of(settings.positions, length + after, after);
        let read = after + 1;
        let memory = rows * bytes_per_row(decoder, [tail, read], settings, blocks);
        let flops = rows * flops_per_row(config, [tail, read], settings, blocks);
        let widest = rows * tail as f64 * widest_bytes(config);
        let states = decoder.states_at_once() / (sequences * (length + after)).max(1);
        let Pace {
            flops: most_flops,
            bytes,
            tensor_bytes,
        } = decoder.pace;
        let fit = (bytes / memory)
            .min(most_flops / flops)
            .min(tensor_bytes / widest);
        (fit as usize).min(states).clamp(1, 64)
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
        let positions = [self.tail, self.target.runs.after + 1];
        let (mut bytes, mut flops, mut tokens) = (0.0, 0.0, 0.0);
        for (layer, rows) in rows {
            // Blocks that a row climbs through.
            let blocks = match self.settings.path {
                IntegrationPath::Joint => config.n_layers,
                IntegrationPath::PerLayer => config.n_layers - layer,
            };
            let rows = rows as f64 * self.sequences.len() as f64;
            bytes += bytes_per_row(self.decoder, positions, self.settings, blocks) * rows;
            flops += flops_per_row(config, positions, self.settings, blocks) * rows;
            tokens += self.tail as f64 * rows;
        }
        let pace = &self.decoder.pace;
        bytes <= pace.bytes
            && flops <= pace.flops
            && tokens * widest_bytes(config) <= pace.tensor_bytes
    }

    /// A layer's activations at the positions that count, `[prompts, tail, d_mlp]`; 0 before the beginning of a prompt.
    pub(super) fn activations(&self, layer: usize) -> Result<Tensor<3>, ModelError> {
        let activations = self.state(layer)?.pre.activation();
        Ok(match &self.base.padding {
            Some(padding) => activations * padding.own(self.base.geometry.tail, self.tail),
            None => activations,
        })
    }

    /// Where rows leave the base run at a layer, at the same positions.
    pub(super) fn state(&self, layer: usize) -> Result<State, ModelError> {
        Ok(self.base.state(layer)?.last(self.tail))
    }

    fn geometry(&self, rows: usize) -> Geometry {
        Geometry {
            batch: self.sequences.len(),
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
                rows = Some(self.block(layer, n_rows, x));
            }
            if let Some((_, gains)) = births.next_if(|(at, _)| *at == layer) {
                n_rows += gains.dims()[1];
                let (born, leaf) = self.born(layer, gains)?;
                leaves.push(leaf);
                rows = Some(match rows {
                    Some(x) => Tensor::cat(vec![x, born], 1),
                    None => born,
                });
            }
        }
        let rows =
            rows.ok_or_else(|| ModelError::Config("a sweep needs at least one layer".into()))?;
        let values = self.target.value(self.decoder, rows);
        Ok(Climbed { leaves, values })
    }

    /// Takes rows from where they leave a layer, `[sequences, rows · tail, d_model]`, to where they leave the last one, at the positions
    /// that are read.
    pub(super) async fn climb_above(
        &self,
        layer: usize,
        n_rows: usize,
        mut x: Tensor<3>,
        job: Job<'_>,
    ) -> Result<Tensor<3>, ModelError> {
        for layer in layer + 1..self.decoder.config.n_layers {
            job.checkpoint().await?;
            x = self.block(layer, n_rows, x);
        }
        Ok(x)
    }

    /// Rows that start at the embedding and are scaled in every layer by the same gains, `[prompts, rows, d_mlp]`.
    pub(super) async fn climb_joint(
        &self,
        gains: Tensor<3>,
        job: Job<'_>,
    ) -> Result<Climbed, ModelError> {
        let n_rows = gains.dims()[1];
        let padding = self.base.padding.as_ref();
        let padded = padding.map(|padding| padding.fill(&self.sequences));
        let sequences: Vec<&[u32]> = match &padded {
            Some(padded) => padded.iter().map(Vec::as_slice).collect(),
            None => self.sequences.clone(),
        };
        let tails: Vec<&[u32]> = sequences
            .iter()
            .map(|sequence| &sequence[sequence.len() - self.tail..])
            .collect();
        let first_position = self.base.geometry.tail - self.tail;
        let embedded = self.decoder.embed(&tails, first_position, padding)?;
        let mut x = spread(embedded, n_rows);
        let mut leaves = Vec::with_capacity(self.decoder.config.n_layers);
        for layer in 0..self.decoder.config.n_layers {
            job.checkpoint().await?;
            let gains = gains.clone().autodiff().require_grad();
            let (geometry, prefix) = (self.geometry(n_rows), self.prefix[layer].as_ref());
            let (none, everywhere) = (LayerEdits::none(), &self.everywhere);
            let (state, _) =
                (self.decoder).to_feed_forward(layer, geometry, everywhere, x, prefix, &none);
            let (activation, leaf) = self.scaled(layer, &state.pre, gains);
            x = self.leaving(layer, n_rows, &state.resid_mid, &activation);
            leaves.push(leaf);
        }
        let values = self.target.value(self.decoder, x);
        Ok(Climbed { leaves, values })
    }

    /// One block over rows as they are.
    fn block(&self, layer: usize, n_rows: usize, x: Tensor<3>) -> Tensor<3> {
        let (geometry, prefix) = (self.geometry(n_rows), self.prefix[layer].as_ref());
        let none = LayerEdits::none();
        let (State { resid_mid, pre }, _) =
            (self.decoder).to_feed_forward(layer, geometry, &self.positions, x, prefix, &none);
        (self.decoder).from_feed_forward(layer, resid_mid, pre.activation(), &none)
    }

    /// The rows of a layer, the base run's state with its activation scaled, as they leave it; and their leaf.
    fn born(&self, layer: usize, gains: Tensor<3>) -> Result<(Tensor<3>, Tensor<3>), ModelError> {
        let n_nodes = gains.dims()[1];
        let State { resid_mid, pre } = self.state(layer)?;
        let (activation, leaf) = self.scaled(layer, &pre, gains);
        let born = self.leaving(layer, n_nodes, &spread(resid_mid, n_nodes), &activation);
        Ok((born, leaf))
    }

    /// The upper half of a block over `rows` of each sequence, given at all positions, at those that leave the block.
    fn leaving(
        &self,
        layer: usize,
        rows: usize,
        resid_mid: &Tensor<3>,
        activation: &Tensor<3>,
    ) -> Tensor<3> {
        let of_rows = |x| self.at_leaving(layer, rows, x);
        let (resid_mid, activation) = (of_rows(resid_mid), of_rows(activation));
        (self.decoder).from_feed_forward(layer, resid_mid, activation, &LayerEdits::none())
    }

    /// `rows` of each sequence, `[sequences, rows · tail, width]`, at the positions that leave a layer.
    pub(super) fn at_leaving(&self, layer: usize, rows: usize, x: &Tensor<3>) -> Tensor<3> {
        let leaving = self.positions.leaving(&self.decoder.config, layer);
        self.geometry(rows).last(x, leaving)
    }

    /// A layer's activations at points of the path, each of which is an edit of the run: `s · a + (1 − s) · baseline`; and what
    /// gradients are taken by, which are the gains.
    pub(super) fn scaled(
        &self,
        layer: usize,
        pre: &PreActivation,
        gains: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        let baseline = self.baseline.and_then(|of_layers| of_layers.get(layer));
        let edited = |pre: &PreActivation, factors: Tensor<3>, tail: usize| {
            let edit = ActivationEdit {
                offsets: baseline.map(|of_layer| {
                    let of_layer = of_layer.clone().unsqueeze::<3>();
                    (-factors.clone() + 1.0) * of_layer
                }),
                ..ActivationEdit::scaling(self.settings.site, factors)
            };
            pre.edited(&edit, tail)
        };
        if !self.settings.method.adds_up() {
            return self.nudged(pre, gains, edited);
        }
        if self.target.runs == Runs::PROMPT {
            return (edited(pre, gains.clone(), self.tail), gains);
        }
        let rows = gains.dims()[1];
        let activation = edited(
            &self.by_position(pre, rows),
            self.at_positions(gains.clone()),
            1,
        );
        (activation, gains)
    }

    /// The same with something added at every position, of which gradients are taken: at the site, behind the gains.
    fn nudged(
        &self,
        pre: &PreActivation,
        gains: Tensor<3>,
        edited: impl Fn(&PreActivation, Tensor<3>, usize) -> Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        let rows = gains.dims()[1];
        let d_mlp = self.decoder.config.d_mlp;
        let device = self.decoder.device();
        let shape = [self.sequences.len(), rows * self.tail, d_mlp];
        let leaf = Tensor::<3>::zeros(shape, device).autodiff().require_grad();
        let pre = self.by_position(pre, rows);
        let factors = self.at_positions(gains);
        let activation = match self.settings.site {
            Site::Post => edited(&pre, factors, 1) + leaf.clone(),
            Site::GatePre => {
                let width = pre.projected.dims()[2];
                let gate = pre.projected.clone().narrow(2, 0, d_mlp) * factors + leaf.clone();
                let projected = if pre.gated {
                    let beside = pre.projected.clone().narrow(2, d_mlp, width - d_mlp);
                    Tensor::cat(vec![gate, beside.autodiff()], 2)
                } else {
                    gate
                };
                PreActivation { projected, ..pre }.activation()
            }
        };
        (activation, leaf)
    }

    /// What goes into the activation for every position of every row, `[sequences, rows · tail, width]`.
    fn by_position(&self, pre: &PreActivation, rows: usize) -> PreActivation {
        let projected = match pre.projected.dims()[1] == self.tail {
            true => spread(pre.projected.clone(), rows),
            false => pre.projected.clone(),
        };
        PreActivation {
            projected,
            ..pre.clone()
        }
    }

    /// Gains `[prompts, rows, d_mlp]` at every position of every sequence, `[sequences, rows · tail, d_mlp]`; behind the prompts there are
    /// none, which is a gain of one.
    fn at_positions(&self, gains: Tensor<3>) -> Tensor<3> {
        let [prompts, rows, d_mlp] = gains.dims();
        let Runs { sequences, after } = self.target.runs;
        let scaled = self.tail - after;
        let own = gains
            .reshape([prompts, 1, rows, 1, d_mlp])
            .expand([prompts, sequences, rows, scaled, d_mlp]);
        let all = match after {
            0 => own,
            _ => {
                let shape = [prompts, sequences, rows, after, d_mlp];
                let ones = Tensor::ones(shape, self.decoder.device());
                let ones = if own.is_autodiff() {
                    ones.autodiff()
                } else {
                    ones
                };
                Tensor::cat(vec![own, ones], 3)
            }
        };
        all.reshape([prompts * sequences, rows * self.tail, d_mlp])
    }

    /// The gradients by what is added at every position, as scores of neurons `[prompts, rows, d_mlp]`: those that are above zero, over the
    /// positions of the prompt.
    pub(super) fn clamped(&self, gradients: Tensor<3>) -> Tensor<3> {
        let [_, all, d_mlp] = gradients.dims();
        let (rows, prompts) = (all / self.tail, self.n_prompts());
        let Runs { sequences, after } = self.target.runs;
        gradients
            .reshape([prompts, sequences, rows, self.tail, d_mlp])
            .narrow(3, 0, self.tail - after)
            .sum_dim(1)
            .clamp_min(0.0)
            .sum_dim(3)
            .reshape([prompts, rows, d_mlp])
    }
}

/// Repeats `[prompts, tail, width]` for every row: `[prompts, rows · tail, width]`.
fn spread(x: Tensor<3>, rows: usize) -> Tensor<3> {
    let [prompts, tail, width] = x.dims();
    x.reshape([prompts, 1, tail, width])
        .expand([prompts, rows, tail, width])
        .reshape([prompts, rows * tail, width])
}

/// Positions that are scaled, and those behind the prompt, of so many in all.
fn tail_of(positions: Positions, length: usize, after: usize) -> usize {
    match positions {
        Positions::Last => 1 + after,
        Positions::All => length,
    }
}

/// Matrix products of one row through `blocks` blocks and, where the target takes all logits, the output projection; up and, where
/// there are gradients, back.
fn flops_per_row(
    config: &Config,
    [tail, read]: [usize; 2],
    settings: &Settings,
    blocks: usize,
) -> f64 {
    let logits = match settings.target.takes_all_logits() {
        true => read as f64 * config.d_model as f64 * config.vocabulary as f64,
        false => 0.0,
    };
    let both_ways = if settings.method == Method::Ablation {
        2.0
    } else {
        4.0
    };
    both_ways * ((tail * blocks) as f64 * products_per_token(config) + logits)
}

/// What one row keeps for the way back when it climbs through `layers` blocks, in bytes; on a processor the logits as well, and what is
/// computed from them.
fn bytes_per_row(
    decoder: &Decoder,
    [tail, read]: [usize; 2],
    settings: &Settings,
    layers: usize,
) -> f64 {
    let config = &decoder.config;
    // The factors on gate and up, and both as they were before.
    let clamped = match settings.method {
        Method::ClampedGradients => 3 * config.d_mlp,
        _ => 0,
    };
    let token_layer = kept_per_token(config) + clamped;
    // Without a way back, one layer's are held at a time, and what goes from one to the next.
    let layers = if settings.method == Method::Ablation {
        2
    } else {
        layers
    };
    let has_logits = settings.target.takes_all_logits() && !is_gpu(decoder.device());
    let tensors_of_logits = if has_logits { 4 * read } else { 0 };
    let of_blocks = (tail * layers) as f64 * token_layer as f64;
    4.0 * (of_blocks + tensors_of_logits as f64 * config.vocabulary as f64)
}
