//! How weights are held: in f32, or smaller and unpacked where they are used. Everything is computed in f32.

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, Tensor};
use half::f16;
use serde::{Deserialize, Serialize};

use super::{ModelError, upload};

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
const BLOCK: usize = 32;

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
            Self::Int8 => n + 4 * n / BLOCK as u64,
        }
    }

    /// A matrix of this shape, row by row, held this way on a device. One whose rows are no whole blocks stays in f32.
    ///
    /// It is packed here and not there: a device would hold its f32 as well, and its allocator gives the pages of those to what is
    /// packed, which then takes as much as they did.
    pub(super) fn upload(self, values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
        match self {
            Self::F16 => upload::halves(&values, shape, device),
            Self::Int8 if shape[1].is_multiple_of(BLOCK) => {
                let (integers, scales) = in_eight_bits(&values);
                upload::integers(integers, &scales, scheme(), shape, device)
            }
            Self::F32 | Self::Int8 => upload::numbers(values, shape, device),
        }
    }
}

/// Numbers as integers from -127 to 127, and the scale of each block, by which they are multiplied: the largest of the block is 127 of them.
fn in_eight_bits(values: &[f32]) -> (Vec<i8>, Vec<f32>) {
    let mut integers = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / BLOCK);
    for block in values.chunks(BLOCK) {
        let largest = block
            .iter()
            .fold(0.0, |most: f32, value| most.max(value.abs()));
        let scale = (largest / 127.0).max(f32::MIN_POSITIVE);
        scales.push(scale);
        integers.extend(block.iter().map(|value| (value / scale).round() as i8));
    }
    (integers, scales)
}

fn scheme() -> QuantScheme {
    QuantScheme::default()
        .with_value(QuantValue::Q8S)
        .with_store(QuantStore::PackedU32(0))
        .per_block([BLOCK as u8], ScaleDtype::F32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_are_within_half_a_scale_and_zeros_stay() {
        let values: Vec<f32> = (0..96_u16)
            .map(|place| match place {
                0..64 => (f32::from(place) - 40.0) * 0.37,
                _ => 0.0,
            })
            .collect();
        let (integers, scales) = in_eight_bits(&values);
        assert_eq!((integers.len(), scales.len()), (96, 3));
        for (place, (value, &integer)) in values.iter().zip(&integers).enumerate() {
            let scale = scales[place / BLOCK];
            let error = (value - f32::from(integer) * scale).abs();
            assert!(error <= 0.501 * scale, "{value}: {integer} of {scale}");
        }
        assert_eq!(integers[0], -127, "the largest of its block");
        assert!(integers[64..].iter().all(|&integer| integer == 0));
    }
}
