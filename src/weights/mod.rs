//! Weight files: bytes to named tensors of f32.
//!
//! Files come from strangers: every size, offset, shape and count is checked against the file before
//! anything is allocated for it.
//!
//! - [`source`]: where bytes come from, read by ranges
//! - [`safetensors`]: Hugging Face's format
//! - [`sharded`]: its index, where a model lies in several files
//! - [`gguf`]: llama.cpp's format; [`split`]: the same in several files
//! - [`metadata`]: its metadata
//! - [`quantised`]: the stored types, dequantised

#![warn(clippy::indexing_slicing, reason = "files come from anyone")]

pub mod gguf;
pub mod metadata;
#[allow(
    clippy::indexing_slicing,
    reason = "a block is as long as its type says: the bytes were counted and are cut into such pieces"
)]
pub mod quantised;
pub mod safetensors;
pub mod sharded;
pub mod source;
pub mod split;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

pub use quantised::TensorType;
#[cfg(not(target_family = "wasm"))]
pub use source::FileSource;
pub use source::{ByteSource, MemorySource};

/// Why a weight file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// A range that is not in the file.
    #[error("bytes {offset}..+{length} are outside the file of {size} bytes (is it cut off?)")]
    Range {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        length: usize,
        /// Size of the file.
        size: u64,
    },
    /// The file could not be read there.
    #[error("cannot read {length} bytes at {offset}: {message}")]
    Read {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        length: usize,
        /// What went wrong.
        message: String,
    },
    /// Neither safetensors nor GGUF.
    #[error("neither a safetensors nor a GGUF file")]
    UnknownFormat,
    /// What git leaves in the place of a large file that was not fetched.
    #[error(
        "it is a Git LFS pointer, and not the file itself: fetch that with `git lfs pull`, or download it from the repository's page"
    )]
    LfsPointer,
    /// The header contradicts itself or the file.
    #[error("damaged file: {0}")]
    Header(String),
    /// A tensor is stored in a type this engine does not read.
    #[error("tensor `{name}` is stored as {kind}, which is not supported")]
    UnsupportedType {
        /// The tensor.
        name: String,
        /// The type's name or number.
        kind: String,
    },
    /// There is no such tensor.
    #[error("there is no tensor `{0}`")]
    NoTensor(String),
    /// A shard that the index names was not given.
    #[error("the model's file `{0}` is missing: open it together with the others")]
    MissingShard(String),
    /// Parts of a split GGUF model that were not given.
    #[error("`{name}` is one of {count} parts of a model, and without {} it is not whole: open all parts together", and_more(named, *more))]
    MissingParts {
        /// A part that was given.
        name: String,
        /// How many parts there are.
        count: usize,
        /// The first of those missing.
        named: Vec<String>,
        /// How many others are missing.
        more: usize,
    },
    /// Rows that the tensor does not have, or that do not begin and end with its stored blocks.
    #[error("tensor `{name}` of shape {shape:?} cannot be read by the rows {rows:?}")]
    Rows {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The rows asked for.
        rows: Range<usize>,
    },
    /// A weight is not a finite number.
    #[error("tensor `{name}` holds a value that is not a finite number, at index {index}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// The first such element.
        index: usize,
    },
}

/// A list of names for people, with the number of those that are left out.
pub(crate) fn and_more(named: &[String], more: usize) -> String {
    let list: Vec<String> = named.iter().map(|name| format!("`{name}`")).collect();
    match more {
        0 => list.join(", "),
        more => format!("{} and {more} more", list.join(", ")),
    }
}

/// Which format a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightKind {
    /// Hugging Face's.
    Safetensors,
    /// llama.cpp's.
    Gguf,
}

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// Dimensions, the slowest first as in PyTorch.
    pub shape: Vec<usize>,
    /// How its elements are stored.
    pub kind: TensorType,
    /// Which of the model's files holds it, counted as in [`WeightFile::sources`].
    pub source: usize,
    /// First byte in that file.
    pub offset: u64,
    /// Bytes in the file.
    pub n_bytes: u64,
}

/// An open weight file, or the open shards or parts of a model; tensors are read one at a time.
pub struct WeightFile {
    sources: Vec<Box<dyn ByteSource>>,
    kind: WeightKind,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
    metadata: Option<gguf::Metadata>,
}

