//! Weight files to a decoder on a device, tensor by tensor, with a report of what was found.
//!
//! - this file: the files of a model, its configuration and hash
//! - `check`: what a configuration asks for, against what the file has
//! - `loader`: the parts of a decoder out of a file; `reading`: one tensor by its name
//! - `report`: what was applied, and what was left over

mod check;
mod loader;
mod reading;
mod report;

use sha2::{Digest, Sha256};

use super::config::Stored;
use super::device::Compute;
use super::{Config, Decoder, ModelError, Tokenizer};
use loader::Loader;
pub use report::LoadReport;
use report::ROPE_FACTORS;

use crate::job::Job;
use crate::weights::gguf::Metadata;
use crate::weights::sharded::Index;
use crate::weights::{ByteSource, WeightFile};

/// The files of one model.
pub struct ModelFiles {
    /// Names and bytes of the weight files: one GGUF file or all parts of one, `model.safetensors`, or all its shards.
    pub weights: Vec<(String, Box<dyn ByteSource>)>,
    /// `model.safetensors.index.json`, beside shards.
    pub index: Option<Vec<u8>>,
    /// `config.json`; needed beside safetensors.
    pub config: Option<Vec<u8>>,
    /// `tokenizer.json`; needed beside safetensors.
    pub tokenizer: Option<Vec<u8>>,
    /// `tokenizer_config.json`, where there is one.
    pub tokenizer_config: Option<Vec<u8>>,
    /// `chat_template.jinja`, where there is one.
    pub chat_template: Option<Vec<u8>>,
}

/// A model ready to be asked.
pub struct Model {
    /// Name by which studies refer to it.
    pub id: String,
    /// SHA-256 of the weight file, lower-case hexadecimal; of shards or parts, that of the list of their hashes.
    pub sha256: String,
    /// The decoder.
    pub decoder: Decoder,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// What the files held.
    pub report: LoadReport,
}

/// A model whose files were opened and whose weights are still in them.
pub struct Opened {
    file: WeightFile,
    config: Config,
    tokenizer: Tokenizer,
}

impl Opened {
    /// Reads everything but the weights.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the file, field or metadata key that is wrong or missing.
    pub async fn new(files: ModelFiles) -> Result<Self, ModelError> {
        let file = open(files.weights, files.index.as_deref()).await?;
        let need = |bytes: Option<Vec<u8>>, name: &str| {
            bytes.ok_or_else(|| {
                ModelError::Config(format!("{name} is needed beside safetensors files"))
            })
        };
        let (config, tokenizer) = match file.metadata() {
            Some(metadata) => (
                config_of_gguf(&file, metadata).await?,
                Tokenizer::from_gguf(metadata)?,
            ),
            None => {
                let config = Config::from_json(&need(files.config, "config.json")?)?;
                let tokenizer = Tokenizer::from_hugging_face(
                    &need(files.tokenizer, "tokenizer.json")?,
                    files.tokenizer_config.as_deref(),
                    config.family,
                )?;
                let tokenizer = match files.chat_template {
                    Some(template) => tokenizer.with_chat_template(template)?,
                    None => tokenizer,
                };
                (config, tokenizer)
            }
        };
        Ok(Self {
            file,
            config,
            tokenizer,
        })
    }

    /// Shape and constants.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Reads the weights, dequantising to f32 on the way. Peak memory is the model plus its largest tensor. What the
    /// device computes is not checked on the model's shapes here: see [`Compute::check_shapes`].
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the file's tensors that are wrong or missing; [`ModelError::DoesNotFit`] before any weight is
    /// read.
    pub async fn load(
        self,
        id: &str,
        compute: &Compute,
        job: Job<'_>,
    ) -> Result<Model, ModelError> {
        let Self {
            file,
            mut config,
            tokenizer,
        } = self;
        let mut loader = Loader::new(&file, &config, compute, job);
        if loader.has_other_output(&config).await? {
            config.tied = false;
        }
        compute.check_fits(&config)?;
        let sha256 = sha256_of(&file, job).await?;
        let mut decoder = loader.decoder(config).await?;
        decoder.pace = compute.pace(job).await?;
        let report = loader.report(&tokenizer);
        Ok(Model {
            id: id.to_owned(),
            sha256,
            decoder,
            tokenizer,
            report,
        })
    }
}

impl Model {
    /// Loads a model onto a device that is believed to compute its shapes.
    ///
    /// # Errors
    ///
    /// As [`Opened::new`], [`Opened::load`] and [`Compute::check_shapes`].
    pub async fn load(
        id: &str,
        files: ModelFiles,
        compute: &Compute,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let opened = Opened::new(files).await?;
        // Nothing is made for a model that does not fit.
        compute.check_fits(opened.config())?;
        compute.check_shapes(opened.config(), job).await?;
        opened.load(id, compute, job).await
    }

