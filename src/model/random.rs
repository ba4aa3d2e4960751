//! Decoders with random weights: for the self-test, tests, benches, and as the start of a training.

use burn::tensor::{Device, Distribution, Tensor};

use super::block::{Block, Part};
use super::family::list::{Shape, Weight};
use super::layers::{Linear, Norm, Table};
use super::{Config, Decoder, Pace};
use crate::kernels::WayBack;

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
    fn norm(&self, weight: &Weight) -> Norm {
        let width = weight.dims(self.config).iter().product();
        Norm {
            kind: self.config.norm_of(weight.slot),
            eps: self.config.norm_eps,
            weight: Tensor::ones([width], self.device),
            bias: (self.config.has_bias(weight)).then(|| self.vector(width)),
            back: WayBack::Exact,
        }
    }

    fn part(&self, weight: &Weight) -> Part {
        match weight.shape {
            Shape::Vector(_) => Part::Norm(self.norm(weight)),
            Shape::Matrix(shape) => {
                let [output, input] = shape.map(|width| self.config.width(width));
                Part::Projection(self.linear(input, output, self.config.has_bias(weight)))
            }
        }
    }

    fn block(&self) -> Block {
        let each = self.config.weights.block.iter();
        Block::of_each(self.config, each.map(|weight| (weight, self.part(weight))))
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
        let positions = config.weights.position_embedding;
        let position_embedding =
            positions.map(|_| table(draw.matrix(config.context_length, d_model)));
        Self {
            final_norm: draw.norm(&config.weights.final_norm),
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