/// How a Git LFS pointer begins.
pub(crate) const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Largest number of tensors accepted.
pub(crate) const MAX_TENSORS: usize = 100_000;
/// Largest number of dimensions accepted.
pub(crate) const MAX_DIMENSIONS: usize = 8;

impl WeightFile {
    /// Reads the header of a file; its format is told by its first bytes.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] when the file is of no known format, damaged or cut off.
    pub async fn open(source: Box<dyn ByteSource>) -> Result<Self, WeightsError> {
        let first = source
            .read(0, source.len().min(LFS_POINTER.len() as u64) as usize)
            .await?;
        if first == LFS_POINTER {
            return Err(WeightsError::LfsPointer);
        }
        let (kind, tensors, metadata) = if first.starts_with(gguf::MAGIC) {
            let (tensors, metadata) = gguf::read_header(source.as_ref()).await?;
            (WeightKind::Gguf, tensors, Some(metadata))
        } else {
            let tensors = safetensors::read_header(source.as_ref()).await?;
            (WeightKind::Safetensors, tensors, None)
        };
        check_layout(&tensors, source.len())?;
        Self::new(vec![source], kind, tensors, metadata)
    }

    /// Reads the headers of a model's shards, safetensors files. A tensor is taken from the shard that the index names,
    /// or else from the one that holds it: an index may be older than its shards, and what a model needs is asked for
    /// later.
    ///
    /// `index` is `model.safetensors.index.json`; `shards` are the files by name, in any order. Those that the
    /// index does not name are left out.
    ///
    /// # Errors
    ///
    /// [`WeightsError::MissingShard`] names a file; the others as [`WeightFile::open`] and
    /// [`sharded::Index::from_json`].
    pub async fn open_sharded(
        index: &[u8],
        shards: Vec<(String, Box<dyn ByteSource>)>,
    ) -> Result<Self, WeightsError> {
        let index = sharded::Index::from_json(index)?;
        let mut given: HashMap<String, Box<dyn ByteSource>> = shards.into_iter().collect();
        let (mut sources, mut tensors, mut strays) = (Vec::new(), Vec::new(), Vec::new());
        for name in index.shards() {
            let source = given
                .remove(name)
                .ok_or_else(|| WeightsError::MissingShard(name.to_owned()))?;
            let found = safetensors::read_header(source.as_ref()).await?;
            check_layout(&found, source.len())?;
            for tensor in found {
                let is_listed = index.shard_of(&tensor.name) == Some(name);
                let part = if is_listed { &mut tensors } else { &mut strays };
                part.push(TensorInfo {
                    source: sources.len(),
                    ..tensor
                });
            }
            sources.push(source);
        }
        let listed: HashSet<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        strays.retain(|stray| !listed.contains(&stray.name));
        tensors.extend(strays);
        Self::new(sources, WeightKind::Safetensors, tensors, None)
    }

    fn new(
        sources: Vec<Box<dyn ByteSource>>,
        kind: WeightKind,
        tensors: Vec<TensorInfo>,
        metadata: Option<gguf::Metadata>,
    ) -> Result<Self, WeightsError> {
        let mut by_name = HashMap::with_capacity(tensors.len());
        for (index, tensor) in tensors.iter().enumerate() {
            if by_name.insert(tensor.name.clone(), index).is_some() {
                return Err(WeightsError::Header(format!(
                    "tensor `{}` is there twice",
                    tensor.name
                )));
            }
        }
        Ok(Self {
            sources,
            kind,
            tensors,
            by_name,
            metadata,
        })
    }

    /// The files: one, the shards in the order of their names, or the parts in their order.
    pub fn sources(&self) -> impl Iterator<Item = &dyn ByteSource> {
        self.sources.iter().map(AsRef::as_ref)
    }

    /// Bytes of all files.
    pub fn n_bytes(&self) -> u64 {
        self.sources().map(ByteSource::len).sum()
    }

    /// The file's format.
    pub fn kind(&self) -> WeightKind {
        self.kind
    }

