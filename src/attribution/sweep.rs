//! The forks of all layers and all steps in one pass up, and one pass back for every gradient.
//!
//! At layer `l` the rows born there (one per node of the quadrature, the layer's activation scaled by α)
//! join the rows born below, and every weight matrix is multiplied once for all of them. For T positions,
//! L layers and m steps with a tail of one position that is `m·L·(L+1)/2` token-layers instead of
//! `m·L·L·T`. Where memory does not hold them all, nodes and layers are taken in groups.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

use super::target::Target;
use super::{IntegrationPath, Positions, Settings};
use crate::job::Job;
use crate::kernels::is_gpu;
use crate::model::attention::{Geometry, KeyValues};
use crate::model::decoder::State;
use crate::model::pace::products_per_token;
use crate::model::positions::TailPositions;
use crate::model::run::read;
use crate::model::{Config, Decoder, ModelError, Run};

/// A sweep over prompts of one length.
pub struct Sweep<'a> {
    pub(super) decoder: &'a Decoder,
    pub(super) prompts: &'a [&'a [u32]],
    base: &'a Run,
    target: &'a Target,
    settings: &'a Settings,
    tail: usize,
    positions: TailPositions,
    prefix: Vec<Option<KeyValues>>,
}

/// What a sweep found, on the host.
pub struct Swept {
    n_layers: usize,
    d_mlp: usize,
    /// Per layer `[prompts · d_mlp]`.
    scores: Vec<Vec<f32>>,
    /// `M(0)` per layer, or once for the joint path: `[prompts]` each.
    at_zero: Vec<Vec<f32>>,
}

impl Swept {
    /// Scores of one prompt, `[n_layers · d_mlp]`.
    pub fn scores_of(&self, prompt: usize) -> Vec<f32> {
        let range = prompt * self.d_mlp..(prompt + 1) * self.d_mlp;
        let mut all = Vec::with_capacity(self.n_layers * self.d_mlp);
        for layer in &self.scores {
            all.extend_from_slice(&layer[range.clone()]);
        }
        all
    }

    /// `M(0)` of one prompt.
    pub fn at_zero_of(&self, prompt: usize) -> Vec<f64> {
        self.at_zero
            .iter()
            .map(|values| values[prompt].into())
            .collect()
    }
}

