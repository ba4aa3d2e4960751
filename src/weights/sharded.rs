//! The index beside the shards of a model: `model.safetensors.index.json`, which says in which file each
//! tensor lies.
//!
//! After `transformers` (`save_pretrained`): `{"metadata": {...}, "weight_map": {tensor: file}}`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{MAX_TENSORS, WeightsError};

/// Largest index accepted, in bytes: that of 100,000 tensors of long names.
pub const MAX_INDEX_BYTES: usize = 12 << 20;
/// Largest number of shards accepted.
const MAX_SHARDS: usize = 1000;

/// Which shard holds which tensor.
#[derive(Debug)]
pub struct Index(BTreeMap<String, String>);

impl Index {
    /// Reads `model.safetensors.index.json`.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Header`] when it is too large, no such index, names a tensor twice, or a shard that is
    /// no safetensors file beside it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WeightsError> {
        let wrong =
            |message: String| WeightsError::Header(format!("index of the shards: {message}"));
        if bytes.len() > MAX_INDEX_BYTES {
            return Err(wrong(format!("{} bytes", bytes.len())));
        }
        let raw: RawIndex =
            serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let index = Self(raw.weight_map.0);
        let shards = index.shards();
        if shards.is_empty() || shards.len() > MAX_SHARDS {
            return Err(wrong(format!("{} shards", shards.len())));
        }
        match shards.iter().find(|name| !is_file_name(name)) {
            Some(name) => Err(wrong(format!(
                "`{name}` is not the name of a safetensors file beside it"
            ))),
            None => Ok(index),
        }
    }

    /// The shards' file names, each once and in order.
    pub fn shards(&self) -> BTreeSet<&str> {
        self.0.values().map(String::as_str).collect()
    }

    /// The shard of a tensor.
    pub(super) fn shard_of(&self, tensor: &str) -> Option<&str> {
        self.0.get(tensor).map(String::as_str)
    }
}

/// Shards lie beside their index: a name may not lead anywhere else.
fn is_file_name(name: &str) -> bool {
    name.len() <= 255
        && name.ends_with(".safetensors")
        && !name.contains(['/', '\\', ':'])
        && !name.contains(char::is_control)
}

#[derive(Deserialize)]
struct RawIndex {
    weight_map: WeightMap,
}

/// A map that refuses a key that comes twice, and more keys than a model has tensors, while it is read.
struct WeightMap(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = WeightMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tensors to files")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WeightMap, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((tensor, shard)) = map.next_entry::<String, String>()? {
                    if entries.len() == MAX_TENSORS {
                        return Err(A::Error::custom("too many tensors"));
                    }
                    if entries.insert(tensor.clone(), shard).is_some() {
                        return Err(A::Error::custom(format!(
                            "tensor `{tensor}` is there twice"
                        )));
                    }
                }
                Ok(WeightMap(entries))
            }
        }
        deserializer.deserialize_map(Map)
    }
}
