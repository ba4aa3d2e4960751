//! Every operation but the product, and its gradient.

use burn_flex::{Flex, FlexTensor};
use secateur_kernels as numbers;
use secateur_kernels::{
    Activated, ActivationBackward, Attention, AttentionBackward, AttentionInputs, AttentionShape,
    GainsBackward, LogSumExp, LogSumExpBackward, Norm, NormBackward, Rotation,
};

use super::{Numbers, run, slice, tensor};
use crate::kernels::ActivationInputs;
use crate::kernels::backward::Attended;

/// The width of a tensor's last dimension.
fn last_dim(x: &FlexTensor) -> usize {
    x.layout().shape().iter().last().copied().unwrap_or(1)
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
    let (shape, width) = (x.layout().shape().clone(), last_dim(&x));
    let (x, weight, bias) = (Numbers::of(x), Numbers::of(weight), bias.map(Numbers::of));
    let norm = Norm {
        x: x.slice(),
        weight: weight.slice(),
        bias: slice(bias.as_ref()),
        width,
        heads,
        centred,
        eps,
    };
    tensor(run(norm, norm.x.len()), shape)
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
    let (shape, width) = (x.layout().shape().clone(), last_dim(&x));
    let [x, weight, gradient] = [x, weight, gradient].map(Numbers::of);
    let norm = Norm {
        x: x.slice(),
        weight: weight.slice(),
        bias: None,
        width,
        heads,
        centred,
        eps,
    };
    let gradient = gradient.slice();
    tensor(run(NormBackward { norm, gradient }, norm.x.len()), shape)
}

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
    let dimensions = last_dim(&cos);
    let [x, cos, sin] = [x, cos, sin].map(Numbers::of);
    let rotation = Rotation {
        x: x.slice(),
        cos: cos.slice(),
        sin: sin.slice(),
        tail,
        heads,
        d_head,
        rotated,
        dimensions,
        back,
    };
    tensor(run(rotation, rotation.x.len()), shape)
}

/// `[…, width]` gives `[…, 1]`.
pub(in crate::kernels) fn log_sum_exp(x: FlexTensor) -> FlexTensor {
    let width = last_dim(&x);
    let mut shape = x.layout().shape().clone();
    if let Some(last) = shape.iter_mut().last() {
        *last = 1;
    }
    let x = Numbers::of(x);
    let x = x.slice();
    tensor(run(LogSumExp { x, width }, x.len() / width.max(1)), shape)
}

/// The gradient by `x`: the softmax, times the gradient of the row.
pub(in crate::kernels) fn log_sum_exp_backward(
    x: FlexTensor,
    result: FlexTensor,
    gradient: FlexTensor,
) -> FlexTensor {
    let (shape, width) = (x.layout().shape().clone(), last_dim(&x));
    let [x, result, gradient] = [x, result, gradient].map(Numbers::of);
    let backward = LogSumExpBackward {
        x: x.slice(),
        result: result.slice(),
        gradient: gradient.slice(),
        width,
    };
    tensor(run(backward, backward.x.len()), shape)
}

/// The tensors of one call of attention.
struct Heads {
    heads: Numbers,
    prefix: Option<Numbers>,
    padding: Option<Numbers>,
    shape: AttentionShape,
    /// Forks of all prompts, their tail, and numbers of a head.
    dims: [usize; 3],
    n_prefix: usize,
}

impl Heads {
    fn new(
        heads: FlexTensor,
        prefix: Option<FlexTensor>,
        padding: Option<FlexTensor>,
        shape: AttentionShape,
    ) -> Self {
        let [forks, tail, _, d_head] = heads.layout().shape().dims();
        Self {
            n_prefix: prefix.as_ref().map_or(0, |x| x.layout().shape()[1]),
            heads: Numbers::of(heads),
            prefix: prefix.map(Numbers::of),
            padding: padding.map(Numbers::of),
            shape,
            dims: [forks, tail, d_head],
        }
    }

    fn inputs(&self) -> AttentionInputs<'_> {
        let [forks, tail, d_head] = self.dims;
        AttentionInputs {
            heads: self.heads.slice(),
            prefix: slice(self.prefix.as_ref()),
            padding: slice(self.padding.as_ref()),
            shape: self.shape,
            prompts: forks / self.shape.forks.max(1),
            tail,
            n_prefix: self.n_prefix,
            d_head,
        }
    }
}

