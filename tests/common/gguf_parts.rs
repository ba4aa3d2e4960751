//! GGUF files taken apart, to be changed and put together again.

use crate::gguf::{ARRAY, F32, STRING, file, string};

/// Numbers of other value types.
pub const U32: u32 = 4;

/// A GGUF file taken apart, to be changed and put together again.
#[derive(Clone)]
pub struct Parts {
    /// Metadata entries by key: type number and value, as in the file.
    pub entries: Vec<(String, Vec<u8>)>,
    /// Tensors: name, ggml's dimensions, type number, data.
    pub tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

/// Reads a file of version 3 with data aligned to 32 bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Vec<u8> {
        self.at += length;
        self.bytes[self.at - length..self.at].to_vec()
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let length = self.u64() as usize;
        String::from_utf8(self.take(length)).unwrap()
    }

    /// Goes past a value of a type.
    fn skip(&mut self, kind: u32) {
        match kind {
            STRING => {
                let length = self.u64() as usize;
                self.at += length;
            }
            ARRAY => {
                let kind = self.u32();
                for _ in 0..self.u64() {
                    self.skip(kind);
                }
            }
            kind => self.at += [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][kind as usize],
        }
    }
}

impl Parts {
    pub fn of(bytes: &[u8]) -> Self {
        let mut reader = Reader { bytes, at: 8 };
        let (n_tensors, n_entries) = (reader.u64(), reader.u64());
        let mut entries = Vec::new();
        for _ in 0..n_entries {
            let key = reader.text();
            let start = reader.at;
            let kind = reader.u32();
            reader.skip(kind);
            entries.push((key, bytes[start..reader.at].to_vec()));
        }
        let mut infos = Vec::new();
        for _ in 0..n_tensors {
            let name = reader.text();
            let n_dimensions = reader.u32();
            let dimensions: Vec<u64> = (0..n_dimensions).map(|_| reader.u64()).collect();
            infos.push((name, dimensions, reader.u32(), reader.u64() as usize));
        }
        let data = &bytes[reader.at.next_multiple_of(32)..];
        let mut ends: Vec<usize> = infos.iter().map(|info| info.3).collect();
        ends.push(data.len());
        ends.sort_unstable();
        let tensors = infos.into_iter().map(|(name, dimensions, kind, offset)| {
            let end = ends.iter().find(|end| **end > offset).unwrap();
            (name, dimensions, kind, data[offset..*end].to_vec())
        });
        Self {
            entries,
            tensors: tensors.collect(),
        }
    }

    /// Sets an entry to a value of a type.
    pub fn set(&mut self, key: &str, kind: u32, value: &[u8]) -> &mut Self {
        self.remove(key);
        let value = [&kind.to_le_bytes(), value].concat();
        self.entries.push((key.to_owned(), value));
        self
    }

    /// Sets an entry to an array of 32-bit numbers.
    pub fn set_array(&mut self, key: &str, values: &[u32]) -> &mut Self {
        let mut bytes = U32.to_le_bytes().to_vec();
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.set(key, ARRAY, &bytes)
    }

    pub fn remove(&mut self, key: &str) -> &mut Self {
        self.entries.retain(|(other, _)| other != key);
        self
    }

    /// Adds a vector of F32.
    pub fn add_vector(&mut self, name: &str, values: &[f32]) -> &mut Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        let dimensions = vec![values.len() as u64];
        self.tensors
            .push((name.to_owned(), dimensions, F32, bytes.collect()));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let entries: Vec<Vec<u8>> = self
            .entries
            .iter()
            .map(|(key, value)| [string(key), value.clone()].concat())
            .collect();
        let mut data = Vec::new();
        let mut tensors = Vec::new();
        for (name, dimensions, kind, bytes) in &self.tensors {
            tensors.push((
                name.as_str(),
                dimensions.as_slice(),
                *kind,
                data.len() as u64,
            ));
            data.extend(bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        let mut whole = file(3, &entries, &tensors, 0);
        whole.extend(data);
        whole
    }
}