/// Some nodes of the quadrature; each has weight `1 / steps`, the added zero node none.
struct Nodes {
    alphas: Vec<f32>,
    weights: Vec<f32>,
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
        }
    }

    /// How many prompts of a length fit one sweep with at least some nodes of every layer.
    pub fn prompts_at_once(decoder: &Decoder, length: usize, settings: &Settings) -> usize {
        let config = &decoder.config;
        let rows = config.n_layers * settings.steps.min(4);
        let blocks = config.n_layers / 2 + 1;
        let memory = rows * bytes_per_row(decoder, length, settings, blocks);
        let tail = tail_of(settings.positions, length);
        let flops = rows as f64 * flops_per_row(config, tail, blocks);
        (decoder.pace.bytes / memory)
            .min((decoder.pace.flops / flops) as usize)
            .clamp(1, 64)
    }

    /// Every neuron's score for every prompt.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`], [`ModelError::Cancelled`].
    pub async fn run(&self, job: Job<'_>) -> Result<Swept, ModelError> {
        let config = &self.decoder.config;
        let n_layers = config.n_layers;
        let entries = match self.settings.path {
            IntegrationPath::PerLayer => n_layers,
            IntegrationPath::Joint => 1,
        };
        let mut swept = Swept {
            n_layers,
            d_mlp: config.d_mlp,
            scores: vec![vec![0.0; self.prompts.len() * config.d_mlp]; n_layers],
            at_zero: vec![Vec::new(); entries],
        };
        for (layers, nodes) in self.groups() {
            let (gains, values) = match self.settings.path {
                IntegrationPath::PerLayer => {
                    let gains = self.gains(&nodes).autodiff().require_grad();
                    self.climb_per_layer(layers.clone(), &gains, job).await?
                }
                IntegrationPath::Joint => self.climb_joint(&nodes, job).await?,
            };
            job.checkpoint().await?;
            let mut gradients = values.clone().sum().backward();
            let mut found = Vec::with_capacity(gains.len());
            for (layer, gain) in layers.clone().zip(&gains) {
                let gradient = gain.grad_remove(&mut gradients).ok_or_else(|| {
                    ModelError::Device(format!("no gradient reached layer {layer}"))
                })?;
                found.push(gradient);
            }
            drop(gradients);
            // Σ_k w_k · ∂M/∂s_k of all layers, in one readback.
            let (n_here, n_nodes) = (layers.len(), nodes.weights.len());
            let shape = [self.prompts.len(), n_here, n_nodes, config.d_mlp];
            let weights = self.by_node(&nodes.weights).unsqueeze::<4>();
            let found = Tensor::cat(found, 1).reshape(shape);
            let parts = read((found * weights).sum_dim(2)).await?;
            for (index, part) in parts.chunks(config.d_mlp).enumerate() {
                let (prompt, layer) = (index / n_here, layers.start + index % n_here);
                let own = prompt * config.d_mlp..(prompt + 1) * config.d_mlp;
                for (sum, part) in swept.scores[layer][own].iter_mut().zip(part) {
                    *sum += part;
                }
            }
            if let Some(zero) = nodes.alphas.iter().position(|&alpha| alpha == 0.0) {
                let n_nodes = nodes.alphas.len();
                let rows = values.dims()[1];
                let values = read(values.inner()).await?;
                let of_entry = |entry: usize| {
                    values
                        .chunks(rows)
                        .map(|row| row[entry * n_nodes + zero])
                        .collect()
                };
                match self.settings.path {
                    IntegrationPath::Joint => swept.at_zero[0] = of_entry(0),
                    IntegrationPath::PerLayer => {
                        for (entry, layer) in layers.enumerate() {
                            swept.at_zero[layer] = of_entry(entry);
                        }
                    }
                }
            }
        }
        Ok(swept)
    }

    /// Groups of layers and nodes that fit one pass.
    fn groups(&self) -> Vec<(Range<usize>, Nodes)> {
        let weight = 1.0 / self.settings.steps as f32;
        let mut nodes: Vec<(f32, f32)> = self
            .settings
            .rule
            .nodes(self.settings.steps)
            .into_iter()
            .map(|alpha| (alpha as f32, weight))
            .collect();
        if nodes.iter().all(|(alpha, _)| *alpha != 0.0) {
            // M(0) is needed for the completeness gap, so it rides along with no weight.
            nodes.push((0.0, 0.0));
        }
        let mut groups = Vec::new();
        for layers in self.layer_groups() {
            let at_once = self.rows_at_once(layers.clone(), nodes.len());
            for part in nodes.chunks(at_once) {
                let (alphas, weights) = part.iter().copied().unzip();
                groups.push((layers.clone(), Nodes { alphas, weights }));
            }
        }
        groups
    }

    /// Layers whose rows climb together: as many as fit one pass with a row each, or all of them on the joint path.
    pub(super) fn layer_groups(&self) -> Vec<Range<usize>> {
        let n_layers = self.decoder.config.n_layers;
        let joint = self.settings.path == IntegrationPath::Joint;
        let mut groups = Vec::new();
        let mut from = 0;
        while from < n_layers {
            let mut to = from + 1;
            while to < n_layers && (joint || self.fits(from..to + 1, 1)) {
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
            .find(|&count| self.fits(layers.clone(), count))
            .unwrap_or(1)
    }

    /// Whether `rows` rows of each of some layers fit one pass.
    fn fits(&self, layers: Range<usize>, rows: usize) -> bool {
        let n_layers = self.decoder.config.n_layers;
        let length = self.base.geometry.tail;
        // Blocks that a row climbs through.
        let climbs: Vec<usize> = match self.settings.path {
            IntegrationPath::Joint => vec![n_layers],
            IntegrationPath::PerLayer => layers.map(|layer| n_layers - layer).collect(),
        };
        let rows = rows * self.prompts.len();
        let bytes = |&blocks: &usize| bytes_per_row(self.decoder, length, self.settings, blocks);
        let flops = |&blocks: &usize| flops_per_row(&self.decoder.config, self.tail, blocks);
        let pace = self.decoder.pace;
        climbs.iter().map(bytes).sum::<usize>() * rows <= pace.bytes
            && climbs.iter().map(flops).sum::<f64>() * rows as f64 <= pace.flops
    }

    /// A number for each node, `[1, nodes, 1]`.
    fn by_node(&self, values: &[f32]) -> Tensor<3> {
        let shape = [1, values.len(), 1];
        Tensor::from_data(
            TensorData::new(values.to_vec(), shape),
            self.decoder.device(),
        )
    }

    /// Gains `[prompts, nodes, d_mlp]`, each node's all equal to its α. Every layer's leaf of the graph is these.
    fn gains(&self, nodes: &Nodes) -> Tensor<3> {
        let shape = [
            self.prompts.len(),
            nodes.alphas.len(),
            self.decoder.config.d_mlp,
        ];
        // A product, so that they lie in memory once: an expanded view would be copied at every use.
        self.by_node(&nodes.alphas) * Tensor::ones(shape, self.decoder.device())
    }

    fn geometry(&self, rows: usize) -> Geometry {
        Geometry {
            batch: self.prompts.len(),
            rows,
            tail: self.tail,
        }
    }

    /// Rows born at each layer of `layers`, all on the way to the top together. Each row is a fork under one of the
    /// `gains`, `[prompts, rows of a layer, d_mlp]`; where those are tracked, every layer has its own leaf of the graph.
    /// Returns the leaves and the target's values `[prompts, layers · rows of a layer]`.
    pub(super) async fn climb_per_layer(
        &self,
        layers: Range<usize>,
        gains: &Tensor<3>,
        job: Job<'_>,
    ) -> Result<(Vec<Tensor<3>>, Tensor<2>), ModelError> {
        let n_rows = gains.dims()[1];
        let mut leaves = Vec::with_capacity(layers.len());
        let mut rows: Option<Tensor<3>> = None;
        for layer in layers.start..self.decoder.config.n_layers {
            job.checkpoint().await?;
            if let Some(x) = rows.take() {
                let geometry = self.geometry(leaves.len() * n_rows);
                rows = Some(self.block(layer, geometry, x, None));
            }
            if layers.contains(&layer) {
                let leaf = match gains.is_require_grad() {
                    true => gains.clone().detach().require_grad(),
                    false => gains.clone(),
                };
                let born = self.born(layer, leaf.clone())?;
                leaves.push(leaf);
                rows = Some(match rows {
                    Some(x) => Tensor::cat(vec![x, born], 1),
                    None => born,
                });
            }
        }
        let rows =
            rows.ok_or_else(|| ModelError::Config("a sweep needs at least one layer".into()))?;
        let values = self.value(rows, leaves.len() * n_rows);
        Ok((leaves, values))
    }

    /// Rows that start at the embedding and are scaled in every layer. Returns as `climb_per_layer` does,
    /// the values as `[prompts, nodes]`.
    async fn climb_joint(
        &self,
        nodes: &Nodes,
        job: Job<'_>,
    ) -> Result<(Vec<Tensor<3>>, Tensor<2>), ModelError> {
        let n_nodes = nodes.alphas.len();
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
        let mut x = spread(embedded, n_nodes);
        let gains = self.gains(nodes);
        let mut leaves = Vec::with_capacity(self.decoder.config.n_layers);
        for layer in 0..self.decoder.config.n_layers {
            job.checkpoint().await?;
            let leaf = gains.clone().autodiff().require_grad();
            x = self.block(layer, self.geometry(n_nodes), x, Some(leaf.clone()));
            leaves.push(leaf);
        }
        Ok((leaves, self.value(x, n_nodes)))
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
        let (state, _) = self
            .decoder
            .to_feed_forward(layer, geometry, &self.positions, x, prefix);
        let activation = match leaf {
            Some(leaf) => state.pre.scaled(self.settings.site, leaf, self.tail),
            None => state.pre.activation(),
        };
        self.decoder
            .from_feed_forward(layer, state.resid_mid, activation)
    }

    /// The rows of a layer: the base run's state with its activation scaled, `[prompts, nodes · tail,
    /// d_model]`.
    fn born(&self, layer: usize, leaf: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let n_nodes = leaf.dims()[1];
        let State { resid_mid, pre } = self.base.state(layer)?.last(self.tail);
        let activation = pre.scaled(self.settings.site, leaf, self.tail);
        let resid_mid = spread(resid_mid, n_nodes);
        Ok(self.decoder.from_feed_forward(layer, resid_mid, activation))
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

fn tail_of(positions: Positions, length: usize) -> usize {
    match positions {
        Positions::Last => 1,
        Positions::All => length,
    }
}

/// Matrix products of one row through `blocks` blocks and the output projection, up and back.
fn flops_per_row(config: &Config, tail: usize, blocks: usize) -> f64 {
    4.0 * (tail * blocks * products_per_token(config) + config.d_model * config.vocabulary) as f64
}

/// What one row keeps for the way back when it climbs through `layers` blocks, in bytes: what goes into the norms,
/// attention's inputs and output, gate and up; on a processor the logits as well, and what is computed from them.
fn bytes_per_row(decoder: &Decoder, length: usize, settings: &Settings, layers: usize) -> usize {
    let config = &decoder.config;
    let tail = tail_of(settings.positions, length);
    let heads = (config.n_heads + config.n_kv_heads) * config.d_head;
    let token_layer = 2 * (config.d_model + heads + config.d_mlp);
    let tensors_of_logits = if is_gpu(decoder.device()) { 0 } else { 4 };
    4 * (tail * token_layer * layers + tensors_of_logits * config.vocabulary)
}