    /// Checks that tokens have rows: a tokenizer may have more tokens than its model.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRow`] names the first that has none, with its text.
    pub fn check_tokens(&self, ids: &[u32]) -> Result<(), ModelError> {
        let rows = self.config().vocabulary;
        match ids.iter().find(|&&id| id as usize >= rows) {
            Some(&id) => Err(ModelError::NoRow {
                id,
                text: Some(self.tokenizer.token_text(id)),
                rows,
            }),
            None => Ok(()),
        }
    }

    /// Shape and constants of the decoder.
    pub fn config(&self) -> &Config {
        &self.decoder.config
    }
}

/// One file, the parts of one, or shards with their index.
async fn open(
    mut weights: Vec<(String, Box<dyn ByteSource>)>,
    index: Option<&[u8]>,
) -> Result<WeightFile, ModelError> {
    let are_gguf = weights.iter().all(|(name, _)| name.ends_with(".gguf"));
    match (weights.len(), index) {
        (0, _) => Err(ModelError::Config("there is no weight file".into())),
        (1, _) if !is_shard(&weights[0].0, index) => {
            let (name, source) = weights.remove(0);
            let file = WeightFile::open(source).await?;
            file.check_whole(&name)?;
            Ok(file)
        }
        _ if are_gguf => Ok(WeightFile::open_split(weights).await?),
        (_, Some(index)) => Ok(WeightFile::open_sharded(index, weights).await?),
        (count, None) => Err(ModelError::Config(format!(
            "{count} weight files; shards need model.safetensors.index.json beside them"
        ))),
    }
}

/// Whether an index names this file. One that names only others is left over from before.
fn is_shard(name: &str, index: Option<&[u8]>) -> bool {
    let index = index.and_then(|index| Index::from_json(index).ok());
    index.is_some_and(|index| index.shards().contains(name))
}

/// Most divisors of rotary frequencies: half of a head's width.
const MOST_FACTORS: usize = 4096;

/// The configuration in a GGUF file: its metadata, and what its tensors say.
async fn config_of_gguf(file: &WeightFile, metadata: &Metadata) -> Result<Config, ModelError> {
    let rope_factors = match file.tensor(ROPE_FACTORS) {
        None => None,
        Some(tensor) if tensor.shape.iter().product::<usize>() > MOST_FACTORS => {
            return Err(ModelError::Config(format!(
                "`{ROPE_FACTORS}` has shape {:?}",
                tensor.shape
            )));
        }
        Some(_) => Some(file.read_f32(ROPE_FACTORS).await?),
    };
    let has = |parts: &[&str]| {
        let is_bias = |name: &str| {
            let name = name.strip_suffix(".bias");
            name.is_some_and(|name| parts.iter().any(|part| name.ends_with(part)))
        };
        file.tensors().iter().any(|tensor| is_bias(&tensor.name))
    };
    let stored = Stored {
        has_output: file.tensor("output.weight").is_some(),
        qkv_bias: has(&[".attn_q", ".attn_k", ".attn_v", ".attn_qkv"]),
        attention_output_bias: has(&[".attn_output"]),
        mlp_bias: has(&[".ffn_gate", ".ffn_up", ".ffn_down"]),
        rope_factors,
    };
    Config::from_gguf(metadata, &stored)
}

/// Bytes hashed between two checkpoints.
const HASH_CHUNK: u64 = 4 << 20;

/// The SHA-256 of a model's one weight file; of a model in shards or parts, that of their hashes, one a line in the
/// order of their names (what `sha256sum model-*.safetensors | cut -c -64 | sha256sum` prints).
async fn sha256_of(file: &WeightFile, job: Job<'_>) -> Result<String, ModelError> {
    let total = file.n_bytes();
    let mut done = 0;
    let mut hashes = Vec::new();
    for source in file.sources() {
        let mut hasher = Sha256::new();
        let mut offset = 0;
        while offset < source.len() {
            job.checkpoint().await?;
            let length = HASH_CHUNK.min(source.len() - offset);
            let chunk = source.read(offset, length as usize).await?;
            hasher.update(&chunk);
            offset += length;
            done += length;
            // In kibibytes, since a browser's integers end at four billion.
            job.progress("verifying", (done >> 10) as usize, (total >> 10) as usize);
        }
        hashes.push(hexadecimal(hasher));
    }
    match hashes.as_slice() {
        [hash] => Ok(hash.clone()),
        hashes => {
            let lines: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
            Ok(hexadecimal(Sha256::new_with_prefix(lines)))
        }
    }
}

fn hexadecimal(hasher: Sha256) -> String {
    format!("{:x}", hasher.finalize())
}
