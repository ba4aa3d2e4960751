//! Models and samples on disk: a folder, a file, or a catalogue id under `models/`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::load::ModelFiles;
use crate::weights::sharded::{Index, MAX_INDEX_BYTES};
use crate::weights::split::PartName;
use crate::weights::{ByteSource, FileSource};

/// The files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedModel {
    /// Name by which studies refer to it.
    pub id: String,
    /// `model.safetensors`, all its shards in the order of their names, one GGUF file, or the parts of one.
    pub weights: Vec<PathBuf>,
    /// `model.safetensors.index.json`, beside shards.
    pub index: Option<PathBuf>,
    /// `config.json`, beside safetensors.
    pub config: Option<PathBuf>,
    /// `tokenizer.json`, beside safetensors.
    pub tokenizer: Option<PathBuf>,
    /// `tokenizer_config.json`, where there is one.
    pub tokenizer_config: Option<PathBuf>,
    /// `chat_template.jinja`, where there is one.
    pub chat_template: Option<PathBuf>,
}

impl ResolvedModel {
    /// All its files.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let single = [
            &self.index,
            &self.config,
            &self.tokenizer,
            &self.tokenizer_config,
            &self.chat_template,
        ];
        self.weights.iter().chain(single.into_iter().flatten())
    }

    /// Opens the weights, which are read by ranges later, and reads the other files.
    ///
    /// # Errors
    ///
    /// [`StoreError::Read`] names the file that cannot be read.
    pub fn open(&self) -> Result<ModelFiles, StoreError> {
        let read = |path: &Option<PathBuf>| match path {
            Some(path) => fs::read(path)
                .map(Some)
                .map_err(|error| StoreError::Read(path.clone(), error.to_string())),
            None => Ok(None),
        };
        let open = |path: &PathBuf| {
            let source = FileSource::open(path)
                .map_err(|error| StoreError::Read(path.clone(), error.to_string()))?;
            Ok((name_of(path), Box::new(source) as Box<dyn ByteSource>))
        };
        Ok(ModelFiles {
            weights: self.weights.iter().map(open).collect::<Result<_, _>>()?,
            index: read(&self.index)?,
            config: read(&self.config)?,
            tokenizer: read(&self.tokenizer)?,
            tokenizer_config: read(&self.tokenizer_config)?,
            chat_template: read(&self.chat_template)?,
        })
    }
}

/// Why a model could not be found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder without a model.
    #[error(
        "{0}: no model.safetensors, no model.safetensors.index.json and no .gguf file in this folder"
    )]
    NoModel(PathBuf),
    /// A folder with several GGUF files.
    #[error("{0}: several .gguf files; name the one you mean")]
    Several(PathBuf),
    /// An index that cannot be used.
    #[error("{0}: {1}")]
    Index(PathBuf, String),
    /// A file that the index names is not there.
    #[error("{0}: this shard, which {INDEX} names, is missing")]
    MissingShard(PathBuf),
    /// A file that cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, String),
    /// A path to nothing.
    #[error("`{0}`: no such file or folder")]
    NoFile(String),
    /// A name that is no id of a model at hand.
    #[error(
        "no model `{0}`: give a folder, a .gguf file or a catalogue id (`cargo xtask model {0}` fetches one); outside the checkout, \
         SECATEUR_MODELS has to name its folder `models`"
    )]
    Unknown(String),
}

/// Folders that hold models by id and the bundled samples: `$SECATEUR_MODELS`, or `models` here or in a
/// parent folder.
fn models_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("SECATEUR_MODELS") {
        return Some(folder.into());
    }
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .map(|folder| folder.join("models"))
        .find(|folder| folder.join("catalog.json").is_file())
}

/// Finds a model: a folder, a GGUF file, or a catalogue id.
///
/// # Errors
///
/// [`StoreError`] says what is missing and how to get it.
pub fn resolve_model(spec: &str) -> Result<ResolvedModel, StoreError> {
    let path = Path::new(spec);
    if path.is_dir() {
        return in_folder(path);
    }
    if path.is_file() {
        return single_file(path);
    }
    let is_file_name = [".gguf", ".safetensors"]
        .iter()
        .any(|end| spec.ends_with(end));
    if spec.is_empty() || is_file_name || !is_name(spec) {
        return Err(StoreError::NoFile(spec.to_owned()));
    }
    if let Some(models) = models_folder() {
        for folder in [models.join(spec), models.join("cache").join(spec)] {
            if folder.is_dir() {
                return in_folder(&folder);
            }
        }
    }
    Err(StoreError::Unknown(spec.to_owned()))
}

