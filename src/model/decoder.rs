//! A Llama-style decoder: RMSNorm, rotary grouped-query attention, SwiGLU, residual stream.
//!
//! After Hugging Face's reference implementation, `transformers/models/llama/modeling_llama.py`, with its
//! names. The parts of a block are separate functions, because a fork enters a block in its middle.

use burn::tensor::activation::silu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::attention::{Geometry, KeyValues, Positions, attend};
use super::gains::Site;
use super::names::{
    DOWN_PROJ, GATE_PROJ, INPUT_LAYERNORM, K_PROJ, Naming, O_PROJ, POST_ATTENTION_LAYERNORM, Part,
    Q_PROJ, UP_PROJ, V_PROJ,
};
use super::{Config, ModelError};

/// The weights of one block. Projections are `[in, out]`.
pub struct Block {
    pub(super) input_layernorm: Tensor<1>,
    pub(super) q_proj: Tensor<2>,
    pub(super) k_proj: Tensor<2>,
    pub(super) v_proj: Tensor<2>,
    pub(super) o_proj: Tensor<2>,
    pub(super) post_attention_layernorm: Tensor<1>,
    pub(super) gate_proj: Tensor<2>,
    pub(super) up_proj: Tensor<2>,
    pub(super) down_proj: Tensor<2>,
}

/// A decoder on a device.
pub struct Decoder {
    /// Shapes and constants.
    pub config: Config,
    pub(super) device: Device,
    /// `[vocabulary, d_model]`
    pub(super) embed_tokens: Tensor<2>,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: Tensor<1>,
    /// `[d_model, vocabulary]`
    pub(super) lm_head: Tensor<2>,
}

/// The two projections of a gated feed-forward layer, before they are multiplied.
#[derive(Clone, Debug)]
pub struct GateUp {
    /// Output of `gate_proj`, `[batch, tokens, d_mlp]`.
    pub gate: Tensor<3>,
    /// Output of `up_proj`, `[batch, tokens, d_mlp]`.
    pub up: Tensor<3>,
}

/// The state from which a fork leaves: a layer's residual stream after attention and its feed-forward
/// projections, before any gain.
#[derive(Clone, Debug)]
pub struct State {
    /// Residual stream between attention and feed-forward layer, `[batch, rows · tail, d_model]`.
    pub resid_mid: Tensor<3>,
    /// The feed-forward layer's projections of it.
    pub gate_up: GateUp,
}

impl State {
    /// The same over the last `tail` positions of a run with one row.
    pub fn last(&self, tail: usize) -> Self {
        let cut = |x: &Tensor<3>| {
            let tokens = x.dims()[1];
            x.clone().narrow(1, tokens - tail, tail)
        };
        Self {
            resid_mid: cut(&self.resid_mid),
            gate_up: GateUp {
                gate: cut(&self.gate_up.gate),
                up: cut(&self.gate_up.up),
            },
        }
    }
}

impl GateUp {
    /// The activation `silu(gate) · up`, `[batch, tokens, d_mlp]`.
    pub fn activation(&self) -> Tensor<3> {
        silu(self.gate.clone()) * self.up.clone()
    }

    /// The activation when `site` is multiplied by gains that differ from row to row.
    ///
    /// # Shapes
    /// - `self`: `[batch, tail, d_mlp]`, the same for every row, or `[batch, rows · tail, d_mlp]`
    /// - `gains`: `[batch, rows, d_mlp]`, one factor per neuron for all positions of a row
    /// - returns `[batch, rows · tail, d_mlp]`
    pub fn scaled(&self, site: Site, gains: Tensor<3>, tail: usize) -> Tensor<3> {
        let [batch, rows, d_mlp] = gains.dims();
        let own_rows = self.gate.dims()[1] / tail;
        let by_row = |x: Tensor<3>| x.reshape([batch, own_rows, tail, d_mlp]);
        let gains = gains.reshape([batch, rows, 1, d_mlp]);
        let scaled = match site {
            Site::Post => by_row(self.activation()) * gains,
            Site::GatePre => silu(by_row(self.gate.clone()) * gains) * by_row(self.up.clone()),
        };
        scaled.reshape([batch, rows * tail, d_mlp])
    }
}

impl Block {
    /// Attention and its residual connection: `[batch, tokens, d_model]` in and out.
    pub(super) fn attention(
        &self,
        config: &Config,
        geometry: Geometry,
        positions: &Positions,
        x: Tensor<3>,
        prefix: Option<&KeyValues>,
    ) -> (Tensor<3>, KeyValues) {
        let normed = rms_norm(x.clone(), &self.input_layernorm, config.rms_norm_eps);
        let qkv = (
            project(normed.clone(), &self.q_proj),
            project(normed.clone(), &self.k_proj),
            project(normed, &self.v_proj),
        );
        let (heads, own) = attend(config, geometry, positions, qkv, prefix);
        (x + project(heads, &self.o_proj), own)
    }

    /// The gated feed-forward layer's two projections of the residual stream after attention.
    pub(super) fn gate_up(&self, config: &Config, resid_mid: Tensor<3>) -> GateUp {
        let normed = rms_norm(
            resid_mid,
            &self.post_attention_layernorm,
            config.rms_norm_eps,
        );
        GateUp {
            gate: project(normed.clone(), &self.gate_proj),
            up: project(normed, &self.up_proj),
        }
    }
}

