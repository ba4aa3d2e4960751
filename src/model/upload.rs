//! Numbers from memory to a device, as they are. The library's `from_data` converts between any two types first, and what that
//! takes is a tenth of a megabyte of the page's engines.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{Device, Int, IntDType, Tensor, TensorData};

/// As many numbers as the shape has.
pub fn numbers<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let data = TensorData::new(values, shape);
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
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
