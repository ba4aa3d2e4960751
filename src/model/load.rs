//! Weight files to a decoder on a device, tensor by tensor, with a report of what was found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::device::Compute;
use super::loader::{Loader, ROPE_FACTORS};
use super::{Config, Decoder, ModelError, Tokenizer};
use crate::job::Job;
use crate::weights::gguf::Metadata;
use crate::weights::{ByteSource, WeightFile};

/// The files of one model.
pub struct ModelFiles {
    /// `model.safetensors` or a GGUF file.
    pub weights: Box<dyn ByteSource>,
    /// `config.json`; needed beside safetensors.
    pub config: Option<Vec<u8>>,
    /// `tokenizer.json`; needed beside safetensors.
    pub tokenizer: Option<Vec<u8>>,
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

impl Model {
    /// Loads a model, dequantising to f32 on the way. Peak memory is the model plus its largest tensor.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the file's tensor, field or metadata key that is wrong or missing;
    /// [`ModelError::DoesNotFit`] before any weight is read.
    pub async fn load(
        id: &str,
        files: ModelFiles,
        compute: &Compute,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
        let bytes = files.weights.len();
        let sha256 = sha256_of(files.weights.as_ref(), job).await?;
        let file = WeightFile::open(files.weights).await?;
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
                let tokenizer = need(files.tokenizer, "tokenizer.json")?;
                (config, Tokenizer::from_json(&tokenizer)?)
            }
        };
        compute.info.limits.check(&config)?;
        let mut loader = Loader::new(&file, &config, compute, job);
        let decoder = loader.decoder(config).await?;
        let report = loader.report(bytes);
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

/// The configuration in a GGUF file: its metadata, and what the presence of tensors says.
async fn config_of_gguf(file: &WeightFile, metadata: &Metadata) -> Result<Config, ModelError> {
    let factors = match file.tensor(ROPE_FACTORS) {
        Some(_) => Some(file.read_f32(ROPE_FACTORS).await?),
        None => None,
    };
    let is_tied = file.tensor("output.weight").is_none();
    Config::from_gguf(metadata, is_tied, factors)
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
