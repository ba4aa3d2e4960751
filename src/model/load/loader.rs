//! A weight file's tensors as the parts of a decoder, by the family's list of weights.

use burn::tensor::Device;

use super::reading::Projection;
use crate::job::Job;
use crate::model::block::{Block, Part};
use crate::model::device::Compute;
use crate::model::family::list::{Shape, Slot, Weight, Weights};
use crate::model::{Config, Decoder, ModelError, Pace, Precision};
use crate::weights::{WeightFile, WeightKind};

/// Reads a decoder out of a file, tensor by tensor, and keeps account.
pub(super) struct Loader<'a> {
    pub(super) file: &'a WeightFile,
    pub(super) weights: &'static Weights,
    /// Whether the file holds the bare decoder, whose names lack their first part.
    is_bare: bool,
    /// The embedding's name and the output matrix', where the file of a model that has one matrix for both names it after the output.
    named_after_output: Option<[String; 2]>,
    pub(super) device: &'a Device,
    /// Largest piece of a table, in bytes.
    pub(super) piece_bytes: u64,
    pub(super) precision: Precision,
    /// Names of the tensors put into the decoder.
    pub(super) applied: Vec<String>,
    /// What is worth telling of how the files were read.
    pub(super) notes: Vec<String>,
    pub(super) job: Job<'a>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(
        file: &'a WeightFile,
        config: &Config,
        compute: &'a Compute,
        job: Job<'a>,
    ) -> Self {
        let mut loader = Self {
            file,
            weights: config.weights,
            is_bare: false,
            named_after_output: None,
            device: &compute.device,
            piece_bytes: compute.info.limits.binding_bytes.unwrap_or(u64::MAX),
            precision: compute.precision,
            applied: Vec::new(),
            notes: Vec::new(),
            job,
        };
        let [embedding, output] = [&config.weights.embedding, &config.weights.lm_head]
            .map(|weight| format!("{}.weight", loader.name_of(weight)));
        let is_there = |name: &str| file.tensor(name).is_some();
        loader.is_bare = !is_there(&embedding) && is_there(loader.bare(&embedding));
        if config.tied && !loader.is_bare && !is_there(&embedding) && is_there(&output) {
            loader.notes.push(format!(
                "the file has `{output}` and no `{embedding}`; the configuration says that they are one matrix"
            ));
            loader.named_after_output = Some([embedding, output]);
        }
        loader
    }

    pub(super) fn bare<'n>(&self, name: &'n str) -> &'n str {
        match self.file.kind() {
            WeightKind::Safetensors => name.strip_prefix(self.weights.base).unwrap_or(name),
            WeightKind::Gguf => name,
        }
    }

    /// The name of a weight outside the blocks, without `.weight` or `.bias`.
    pub(super) fn name_of(&self, weight: &Weight) -> &'static str {
        weight.in_file(self.file.kind()).name
    }

    /// The name in this file.
    pub(super) fn in_file<'n>(&'n self, name: &'n str) -> &'n str {
        match &self.named_after_output {
            Some([embedding, output]) if name == embedding => output,
            _ if self.is_bare => self.bare(name),
            _ => name,
        }
    }

    /// The whole decoder.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the tensors that are missing, of another shape, or damaged.
    pub(super) async fn decoder(&mut self, config: Config) -> Result<Decoder, ModelError> {
        self.check_all(&config)?;
        let weights = config.weights;
        let embedding = self.table(&weights.embedding, &config).await?;
        let position_embedding = match &weights.position_embedding {
            Some(weight) => Some(self.table(weight, &config).await?),
            None => None,
        };
        let mut blocks = Vec::with_capacity(config.n_layers);
        for layer in 0..config.n_layers {
            blocks.push(self.block(layer, &config).await?);
        }
        let final_norm = self.norm(None, &weights.final_norm, &config).await?;
        let lm_head = if config.tied {
            embedding.clone()
        } else {
            self.table(&weights.lm_head, &config).await?
        };
        Ok(Decoder {
            config,
            device: self.device.clone(),
            pace: Pace::default(),
            embedding,
            position_embedding,
            blocks,
            final_norm,
            lm_head,
        })
    }

    /// A block, its projections of one input put side by side before they go to the device.
    async fn block(&mut self, layer: usize, config: &Config) -> Result<Block, ModelError> {
        let mut parts = Vec::new();
        for group in config.weights.groups() {
            let mut held: Option<(Slot, Projection)> = None;
            for weight in group {
                match weight.shape {
                    Shape::Vector(_) => {
                        let norm = self.norm(Some(layer), weight, config).await?;
                        parts.push((weight.slot, Part::Norm(norm)));
                    }
                    Shape::Matrix(shape) => {
                        let shape = shape.map(|width| config.width(width));
                        let one = self.projection(layer, weight, shape, config).await?;
                        held = Some(match held {
                            Some((slot, others)) => (slot, others.beside(one)),
                            None => (weight.slot.held_in(), one),
                        });
                    }
                }
            }
            if let Some((slot, projection)) = held {
                let linear = self.upload_linear(slot, projection);
                parts.push((slot, Part::Projection(linear)));
            }
        }
        Ok(Block::new(config, parts))
    }
}
