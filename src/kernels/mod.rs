//! The few operations that a block is made of, forward and back.
//!
//! On each kind of device an operation is one kernel with its backward pass written out: on a GPU ([`gpu`]) and on a
//! processor ([`cpu`]). Only activations need gradients: a weight is a constant to every kernel. Where weights are trained, or
//! the way back is another ([`WayBack`]), the same is made of the library's operations ([`plain`]), which are also what the
//! kernels are held against.
//!
//! - [`project`]: rows times a weight matrix, with bias and residual
//! - [`norm`], [`norm_heads`]: root-mean-square and layer norms
//! - [`rotate`]: the rotary embedding
//! - [`attend`]: attention over a prefix and a run's own tail
//! - [`activate`]: gate, activation function, second projection and gains of a feed-forward layer
//! - [`log_sum_exp`]: of a row
//! - [`rows`]: some rows of a table
//! - [`log_normaliser`]: the logarithm of the sum of exponentials of a row's products with a whole table

mod backward;
mod cpu;
mod devices;
#[cfg(feature = "gpu")]
mod gpu;
pub mod plain;
mod table;

use burn::backend::tensor::{FloatTensor, QuantizedTensor};
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::{DType, Device, Tensor};

#[cfg(target_family = "wasm")]
pub use cpu::{instructions, threads};
pub use secateur_kernels::{Activation, ActivationShape, AttentionShape, GainsOn};
pub use table::{log_normaliser, rows};

/// What an operation that is not linear hands back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WayBack {
    /// Its derivative.
    #[default]
    Exact,
    /// The derivative of a linear operation that gives the same values, as Relevance Patching asks for it (Rezaei Jafari et al., 2025,
    /// arXiv 2508.21258). What a norm divides by is constant (LN-rule), an activation function is its input times a constant
    /// (identity-rule), and gate and `up` get one half each of what their product would hand back (half-rule).
    Linear,
}

impl WayBack {
    /// What is constant where it is linear.
    fn hold<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Exact => x,
            Self::Linear => x.detach(),
        }
    }
}

/// How weights lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[in, out]`
    InOut,
    /// `[out, in]`
    OutIn,
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

/// A weight matrix as a backend holds it.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) enum Weight<B: Backend> {
    /// In f32 or f16.
    Float(FloatTensor<B>),
    /// In eight bits, with a scale for each block of a row.
    Eight(QuantizedTensor<B>),
}

fn held(weight: &Tensor<2>) -> Weight<Dispatch> {
    let held = weight.clone().into_dispatch();
    match weight.dtype() {
        DType::QFloat(_) => Weight::Eight(held),
        _ => Weight::Float(held),
    }
}

/// What a layer's activation is computed from.
#[derive(Clone, Debug)]
pub(crate) struct ActivationInputs<B: Backend> {
    /// Gate, and second projection where there is one, `[tokens, d_mlp or 2 · d_mlp]`, or the tokens of one fork of each
    /// prompt where they are shared.
    projected: FloatTensor<B>,
    /// `[d_mlp]`
    bias: Option<FloatTensor<B>>,
    /// `[forks of all prompts, d_mlp]`, or one row.
    gains: Option<FloatTensor<B>>,
    shape: ActivationShape,
}

/// The operations as a backend has them, over tensors in memory order.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex, Autodiff)]
pub(crate) trait Kernels: Backend {
    /// [`project`] over `[rows, in]`; the weight lies as `[out, in]` where it is `transposed`.
    fn product(
        x: FloatTensor<Self>,
        #[extension_type] weight: Weight<Self>,
        #[extension_type] bias: Maybe<Self>,
        #[extension_type] residual: Maybe<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;

    /// [`norm`] of every row, or [`norm_heads`] of the first of every `heads` rows, as many as `weight` has.
    fn normalise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        heads: usize,
        centred: bool,
        eps: f32,
    ) -> FloatTensor<Self>;

    /// [`rotate`], or the way back from it.
    fn turn(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        rotated: usize,
        back: bool,
    ) -> FloatTensor<Self>;

