//! The few operations that a block is made of, forward and back.
//!
//! On a GPU each is one kernel with its backward pass written out ([`gpu`]); on the CPU, and wherever weights are
//! trained, it is made of the library's operations ([`plain`]), which are also what the kernels are held against. Only
//! activations need gradients: a weight is a constant to every kernel.
//!
//! - [`project`]: rows times a weight matrix, with bias and residual
//! - [`norm`]: root-mean-square and layer norms
//! - [`rotate`]: the rotary embedding
//! - [`attend`]: attention over a prefix and a run's own tail
//! - [`activate`]: gate, activation function, second projection and gains of a feed-forward layer
//! - [`log_sum_exp`]: of a row

mod backward;
mod gpu;
pub mod plain;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::{Device, Tensor};
use burn_cubecl::CubeBackend;

pub use plain::Masks;

/// The activation function of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// `x · Φ(x)` with the normal distribution's Φ (Hendrycks and Gimpel, 2016).
    Gelu,
    /// The same with its approximation by tanh.
    GeluTanh,
}

/// What gains are factors on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GainsOn {
    /// The gate, before its bias and the activation function.
    Gate,
    /// The activation.
    Activation,
}

/// How weights lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[in, out]`
    InOut,
    /// `[out, in]`
    OutIn,
}

/// The shape of one call of attention.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
    /// Forks of a prompt, which share its prefix.
    pub forks: usize,
    /// Positions that a query looks back on, its own among them; `None` for all.
    pub window: Option<usize>,
    /// Factor on the scores.
    pub scale: f32,
}

/// The shape of one call of an activation.
#[derive(Debug, Clone, Copy)]
pub struct ActivationShape {
    /// Prompts.
    pub prompts: usize,
    /// Forks of a prompt.
    pub forks: usize,
    /// Positions of a fork.
    pub tail: usize,
    /// The activation function.
    pub function: Activation,
    /// What gains are factors on.
    pub on: GainsOn,
}

/// A tensor that may be absent, in a form that is sent to a backend.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) enum Maybe<B: Backend> {
    Some(FloatTensor<B>),
    None,
}

impl<B: Backend> From<Option<FloatTensor<B>>> for Maybe<B> {
    fn from(tensor: Option<FloatTensor<B>>) -> Self {
        tensor.map_or(Self::None, Self::Some)
    }
}

impl<B: Backend> Maybe<B> {
    fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Some(tensor) => Some(tensor),
            Self::None => None,
        }
    }
}

/// The operations as a backend has them, over tensors in memory order.
#[backend_extension(Cube, Autodiff)]
pub(crate) trait Kernels: Backend {
    /// [`project`] over `[rows, in]`; the weight lies as `[out, in]` where it is `transposed`.
    fn product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        #[extension_type] residual: Maybe<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;

