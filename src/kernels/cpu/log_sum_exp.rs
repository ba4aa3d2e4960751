//! The logarithm of a sum of exponentials over the last dimension.

use burn_flex::FlexTensor;

use super::vector::{exp, largest, sum_of};
use super::{Numbers, each_chunk, last_dim, tensor};

/// `[…, width]` gives `[…, 1]`.
pub(in crate::kernels) fn log_sum_exp(x: FlexTensor) -> FlexTensor {
    let (rows, width) = last_dim(&x);
    let mut shape = x.layout().shape().clone();
    if let Some(last) = shape.iter_mut().last() {
        *last = 1;
    }
    let x = Numbers::of(x);
    let x = x.slice();
    let mut out = vec![0.0; rows];
    each_chunk(&mut out, 1, width, |row, out| {
        let x = &x[row * width..][..width];
        let most = largest(x);
        out.fill(most + sum_of(x, x, |x, _| exp(x - most)).ln());
    });
    tensor(out, shape)
}

/// The gradient by `x`: the softmax, times the gradient of the row.
pub(in crate::kernels) fn log_sum_exp_backward(
    x: FlexTensor,
    result: FlexTensor,
    gradient: FlexTensor,
) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let (_, width) = last_dim(&x);
    let [x, result, gradient] = [x, result, gradient].map(Numbers::of);
    let (x, result, gradient) = (x.slice(), result.slice(), gradient.slice());
    let mut out = vec![0.0; x.len()];
    each_chunk(&mut out, width, width, |row, out| {
        let (result, gradient) = (result[row], gradient[row]);
        for (out, &x) in out.iter_mut().zip(&x[row * width..][..width]) {
            *out = exp(x - result) * gradient;
        }
    });
    tensor(out, shape)
}
