//! llama.cpp's GGUF, versions 2 and 3: metadata, tensor table, data.
//!
//! After ggml's specification (`docs/gguf.md`). Little-endian files only.

use std::collections::HashMap;

use super::quantised::TensorType;
use super::source::ByteSource;
use super::{MAX_DIMENSIONS, MAX_TENSORS, TensorInfo, WeightsError, n_elements};

/// First bytes of a file.
pub const MAGIC: &[u8] = b"GGUF";
/// Largest header accepted, in bytes; vocabularies of 262,144 tokens take about 10 MB.
const MAX_HEADER: u64 = 256 << 20;
/// Bytes read at a time while the header's end is not known.
const PIECE: u64 = 4 << 20;
/// Largest number of metadata entries accepted.
const MAX_ENTRIES: u64 = 65_536;
/// Largest number of array elements accepted in all: a parsed element takes far more memory than its byte
/// in the file. The largest vocabularies have about a million texts and scores.
const MAX_ELEMENTS: u64 = 4 << 20;
/// Deepest nesting of arrays accepted.
const MAX_DEPTH: usize = 4;
/// Alignment of the data where the metadata says nothing.
const DEFAULT_ALIGNMENT: u64 = 32;

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// Either float.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
}

impl Value {
    /// As an unsigned integer.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// As a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Unsigned(value) => Some(*value as f64),
            Self::Signed(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// As a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// As text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// As an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }
}

/// The metadata of a file, by key.
#[derive(Debug, Clone, Default)]
pub struct Metadata(HashMap<String, Value>);

impl Metadata {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }
}

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
    /// Elements of all arrays so far.
    elements: u64,
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

    fn string(&mut self) -> Result<String, Parse> {
        let length = self.u64()?;
        if length > MAX_HEADER {
            return Err(wrong(format!("a string of {length} bytes")));
        }
        let bytes = self.take(length as usize)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, Parse> {
        Ok(match kind {
            0 => Value::Unsigned(self.array::<1>()?[0].into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::String(self.string()?),
            9 => {
                let kind = self.u32()?;
                let count = self.u64()?;
                if depth >= MAX_DEPTH {
                    return Err(wrong("arrays nested too deep"));
                }
                self.elements = self.elements.saturating_add(count);
                if self.elements > MAX_ELEMENTS {
                    return Err(wrong(format!("an array of {count} values")));
                }
                // Every element takes at least one byte.
                if count > (self.bytes.len() - self.at) as u64 {
                    return Err(Parse::NeedsMore);
                }
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(kind, depth + 1)?);
                }
                Value::Array(values)
            }
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(wrong(format!("metadata of the unknown type {other}"))),
        })
    }
}

fn parse(bytes: &[u8]) -> Result<(Vec<TensorInfo>, Metadata), Parse> {
    let mut cursor = Cursor {
        bytes,
        at: 0,
        elements: 0,
    };
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
        let kind = cursor.u32()?;
        metadata.insert(key, cursor.value(kind, 0)?);
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
            kind: format!("ggml type {number}"),
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
