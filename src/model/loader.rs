//! A weight file's tensors as the parts of a decoder: names, shapes and layouts of each family's files.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::attention::Attention;
use super::config::NormKind;
use super::decoder::Block;
use super::device::Compute;
use super::family::{Fused, Layout};
use super::layers::{Linear, Norm, Table};
use super::load::LoadReport;
use super::{Config, Decoder, ModelError, Precision, Tokenizer};
use crate::job::Job;
use crate::weights::{WeightFile, WeightKind};

/// Divisors of the rotary frequencies in a GGUF file of Llama 3; they are part of the configuration.
pub(super) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// Endings of tensors that a file may hold and that are no weights: buffers which older versions of
/// transformers stored.
const BUFFERS: [&str; 6] = [
    ROPE_FACTORS,
    "rotary_emb.inv_freq",
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
];

/// Reads a decoder out of a file, tensor by tensor, and keeps account.
pub(super) struct Loader<'a> {
    file: &'a WeightFile,
    layout: Layout,
    /// Whether the file holds the bare decoder, whose names lack the layout's base.
    is_bare: bool,
    device: &'a Device,
    /// Largest piece of a table, in bytes.
    piece_bytes: u64,
    precision: Precision,
    /// Names of the tensors put into the decoder.
    applied: Vec<String>,
    job: Job<'a>,
}