    /// [`norm`].
    fn normalise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        centred: bool,
        eps: f32,
    ) -> FloatTensor<Self>;

    /// [`rotate`], or the way back from it.
    fn turn(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        back: bool,
    ) -> FloatTensor<Self>;

    /// [`attend`], whose prefix is both keys and values or none; padding `[prompts]`.
    fn attend_heads(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        #[extension_type] prefix_keys: Maybe<Self>,
        #[extension_type] prefix_values: Maybe<Self>,
        #[extension_type] padding: Maybe<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self>;

    /// [`activate`] over `[tokens, d_mlp]`.
    fn activation(
        gate: FloatTensor<Self>,
        #[extension_type] up: Maybe<Self>,
        #[extension_type] bias: Maybe<Self>,
        #[extension_type] gains: Maybe<Self>,
        shape: ActivationShape,
    ) -> FloatTensor<Self>;

    /// [`log_sum_exp`].
    fn row_log_sum_exp(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Whether tensors on a device go through kernels.
pub fn has_kernels(device: &Device) -> bool {
    *device != Device::flex() && *device != Device::flex().autodiff()
}

fn maybe<const D: usize>(tensor: Option<Tensor<D>>) -> Maybe<Dispatch> {
    tensor.map(Tensor::into_dispatch).into()
}

/// `x · W + bias + residual`, as one matrix product over all tokens.
///
/// # Shapes
/// - `x`: `[batch, tokens, in]`
/// - `weight`: `[in, out]` or `[out, in]`, as `layout` says, in f32
/// - `bias`: `[out]`; `residual`: `[batch, tokens, out]`
/// - returns `[batch, tokens, out]`
pub fn project(
    x: Tensor<3>,
    weight: Tensor<2>,
    layout: Layout,
    bias: Option<&Tensor<1>>,
    residual: Option<Tensor<3>>,
) -> Tensor<3> {
    let trained = weight.is_require_grad() || bias.is_some_and(Tensor::is_require_grad);
    if trained || !has_kernels(&x.device()) {
        return plain::project(x, weight, layout, bias, residual);
    }
    let [batch, tokens, width] = x.dims();
    let out = match layout {
        Layout::InOut => weight.dims()[1],
        Layout::OutIn => weight.dims()[0],
    };
    let rows = |x: Tensor<3>, width| x.reshape([batch * tokens, width]).into_dispatch();
    Tensor::<2>::from_dispatch(Dispatch::product(
        rows(x, width),
        weight.into_dispatch(),
        maybe(bias.cloned()),
        residual.map(|residual| rows(residual, out)).into(),
        layout == Layout::OutIn,
    ))
    .reshape([batch, tokens, out])
}

/// A norm over the last dimension: `(x − mean) / √(variance + eps) · weight + bias`, without the mean where it is not
/// `centred`. `[…, width]` in and out; `weight` and `bias`: `[width]`.
pub fn norm<const D: usize>(
    x: Tensor<D>,
    weight: &Tensor<1>,
    bias: Option<&Tensor<1>>,
    centred: bool,
    eps: f64,
) -> Tensor<D> {
    let trained = weight.is_require_grad() || bias.is_some_and(Tensor::is_require_grad);
    if trained || !has_kernels(&x.device()) {
        return plain::norm(x, weight, bias, centred, eps);
    }
    Tensor::from_dispatch(Dispatch::normalise(
        x.into_dispatch(),
        weight.clone().into_dispatch(),
        maybe(bias.cloned()),
        centred,
        eps as f32,
    ))
}

/// Rotates heads by their position, in the half-split layout of transformers' `rotate_half`: dimension `i` is paired
/// with `i + dimensions / 2`.
///
/// # Shapes
/// - `x`: `[forks, tail, heads, d_head]`, returned so
/// - `cos`, `sin`: `[1, tail, 1, dimensions]`; further dimensions of a head stay as they are
pub fn rotate(x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>) -> Tensor<4> {
    if !has_kernels(&x.device()) {
        return plain::rotate(x, cos, sin);
    }
    let table = |table: &Tensor<4>| table.clone().into_dispatch();
    Tensor::from_dispatch(Dispatch::turn(
        x.into_dispatch(),
        table(cos),
        table(sin),
        false,
    ))
}

/// Attention of every query over the prefix of its prompt and, causally, over its own fork's keys.
///
/// # Shapes
/// - `q`: `[forks, tail, heads, d_head]`, returned so; `k`, `v`: `[forks, tail, kv_heads, d_head]`
/// - `prefix`: keys and values `[prompts, kv_heads, positions, d_head]`
/// - `padding`: positions before the beginning of each prompt, which no other position sees, `[prompts]`, or of the first
///   prompts where it is the same for further ones; where it is absent, there are none
/// - `masks`: what the plain operations add to scores instead of the window; empty on a device with kernels
pub fn attend(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    prefix: Option<(Tensor<4>, Tensor<4>)>,
    padding: Option<&Tensor<1>>,
    shape: AttentionShape,
    masks: &Masks,
) -> Tensor<4> {
    if !has_kernels(&q.device()) {
        return plain::attend(q, k, v, prefix, padding, shape, masks);
    }
    let (keys, values) = prefix.unzip();
    Tensor::from_dispatch(Dispatch::attend_heads(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        maybe(keys),
        maybe(values),
        maybe(padding.cloned()),
        shape,
    ))
}

/// The activation `act(gate + bias) · up`, gains applied.
///
/// # Shapes
/// - `gate`, `up`: `[prompts, forks · tail, d_mlp]`, or `[prompts, tail, d_mlp]` where all forks have the same
/// - `bias`: `[d_mlp]`
/// - `gains`: `[prompts, forks, d_mlp]`, or `[1, 1, d_mlp]` for all
/// - returns `[prompts, forks · tail, d_mlp]`
pub fn activate(
    gate: Tensor<3>,
    up: Option<Tensor<3>>,
    bias: Option<&Tensor<1>>,
    gains: Option<Tensor<3>>,
    shape: ActivationShape,
) -> Tensor<3> {
    let trained = bias.is_some_and(Tensor::is_require_grad);
    if trained || !has_kernels(&gate.device()) {
        return plain::activate(gate, up, bias, gains, shape);
    }
    let d_mlp = gate.dims()[2];
    let rows = |x: Tensor<3>| {
        let [a, b, _] = x.dims();
        x.reshape([a * b, d_mlp]).into_dispatch()
    };
    Tensor::<2>::from_dispatch(Dispatch::activation(
        rows(gate),
        up.map(rows).into(),
        maybe(bias.cloned()),
        gains.map(rows).into(),
        shape,
    ))
    .reshape([shape.prompts, shape.forks * shape.tail, d_mlp])
}

/// `log Σ exp` over the last dimension: `[a, b, c]` gives `[a, b, 1]`.
pub fn log_sum_exp(x: Tensor<3>) -> Tensor<3> {
    if !has_kernels(&x.device()) {
        return plain::log_sum_exp(x);
    }
    Tensor::from_dispatch(Dispatch::row_log_sum_exp(x.into_dispatch()))
}

impl Kernels for CubeBackend {
    fn product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        residual: Maybe<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        gpu::product(
            x,
            weight,
            bias.into_option(),
            residual.into_option(),
            transposed,
        )
    }

    fn normalise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        centred: bool,
        eps: f32,
    ) -> FloatTensor<Self> {
        gpu::norm(x, weight, bias.into_option(), centred, eps)
    }

    fn turn(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        back: bool,
    ) -> FloatTensor<Self> {
        gpu::rotate(x, cos, sin, back)
    }

    fn attend_heads(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        prefix_keys: Maybe<Self>,
        prefix_values: Maybe<Self>,
        padding: Maybe<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let prefix = prefix_keys.into_option().zip(prefix_values.into_option());
        gpu::attend(q, k, v, prefix, padding.into_option(), shape)
    }

    fn activation(
        gate: FloatTensor<Self>,
        up: Maybe<Self>,
        bias: Maybe<Self>,
        gains: Maybe<Self>,
        shape: ActivationShape,
    ) -> FloatTensor<Self> {
        gpu::activate(&gpu::Inputs {
            gate,
            up: up.into_option(),
            bias: bias.into_option(),
            gains: gains.into_option(),
            shape,
        })
    }

    fn row_log_sum_exp(x: FloatTensor<Self>) -> FloatTensor<Self> {
        gpu::log_sum_exp(x)
    }
}