/// A bundled sample set by name, without or with `.jsonl`.
pub fn sample_path(name: &str) -> Option<PathBuf> {
    let folder = models_folder().filter(|_| is_name(name))?.join("items");
    [folder.join(name), folder.join(format!("{name}.jsonl"))]
        .into_iter()
        .find(|path| path.is_file())
}

/// Whether a text can be the name of one entry of a folder, and no path.
fn is_name(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The index of a model in shards.
const INDEX: &str = "model.safetensors.index.json";

/// A model of one file, or of all shards or parts where the file is one of them or the shards' index.
fn single_file(path: &Path) -> Result<ResolvedModel, StoreError> {
    let index = path.with_file_name(INDEX);
    if path == index {
        return sharded(&index);
    }
    if path.extension().is_some_and(|end| end == "safetensors") && index.is_file() {
        let model = sharded(&index)?;
        if model.weights.iter().any(|shard| shard == path) {
            return Ok(model);
        }
    }
    Ok(match PartName::parse(&name_of(path)) {
        Some(part) => split(path, &part),
        None => with_companions(name_of(path), vec![path.to_path_buf()]),
    })
}

/// The parts that lie beside one of them. Which are missing is found out when they are opened.
fn split(path: &Path, part: &PartName) -> ResolvedModel {
    let beside = part.all().map(|name| path.with_file_name(name));
    let parts: Vec<PathBuf> = beside.filter(|part| part.is_file()).collect();
    let id = parts
        .first()
        .map(|first| name_of(first))
        .unwrap_or_default();
    with_companions(id, parts)
}

/// The files that belong to weights and lie beside them.
fn with_companions(id: String, weights: Vec<PathBuf>) -> ResolvedModel {
    let beside = |name: &str| {
        let first = weights.first()?;
        Some(first.with_file_name(name)).filter(|path| path.is_file())
    };
    ResolvedModel {
        index: None,
        config: beside("config.json"),
        tokenizer: beside("tokenizer.json"),
        tokenizer_config: beside("tokenizer_config.json"),
        chat_template: beside("chat_template.jinja"),
        id,
        weights,
    }
}

fn sharded(index: &Path) -> Result<ResolvedModel, StoreError> {
    let fail = |message: String| StoreError::Index(index.to_path_buf(), message);
    let size = fs::metadata(index).map_err(|error| fail(error.to_string()))?;
    if size.len() > MAX_INDEX_BYTES as u64 {
        return Err(fail(format!("{} bytes are too many", size.len())));
    }
    let bytes = fs::read(index).map_err(|error| fail(error.to_string()))?;
    let named = Index::from_json(&bytes).map_err(|error| fail(error.to_string()))?;
    let mut shards = Vec::new();
    for name in named.shards() {
        let shard = index.with_file_name(name);
        if !shard.is_file() {
            return Err(StoreError::MissingShard(shard));
        }
        shards.push(shard);
    }
    let folder = index.parent().map(folder_name).unwrap_or_default();
    Ok(ResolvedModel {
        index: Some(index.to_path_buf()),
        ..with_companions(folder, shards)
    })
}

/// A folder's own name, also where the path is `.` or ends in `..`.
fn folder_name(folder: &Path) -> String {
    folder
        .canonicalize()
        .map_or_else(|_| name_of(folder), |path| name_of(&path))
}

fn in_folder(folder: &Path) -> Result<ResolvedModel, StoreError> {
    let id = folder_name(folder);
    let safetensors = folder.join("model.safetensors");
    if safetensors.is_file() {
        return Ok(with_companions(id, vec![safetensors]));
    }
    let index = folder.join(INDEX);
    if index.is_file() {
        return sharded(&index).map(|model| ResolvedModel { id, ..model });
    }
    let of_kind = |kind: &str| -> Vec<PathBuf> {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|extension| extension == kind))
            .collect()
    };
    // Whatever it is called: a tensor of another model in it is found out.
    if let [only] = of_kind("safetensors").as_slice() {
        return Ok(with_companions(id, vec![only.clone()]));
    }
    let mut files = of_kind("gguf");
    if let Some(first) = files.first()
        && let Some(part) = PartName::parse(&name_of(first))
        && let parts = split(first, &part)
        && files.iter().all(|file| parts.weights.contains(file))
    {
        return Ok(ResolvedModel { id, ..parts });
    }
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(with_companions(id, vec![file])),
        (Some(_), false) => Err(StoreError::Several(folder.to_path_buf())),
        (None, _) => Err(StoreError::NoModel(folder.to_path_buf())),
    }
}
