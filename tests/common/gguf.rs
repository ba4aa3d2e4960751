//! GGUF files from their parts.

/// A file from its parts: metadata entries as bytes, then tensors as name, dimensions, type and offset.
pub fn file(
    version: u32,
    entries: &[Vec<u8>],
    tensors: &[(&str, &[u64], u32, u64)],
    data: usize,
) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    entries.iter().for_each(|entry| bytes.extend(entry));
    for (name, dimensions, kind, offset) in tensors {
        bytes.extend(string(name));
        bytes.extend((dimensions.len() as u32).to_le_bytes());
        dimensions
            .iter()
            .for_each(|dimension| bytes.extend(dimension.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(32) + data, 0);
    bytes
}

pub fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// A metadata entry: key, type number, value's bytes.
pub fn entry(key: &str, kind: u32, value: &[&[u8]]) -> Vec<u8> {
    let mut bytes = string(key);
    bytes.extend(kind.to_le_bytes());
    value.iter().for_each(|part| bytes.extend(*part));
    bytes
}

/// An entry that is an array: elements' type number, their count, their bytes.
pub fn array(key: &str, kind: u32, count: usize, elements: &[u8]) -> Vec<u8> {
    let count = (count as u64).to_le_bytes();
    entry(key, ARRAY, &[&kind.to_le_bytes(), &count, elements])
}

/// Numbers of tensor types.
pub const F32: u32 = 0;
pub const Q4_0: u32 = 2;
/// Numbers of value types.
pub const F32_VALUE: u32 = 6;
pub const BOOL: u32 = 7;
pub const STRING: u32 = 8;
pub const ARRAY: u32 = 9;
