//! A weight file's tensors as the parts of a decoder: names, shapes and layouts of each family's files.

use burn::tensor::Device;

use super::reading::Projection;
use crate::job::Job;
use crate::model::attention::{Attention, HeadNorm};
use crate::model::decoder::Block;
use crate::model::device::Compute;
use crate::model::family::{Fused, Layout};
use crate::model::feed_forward::FirstProjections;
use crate::model::{Config, Decoder, ModelError, Pace, Precision};
use crate::weights::WeightFile;

/// Reads a decoder out of a file, tensor by tensor, and keeps account.
pub(super) struct Loader<'a> {
    pub(super) file: &'a WeightFile,
    pub(super) layout: Layout,
    /// Whether the file holds the bare decoder, whose names lack the layout's base.
    is_bare: bool,
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
        let layout = config.family.layout(file.kind());
        let mut loader = Self {
            file,
            layout,
            is_bare: false,
            device: &compute.device,
            piece_bytes: compute.info.limits.binding_bytes.unwrap_or(u64::MAX),
            precision: compute.precision,
            applied: Vec::new(),
            notes: Vec::new(),
            job,
        };
        let embedding = format!("{}.weight", layout.names.embedding);
        loader.is_bare = loader.file.tensor(&embedding).is_none()
            && (loader.file.tensor(loader.bare(&embedding))).is_some();
        loader
    }

    pub(super) fn bare<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(self.layout.base).unwrap_or(name)
    }

    /// The name in this file.
    pub(super) fn in_file<'n>(&self, name: &'n str) -> &'n str {
        if self.is_bare { self.bare(name) } else { name }
    }

    /// The whole decoder.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the tensors that are missing, of another shape, or damaged.
    pub(super) async fn decoder(&mut self, config: Config) -> Result<Decoder, ModelError> {
        self.check_all(&config)?;
        let names = self.layout.names;
        let (d_model, vocabulary) = (config.d_model, config.vocabulary);
        let embedding = self.table(names.embedding, vocabulary, d_model).await?;
        let position_embedding = match config.rope {
            Some(_) => None,
            None => Some(
                self.table(names.position_embedding, config.context_length, d_model)
                    .await?,
            ),
        };
        let mut blocks = Vec::with_capacity(config.n_layers);
        for layer in 0..config.n_layers {
            blocks.push(self.block(layer, &config).await?);
        }
        let final_norm = self.norm(names.final_norm, &config, d_model).await?;
        let lm_head = if config.tied {
            embedding.clone()
        } else {
            self.table(names.lm_head, vocabulary, d_model).await?
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

    async fn block(&mut self, layer: usize, config: &Config) -> Result<Block, ModelError> {
        let names = self.layout.names;
        let layout = self.layout;
        let name = |part: &str| layout.in_block(layer, part);
        let d_model = config.d_model;
        let attention_norm = self
            .norm(&name(names.attention_norm), config, d_model)
            .await?;
        let attention = self.attention(layer, config).await?;
        let post = config.sandwich_norms;
        Ok(Block {
            attention_norm,
            attention,
            attention_post_norm: match post {
                true => Some(
                    self.norm(&name(names.attention_post_norm), config, d_model)
                        .await?,
                ),
                false => None,
            },
            feed_forward_norm: self
                .norm(&name(names.feed_forward_norm), config, d_model)
                .await?,
            first: self.first_projections(layer, config).await?,
            down: self.down(&name(names.down), config).await?,
            feed_forward_post_norm: match post {
                true => Some(
                    self.norm(&name(names.feed_forward_post_norm), config, d_model)
                        .await?,
                ),
                false => None,
            },
        })
    }

    async fn attention(&mut self, layer: usize, config: &Config) -> Result<Attention, ModelError> {
        let names = self.layout.names;
        let layout = self.layout;
        let name = |part: &str| layout.in_block(layer, part);
        let d_kv = config.n_kv_heads * config.d_head;
        let qkv = match layout.fused {
            Some(fused) => self.fused(&name(names.qkv), fused, config).await?,
            None => {
                let (n_q, n_k, shape) = (config.n_heads, config.n_kv_heads, [d_kv, config.d_model]);
                let q = self.rotary(&name(names.q), n_q, config).await?;
                let k = self.rotary(&name(names.k), n_k, config).await?;
                let v = self
                    .projection(&name(names.v), shape, config.qkv_bias)
                    .await?;
                q.beside(k).beside(v)
            }
        };
        let qkv = self.upload_linear(qkv);
        let qk_norm = match config.qk_norm {
            true => {
                let (q, k) = (name(names.q_norm), name(names.k_norm));
                let q = self.norm(&q, config, config.d_head).await?;
                let k = self.norm(&k, config, config.d_head).await?;
                Some(HeadNorm::new(config, q.weight, k.weight))
            }
            false => None,
        };
        let shape = [config.d_model, config.n_heads * config.d_head];
        let o = self
            .projection(&name(names.o), shape, config.attention_output_bias)
            .await?;
        Ok(Attention {
            qkv,
            qk_norm,
            o: self.upload_linear(o),
        })
    }

    async fn first_projections(
        &mut self,
        layer: usize,
        config: &Config,
    ) -> Result<FirstProjections, ModelError> {
        let names = self.layout.names;
        let layout = self.layout;
        let name = |part: &str| layout.in_block(layer, part);
        let (shape, has_bias) = ([config.d_mlp, config.d_model], config.mlp_bias);
        let mut gate = self.projection(&name(names.gate), shape, has_bias).await?;
        // The gate's bias is added after a gain on the gate.
        let bias = gate.bias.take().map(|bias| self.upload(bias));
        let all = match config.gated {
            true => gate.beside(self.projection(&name(names.up), shape, has_bias).await?),
            false => gate,
        };
        Ok(FirstProjections {
            linear: self.upload_linear(all),
            bias,
        })
    }

    /// A projection whose output is rotated, in the half-split row order: row `(head, j, i)` for
    /// `j` in 0..2 and `i` in 0..dimensions/2. Interleaved, it is stored as `(head, i, j)`. Rows of a head that are
    /// not rotated follow in their own order.
    async fn rotary(
        &mut self,
        name: &str,
        heads: usize,
        config: &Config,
    ) -> Result<Projection, ModelError> {
        let shape = [heads * config.d_head, config.d_model];
        let mut weight = self.matrix(name, shape).await?;
        let mut bias = self.bias(name, shape[0], config.qkv_bias).await?;
        if self.layout.interleaved_rotary {
            let rotated = config.rope.as_ref().map_or(0, |rope| rope.dimensions);
            let half = rotated / 2;
            let row_in_file = move |row: usize| match row % config.d_head {
                place if place < rotated => row - place + place % half * 2 + place / half,
                _ => row,
            };
            weight = weight.rows_by(row_in_file);
            bias = bias.map(|bias| (0..shape[0]).map(|row| bias[row_in_file(row)]).collect());
        }
        Ok(Projection { weight, bias })
    }

    /// Queries, keys and values that are stored as one projection.
    async fn fused(
        &mut self,
        name: &str,
        fused: Fused,
        config: &Config,
    ) -> Result<Projection, ModelError> {
        let d_head = config.d_head;
        let (d_q, d_kv) = (config.n_heads * d_head, config.n_kv_heads * d_head);
        let rows = d_q + 2 * d_kv;
        if fused == Fused::HeadByHead && d_q != d_kv {
            return Err(ModelError::Unsupported(
                "grouped queries in a projection stored head by head".into(),
            ));
        }
        let weight = self.matrix(name, [rows, config.d_model]).await?;
        let bias = self.bias(name, rows, config.qkv_bias).await?;
        if fused == Fused::Concatenated {
            return Ok(Projection { weight, bias });
        }
        let row_in_file = |row: usize| {
            let (which, row) = (row / d_q, row % d_q);
            (row / d_head * 3 + which) * d_head + row % d_head
        };
        Ok(Projection {
            weight: weight.rows_by(row_in_file),
            bias: bias.map(|bias| (0..rows).map(|row| bias[row_in_file(row)]).collect()),
        })
    }
}
