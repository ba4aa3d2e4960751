//! Every weight of a decoder by name: to move, train or store them all.

use burn::tensor::{Device, Tensor};

use super::Decoder;
use super::attention::Attention;
use super::decoder::Block;
use super::family::Layout;
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

    fn block(&mut self, layout: &Layout, layer: usize, block: &Block) -> Block {
        let names = layout.names;
        let name = |part: &str| layout.in_block(layer, part);
        let optional = |visitor: &mut Self, part: &str, norm: &Option<Norm>| {
            norm.as_ref().map(|norm| visitor.norm(&name(part), norm))
        };
        // Parts of a fused projection go by its name.
        let qkv = |part: &'static str| if part.is_empty() { names.qkv } else { part };
        let attention = &block.attention;
        Block {
            attention_norm: self.norm(&name(names.attention_norm), &block.attention_norm),
            attention: Attention {
                q: self.linear(&name(qkv(names.q)), &attention.q),
                k: self.linear(&name(qkv(names.k)), &attention.k),
                v: self.linear(&name(qkv(names.v)), &attention.v),
                q_norm: optional(self, names.q_norm, &attention.q_norm),
                k_norm: optional(self, names.k_norm, &attention.k_norm),
                o: self.linear(&name(names.o), &attention.o),
            },
            attention_post_norm: optional(
                self,
                names.attention_post_norm,
                &block.attention_post_norm,
            ),
            feed_forward_norm: self.norm(&name(names.feed_forward_norm), &block.feed_forward_norm),
            gate: self.linear(&name(names.gate), &block.gate),
            up: block.up.as_ref().map(|up| self.linear(&name(names.up), up)),
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
    /// follows the embedding. `device` is where the new weights are.
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
            .map(|(layer, block)| visitor.block(&layout, layer, block))
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
