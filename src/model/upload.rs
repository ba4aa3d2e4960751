//! Numbers from memory to a device, as they are. The library's `from_data` converts between any two types first, and what that
//! takes is a tenth of a megabyte of the page's engines.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps, QTensorOps};
use burn::tensor::quantization::QuantScheme;
use burn::tensor::{Device, Int, IntDType, Tensor, TensorData};
use half::f16;

/// As many numbers as the shape has.
pub fn numbers<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let data = TensorData::new(values, shape);
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
}

/// The same, each rounded to half of its bits.
pub fn halves<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    let halves: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
    let data = TensorData::new(halves, shape);
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
}

/// Integers of eight bits, and the scale of each block of the scheme.
pub fn integers<const D: usize>(
    values: Vec<i8>,
    scales: &[f32],
    scheme: QuantScheme,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    let data = TensorData::quantized(values, shape, scheme, scales, None);
    Tensor::from_dispatch(Dispatch::q_from_data(data, device.as_dispatch()))
}

/// As many places as the shape has.
pub fn places<const D: usize>(
    values: Vec<i32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D, Int> {
    let data = match device.settings().int_dtype {
        IntDType::I64 => TensorData::new(values.into_iter().map(i64::from).collect(), shape),
        _ => TensorData::new(values, shape),
    };
    Tensor::from_dispatch(Dispatch::int_from_data(data, device.as_dispatch()))
}
