//! Hugging Face's safetensors: eight bytes of header length, a JSON header, then the data.
//!
//! Only the header is read here, with the limits of the reference implementation.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::quantised::TensorType;
use super::source::ByteSource;
use super::{MAX_DIMENSIONS, MAX_TENSORS, TensorInfo, WeightsError, n_elements};

/// Largest header accepted, as in the reference implementation.
const MAX_HEADER: u64 = 100_000_000;

/// A tensor's entry. Its shape is read by hand, so that a long one is refused before it takes memory.
#[derive(Deserialize)]
struct RawTensor {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// The entries of a header in the file's order.
struct Header(Vec<(String, RawTensor)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names to tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut tensors = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if tensors.len() == MAX_TENSORS {
                        return Err(A::Error::custom("too many tensors"));
                    }
                    let tensor = map
                        .next_value()
                        .map_err(|error| A::Error::custom(format!("tensor `{name}`: {error}")))?;
                    tensors.push((name, tensor));
                }
                Ok(Header(tensors))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dimensions;
        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(dimension) = list.next_element()? {
                    if shape.len() == MAX_DIMENSIONS {
                        return Err(A::Error::custom("too many dimensions"));
                    }
                    shape.push(dimension);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Dimensions)
    }
}

/// Reads the header.
///
/// # Errors
///
/// [`WeightsError::UnknownFormat`] when this is no safetensors file, [`WeightsError::Header`] when it is a
/// damaged one.
pub async fn read_header(source: &dyn ByteSource) -> Result<Vec<TensorInfo>, WeightsError> {
    let size = source.len();
    if size < 9 {
        return Err(WeightsError::UnknownFormat);
    }
    let prefix = source.read(0, 9).await?;
    let (length, first) = match prefix.as_slice() {
        [length @ .., first] => {
            let bytes: [u8; 8] = length.try_into().map_err(|_| WeightsError::UnknownFormat)?;
            (u64::from_le_bytes(bytes), *first)
        }
        [] => return Err(WeightsError::UnknownFormat),
    };
    if first != b'{' || length > MAX_HEADER {
        return Err(WeightsError::UnknownFormat);
    }
    if length > size - 8 {
        return Err(WeightsError::Header(format!(
            "the header has {length} bytes and the file {size} (is it cut off?)"
        )));
    }
    let header = source.read(8, length as usize).await?;
    let Header(entries) = serde_json::from_slice(&header)
        .map_err(|error| WeightsError::Header(format!("safetensors header: {error}")))?;
    let data_start = 8 + length;
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, tensor) in entries {
        let Some(kind) = TensorType::from_safetensors(&tensor.dtype) else {
            return Err(WeightsError::UnsupportedType {
                name,
                kind: tensor.dtype,
            });
        };
        let (start, end) = tensor.data_offsets;
        let n_bytes = kind.n_bytes(n_elements(&name, &tensor.shape.0)?);
        if end.checked_sub(start) != n_bytes {
            return Err(WeightsError::Header(format!(
                "tensor `{name}` of shape {:?} and type {kind} lies at {start}..{end}",
                tensor.shape.0
            )));
        }
        let offset = data_start
            .checked_add(start)
            .ok_or_else(|| WeightsError::Header(format!("tensor `{name}` starts at {start}")))?;
        tensors.push(TensorInfo {
            name,
            shape: tensor.shape.0,
            kind,
            source: 0,
            offset,
            n_bytes: end - start,
        });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{MemorySource, WeightFile};

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn open(bytes: Vec<u8>) -> Result<WeightFile, WeightsError> {
        pollster::block_on(WeightFile::open(Box::new(MemorySource(bytes))))
    }

    #[test]
    fn the_three_float_types_are_read_as_f32() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
            "b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},
            "c":{"dtype":"BF16","shape":[1,1],"data_offsets":[8,10]}}"#;
        let mut data = 1.5f32.to_le_bytes().to_vec();
        data.extend(half::f16::from_f32(-2.0).to_le_bytes());
        data.extend(half::f16::from_f32(0.25).to_le_bytes());
        data.extend(half::bf16::from_f32(3.0).to_le_bytes());
        let file = open(file(header, &data)).unwrap();
        let read = |name| pollster::block_on(file.read_f32(name)).unwrap();
        assert_eq!(
            (read("a"), read("b"), read("c")),
            (vec![1.5], vec![-2.0, 0.25], vec![3.0])
        );
    }

    #[test]
    fn hostile_headers_are_refused() {
        let cases = [
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#,
            r#"{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551616]}}"#,
            r#"{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
            r#"{"a":"#,
        ];
        for header in cases {
            assert!(open(file(header, &[0; 8])).is_err(), "{header}");
        }
        assert!(open(Vec::new()).is_err());
        assert!(open(b"\xff\xff\xff\xff\xff\xff\xff\xff{".to_vec()).is_err());
        assert!(open(b"\x10\0\0\0\0\0\0\0{}".to_vec()).is_err());
    }

    /// Older versions of transformers stored masks as `BOOL` or `U8` beside the weights.
    #[test]
    fn a_tensor_of_another_type_is_refused_only_when_it_is_read() {
        let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
            "mask":{"dtype":"BOOL","shape":[2,2],"data_offsets":[4,8]}}"#;
        let file = open(file(header, &[0, 0, 128, 63, 1, 0, 1, 1])).unwrap();
        assert_eq!(pollster::block_on(file.read_f32("a")).unwrap(), [1.0]);
        let error = pollster::block_on(file.read_f32("mask")).unwrap_err();
        assert!(error.to_string().contains("BOOL"), "{error}");
    }

    #[test]
    fn a_weight_that_is_not_a_number_is_named() {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let mut data = 1f32.to_le_bytes().to_vec();
        data.extend(f32::NAN.to_le_bytes());
        let file = open(file(header, &data)).unwrap();
        let error = pollster::block_on(file.read_f32("a")).unwrap_err();
        assert!(matches!(error, WeightsError::NotFinite { index: 1, .. }));
    }
}