impl Decoder {
    /// The decoder with every weight replaced: vectors by one function, matrices by the other. Both get the
    /// weight's name in transformers, in the order of the forward pass. `device` is where the new ones are.
    pub fn map(
        &self,
        device: &Device,
        mut vector: impl FnMut(&str, Tensor<1>) -> Tensor<1>,
        mut matrix: impl FnMut(&str, Tensor<2>) -> Tensor<2>,
    ) -> Self {
        let naming = Naming::HuggingFace;
        let embed_tokens = matrix(naming.embed_tokens(), self.embed_tokens.clone());
        let lm_head = if self.config.tied {
            embed_tokens.clone().transpose()
        } else {
            matrix(naming.lm_head(), self.lm_head.clone())
        };
        let blocks = self
            .blocks
            .iter()
            .enumerate()
            .map(|(layer, block)| {
                let mut vector = |part: Part, weight: &Tensor<1>| {
                    vector(&naming.in_block(layer, part), weight.clone())
                };
                let mut matrix = |part: Part, weight: &Tensor<2>| {
                    matrix(&naming.in_block(layer, part), weight.clone())
                };
                Block {
                    input_layernorm: vector(INPUT_LAYERNORM, &block.input_layernorm),
                    q_proj: matrix(Q_PROJ, &block.q_proj),
                    k_proj: matrix(K_PROJ, &block.k_proj),
                    v_proj: matrix(V_PROJ, &block.v_proj),
                    o_proj: matrix(O_PROJ, &block.o_proj),
                    post_attention_layernorm: vector(
                        POST_ATTENTION_LAYERNORM,
                        &block.post_attention_layernorm,
                    ),
                    gate_proj: matrix(GATE_PROJ, &block.gate_proj),
                    up_proj: matrix(UP_PROJ, &block.up_proj),
                    down_proj: matrix(DOWN_PROJ, &block.down_proj),
                }
            })
            .collect();
        let norm = vector(naming.norm(), self.norm.clone());
        Self {
            config: self.config.clone(),
            device: device.clone(),
            embed_tokens,
            blocks,
            norm,
            lm_head,
        }
    }

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Embeddings of token ids `[batch][tokens]`, all of one length: `[batch, tokens, d_model]`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Config`] for an id outside the vocabulary or unequal lengths.
    pub fn embed(&self, ids: &[&[u32]]) -> Result<Tensor<3>, ModelError> {
        let tokens = ids.first().map_or(0, |ids| ids.len());
        if tokens == 0 || ids.iter().any(|sequence| sequence.len() != tokens) {
            return Err(ModelError::Config(
                "sequences of one batch must be of one length, and not empty".into(),
            ));
        }
        let mut flat = Vec::with_capacity(ids.len() * tokens);
        for sequence in ids {
            for &id in *sequence {
                if id as usize >= self.config.vocabulary {
                    return Err(ModelError::Config(format!(
                        "token {id} is outside the vocabulary of {}",
                        self.config.vocabulary
                    )));
                }
                flat.push(id as i32);
            }
        }
        let shape = [flat.len()];
        let indices = Tensor::<1, Int>::from_data(TensorData::new(flat, shape), &self.device);
        Ok(self.embed_tokens.clone().select(0, indices).reshape([
            ids.len(),
            tokens,
            self.config.d_model,
        ]))
    }

    /// The residual stream after the final norm: `[batch, tokens, d_model]` in and out.
    pub fn final_norm(&self, resid: Tensor<3>) -> Tensor<3> {
        rms_norm(resid, &self.norm, self.config.rms_norm_eps)
    }

    /// Logits `[batch, tokens, vocabulary]` of a normed residual stream. Gather the positions you need
    /// first: the vocabulary is the model's widest dimension.
    pub fn unembed(&self, normed: Tensor<3>) -> Tensor<3> {
        project(normed, &self.lm_head)
    }

    /// The output projection's column of each token, `[tokens, d_model]`.
    pub fn unembedding_of(&self, ids: &[u32]) -> Tensor<2> {
        let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let shape = [ids.len()];
        let indices = Tensor::<1, Int>::from_data(TensorData::new(ids, shape), &self.device);
        self.lm_head.clone().select(1, indices).transpose()
    }

    /// The lower half of a block over `[batch, rows · tail, d_model]`: attention, then the feed-forward
    /// layer's two projections.
    pub fn to_feed_forward(
        &self,
        layer: usize,
        geometry: Geometry,
        positions: &Positions,
        x: Tensor<3>,
        prefix: Option<&KeyValues>,
    ) -> (State, KeyValues) {
        let block = &self.blocks[layer];
        let (resid_mid, own) = block.attention(&self.config, geometry, positions, x, prefix);
        let gate_up = block.gate_up(&self.config, resid_mid.clone());
        (State { resid_mid, gate_up }, own)
    }

    /// The upper half: the feed-forward layer's output for an activation, added to the residual stream.
    pub fn from_feed_forward(
        &self,
        layer: usize,
        resid_mid: Tensor<3>,
        activation: Tensor<3>,
    ) -> Tensor<3> {
        resid_mid + project(activation, &self.blocks[layer].down_proj)
    }
}

/// `[batch, tokens, in] × [in, out]`, as one matrix product over all tokens.
pub(super) fn project(x: Tensor<3>, weight: &Tensor<2>) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let out = weight.dims()[1];
    x.reshape([batch * tokens, width])
        .matmul(weight.clone())
        .reshape([batch, tokens, out])
}

/// `x / sqrt(mean(x²) + eps) · weight` over the last dimension (Zhang and Sennrich, 2019).
pub(super) fn rms_norm(x: Tensor<3>, weight: &Tensor<1>, eps: f64) -> Tensor<3> {
    let mean_square = x.clone().powi_scalar(2).mean_dim(2);
    let scale = mean_square.add_scalar(eps).sqrt().recip();
    x * scale * weight.clone().reshape([1, 1, -1])
}
