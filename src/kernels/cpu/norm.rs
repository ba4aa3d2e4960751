//! Root-mean-square and layer norms over the last dimension.

use burn_flex::FlexTensor;

use super::vector::sum_of;
use super::{Numbers, each_chunk, last_dim, tensor};

/// Mean (0 where it is not subtracted) and one over the deviation of a row.
#[inline(always)]
fn moments(x: &[f32], centred: bool, eps: f32) -> (f32, f32) {
    let width = x.len() as f32;
    let mean = match centred {
        true => sum_of(x, x, |x, _| x) / width,
        false => 0.0,
    };
    let squares = sum_of(x, x, |x, _| (x - mean) * (x - mean));
    (mean, 1.0 / (squares / width + eps).sqrt())
}

/// As the GPU's: of every `heads` rows that follow each other, as many are normed as `weight` and `bias` have rows.
pub(in crate::kernels) fn norm(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    heads: usize,
    centred: bool,
    eps: f32,
) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let (_, width) = last_dim(&x);
    let (x, weight, bias) = (Numbers::of(x), Numbers::of(weight), bias.map(Numbers::of));
    let (x, weight) = (x.slice(), weight.slice());
    let mut out = vec![0.0; x.len()];
    each_chunk(&mut out, width, width, |row, out| {
        let x = &x[row * width..][..width];
        let first = row % heads * width;
        let Some(weight) = weight.get(first..first + width) else {
            return out.copy_from_slice(x);
        };
        let (mean, scale) = moments(x, centred, eps);
        for ((out, &x), &weight) in out.iter_mut().zip(x).zip(weight) {
            *out = (x - mean) * scale * weight;
        }
        if let Some(bias) = &bias {
            super::vector::add_scaled(out, 1.0, &bias.slice()[first..][..width]);
        }
    });
    tensor(out, shape)
}

/// The gradient by `x`.
pub(in crate::kernels) fn norm_backward(
    x: FlexTensor,
    weight: FlexTensor,
    gradient: FlexTensor,
    heads: usize,
    centred: bool,
    eps: f32,
) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let (_, width) = last_dim(&x);
    let [x, weight, gradient] = [x, weight, gradient].map(Numbers::of);
    let (x, weight, gradient) = (x.slice(), weight.slice(), gradient.slice());
    let mut out = vec![0.0; x.len()];
    each_chunk(&mut out, width, width, |row, out| {
        let (x, gradient) = (
            &x[row * width..][..width],
            &gradient[row * width..][..width],
        );
        let first = row % heads * width;
        let Some(weight) = weight.get(first..first + width) else {
            return out.copy_from_slice(gradient);
        };
        // With y the normed x and g the gradient by it: dx = scale · (g − mean(g) − y · mean(g·y)).
        let (mean, scale) = moments(x, centred, eps);
        for ((out, &gradient), &weight) in out.iter_mut().zip(gradient).zip(weight) {
            *out = gradient * weight;
        }
        let along = sum_of(out, x, |g, x| g * (x - mean)) * scale / width as f32;
        let offset = match centred {
            true => sum_of(out, x, |g, _| g) / width as f32,
            false => 0.0,
        };
        for (out, &x) in out.iter_mut().zip(x) {
            *out = (*out - offset - (x - mean) * scale * along) * scale;
        }
    });
    tensor(out, shape)
}
