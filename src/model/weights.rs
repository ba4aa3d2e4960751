//! Every weight of a decoder by name: to move, train or store them all.

use burn::tensor::{Device, Tensor};

use super::Config;
use super::Decoder;
use super::attention::{Attention, HeadNorm};
use super::decoder::Block;
use super::family::Layout;
use super::feed_forward::FirstProjections;
use super::layers::{Linear, Norm, Table};
use crate::weights::WeightKind;

/// What is done with every vector and every matrix.
struct Visitor<'a> {
    vector: &'a mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>,
    matrix: &'a mut dyn FnMut(&str, Tensor<2>) -> Tensor<2>,
}

impl Visitor<'_> {
    fn linear(&mut self, name: &str, linear: &Linear) -> Linear {
        Linear {
            weight: (self.matrix)(&format!("{name}.weight"), linear.weight.clone()),
            bias: self.bias(name, linear.bias.as_ref()),
        }
    }

    fn norm(&mut self, name: &str, norm: &Norm) -> Norm {
        Norm {
            weight: (self.vector)(&format!("{name}.weight"), norm.weight.clone()),
            bias: self.bias(name, norm.bias.as_ref()),
            ..*norm
        }
    }

    fn bias(&mut self, name: &str, bias: Option<&Tensor<1>>) -> Option<Tensor<1>> {
        bias.map(|bias| (self.vector)(&format!("{name}.bias"), bias.clone()))
    }

    fn table(&mut self, name: &str, table: &Table) -> Table {
        let pieces = table.pieces.iter();
        Table {
            pieces: pieces
                .map(|piece| (self.matrix)(&format!("{name}.weight"), piece.clone()))
                .collect(),
        }
    }

    fn block(&mut self, config: &Config, layout: &Layout, layer: usize, block: &Block) -> Block {
        let names = layout.names;
        let name = |part: &str| layout.in_block(layer, part);
        let optional = |visitor: &mut Self, part: &str, norm: &Option<Norm>| {
            norm.as_ref().map(|norm| visitor.norm(&name(part), norm))
        };
        // Parts of a fused projection go by its name.
        let qkv = |part: &'static str| if part.is_empty() { names.qkv } else { part };
        let attention = &block.attention;
        let attention_norm = self.norm(&name(names.attention_norm), &block.attention_norm);
        let (d_q, d_kv) = (
            config.n_heads * config.d_head,
            config.n_kv_heads * config.d_head,
        );
        let parts = attention.qkv.split(&[d_q, d_kv, d_kv]);
        let parts = [names.q, names.k, names.v].into_iter().zip(parts);
        let parts = parts.map(|(part, linear)| self.linear(&name(qkv(part)), &linear));
        let attention = Attention {
            qkv: Linear::join(parts.collect()),
            qk_norm: attention.qk_norm.as_ref().map(|norm| {
                let [q, k] = norm.weights(config);
                let q = (self.vector)(&format!("{}.weight", name(names.q_norm)), q);
                let k = (self.vector)(&format!("{}.weight", name(names.k_norm)), k);
                HeadNorm::new(config, q, k)
            }),
            o: self.linear(&name(names.o), &attention.o),
        };
        let attention_post_norm =
            optional(self, names.attention_post_norm, &block.attention_post_norm);
        let feed_forward_norm = self.norm(&name(names.feed_forward_norm), &block.feed_forward_norm);
        let (gate, up) = block.first.split(config);
        let gate = self.linear(&name(names.gate), &gate);
        let up = up.map(|up| self.linear(&name(names.up), &up));
        Block {
            attention_norm,
            attention,
            attention_post_norm,
            feed_forward_norm,
            first: FirstProjections::new(gate, up),
            down: self.linear(&name(names.down), &block.down),
            feed_forward_post_norm: optional(
                self,
                names.feed_forward_post_norm,
                &block.feed_forward_post_norm,
            ),
        }
    }
}

impl Decoder {
    /// The decoder with every weight replaced: vectors by one function, matrices by the other. Both get the
    /// weight's name in transformers, in the order of the forward pass: embeddings and output projection as
    /// `[rows, d_model]`, in one piece or several, all other matrices as `[in, out]`. A tied output projection
    /// follows the embedding. Projections that are held side by side are given one by one, in f32. `device` is where the
    /// new weights are.
    pub fn map(
        &self,
        device: &Device,
        mut vector: impl FnMut(&str, Tensor<1>) -> Tensor<1>,
        mut matrix: impl FnMut(&str, Tensor<2>) -> Tensor<2>,
    ) -> Self {
        let layout = self.config.family.layout(WeightKind::Safetensors);
        let names = layout.names;
        let mut visitor = Visitor {
            vector: &mut vector,
            matrix: &mut matrix,
        };
        let embedding = visitor.table(names.embedding, &self.embedding);
        let position_embedding = self
            .position_embedding
            .as_ref()
            .map(|table| visitor.table(names.position_embedding, table));
        let blocks = self.blocks.iter().enumerate();
        let blocks = blocks
            .map(|(layer, block)| visitor.block(&self.config, &layout, layer, block))
            .collect();
        let final_norm = visitor.norm(names.final_norm, &self.final_norm);
        let lm_head = if self.config.tied {
            embedding.clone()
        } else {
            visitor.table(names.lm_head, &self.lm_head)
        };
        Self {
            config: self.config.clone(),
            device: device.clone(),
            pace: self.pace,
            embedding,
            position_embedding,
            blocks,
            final_norm,
            lm_head,
        }
    }

    /// A copy on another device.
    pub fn to_device(&self, device: &Device) -> Self {
        self.map(
            device,
            |_, weight| weight.to_device(device),
            |_, weight| weight.to_device(device),
        )
    }
}
