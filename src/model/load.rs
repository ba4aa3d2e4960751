//! Weight files to a decoder on a device, tensor by tensor, with a report of what was found.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::decoder::Block;
use super::names::{
    DOWN_PROJ, GATE_PROJ, INPUT_LAYERNORM, K_PROJ, Naming, O_PROJ, POST_ATTENTION_LAYERNORM, Part,
    Q_PROJ, UP_PROJ, V_PROJ,
};
use super::{Config, Decoder, ModelError, Tokenizer};
use crate::job::Job;
use crate::weights::{ByteSource, WeightFile, WeightKind};

/// The files of one model.
pub struct ModelFiles {
    /// Names and bytes of the weight files: one GGUF file, `model.safetensors`, or all shards of one.
    pub weights: Vec<(String, Box<dyn ByteSource>)>,
    /// `model.safetensors.index.json`, beside shards.
    pub index: Option<Vec<u8>>,
    /// `config.json`; needed beside safetensors.
    pub config: Option<Vec<u8>>,
    /// `tokenizer.json`; needed beside safetensors.
    pub tokenizer: Option<Vec<u8>>,
    /// `tokenizer_config.json`, where there is one.
    pub tokenizer_config: Option<Vec<u8>>,
}

/// A model ready to be asked.
pub struct Model {
    /// Name by which studies refer to it.
    pub id: String,
    /// SHA-256 of the weight file, lower-case hexadecimal.
    pub sha256: String,
    /// The decoder.
    pub decoder: Decoder,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// What the files held.
    pub report: LoadReport,
}

/// What a load applied, missed and left over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadReport {
    /// "gguf" or "safetensors".
    pub source: String,
    /// Bytes of the weight file.
    pub bytes: u64,
    /// Tensors put into the decoder.
    pub applied: usize,
    /// Tensors of the file that nothing asked for.
    pub unused: Vec<String>,
    /// How many tensors of each stored type.
    pub tensor_types: BTreeMap<String, usize>,
}

/// Names a file may hold that are no weights of the decoder.
const IGNORED_SUFFIXES: [&str; 2] = ["rotary_emb.inv_freq", "rope_freqs.weight"];

impl Model {
    /// Loads a model, dequantising to f32 on the way. Peak memory is the model plus its largest tensor.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the file's tensor, field or metadata key that is wrong or missing.
    pub async fn load(
        id: &str,
        files: ModelFiles,
        device: &Device,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let mut weights = files.weights;
        let Some((_, weights)) = weights.pop().filter(|_| weights.is_empty()) else {
            return Err(ModelError::Config(format!(
                "{} weight files; a model in shards cannot be read yet",
                weights.len()
            )));
        };
        let bytes = weights.len();
        let sha256 = sha256_of(weights.as_ref(), job).await?;
        let file = WeightFile::open(weights).await?;
        let (naming, source) = match file.kind() {
            WeightKind::Safetensors => (Naming::HuggingFace, "safetensors"),
            WeightKind::Gguf => (Naming::LlamaCpp, "gguf"),
        };
        let no_head = file.tensor(naming.lm_head()).is_none();
        let (config, tokenizer) = match file.metadata() {
            Some(metadata) => (
                Config::from_gguf(metadata, no_head)?,
                Tokenizer::from_gguf(metadata)?,
            ),
            None => {
                let need = |bytes: Option<Vec<u8>>, name: &str| {
                    bytes.ok_or_else(|| {
                        ModelError::Config(format!("{name} is needed beside model.safetensors"))
                    })
                };
                let mut config = Config::from_json(&need(files.config, "config.json")?)?;
                config.tied |= no_head;
                let tokenizer = need(files.tokenizer, "tokenizer.json")?;
                (config, Tokenizer::from_json(&tokenizer)?)
            }
        };
        let mut loader = Loader {
            naming,
            device,
            applied: Vec::new(),
            job,
            total: file.tensors().len(),
            file: &file,
        };
        let decoder = loader.decoder(config).await?;
        let report = loader.report(source, bytes);
        Ok(Self {
            id: id.to_owned(),
            sha256,
            decoder,
            tokenizer,
            report,
        })
    }

    /// Shape and constants of the decoder.
    pub fn config(&self) -> &Config {
        &self.decoder.config
    }
}

/// Bytes hashed between two checkpoints.
const HASH_CHUNK: u64 = 4 << 20;

