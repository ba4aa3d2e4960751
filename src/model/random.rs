//! Decoders with random weights: for the self-test, tests, benches, and as the start of a training.

use burn::tensor::{Device, Distribution, Tensor};

use super::attention::{Attention, HeadNorm};
use super::config::NormKind;
use super::decoder::Block;
use super::feed_forward::FirstProjections;
use super::layers::{Linear, Norm, Table};
use super::{Config, Decoder, Pace};

/// Draws weights from a device's generator.
struct Draw<'a> {
    config: &'a Config,
    deviation: f64,
    device: &'a Device,
}

impl Draw<'_> {
    fn matrix(&self, rows: usize, columns: usize) -> Tensor<2> {
        let distribution = Distribution::Normal(0.0, self.deviation);
        Tensor::random([rows, columns], distribution, self.device)
    }

    fn vector(&self, width: usize) -> Tensor<1> {
        let distribution = Distribution::Normal(0.0, self.deviation);
        Tensor::random([width], distribution, self.device)
    }

    fn linear(&self, input: usize, output: usize, has_bias: bool) -> Linear {
        Linear {
            weight: self.matrix(input, output),
            bias: has_bias.then(|| self.vector(output)),
        }
    }

    /// A norm of weight one.
    fn norm(&self, width: usize) -> Norm {
        let kind = self.config.norm;
        Norm {
            kind,
            eps: self.config.norm_eps,
            weight: Tensor::ones([width], self.device),
            bias: (kind == NormKind::Layer).then(|| self.vector(width)),
        }
    }

    fn norm_where(&self, has: bool, width: usize) -> Option<Norm> {
        has.then(|| self.norm(width))
    }

    fn block(&self) -> Block {
        let config = self.config;
        let (d_model, d_mlp, d_head) = (config.d_model, config.d_mlp, config.d_head);
        let (d_q, d_kv) = (config.n_heads * d_head, config.n_kv_heads * d_head);
        let qkv = [d_q, d_kv, d_kv].map(|width| self.linear(d_model, width, config.qkv_bias));
        let ones = || Tensor::ones([d_head], self.device);
        let attention = Attention {
            qkv: Linear::join(qkv.into()),
            qk_norm: (config.qk_norm).then(|| HeadNorm::new(config, ones(), ones())),
            o: self.linear(d_q, d_model, config.attention_output_bias),
        };
        let attention_norm = self.norm(d_model);
        let attention_post_norm = self.norm_where(config.sandwich_norms, d_model);
        let feed_forward_norm = self.norm(d_model);
        let first = |has: bool| has.then(|| self.linear(d_model, d_mlp, config.mlp_bias));
        let gate = self.linear(d_model, d_mlp, config.mlp_bias);
        Block {
            attention_norm,
            attention,
            attention_post_norm,
            feed_forward_norm,
            first: FirstProjections::new(gate, first(config.gated)),
            down: self.linear(d_mlp, d_model, config.mlp_bias),
            feed_forward_post_norm: self.norm_where(config.sandwich_norms, d_model),
        }
    }
}

impl Decoder {
    /// A decoder with normally distributed weights of the given deviation (norms: one), drawn from the
    /// device's generator.
    pub fn random(config: Config, deviation: f64, device: &Device) -> Self {
        let draw = Draw {
            config: &config,
            deviation,
            device,
        };
        let table = |rows: Tensor<2>| Table { pieces: vec![rows] };
        let blocks = (0..config.n_layers).map(|_| draw.block()).collect();
        let (vocabulary, d_model) = (config.vocabulary, config.d_model);
        let embedding = table(draw.matrix(vocabulary, d_model));
        let lm_head = if config.tied {
            embedding.clone()
        } else {
            table(draw.matrix(d_model, vocabulary).transpose())
        };
        let position_embedding = match config.rope {
            Some(_) => None,
            None => Some(table(draw.matrix(config.context_length, d_model))),
        };
        Self {
            final_norm: draw.norm(d_model),
            device: device.clone(),
            pace: Pace::default(),
            embedding,
            position_embedding,
            blocks,
            lm_head,
            config,
        }
    }
}
