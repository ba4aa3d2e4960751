//! The rotary embedding of positions.

use burn_flex::FlexTensor;

use super::{Numbers, each_chunk, tensor};

/// As the GPU's: rotates the first heads of `[forks, tail, heads, d_head]` by `[1, tail, 1, dimensions]`.
pub(in crate::kernels) fn rotate(
    x: FlexTensor,
    cos: FlexTensor,
    sin: FlexTensor,
    rotated: usize,
    back: bool,
) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let [_, tail, heads, d_head] = shape.dims();
    let [_, _, _, dimensions] = cos.layout().shape().dims();
    let half = dimensions / 2;
    let [x, cos, sin] = [x, cos, sin].map(Numbers::of);
    let (x, cos, sin) = (x.slice(), cos.slice(), sin.slice());
    let mut out = x.to_vec();
    each_chunk(&mut out, heads * d_head, heads * d_head, |token, out| {
        let table = token % tail * dimensions;
        let (cos, sin) = (&cos[table..][..dimensions], &sin[table..][..dimensions]);
        let ((cos, other_cos), (sin, other_sin)) = (cos.split_at(half), sin.split_at(half));
        let x = &x[token * heads * d_head..][..heads * d_head];
        for (out, x) in out.chunks_mut(d_head).zip(x.chunks(d_head)).take(rotated) {
            let (first, others) = out.split_at_mut(half);
            let (x, y) = (&x[..half], &x[half..dimensions]);
            for i in 0..half {
                // What a number was turned into stands in the other half.
                let (to_first, to_other) = match back {
                    false => (-sin[i], other_sin[i]),
                    true => (other_sin[i], -sin[i]),
                };
                first[i] = x[i] * cos[i] + y[i] * to_first;
                others[i] = y[i] * other_cos[i] + x[i] * to_other;
            }
        }
    });
    tensor(out, shape)
}
