//! The forks of all layers and all steps in one pass up, and one pass back for every gradient.
//!
//! At layer `l` the rows born there (one per node of the quadrature, the layer's activation scaled by α)
//! join the rows born below, and every weight matrix is multiplied once for all of them. For T positions,
//! L layers and m steps with a tail of one position that is `m·L·(L+1)/2` token-layers instead of
//! `m·L·L·T`. Where memory does not hold them all, nodes and layers are taken in groups.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

use super::target::Target;
use super::{Path, Positions as Scope, Settings};
use crate::job::Job;
use crate::model::attention::{Geometry, KeyValues};
use crate::model::decoder::State;
use crate::model::positions::Positions;
use crate::model::run::read;
use crate::model::{Config, Decoder, ModelError, Run};

/// Bytes that one pass may keep for the way back.
const MEMORY_BUDGET: usize = if cfg!(target_family = "wasm") {
    256 << 20
} else {
    1 << 30
};
/// Logits of one pass, in bytes: below WebGPU's default binding of 128 MiB.
const LOGITS_BUDGET: usize = 64 << 20;

/// Floating-point operations of one pass on WebAssembly, up and back: about a second, since nothing can be
/// cancelled within a pass.
const FLOPS_BUDGET: usize = 4_000_000_000;

/// A sweep over prompts of one length.
pub struct Sweep<'a> {
    decoder: &'a Decoder,
    prompts: &'a [&'a [u32]],
    base: &'a Run,
    target: &'a Target,
    settings: &'a Settings,
    tail: usize,
    positions: Positions,
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
            positions: Positions::new(&decoder.config, before, tail, decoder.device()),
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

    /// How many prompts of a length fit one sweep with at least one node of every layer.
    pub fn prompts_at_once(config: &Config, length: usize, settings: &Settings) -> usize {
        let rows = config.n_layers * settings.steps.min(4);
        let memory = rows * bytes_per_row(config, length, settings, config.n_layers / 2 + 1);
        let logits = rows * 4 * config.vocabulary;
        (MEMORY_BUDGET / memory)
            .min(LOGITS_BUDGET / logits)
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
            Path::PerLayer => n_layers,
            Path::Joint => 1,
        };
        let mut swept = Swept {
            n_layers,
            d_mlp: config.d_mlp,
            scores: vec![vec![0.0; self.prompts.len() * config.d_mlp]; n_layers],
            at_zero: vec![Vec::new(); entries],
        };
        for (layers, nodes) in self.groups() {
            let (gains, values) = match self.settings.path {
                Path::PerLayer => self.climb_per_layer(layers.clone(), &nodes, job).await?,
                Path::Joint => self.climb_joint(&nodes, job).await?,
            };
            job.checkpoint().await?;
            let mut gradients = values.clone().sum().backward();
            for (layer, gain) in layers.clone().zip(&gains) {
                let gradient = gain.grad_remove(&mut gradients).ok_or_else(|| {
                    ModelError::Device(format!("no gradient reached layer {layer}"))
                })?;
                let part = read(self.weigh(gradient, &nodes)).await?;
                for (sum, part) in swept.scores[layer].iter_mut().zip(part) {
                    *sum += part;
                }
            }
            drop(gradients);
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
                    Path::Joint => swept.at_zero[0] = of_entry(0),
                    Path::PerLayer => {
                        for (entry, layer) in layers.enumerate() {
                            swept.at_zero[layer] = of_entry(entry);
                        }
                    }
                }
            }
        }
        Ok(swept)
    }

    /// Groups of layers and nodes that fit the memory budget.
    fn groups(&self) -> Vec<(Range<usize>, Nodes)> {
        let config = &self.decoder.config;
        let length = self.base.geometry.tail;
        let prompts = self.prompts.len();
        let n_layers = config.n_layers;
        let is_one_core = cfg!(target_family = "wasm") && *self.decoder.device() == Device::flex();
        let joint = self.settings.path == Path::Joint;
        // Blocks that the rows of one node climb through, prompt by prompt.
        let cost = |layers: Range<usize>| -> Cost {
            let climbs: Vec<usize> = match joint {
                true => vec![n_layers],
                false => layers.map(|layer| n_layers - layer).collect(),
            };
            let bytes = |&blocks: &usize| bytes_per_row(config, length, self.settings, blocks);
            let flops = |&blocks: &usize| flops_per_row(config, self.tail, blocks);
            Cost {
                bytes: prompts * climbs.iter().map(bytes).sum::<usize>(),
                flops: prompts * climbs.iter().map(flops).sum::<usize>(),
                rows: prompts * climbs.len(),
            }
        };
        let fits = |cost: &Cost, nodes: usize| {
            cost.bytes * nodes <= MEMORY_BUDGET
                && cost.rows * nodes * 4 * config.vocabulary <= LOGITS_BUDGET
                && (!is_one_core || cost.flops * nodes <= FLOPS_BUDGET)
        };
        let mut layer_groups = Vec::new();
        let mut from = 0;
        while from < n_layers {
            let mut to = from + 1;
            while to < n_layers && (joint || fits(&cost(from..to + 1), 1)) {
                to += 1;
            }
            layer_groups.push(from..to);
            from = to;
        }
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
        for layers in layer_groups {
            let cost = cost(layers.clone());
            let at_once = (1..=nodes.len())
                .rev()
                .find(|&count| fits(&cost, count))
                .unwrap_or(1);
            for part in nodes.chunks(at_once) {
                let (alphas, weights) = part.iter().copied().unzip();
                groups.push((layers.clone(), Nodes { alphas, weights }));
            }
        }
        groups
    }

    /// Gains `[prompts, nodes, d_mlp]`, each node's all equal to its α, as leaves of the graph.
    fn leaf(&self, nodes: &Nodes) -> Tensor<3> {
        let device = self.decoder.device();
        let n_nodes = nodes.alphas.len();
        let shape = [self.prompts.len(), n_nodes, self.decoder.config.d_mlp];
        let alphas = TensorData::new(nodes.alphas.clone(), [1, n_nodes, 1]);
        let gains = Tensor::<3>::from_data(alphas, device).expand(shape);
        // A leaf of its own: expanded views share memory.
        (gains * Tensor::ones(shape, device))
            .autodiff()
            .require_grad()
    }

    /// `Σ_k w_k · ∂M/∂s_k`: `[prompts, nodes, d_mlp]` gives `[prompts, d_mlp]`.
    fn weigh(&self, gradient: Tensor<3>, nodes: &Nodes) -> Tensor<2> {
        let [prompts, n_nodes, d_mlp] = gradient.dims();
        let weights = TensorData::new(nodes.weights.clone(), [1, n_nodes, 1]);
        let weights = Tensor::<3>::from_data(weights, self.decoder.device());
        (gradient * weights).sum_dim(1).reshape([prompts, d_mlp])
    }

    fn geometry(&self, rows: usize) -> Geometry {
        Geometry {
            batch: self.prompts.len(),
            rows,
            tail: self.tail,
        }
    }

    /// Rows born at each layer of `layers`, all on the way to the top together. Returns the leaves and the
    /// target's values `[prompts, layers · nodes]`.
    async fn climb_per_layer(
        &self,
        layers: Range<usize>,
        nodes: &Nodes,
        job: Job<'_>,
    ) -> Result<(Vec<Tensor<3>>, Tensor<2>), ModelError> {
        let n_nodes = nodes.alphas.len();
        let mut leaves = Vec::with_capacity(layers.len());
        let mut rows: Option<Tensor<3>> = None;
        for layer in layers.start..self.decoder.config.n_layers {
            job.checkpoint().await?;
            if let Some(x) = rows.take() {
                let geometry = self.geometry(leaves.len() * n_nodes);
                rows = Some(self.block(layer, geometry, x, None));
            }
            if layers.contains(&layer) {
                let leaf = self.leaf(nodes);
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
        let values = self.value(rows, leaves.len() * n_nodes);
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
        let tails: Vec<&[u32]> = self
            .prompts
            .iter()
            .map(|prompt| &prompt[prompt.len() - self.tail..])
            .collect();
        let first_position = self.base.geometry.tail - self.tail;
        let embedded = self.decoder.embed(&tails, first_position)?;
        let mut x = spread(embedded, n_nodes);
        let mut leaves = Vec::with_capacity(self.decoder.config.n_layers);
        for layer in 0..self.decoder.config.n_layers {
            job.checkpoint().await?;
            let leaf = self.leaf(nodes);
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

fn tail_of(positions: Scope, length: usize) -> usize {
    match positions {
        Scope::Last => 1,
        Scope::All => length,
    }
}

/// What one node takes in one pass.
struct Cost {
    bytes: usize,
    flops: usize,
    rows: usize,
}

/// Matrix products of one row through `blocks` blocks and the output projection, up and back.
fn flops_per_row(config: &Config, tail: usize, blocks: usize) -> usize {
    let attention = 2 * config.d_model * config.d_head * (config.n_heads + config.n_kv_heads);
    let projections = if config.gated { 3 } else { 2 };
    let block = attention + projections * config.d_model * config.d_mlp;
    4 * (tail * blocks * block + config.d_model * config.vocabulary)
}

/// What one row keeps for the way back when it climbs through `layers` blocks, in bytes: about ten
/// tensors of the width of the residual stream, eight of the feed-forward layer's, four of the attention
/// weights.
fn bytes_per_row(config: &Config, length: usize, settings: &Settings, layers: usize) -> usize {
    let tail = tail_of(settings.positions, length);
    let token_layer = 10 * config.d_model + 8 * config.d_mlp + 4 * config.n_heads * length;
    4 * tail * token_layer * layers + 16 * config.vocabulary
}
