//! Models and samples on disk: a folder, a file, or a catalogue id under `models/`.

use std::path::{Path, PathBuf};

/// The files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedModel {
    /// Name by which studies refer to it.
    pub id: String,
    /// `model.safetensors` or a GGUF file.
    pub weights: PathBuf,
    /// `config.json`, beside safetensors.
    pub config: Option<PathBuf>,
    /// `tokenizer.json`, beside safetensors.
    pub tokenizer: Option<PathBuf>,
}

/// Why a model could not be found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder without a model.
    #[error("{0}: no model.safetensors and no .gguf file in this folder")]
    NoModel(PathBuf),
    /// A folder with several GGUF files.
    #[error("{0}: several .gguf files; name the one you mean")]
    Several(PathBuf),
    /// A path to nothing.
    #[error("`{0}`: no such file or folder")]
    NoFile(String),
    /// A name that is no id of a model at hand.
    #[error(
        "no model `{0}`: give a folder, a .gguf file or a catalogue id (`cargo xtask model {0}` fetches one)"
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
        return Ok(single_file(path));
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

fn single_file(path: &Path) -> ResolvedModel {
    let beside = |name: &str| Some(path.with_file_name(name)).filter(|path| path.is_file());
    ResolvedModel {
        id: name_of(path),
        weights: path.to_path_buf(),
        config: beside("config.json"),
        tokenizer: beside("tokenizer.json"),
    }
}

fn in_folder(folder: &Path) -> Result<ResolvedModel, StoreError> {
    let id = folder
        .canonicalize()
        .map_or_else(|_| name_of(folder), |path| name_of(&path));
    let safetensors = folder.join("model.safetensors");
    if safetensors.is_file() {
        return Ok(ResolvedModel {
            id,
            ..single_file(&safetensors)
        });
    }
    let mut files: Vec<PathBuf> = folder
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .collect();
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(ResolvedModel {
            id,
            ..single_file(&file)
        }),
        (Some(_), false) => Err(StoreError::Several(folder.to_path_buf())),
        (None, _) => Err(StoreError::NoModel(folder.to_path_buf())),
    }
}