async fn sha256_of(source: &dyn ByteSource, job: Job<'_>) -> Result<String, ModelError> {
    let mut hasher = Sha256::new();
    let mut offset = 0;
    while offset < source.len() {
        job.checkpoint().await?;
        let length = HASH_CHUNK.min(source.len() - offset) as usize;
        let chunk = source
            .read(offset, length)
            .await
            .map_err(crate::weights::WeightsError::from)?;
        hasher.update(&chunk);
        offset += length as u64;
        job.progress("verifying", offset as usize, source.len() as usize);
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

struct Loader<'a> {
    file: &'a WeightFile,
    naming: Naming,
    device: &'a Device,
    applied: Vec<String>,
    job: Job<'a>,
    total: usize,
}

impl Loader<'_> {
    async fn decoder(&mut self, config: Config) -> Result<Decoder, ModelError> {
        // Every shape is checked against the file before the first tensor is read.
        let naming = self.naming;
        let (d_model, vocabulary) = (config.d_model, config.vocabulary);
        for layer in 0..config.n_layers {
            for (part, shape) in block_shapes(&config) {
                self.check(&naming.in_block(layer, part), &shape)?;
            }
        }
        let embed_tokens = self
            .matrix(naming.embed_tokens(), [vocabulary, d_model])
            .await?;
        let mut blocks = Vec::with_capacity(config.n_layers);
        for layer in 0..config.n_layers {
            blocks.push(self.block(layer, &config).await?);
        }
        let norm = self.vector(naming.norm(), d_model).await?;
        let lm_head = if config.tied {
            embed_tokens.clone()
        } else {
            self.matrix(naming.lm_head(), [vocabulary, d_model]).await?
        };
        Ok(Decoder {
            config,
            device: self.device.clone(),
            embed_tokens,
            blocks,
            norm,
            lm_head: lm_head.transpose(),
        })
    }

    async fn block(&mut self, layer: usize, config: &Config) -> Result<Block, ModelError> {
        let name = |part| self.naming.in_block(layer, part);
        let [norm_in, q, k, v, o, norm_mid, gate, up, down] = [
            INPUT_LAYERNORM,
            Q_PROJ,
            K_PROJ,
            V_PROJ,
            O_PROJ,
            POST_ATTENTION_LAYERNORM,
            GATE_PROJ,
            UP_PROJ,
            DOWN_PROJ,
        ]
        .map(name);
        let (d_model, d_mlp) = (config.d_model, config.d_mlp);
        let (d_q, d_kv) = (
            config.n_heads * config.d_head,
            config.n_kv_heads * config.d_head,
        );
        Ok(Block {
            input_layernorm: self.vector(&norm_in, d_model).await?,
            q_proj: self.rotary(&q, config.n_heads, config).await?.transpose(),
            k_proj: self
                .rotary(&k, config.n_kv_heads, config)
                .await?
                .transpose(),
            v_proj: self.matrix(&v, [d_kv, d_model]).await?.transpose(),
            o_proj: self.matrix(&o, [d_model, d_q]).await?.transpose(),
            post_attention_layernorm: self.vector(&norm_mid, d_model).await?,
            gate_proj: self.matrix(&gate, [d_mlp, d_model]).await?.transpose(),
            up_proj: self.matrix(&up, [d_mlp, d_model]).await?.transpose(),
            down_proj: self.transposed(&down, [d_model, d_mlp]).await?,
        })
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
        self.check(name, shape)?;
        self.job.checkpoint().await?;
        let values = self.file.read_f32(name).await?;
        self.applied.push(name.to_owned());
        self.job.progress("loading", self.applied.len(), self.total);
        Ok(values)
    }

    async fn vector(&mut self, name: &str, width: usize) -> Result<Tensor<1>, ModelError> {
        let values = self.values(name, &[width]).await?;
        Ok(Tensor::from_data(
            TensorData::new(values, [width]),
            self.device,
        ))
    }

    async fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, ModelError> {
        let values = self.values(name, &shape).await?;
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            self.device,
        ))
    }

    /// The transpose of a matrix, laid out anew: a product with the wide side inside is half as fast again as
    /// with a transposed view, and its way back no slower (`cargo xtask bench`).
    async fn transposed(
        &mut self,
        name: &str,
        [rows, columns]: [usize; 2],
    ) -> Result<Tensor<2>, ModelError> {
        let values = self.values(name, &[rows, columns]).await?;
        let mut turned: Vec<f32> = Vec::with_capacity(values.len());
        for column in 0..columns {
            turned.extend(values.iter().skip(column).step_by(columns));
        }
        Ok(Tensor::from_data(
            TensorData::new(turned, [columns, rows]),
            self.device,
        ))
    }

    /// A projection whose output is rotated, in the half-split row order: row `(head, j, i)` for
    /// `j` in 0..2 and `i` in 0..d_head/2. llama.cpp's converter stores it as `(head, i, j)`.
    async fn rotary(
        &mut self,
        name: &str,
        heads: usize,
        config: &Config,
    ) -> Result<Tensor<2>, ModelError> {
        let rows = heads * config.d_head;
        let weight = self.matrix(name, [rows, config.d_model]).await?;
        Ok(match self.naming {
            Naming::HuggingFace => weight,
            Naming::LlamaCpp => weight
                .reshape([heads, config.d_head / 2, 2, config.d_model])
                .swap_dims(1, 2)
                .reshape([rows, config.d_model]),
        })
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

    fn report(self, source: &str, bytes: u64) -> LoadReport {
        let mut tensor_types = BTreeMap::new();
        for tensor in self.file.tensors() {
            *tensor_types.entry(tensor.kind.to_string()).or_insert(0) += 1;
        }
        let is_unused = |name: &&String| {
            !self.applied.contains(name)
                && !IGNORED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        };
        LoadReport {
            source: source.to_owned(),
            bytes,
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

fn block_shapes(config: &Config) -> [(Part, Vec<usize>); 9] {
    let (d_model, d_mlp) = (config.d_model, config.d_mlp);
    let (d_q, d_kv) = (
        config.n_heads * config.d_head,
        config.n_kv_heads * config.d_head,
    );
    [
        (INPUT_LAYERNORM, vec![d_model]),
        (Q_PROJ, vec![d_q, d_model]),
        (K_PROJ, vec![d_kv, d_model]),
        (V_PROJ, vec![d_kv, d_model]),
        (O_PROJ, vec![d_model, d_q]),
        (POST_ATTENTION_LAYERNORM, vec![d_model]),
        (GATE_PROJ, vec![d_mlp, d_model]),
        (UP_PROJ, vec![d_mlp, d_model]),
        (DOWN_PROJ, vec![d_model, d_mlp]),
    ]
}