    /// All tensors, in the file's order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// A tensor by name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name
            .get(name)
            .and_then(|&index| self.tensors.get(index))
    }

    /// The metadata of a GGUF file.
    pub fn metadata(&self) -> Option<&gguf::Metadata> {
        self.metadata.as_ref()
    }

    /// A tensor's elements in row-major order, dequantised.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] when there is no such tensor, it cannot be read, or it holds NaN or an infinity.
    pub async fn read_f32(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.expect(name)?;
        self.read_bytes_f32(tensor, 0, tensor.n_bytes, 0).await
    }

    /// Rows of a tensor, dequantised: `rows.len() × (product of the other dimensions)` elements. A large table
    /// is read in pieces this way.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Rows`] when the tensor does not have these rows or its rows are not whole blocks of its
    /// stored type; the others as [`WeightFile::read_f32`].
    pub async fn read_rows_f32(
        &self,
        name: &str,
        rows: Range<usize>,
    ) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.expect(name)?;
        let wrong = || WeightsError::Rows {
            name: name.to_owned(),
            shape: tensor.shape.clone(),
            rows: rows.clone(),
        };
        let [n_rows, others @ ..] = tensor.shape.as_slice() else {
            return Err(wrong());
        };
        if rows.start > rows.end || rows.end > *n_rows {
            return Err(wrong());
        }
        // A tensor without rows may have any other dimensions.
        let width = others
            .iter()
            .try_fold(1usize, |product, &dimension| product.checked_mul(dimension))
            .ok_or_else(wrong)?;
        let row_bytes = tensor.kind.n_bytes(width).ok_or_else(wrong)?;
        let first_byte = rows.start as u64 * row_bytes;
        let n_bytes = rows.len() as u64 * row_bytes;
        self.read_bytes_f32(tensor, first_byte, n_bytes, rows.start * width)
            .await
    }

    fn expect(&self, name: &str) -> Result<&TensorInfo, WeightsError> {
        let tensor = self
            .tensor(name)
            .ok_or_else(|| WeightsError::NoTensor(name.to_owned()))?;
        match tensor.kind {
            TensorType::Other(kind, _) => Err(WeightsError::UnsupportedType {
                name: name.to_owned(),
                kind: kind.to_owned(),
            }),
            _ => Ok(tensor),
        }
    }

    /// Whole blocks from a byte of a tensor on; `first_element` is the index of the first value.
    async fn read_bytes_f32(
        &self,
        tensor: &TensorInfo,
        first_byte: u64,
        n_bytes: u64,
        first_element: usize,
    ) -> Result<Vec<f32>, WeightsError> {
        let name = &tensor.name;
        let length = usize::try_from(n_bytes)
            .map_err(|_| WeightsError::Header(format!("tensor `{name}` is too large")))?;
        let source = self
            .sources
            .get(tensor.source)
            .ok_or_else(|| WeightsError::NoTensor(name.clone()))?;
        let bytes = source.read(tensor.offset + first_byte, length).await?;
        let values = tensor.kind.dequantise(&bytes);
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(WeightsError::NotFinite {
                name: name.clone(),
                index: first_element + index,
            }),
            None => Ok(values),
        }
    }
}

/// Number of elements of a shape, or an error naming the tensor.
pub(crate) fn n_elements(name: &str, shape: &[usize]) -> Result<usize, WeightsError> {
    if shape.len() > MAX_DIMENSIONS {
        let message = format!("tensor `{name}` has {} dimensions", shape.len());
        return Err(WeightsError::Header(message));
    }
    shape
        .iter()
        .try_fold(1usize, |product, &dimension| product.checked_mul(dimension))
        .filter(|&count| count <= u32::MAX as usize)
        .ok_or_else(|| WeightsError::Header(format!("tensor `{name}` has shape {shape:?}")))
}

/// Every tensor lies in the file, and no two share a byte.
fn check_layout(tensors: &[TensorInfo], length: u64) -> Result<(), WeightsError> {
    let mut ranges: Vec<(u64, u64, &str)> = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let end = tensor
            .offset
            .checked_add(tensor.n_bytes)
            .filter(|&end| end <= length)
            .ok_or_else(|| {
                WeightsError::Header(format!(
                    "tensor `{}` ends outside the file of {length} bytes (is it cut off?)",
                    tensor.name
                ))
            })?;
        if tensor.n_bytes > 0 {
            ranges.push((tensor.offset, end, &tensor.name));
        }
    }
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if let [(_, end, first), (start, _, second)] = pair
            && start < end
        {
            return Err(WeightsError::Header(format!(
                "tensors `{first}` and `{second}` overlap"
            )));
        }
    }
    Ok(())
}