/// The weighted values of every query, `[forks, tail, heads, d_head]`.
pub(in crate::kernels) fn attend(
    heads: FlexTensor,
    prefix: Option<FlexTensor>,
    padding: Option<FlexTensor>,
    shape: AttentionShape,
) -> FlexTensor {
    let heads = Heads::new(heads, prefix, padding, shape);
    let [forks, tail, d_head] = heads.dims;
    let like = [forks, tail, shape.heads, d_head];
    let values = run(Attention(heads.inputs()), like.iter().product());
    tensor(values, like)
}

/// The gradients by the heads of all tokens, and by those of the prefix where `with_prefix`.
pub(in crate::kernels) fn attend_backward(
    state: Attended<Flex>,
    gradient: FlexTensor,
    with_prefix: bool,
) -> (FlexTensor, Option<FlexTensor>) {
    let shape = state.shape;
    let heads = Heads::new(state.heads, state.prefix, state.padding, shape);
    let gradient = Numbers::of(gradient);
    let backward = AttentionBackward {
        inputs: heads.inputs(),
        gradient: gradient.slice(),
        with_prefix,
    };
    let width = numbers::Kernel::width(&backward);
    let out = run(backward, backward.chunks() * width);
    let [forks, tail, d_head] = heads.dims;
    let like = [forks, tail, shape.heads + 2 * shape.kv_heads, d_head];
    if !with_prefix {
        return (tensor(out, like), None);
    }
    let mut own = Vec::with_capacity(like.iter().product());
    let mut by_prefix = Vec::with_capacity(out.len().saturating_sub(own.capacity()));
    for chunk in out.chunks(width.max(1)) {
        let (of_forks, of_prefix) = chunk.split_at(backward.of_forks());
        own.extend_from_slice(of_forks);
        by_prefix.extend_from_slice(of_prefix);
    }
    let prompts = backward.inputs.prompts;
    let like_prefix = [prompts, heads.n_prefix, 2 * shape.kv_heads, d_head];
    (tensor(own, like), Some(tensor(by_prefix, like_prefix)))
}

/// The tensors of one call of an activation.
struct Projections {
    projected: Numbers,
    bias: Option<Numbers>,
    gains: Option<Numbers>,
    shape: numbers::ActivationShape,
    d_mlp: usize,
}

impl Projections {
    fn new(inputs: ActivationInputs<Flex>) -> Self {
        let ActivationInputs {
            projected,
            bias,
            gains,
            shape,
        } = inputs;
        Self {
            d_mlp: last_dim(&projected) / if shape.gated { 2 } else { 1 },
            projected: Numbers::of(projected),
            bias: bias.map(Numbers::of),
            gains: gains.map(Numbers::of),
            shape,
        }
    }

    fn inputs(&self) -> numbers::ActivationInputs<'_> {
        numbers::ActivationInputs {
            projected: self.projected.slice(),
            bias: slice(self.bias.as_ref()),
            gains: slice(self.gains.as_ref()),
            shape: self.shape,
            d_mlp: self.d_mlp,
        }
    }
}

/// The activation, `[tokens, d_mlp]`.
pub(in crate::kernels) fn activate(inputs: ActivationInputs<Flex>) -> FlexTensor {
    let projections = Projections::new(inputs);
    let inputs = projections.inputs();
    let shape = [inputs.tokens(), inputs.d_mlp];
    tensor(run(Activated(inputs), shape.iter().product()), shape)
}

/// The gradient by the projections of every token, shared or not.
pub(in crate::kernels) fn activate_backward(
    inputs: ActivationInputs<Flex>,
    gradient: FlexTensor,
) -> FlexTensor {
    let (projections, gradient) = (Projections::new(inputs), Numbers::of(gradient));
    let inputs = projections.inputs();
    let shape = [inputs.tokens(), inputs.width()];
    let gradient = gradient.slice();
    let backward = ActivationBackward { inputs, gradient };
    tensor(run(backward, shape.iter().product()), shape)
}

/// The gradient by the gains of each fork, summed over its positions: `[forks of all prompts, d_mlp]`.
pub(in crate::kernels) fn gains_backward(
    inputs: ActivationInputs<Flex>,
    gradient: FlexTensor,
) -> FlexTensor {
    let (projections, gradient) = (Projections::new(inputs), Numbers::of(gradient));
    let inputs = projections.inputs();
    let shape = [inputs.forks(), inputs.d_mlp];
    let gradient = gradient.slice();
    let backward = GainsBackward { inputs, gradient };
    tensor(run(backward, shape.iter().product()), shape)
}
