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

use super::device::{Compute, check_error};
use super::self_test::self_test_of;
use super::{Config, Decoder, ModelError, Pace, Tokenizer};
use loader::Loader;
pub use report::LoadReport;
use report::ROPE_FACTORS;

use crate::job::Job;
use crate::kernels::has_kernels;
use crate::weights::gguf::Metadata;
use crate::weights::{ByteSource, WeightFile, WeightsError};

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
    /// `chat_template.jinja`, where there is one.
    pub chat_template: Option<Vec<u8>>,
}

/// A model ready to be asked.
pub struct Model {
    /// Name by which studies refer to it.
    pub id: String,
    /// SHA-256 of the weight file, lower-case hexadecimal; of shards, that of the list of their hashes.
    pub sha256: String,
    /// The decoder.
    pub decoder: Decoder,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// What the files held.
    pub report: LoadReport,
}

impl Model {
    /// Loads a model, dequantising to f32 on the way. Peak memory is the model plus its largest tensor.
    ///
    /// # Errors
    ///
    /// [`ModelError`] names the file's tensors, field or metadata key that is wrong or missing;
    /// [`ModelError::DoesNotFit`] before any weight is read.
    pub async fn load(
        id: &str,
        files: ModelFiles,
        compute: &Compute,
        job: Job<'_>,
    ) -> Result<Self, ModelError> {
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
                let tokenizer = need(files.tokenizer, "tokenizer.json")?;
                let tokenizer = Tokenizer::from_json(&tokenizer)?;
                let tokenizer = match &files.tokenizer_config {
                    Some(settings) => tokenizer.with_config(settings)?,
                    None => tokenizer,
                };
                let tokenizer = match files.chat_template {
                    Some(template) => tokenizer.with_chat_template(template)?,
                    None => tokenizer,
                };
                (config, tokenizer)
            }
        };
        compute.precision.check(&compute.device)?;
        compute.info.limits.check(&config, compute.precision)?;
        let sha256 = sha256_of(&file, job).await?;
        let mut loader = Loader::new(&file, &config, compute, job);
        let mut decoder = loader.decoder(config).await?;
        if has_kernels(&compute.device) {
            let max_error = self_test_of(&decoder.config, &compute.device, job).await?;
            compute.faults.check()?;
            check_error(max_error, "shapes of this model")?;
        }
        decoder.pace = Pace::measure(&compute.device, job).await?;
        let report = loader.report(&tokenizer);
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

/// One file, or shards with their index.
async fn open(
    mut weights: Vec<(String, Box<dyn ByteSource>)>,
    index: Option<&[u8]>,
) -> Result<WeightFile, ModelError> {
    match (weights.len(), index) {
        (0, _) => Err(ModelError::Config("there is no weight file".into())),
        (1, _) => Ok(WeightFile::open(weights.remove(0).1).await?),
        (_, Some(index)) => Ok(WeightFile::open_sharded(index, weights).await?),
        (count, None) => Err(ModelError::Config(format!(
            "{count} weight files; shards need model.safetensors.index.json beside them"
        ))),
    }
}

/// Most divisors of rotary frequencies: half of a head's width.
const MOST_FACTORS: usize = 4096;

/// The configuration in a GGUF file: its metadata, and what the presence of tensors says.
async fn config_of_gguf(file: &WeightFile, metadata: &Metadata) -> Result<Config, ModelError> {
    let factors = match file.tensor(ROPE_FACTORS) {
        None => None,
        Some(tensor) if tensor.shape.iter().product::<usize>() > MOST_FACTORS => {
            return Err(ModelError::Config(format!(
                "`{ROPE_FACTORS}` has shape {:?}",
                tensor.shape
            )));
        }
        Some(_) => Some(file.read_f32(ROPE_FACTORS).await?),
    };
    let is_tied = file.tensor("output.weight").is_none();
    Config::from_gguf(metadata, is_tied, factors)
}

/// Bytes hashed between two checkpoints.
const HASH_CHUNK: u64 = 4 << 20;

/// The SHA-256 of a model's one weight file; of a model in shards, that of its shards' hashes, one a line in the
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
            let chunk = source
                .read(offset, length as usize)
                .await
                .map_err(WeightsError::from)?;
            hasher.update(&chunk);
            offset += length;
            done += length;
            job.progress("verifying", done as usize, total as usize);
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
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
