//! Matrix products: the library's, with bias and residual added to what it gives.

use burn::backend::ops::{FloatTensorOps, QTensorOps};
use burn::tensor::{DType, FloatDType};
use burn_flex::{Flex, FlexTensor};

use super::{Numbers, each_chunk, last_dim};
use crate::kernels::Weight;

/// `x · W + bias + residual`; the weight lies as `[out, in]` where it is `transposed`. It is unpacked first.
pub(in crate::kernels) fn product(
    x: FlexTensor,
    weight: Weight<Flex>,
    bias: Option<FlexTensor>,
    residual: Option<FlexTensor>,
    transposed: bool,
) -> FlexTensor {
    let weight = match weight {
        Weight::Float(weight) if weight.dtype() == DType::F32 => weight,
        Weight::Float(weight) => Flex::float_cast(weight, FloatDType::F32),
        Weight::Eight(weight) => Flex::dequantize(weight, FloatDType::F32),
    };
    let weight = match transposed {
        true => weight.transpose(0, 1),
        false => weight,
    };
    let mut out = Flex::float_matmul(x, weight);
    if bias.is_none() && residual.is_none() {
        return out;
    }
    out = out.to_contiguous();
    let (_, width) = last_dim(&out);
    let (bias, residual) = (bias.map(Numbers::of), residual.map(Numbers::of));
    let values: &mut [f32] = out.storage_mut();
    each_chunk(values, width, width, |row, values| {
        if let Some(bias) = &bias {
            super::vector::add_scaled(values, 1.0, bias.slice());
        }
        if let Some(residual) = &residual {
            super::vector::add_scaled(values, 1.0, &residual.slice()[row * width..][..width]);
        }
    });
    out
}
