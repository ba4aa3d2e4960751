//! Every weight of a decoder by name: to move, train or store them all.

use burn::tensor::{Device, Tensor};

use super::Config;
use super::Decoder;
use super::block::{Block, Part};
use super::family::list::Weight;
use super::layers::{Linear, Norm, Table};
use crate::weights::WeightKind;

const TRANSFORMERS: WeightKind = WeightKind::Safetensors;

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

    fn block(&mut self, config: &Config, layer: usize, block: &Block) -> Block {
        let each = block.each(config).into_iter();
        let changed = each.map(|(weight, part)| {
            let name = config.weights.name_in(TRANSFORMERS, Some(layer), weight);
            let part = match part {
                Part::Norm(norm) => Part::Norm(self.norm(&name, &norm)),
                Part::Projection(linear) => Part::Projection(self.linear(&name, &linear)),
            };
            (weight, part)
        });
        Block::of_each(config, changed)
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
        let weights = self.config.weights;
        let name = |weight: &Weight| weight.in_file(TRANSFORMERS).name;
        let mut visitor = Visitor {
            vector: &mut vector,
            matrix: &mut matrix,
        };
        let embedding = visitor.table(name(&weights.embedding), &self.embedding);
        let positions = weights.position_embedding.as_ref();
        let position_embedding = (positions.zip(self.position_embedding.as_ref()))
            .map(|(weight, table)| visitor.table(name(weight), table));
        let blocks = self.blocks.iter().enumerate();
        let blocks = blocks
            .map(|(layer, block)| visitor.block(&self.config, layer, block))
            .collect();
        let final_norm = visitor.norm(name(&weights.final_norm), &self.final_norm);
        let lm_head = if self.config.tied {
            embedding.clone()
        } else {
            visitor.table(name(&weights.lm_head), &self.lm_head)
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
