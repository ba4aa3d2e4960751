//! How weights are held: in f32, or smaller and unpacked where they are used. Everything is computed in f32.

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, Tensor};
use half::f16;
use serde::{Deserialize, Serialize};

use super::ModelError;

/// How the matrices of a model are held; norms and biases stay in f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// As they are computed with.
    #[default]
    F32,
    /// Half of it, on a device that has it.
    F16,
    /// Eight bits, with a scale for every [`BLOCK`] weights.
    Int8,
}

/// Weights that share a scale.
const BLOCK: u8 = 32;

impl Precision {
    /// Its name in settings and on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }

    /// Whether a device holds weights this way.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unsupported`] names the alternatives.
    pub fn check(self, device: &Device) -> Result<(), ModelError> {
        match self {
            Self::F16 if !device.supports_dtype(DType::F16) => Err(ModelError::Unsupported(
                "weights in f16 on this device; f32 and int8 work everywhere".into(),
            )),
            // Eight-bit weights are packed in integers of 32 bits, which every device has.
            _ => Ok(()),
        }
    }

    /// Whether weights can be held this way.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unsupported`] for a weight beyond the largest number of f16.
    pub(super) fn check_range(self, name: &str, weights: &[f32]) -> Result<(), ModelError> {
        let largest = f16::MAX.to_f32();
        let beyond = weights.iter().find(|weight| weight.abs() > largest);
        match (self, beyond) {
            (Self::F16, Some(weight)) => Err(ModelError::Unsupported(format!(
                "`{name}` in f16, whose largest number is {largest}: it holds {weight}; f32 and int8 work"
            ))),
            _ => Ok(()),
        }
    }

    /// Bytes of `n` weights of a matrix whose rows are whole blocks.
    pub fn bytes_of(self, n: u64) -> u64 {
        match self {
            Self::F32 => 4 * n,
            Self::F16 => 2 * n,
            Self::Int8 => n + 4 * n / u64::from(BLOCK),
        }
    }

    /// A matrix held this way. One whose rows are no whole blocks stays in f32.
    pub(super) fn pack(self, weight: Tensor<2>) -> Tensor<2> {
        match self {
            Self::F32 => weight,
            Self::F16 => weight.cast(DType::F16),
            Self::Int8 if weight.dims()[1].is_multiple_of(BLOCK.into()) => {
                weight.quantize_dynamic(&scheme())
            }
            Self::Int8 => weight,
        }
    }
}

fn scheme() -> QuantScheme {
    QuantScheme::default()
        .with_value(QuantValue::Q8S)
        .with_store(QuantStore::PackedU32(0))
        .per_block([BLOCK], ScaleDtype::F32)
}