    /// [`attend`].
    fn attend_heads(
        heads: FloatTensor<Self>,
        #[extension_type] prefix: Maybe<Self>,
        #[extension_type] padding: Maybe<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self>;

    /// [`activate`] over `[tokens, d_mlp or 2 · d_mlp]`.
    fn activation(
        projected: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        #[extension_type] gains: Maybe<Self>,
        shape: ActivationShape,
    ) -> FloatTensor<Self>;

    /// [`log_sum_exp`].
    fn row_log_sum_exp(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Whether a device is a GPU.
pub fn is_gpu(device: &Device) -> bool {
    *device != Device::flex() && *device != Device::flex().autodiff()
}

/// Whether weights are trained, which nothing in the page does: so its engines go without the library's products.
fn is_trained<const D: usize>(weight: &Tensor<D>, bias: Option<&Tensor<1>>) -> bool {
    cfg!(not(target_family = "wasm"))
        && (weight.is_tracked() || bias.is_some_and(Tensor::is_tracked))
}

fn maybe<const D: usize>(tensor: Option<Tensor<D>>) -> Maybe<Dispatch> {
    tensor.map(Tensor::into_dispatch).into()
}

/// `x · W + bias + residual`, as one matrix product over all tokens.
///
/// # Shapes
/// - `x`: `[batch, tokens, in]`
/// - `weight`: `[in, out]` or `[out, in]`, as `layout` says, however it is held
/// - `bias`: `[out]`; `residual`: `[batch, tokens, out]`
/// - returns `[batch, tokens, out]`
pub fn project(
    x: Tensor<3>,
    weight: Tensor<2>,
    layout: Layout,
    bias: Option<&Tensor<1>>,
    residual: Option<Tensor<3>>,
) -> Tensor<3> {
    if is_trained(&weight, bias) {
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
        held(&weight),
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
    back: WayBack,
) -> Tensor<D> {
    if is_trained(weight, bias) || back == WayBack::Linear {
        return plain::norm(x, weight, bias, centred, eps, back);
    }
    Tensor::from_dispatch(Dispatch::normalise(
        x.into_dispatch(),
        weight.clone().into_dispatch(),
        maybe(bias.cloned()),
        1,
        centred,
        eps as f32,
    ))
}

/// A norm of some of a token's heads, each with a weight of its own: the first ones, as many as `weight` has rows. The
/// others stay as they are. `[forks, tail, heads, d_head]` in and out; `weight`: `[normed heads, d_head]`.
pub fn norm_heads(
    x: Tensor<4>,
    weight: &Tensor<2>,
    centred: bool,
    eps: f64,
    back: WayBack,
) -> Tensor<4> {
    if is_trained(weight, None) || back == WayBack::Linear {
        return plain::norm_heads(x, weight, centred, eps, back);
    }
    let heads = x.dims()[2];
    Tensor::from_dispatch(Dispatch::normalise(
        x.into_dispatch(),
        weight.clone().into_dispatch(),
        Maybe::None,
        heads,
        centred,
        eps as f32,
    ))
}

/// Rotates heads by their position, in the half-split layout of transformers' `rotate_half`: dimension `i` is paired
/// with `i + dimensions / 2`.
///
/// # Shapes
/// - `x`: `[forks, tail, heads, d_head]`, returned so; its first `rotated` heads are rotated
/// - `cos`, `sin`: `[1, tail, 1, dimensions]`; further dimensions of a head stay as they are
pub fn rotate(x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>, rotated: usize) -> Tensor<4> {
    let table = |table: &Tensor<4>| table.clone().into_dispatch();
    Tensor::from_dispatch(Dispatch::turn(
        x.into_dispatch(),
        table(cos),
        table(sin),
        rotated,
        false,
    ))
}

/// Attention of every query over the prefix of its prompt and, causally, over its own fork's keys.
///
/// # Shapes
/// - `heads`: `[forks, tail, heads + 2 · kv_heads, d_head]`, of a token its queries, its keys and its values
/// - `prefix`: keys and values, `[prompts, positions, 2 · kv_heads, d_head]`
/// - returns `[forks, tail, heads, d_head]`
/// - `padding`: positions before the beginning of each prompt, which no other position sees, `[prompts]`, or of the first
///   prompts where it is the same for further ones; where it is absent, there are none
pub fn attend(
    heads: Tensor<4>,
    prefix: Option<Tensor<4>>,
    padding: Option<&Tensor<1>>,
    shape: AttentionShape,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::attend_heads(
        heads.into_dispatch(),
        maybe(prefix),
        maybe(padding.cloned()),
        shape,
    ))
}

/// The activation `act(gate + bias) · up`, or without `up` where the layer is not gated; gains applied.
///
/// # Shapes
/// - `projected`: gate and up of a token one after the other, `[prompts, forks · tail, 2 · d_mlp]`, or the gate alone,
///   `[prompts, forks · tail, d_mlp]`; with `tail` tokens where they are the same for all forks
/// - `bias`: `[d_mlp]`
/// - `gains`: `[prompts, forks, d_mlp]`, or `[1, 1, d_mlp]` for all
/// - returns `[prompts, forks · tail, d_mlp]`
pub fn activate(
    projected: Tensor<3>,
    bias: Option<&Tensor<1>>,
    gains: Option<Tensor<3>>,
    shape: ActivationShape,
    back: WayBack,
) -> Tensor<3> {
    let trained = bias.is_some_and(|bias| is_trained(bias, None));
    if trained || back == WayBack::Linear {
        return plain::activate(projected, bias, gains, shape, back);
    }
    let d_mlp = projected.dims()[2] / if shape.gated { 2 } else { 1 };
    let rows = |x: Tensor<3>| {
        let [a, b, width] = x.dims();
        x.reshape([a * b, width]).into_dispatch()
    };
    Tensor::<2>::from_dispatch(Dispatch::activation(
        rows(projected),
        maybe(bias.cloned()),
        gains.map(rows).into(),
        shape,
    ))
    .reshape([shape.prompts, shape.forks * shape.tail, d_mlp])
}

/// `log Σ exp` over the last dimension: `[a, b, c]` gives `[a, b, 1]`.
pub fn log_sum_exp(x: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::row_log_sum_exp(x.into_dispatch()))
}