/// A matrix on the host.
struct Matrix {
    values: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Matrix {
    fn transposed(self) -> Self {
        let mut turned: Vec<f32> = Vec::with_capacity(self.values.len());
        for column in 0..self.columns {
            turned.extend(self.values.iter().skip(column).step_by(self.columns));
        }
        Self {
            values: turned,
            rows: self.columns,
            columns: self.rows,
        }
    }

    fn upload(self, device: &Device, precision: Precision) -> Tensor<2> {
        let shape = [self.rows, self.columns];
        precision.pack(Tensor::from_data(
            TensorData::new(self.values, shape),
            device,
        ))
    }
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
            piece_bytes: compute.info.limits.binding_bytes,
            precision: compute.precision,
            applied: Vec::new(),
            job,
        };
        let embedding = format!("{}.weight", layout.names.embedding);
        loader.is_bare = loader.file.tensor(&embedding).is_none()
            && (loader.file.tensor(loader.bare(&embedding))).is_some();
        loader
    }

    fn bare<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(self.layout.base).unwrap_or(name)
    }

    /// The name in this file.
    fn in_file<'n>(&self, name: &'n str) -> &'n str {
        if self.is_bare { self.bare(name) } else { name }
    }

    /// The whole decoder.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the tensor that is missing, of another shape, or damaged.
    pub(super) async fn decoder(&mut self, config: Config) -> Result<Decoder, ModelError> {
        self.check_shapes(&config)?;
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
        let (d_model, d_mlp) = (config.d_model, config.d_mlp);
        let bias = config.mlp_bias;
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
            gate: self
                .linear(&name(names.gate), [d_mlp, d_model], bias)
                .await?,
            up: match config.gated {
                true => Some(self.linear(&name(names.up), [d_mlp, d_model], bias).await?),
                false => None,
            },
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
        let [q, k, v] = match layout.fused {
            Some(fused) => self.fused(&name(names.qkv), fused, config).await?,
            None => [
                self.rotary(&name(names.q), config.n_heads, config).await?,
                self.rotary(&name(names.k), config.n_kv_heads, config)
                    .await?,
                self.linear(
                    &name(names.v),
                    [config.n_kv_heads * config.d_head, config.d_model],
                    config.qkv_bias,
                )
                .await?,
            ],
        };
        let (q_norm, k_norm) = match config.qk_norm {
            true => (
                Some(
                    self.norm(&name(names.q_norm), config, config.d_head)
                        .await?,
                ),
                Some(
                    self.norm(&name(names.k_norm), config, config.d_head)
                        .await?,
                ),
            ),
            false => (None, None),
        };
        let shape = [config.d_model, config.n_heads * config.d_head];
        let o = self
            .linear(&name(names.o), shape, config.attention_output_bias)
            .await?;
        Ok(Attention {
            q,
            k,
            v,
            q_norm,
            k_norm,
            o,
        })
    }

    /// Checks every shape against the file before the first tensor is read.
    fn check_shapes(&self, config: &Config) -> Result<(), ModelError> {
        let names = self.layout.names;
        let (d_model, d_mlp, d_head) = (config.d_model, config.d_mlp, config.d_head);
        let (d_q, d_kv) = (config.n_heads * d_head, config.n_kv_heads * d_head);
        let mut shapes = vec![
            (names.attention_norm, vec![d_model]),
            (names.o, self.stored(d_model, d_q)),
            (names.feed_forward_norm, vec![d_model]),
            (names.gate, self.stored(d_mlp, d_model)),
            (names.down, self.stored(d_model, d_mlp)),
        ];
        match self.layout.fused {
            Some(_) => shapes.push((names.qkv, self.stored(d_q + 2 * d_kv, d_model))),
            None => shapes.extend([
                (names.q, self.stored(d_q, d_model)),
                (names.k, self.stored(d_kv, d_model)),
                (names.v, self.stored(d_kv, d_model)),
            ]),
        }
        if config.gated {
            shapes.push((names.up, self.stored(d_mlp, d_model)));
        }
        if config.qk_norm {
            shapes.extend([(names.q_norm, vec![d_head]), (names.k_norm, vec![d_head])]);
        }
        if config.sandwich_norms {
            shapes.extend([
                (names.attention_post_norm, vec![d_model]),
                (names.feed_forward_post_norm, vec![d_model]),
            ]);
        }
        for layer in 0..config.n_layers {
            for (part, shape) in &shapes {
                let name = format!("{}.weight", self.layout.in_block(layer, part));
                self.check(self.in_file(&name), shape)?;
            }
        }
        if config.rope.is_none() {
            let name = format!("{}.weight", names.position_embedding);
            self.check(self.in_file(&name), &[config.context_length, d_model])?;
        }
        let table = [config.vocabulary, d_model];
        self.check(self.in_file(&format!("{}.weight", names.embedding)), &table)?;
        let norm = format!("{}.weight", names.final_norm);
        self.check(self.in_file(&norm), &[d_model])?;
        if !config.tied {
            self.check(self.in_file(&format!("{}.weight", names.lm_head)), &table)?;
        }
        Ok(())
    }

    /// The stored shape of a projection from `input` to `output`.
    fn stored(&self, output: usize, input: usize) -> Vec<usize> {
        match self.layout.in_out {
            true => vec![input, output],
            false => vec![output, input],
        }
    }

    fn check(&self, name: &str, expected: &[usize]) -> Result<(), ModelError> {
        let Some(tensor) = self.file.tensor(name) else {
            return Err(ModelError::MissingTensor {
                name: name.to_owned(),
                nearest: self.nearest(name),
            });
        };
        if tensor.shape != expected {
            return Err(ModelError::Shape {
                name: name.to_owned(),
                expected: expected.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        Ok(())
    }

    async fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let name = self.in_file(name).to_owned();
        self.check(&name, shape)?;
        self.job.checkpoint().await?;
        let values = self.file.read_f32(&name).await?;
        self.note(name);
        Ok(values)
    }

    /// A tensor is in the decoder.
    fn note(&mut self, name: String) {
        self.applied.push(name);
        let total = self.file.tensors().len();
        self.job.progress("loading", self.applied.len(), total);
    }

    async fn vector(&mut self, name: &str, width: usize) -> Result<Vec<f32>, ModelError> {
        self.values(name, &[width]).await
    }

    fn upload(&self, values: Vec<f32>) -> Tensor<1> {
        let width = values.len();
        Tensor::from_data(TensorData::new(values, [width]), self.device)
    }

    async fn bias(
        &mut self,
        name: &str,
        width: usize,
        has: bool,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        match has {
            true => self.vector(&format!("{name}.bias"), width).await.map(Some),
            false => Ok(None),
        }
    }

    async fn norm(
        &mut self,
        name: &str,
        config: &Config,
        width: usize,
    ) -> Result<Norm, ModelError> {
        let mut weight = self.vector(&format!("{name}.weight"), width).await?;
        for value in &mut weight {
            *value += self.layout.norm_offset;
        }
        let bias = self
            .bias(name, width, config.norm == NormKind::Layer)
            .await?;
        Ok(Norm {
            kind: config.norm,
            eps: config.norm_eps,
            weight: self.upload(weight),
            bias: bias.map(|bias| self.upload(bias)),
        })
    }

    /// A projection's weight as `[out, in]`.
    async fn matrix(
        &mut self,
        name: &str,
        [rows, columns]: [usize; 2],
    ) -> Result<Matrix, ModelError> {
        let name = format!("{name}.weight");
        let shape = self.stored(rows, columns);
        let values = self.values(&name, &shape).await?;
        let stored = Matrix {
            values,
            rows: shape[0],
            columns: shape[1],
        };
        Ok(match self.layout.in_out {
            true => stored.transposed(),
            false => stored,
        })
    }

    async fn linear(
        &mut self,
        name: &str,
        shape: [usize; 2],
        has_bias: bool,
    ) -> Result<Linear, ModelError> {
        let weight = self.matrix(name, shape).await?;
        let bias = self.bias(name, shape[0], has_bias).await?;
        Ok(self.upload_linear(weight, bias))
    }

    fn upload_linear(&self, weight: Matrix, bias: Option<Vec<f32>>) -> Linear {
        let weight = match self.precision {
            Precision::F32 => weight.upload(self.device, self.precision).transpose(),
            // Blocks are rows of the matrix as it is used.
            packed => weight.transposed().upload(self.device, packed),
        };
        Linear {
            weight,
            bias: bias.map(|bias| self.upload(bias)),
        }
    }

    /// The last projection, laid out anew as `[in, out]`: a product with the wide side inside is half as fast
    /// again as with a transposed view, and its way back no slower (`cargo xtask bench`).
    async fn down(&mut self, name: &str, config: &Config) -> Result<Linear, ModelError> {
        let (d_model, d_mlp) = (config.d_model, config.d_mlp);
        let weight = self.matrix(name, [d_model, d_mlp]).await?;
        let weight = weight.transposed().upload(self.device, self.precision);
        let bias = self.bias(name, d_model, config.mlp_bias).await?;
        Ok(Linear {
            weight,
            bias: bias.map(|bias| self.upload(bias)),
        })
    }

    /// A projection whose output is rotated, in the half-split row order: row `(head, j, i)` for
    /// `j` in 0..2 and `i` in 0..d_head/2. Interleaved, it is stored as `(head, i, j)`.
    async fn rotary(
        &mut self,
        name: &str,
        heads: usize,
        config: &Config,
    ) -> Result<Linear, ModelError> {
        let shape = [heads * config.d_head, config.d_model];
        let mut weight = self.matrix(name, shape).await?;
        let mut bias = self.bias(name, shape[0], config.qkv_bias).await?;
        if self.layout.interleaved_rotary {
            let half = config.d_head / 2;
            let row_in_file = move |row: usize| {
                let (head, place) = (row / config.d_head, row % config.d_head);
                head * config.d_head + place % half * 2 + place / half
            };
            weight = rows_by(&weight, shape[0], row_in_file);
            bias = bias.map(|bias| (0..shape[0]).map(|row| bias[row_in_file(row)]).collect());
        }
        Ok(self.upload_linear(weight, bias))
    }

    /// Queries, keys and values out of one projection.
    async fn fused(
        &mut self,
        name: &str,
        fused: Fused,
        config: &Config,
    ) -> Result<[Linear; 3], ModelError> {
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
        let part = |which: usize, width: usize| {
            let row_in_file = move |row: usize| match fused {
                Fused::Concatenated => [0, d_q, d_q + d_kv][which] + row,
                Fused::HeadByHead => (row / d_head * 3 + which) * d_head + row % d_head,
            };
            let bias = bias.as_ref();
            self.upload_linear(
                rows_by(&weight, width, row_in_file),
                bias.map(|bias| (0..width).map(|row| bias[row_in_file(row)]).collect()),
            )
        };
        Ok([part(0, d_q), part(1, d_kv), part(2, d_kv)])
    }

    /// A table in pieces of whole rows.
    async fn table(&mut self, name: &str, rows: usize, width: usize) -> Result<Table, ModelError> {
        let name = self.in_file(&format!("{name}.weight")).to_owned();
        self.check(&name, &[rows, width])?;
        let height = (self.piece_bytes / (4 * width as u64)).clamp(1, rows as u64) as usize;
        let mut pieces = Vec::with_capacity(rows.div_ceil(height));
        for first in (0..rows).step_by(height) {
            self.job.checkpoint().await?;
            let last = rows.min(first + height);
            let matrix = Matrix {
                values: self.file.read_rows_f32(&name, first..last).await?,
                rows: last - first,
                columns: width,
            };
            pieces.push(matrix.upload(self.device, self.precision));
        }
        self.note(name);
        Ok(Table { pieces })
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let common = |other: &str| {
            let prefix = name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
            let suffix = name
                .bytes()
                .rev()
                .zip(other.bytes().rev())
                .take_while(|(a, b)| a == b);
            prefix.count() + suffix.count()
        };
        let names = self.file.tensors().iter().map(|tensor| &tensor.name);
        names
            .max_by_key(|other| common(other))
            .filter(|other| common(other) * 2 > name.len())
            .cloned()
    }

    /// What was found; `tokenizer` says the rest.
    pub(super) fn report(self, tokenizer: &Tokenizer) -> LoadReport {
        let source = match self.file.kind() {
            WeightKind::Safetensors => "safetensors",
            WeightKind::Gguf => "gguf",
        };
        let mut tensor_types = BTreeMap::new();
        for tensor in self.file.tensors() {
            *tensor_types.entry(tensor.kind.to_string()).or_insert(0) += 1;
        }
        let is_unused = |name: &&String| {
            !self.applied.contains(name) && !BUFFERS.iter().any(|suffix| name.ends_with(suffix))
        };
        LoadReport {
            source: source.to_owned(),
            bytes: self.file.n_bytes(),
            precision: self.precision,
            has_chat_template: tokenizer.chat_template().is_some(),
            applied: self.applied.len(),
            unused: self
                .file
                .tensors()
                .iter()
                .map(|tensor| &tensor.name)
                .filter(is_unused)
                .cloned()
                .collect(),
            tensor_types,
        }
    }
}

/// `count` rows of a matrix, row `i` being its row `row_in_file(i)`.
fn rows_by(matrix: &Matrix, count: usize, row_in_file: impl Fn(usize) -> usize) -> Matrix {
    let width = matrix.columns;
    let mut values = Vec::with_capacity(count * width);
    for row in 0..count {
        let start = row_in_file(row) * width;
        values.extend_from_slice(&matrix.values[start..start + width]);
    }
    Matrix {
        values,
        rows: count,
        columns: width,
    }
}
