//! The metadata of a GGUF file.
//!
//! Values are kept as small as in the file: an array stays the bytes it was, and its elements are read when
//! they are asked for, so that a file cannot expand in memory.

use std::borrow::Cow;
use std::collections::HashMap;

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
    Array(Array),
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
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }
}

/// The types of values, numbered as in the file (`enum gguf_metadata_value_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    pub(super) fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of a number or boolean.
    pub(super) fn width(self) -> Option<usize> {
        Some(match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::String | Self::Array => return None,
        })
    }

    /// A number or boolean from its little-endian bytes.
    pub(super) fn scalar(self, bytes: &[u8]) -> Option<Value> {
        fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
            bytes.try_into().ok()
        }
        Some(match self {
            Self::U8 => Value::Unsigned(u8::from_le_bytes(fixed(bytes)?).into()),
            Self::I8 => Value::Signed(i8::from_le_bytes(fixed(bytes)?).into()),
            Self::U16 => Value::Unsigned(u16::from_le_bytes(fixed(bytes)?).into()),
            Self::I16 => Value::Signed(i16::from_le_bytes(fixed(bytes)?).into()),
            Self::U32 => Value::Unsigned(u32::from_le_bytes(fixed(bytes)?).into()),
            Self::I32 => Value::Signed(i32::from_le_bytes(fixed(bytes)?).into()),
            Self::F32 => Value::Float(f32::from_le_bytes(fixed(bytes)?).into()),
            Self::Bool => Value::Bool(u8::from_le_bytes(fixed(bytes)?) != 0),
            Self::U64 => Value::Unsigned(u64::from_le_bytes(fixed(bytes)?)),
            Self::I64 => Value::Signed(i64::from_le_bytes(fixed(bytes)?)),
            Self::F64 => Value::Float(f64::from_le_bytes(fixed(bytes)?)),
            Self::String | Self::Array => return None,
        })
    }
}

/// An array of numbers, booleans or strings.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub(super) kind: ValueType,
    pub(super) len: usize,
    /// The elements as in the file; their extent was checked when it was read.
    pub(super) bytes: Vec<u8>,
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements, when they are strings; what is not UTF-8 in them is replaced by U+FFFD.
    pub fn strings(&self) -> Option<impl Iterator<Item = Cow<'_, str>>> {
        let mut rest = self.bytes.as_slice();
        let next = move || {
            let (length, tail) = rest.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (text, tail) = tail.split_at_checked(length)?;
            rest = tail;
            Some(String::from_utf8_lossy(text))
        };
        (self.kind == ValueType::String).then(|| std::iter::from_fn(next))
    }

    /// The elements, when they are numbers or booleans.
    pub fn scalars(&self) -> Option<impl Iterator<Item = Value>> {
        let width = self.kind.width()?;
        Some(
            self.bytes
                .chunks_exact(width)
                .filter_map(|bytes| self.kind.scalar(bytes)),
        )
    }
}

/// The metadata of a file, by key.
#[derive(Debug, Clone, Default)]
pub struct Metadata(pub(super) HashMap<String, Value>);

impl Metadata {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// All keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
