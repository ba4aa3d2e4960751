//! llama.cpp's GGUF, versions 2 and 3: metadata, tensor table, data.
//!
//! After ggml's specification (`docs/gguf.md`). Little-endian files only.

use std::collections::HashMap;

use super::metadata::ValueType;
pub use super::metadata::{Array, Metadata, Value};
use super::quantised::{TensorType, ggml_name};
use super::source::ByteSource;
use super::{MAX_DIMENSIONS, MAX_TENSORS, TensorInfo, WeightsError, n_elements};

/// First bytes of a file.
pub const MAGIC: &[u8] = b"GGUF";
/// Largest header accepted, in bytes; a vocabulary of 262,144 tokens takes about 10 MB with its merges.
const MAX_HEADER: u64 = 64 << 20;
/// Bytes read at a time while the header's end is not known.
const PIECE: u64 = 4 << 20;
/// Largest number of metadata entries accepted.
const MAX_ENTRIES: u64 = 65_536;
/// Alignment of the data where the metadata says nothing.
const DEFAULT_ALIGNMENT: u64 = 32;

/// Reads metadata and tensor table.
///
/// # Errors
///
/// [`WeightsError::Header`] when the file is damaged, cut off or of another version;
/// [`WeightsError::UnsupportedType`] names the tensor.
pub async fn read_header(
    source: &dyn ByteSource,
) -> Result<(Vec<TensorInfo>, Metadata), WeightsError> {
    let limit = source.len().min(MAX_HEADER);
    let mut bytes = Vec::new();
    loop {
        let have = bytes.len() as u64;
        let more = PIECE.max(have).min(limit - have);
        bytes.extend(source.read(have, more as usize).await?);
        match parse(&bytes) {
            Err(Parse::NeedsMore) if (bytes.len() as u64) < limit => {}
            Err(Parse::NeedsMore) => {
                return Err(header("it ends within the header (is it cut off?)"));
            }
            Err(Parse::Wrong(error)) => return Err(error),
            Ok(parsed) => return Ok(parsed),
        }
    }
}

fn header(message: impl Into<String>) -> WeightsError {
    WeightsError::Header(message.into())
}

enum Parse {
    NeedsMore,
    Wrong(WeightsError),
}

impl From<WeightsError> for Parse {
    fn from(error: WeightsError) -> Self {
        Self::Wrong(error)
    }
}

fn wrong(message: impl Into<String>) -> Parse {
    Parse::Wrong(header(message))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Parse> {
        let end = self.at.checked_add(length).ok_or(Parse::NeedsMore)?;
        let part = self.bytes.get(self.at..end).ok_or(Parse::NeedsMore)?;
        self.at = end;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Parse> {
        self.take(N)?.try_into().map_err(|_| Parse::NeedsMore)
    }

    fn u32(&mut self) -> Result<u32, Parse> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Parse> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The bytes of a string.
    fn text(&mut self) -> Result<&'a [u8], Parse> {
        let length = self.u64()?;
        if length > MAX_HEADER {
            return Err(wrong(format!("a string of {length} bytes")));
        }
        self.take(length as usize)
    }

    fn string(&mut self) -> Result<String, Parse> {
        let text = std::str::from_utf8(self.text()?);
        Ok(text
            .map_err(|_| wrong("text that is not UTF-8"))?
            .to_owned())
    }

    fn kind(&mut self) -> Result<ValueType, Parse> {
        let number = self.u32()?;
        ValueType::from_gguf(number)
            .ok_or_else(|| wrong(format!("metadata of the unknown type {number}")))
    }

    fn value(&mut self) -> Result<Value, Parse> {
        let kind = self.kind()?;
        Ok(match (kind, kind.width()) {
            (ValueType::String, _) => Value::String(self.string()?),
            (_, Some(width)) => {
                let value = kind.scalar(self.take(width)?);
                value.ok_or(Parse::NeedsMore)?
            }
            (_, None) => Value::Array(self.elements()?),
        })
    }

    fn elements(&mut self) -> Result<Array, Parse> {
        let kind = self.kind()?;
        let count = self.u64()?;
        if count > MAX_HEADER {
            return Err(wrong(format!("an array of {count} values")));
        }
        let len = count as usize;
        let start = self.at;
        match (kind, kind.width()) {
            (_, Some(width)) => {
                self.take(len.checked_mul(width).ok_or(Parse::NeedsMore)?)?;
            }
            (ValueType::String, _) => {
                for _ in 0..len {
                    self.text()?;
                }
            }
            // The specification allows them, and no file of a model this engine reads has one.
            (_, None) => return Err(wrong("an array of arrays")),
        }
        let bytes = self.bytes.get(start..self.at).ok_or(Parse::NeedsMore)?;
        Ok(Array {
            kind,
            len,
            bytes: bytes.to_vec(),
        })
    }
}

fn parse(bytes: &[u8]) -> Result<(Vec<TensorInfo>, Metadata), Parse> {
    let mut cursor = Cursor { bytes, at: 0 };
    if cursor.take(4)? != MAGIC {
        return Err(Parse::Wrong(WeightsError::UnknownFormat));
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        return Err(wrong(format!("GGUF version {version} (2 and 3 are read)")));
    }
    let (n_tensors, n_entries) = (cursor.u64()?, cursor.u64()?);
    if n_tensors > MAX_TENSORS as u64 || n_entries > MAX_ENTRIES {
        return Err(wrong(format!(
            "{n_tensors} tensors and {n_entries} metadata entries"
        )));
    }
    let mut metadata = HashMap::new();
    for _ in 0..n_entries {
        let key = cursor.string()?;
        let value = cursor.value()?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(wrong(format!("the key `{key}` is there twice")));
        }
    }
    let metadata = Metadata(metadata);
    let mut tensors = Vec::new();
    for _ in 0..n_tensors {
        tensors.push(tensor(&mut cursor)?);
    }
    let alignment = metadata
        .get("general.alignment")
        .and_then(Value::as_u64)
        .unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(wrong(format!("alignment {alignment}")));
    }
    let data_start = (cursor.at as u64).next_multiple_of(alignment);
    for tensor in &mut tensors {
        tensor.offset = tensor.offset.checked_add(data_start).ok_or_else(|| {
            wrong(format!(
                "tensor `{}` starts at {}",
                tensor.name, tensor.offset
            ))
        })?;
    }
    Ok((tensors, metadata))
}

/// One entry of the tensor table, its offset still relative to the data.
fn tensor(cursor: &mut Cursor<'_>) -> Result<TensorInfo, Parse> {
    let name = cursor.string()?;
    let n_dimensions = cursor.u32()? as usize;
    if n_dimensions > MAX_DIMENSIONS {
        return Err(wrong(format!(
            "tensor `{name}` has {n_dimensions} dimensions"
        )));
    }
    let mut shape = Vec::with_capacity(n_dimensions);
    for _ in 0..n_dimensions {
        let dimension = cursor.u64()?;
        shape.push(
            usize::try_from(dimension)
                .map_err(|_| wrong(format!("tensor `{name}` has a dimension of {dimension}")))?,
        );
    }
    let number = cursor.u32()?;
    let offset = cursor.u64()?;
    let Some(kind) = TensorType::from_ggml(number) else {
        return Err(Parse::Wrong(WeightsError::UnsupportedType {
            name,
            kind: match ggml_name(number) {
                Some(name) => name.to_owned(),
                None => format!("ggml type {number}"),
            },
        }));
    };
    // ggml's first dimension is the fastest.
    let row = shape.first().copied().unwrap_or(1);
    shape.reverse();
    let elements = n_elements(&name, &shape)?;
    let n_bytes = kind
        .n_bytes(elements)
        .filter(|_| row.is_multiple_of(kind.block().0))
        .ok_or_else(|| wrong(format!("tensor `{name}` of shape {shape:?} as {kind}")))?;
    Ok(TensorInfo {
        name,
        shape,
        kind,
        source: 0,
        offset,
        n_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{MemorySource, WeightFile};

    fn string(text: &str) -> Vec<u8> {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes
    }

    /// A file with one string of metadata and one F32 tensor `t` of ggml dimensions 2 × 1.
    fn small() -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(string("general.architecture"));
        bytes.extend(8u32.to_le_bytes());
        bytes.extend(string("llama"));
        bytes.extend(string("t"));
        bytes.extend(2u32.to_le_bytes());
        bytes.extend(2u64.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(1f32.to_le_bytes());
        bytes.extend(2f32.to_le_bytes());
        bytes
    }

    fn open(bytes: Vec<u8>) -> Result<WeightFile, WeightsError> {
        pollster::block_on(WeightFile::open(Box::new(MemorySource(bytes))))
    }

    #[test]
    fn metadata_and_tensors_are_read() {
        let file = open(small()).unwrap();
        let architecture = file.metadata().unwrap().get("general.architecture");
        assert_eq!(architecture.and_then(Value::as_str), Some("llama"));
        assert_eq!(file.tensor("t").unwrap().shape, [1, 2]);
        assert_eq!(pollster::block_on(file.read_f32("t")).unwrap(), [1.0, 2.0]);
    }

    #[test]
    fn every_cut_is_an_error() {
        let whole = small();
        for length in 0..whole.len() {
            assert!(open(whole[..length].to_vec()).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn every_damaged_byte_is_an_error_or_another_file_but_never_a_panic() {
        let whole = small();
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                if let Ok(file) = open(damaged) {
                    let name = file.tensors().first().map(|tensor| tensor.name.clone());
                    let _ = name.map(|name| pollster::block_on(file.read_f32(&name)));
                }
            }
        }
    }
}
