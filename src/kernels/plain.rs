//! The operations made of the library's own: the way of trained weights and of linear derivatives, and what kernels are held
//! against.

use std::ops::Range;

use burn::tensor::activation::{gelu_approximate, sigmoid, silu, softmax};
use burn::tensor::{Bool, DType, Int, Tensor, TensorData};

use super::{Activation, ActivationShape, AttentionShape, GainsOn, Layout, WayBack};

/// A score that does not count.
const HIDDEN: f32 = f32::MIN / 2.0;

/// A matrix in f32, however it is held.
pub fn unpacked(weight: &Tensor<2>) -> Tensor<2> {
    match weight.dtype() {
        DType::F16 => weight.clone().cast(DType::F32),
        DType::QFloat(_) => weight.clone().dequantize(),
        _ => weight.clone(),
    }
}

/// As [`super::rows`].
pub fn rows(table: &Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    match table.dtype() {
        DType::QFloat(_) => unpacked(table).select(0, ids),
        _ => unpacked(&table.clone().select(0, ids)),
    }
}

/// As [`super::project`].
pub fn project(
    x: Tensor<3>,
    weight: Tensor<2>,
    layout: Layout,
    bias: Option<&Tensor<1>>,
    residual: Option<Tensor<3>>,
) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let weight = unpacked(&weight);
    let weight = match layout {
        Layout::InOut => weight,
        Layout::OutIn => weight.transpose(),
    };
    let out = weight.dims()[1];
    let mut projected = x
        .reshape([batch * tokens, width])
        .matmul(weight)
        .reshape([batch, tokens, out]);
    if let Some(bias) = bias {
        projected = projected + bias.clone().reshape([1, 1, -1]);
    }
    match residual {
        Some(residual) => residual + projected,
        None => projected,
    }
}

/// As [`super::norm`].
pub fn norm<const D: usize>(
    x: Tensor<D>,
    weight: &Tensor<1>,
    bias: Option<&Tensor<1>>,
    centred: bool,
    eps: f64,
    back: WayBack,
) -> Tensor<D> {
    let last = D - 1;
    let x = match centred {
        false => x,
        true => x.clone() - x.mean_dim(last),
    };
    let variance = back.hold(x.clone()).powi_scalar(2).mean_dim(last);
    let scale = variance.add_scalar(eps).sqrt().recip();
    let along = |weight: &Tensor<1>| weight.clone().unsqueeze::<D>();
    let normed = x * scale * along(weight);
    match bias {
        Some(bias) => normed + along(bias),
        None => normed,
    }
}

/// As [`super::norm_heads`].
pub fn norm_heads(
    x: Tensor<4>,
    weight: &Tensor<2>,
    centred: bool,
    eps: f64,
    back: WayBack,
) -> Tensor<4> {
    let [normed, d_head] = weight.dims();
    let others = x.dims()[2] - normed;
    let one = Tensor::ones([d_head], &x.device());
    let first = x.clone().narrow(2, 0, normed);
    let first = norm(first, &one, None, centred, eps, back);
    let first = first * weight.clone().reshape([1, 1, normed, d_head]);
    match others {
        0 => first,
        _ => Tensor::cat(vec![first, x.narrow(2, normed, others)], 2),
    }
}

/// As [`super::rotate`].
pub fn rotate(x: Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>, rotated: usize) -> Tensor<4> {
    let others = x.dims()[2] - rotated;
    if others > 0 {
        let first = rotate(x.clone().narrow(2, 0, rotated), cos, sin, rotated);
        return Tensor::cat(vec![first, x.narrow(2, rotated, others)], 2);
    }
    let (d_head, dimensions) = (x.dims()[3], cos.dims()[3]);
    let half = dimensions / 2;
    let part = |from, width| x.clone().narrow(3, from, width);
    let turned = Tensor::cat(vec![part(half, half).neg(), part(0, half)], 3);
    let rest = d_head - dimensions;
    if rest == 0 {
        return x * cos.clone() + turned * sin.clone();
    }
    let rotated = part(0, dimensions) * cos.clone() + turned * sin.clone();
    Tensor::cat(vec![rotated, part(dimensions, rest)], 3)
}

/// As [`super::attend`]. The scores against a prompt's prefix are one matrix product for all its forks.
pub fn attend(
    heads: Tensor<4>,
    prefix: Option<Tensor<4>>,
    padding: Option<&Tensor<1>>,
    shape: AttentionShape,
) -> Tensor<4> {
    let (n_heads, kv_heads) = (shape.heads, shape.kv_heads);
    let [forks, tail, _, d_head] = heads.dims();
    let part = |first, count| heads.clone().narrow(2, first, count);
    let (q, k) = (part(0, n_heads), part(n_heads, kv_heads));
    let v = part(n_heads + kv_heads, kv_heads);
    let (rows, group, window) = (shape.forks, n_heads / kv_heads, shape.window);
    let batch = forks / rows;
    // [forks · kv_heads, group · tail, d_head]: one small product per fork and key/value head.
    let q = q
        .mul_scalar(shape.scale)
        .reshape([forks, tail, kv_heads, group, d_head])
        .permute([0, 2, 3, 1, 4])
        .reshape([forks * kv_heads, group * tail, d_head]);
    let own = |x: Tensor<4>| x.swap_dims(1, 2).reshape([forks * kv_heads, tail, d_head]);
    let (keys, values) = (own(k), own(v));
    let n_prefix = prefix.as_ref().map_or(0, |prefix| prefix.dims()[1]);
    let none = || Tensor::zeros([1], &heads.device());
    let padding = padding.cloned().unwrap_or_else(none);
    let prompts = padding.dims()[0];
    let padding = padding.repeat_dim(0, batch / prompts);
    // Scores `[forks · kv_heads, group · tail, keys]` against keys from position `first` on.
    let masked = |scores: Tensor<3>, first: usize| {
        let shape = scores.dims();
        let keys = first..first + shape[2];
        let hides = hides(&padding, n_prefix, [group, tail], keys, window);
        let by_prompt = [batch, rows * kv_heads, shape[1], shape[2]];
        let scores = scores.reshape(by_prompt);
        scores
            .mask_fill(hides.expand(by_prompt), HIDDEN)
            .reshape(shape)
    };
    let scores = masked(q.clone().matmul(keys.transpose()), n_prefix);
    let mixed = match prefix {
        None => softmax(scores, 2).matmul(values),
        Some(prefix) => {
            // All forks of a prompt against the shared prefix: [batch · kv_heads, rows · group · tail, ·].
            let by_prompt = |x: Tensor<3>, width: usize| {
                x.reshape([batch, rows, kv_heads, group * tail, width])
                    .swap_dims(1, 2)
                    .reshape([batch * kv_heads, rows * group * tail, width])
            };
            let by_fork = |x: Tensor<3>, width: usize| {
                x.reshape([batch, kv_heads, rows, group * tail, width])
                    .swap_dims(1, 2)
                    .reshape([forks * kv_heads, group * tail, width])
            };
            let shared = |first| {
                let heads = prefix.clone().narrow(2, first, kv_heads);
                heads
                    .swap_dims(1, 2)
                    .reshape([batch * kv_heads, n_prefix, d_head])
            };
            let q_prefix = by_prompt(q, d_head);
            let to_prefix = by_fork(q_prefix.matmul(shared(0).transpose()), n_prefix);
            let to_prefix = masked(to_prefix, 0);
            let weights = softmax(Tensor::cat(vec![to_prefix, scores], 2), 2);
            let from_prefix = by_fork(
                by_prompt(weights.clone().narrow(2, 0, n_prefix), n_prefix)
                    .matmul(shared(kv_heads)),
                d_head,
            );
            from_prefix + weights.narrow(2, n_prefix, tail).matmul(values)
        }
    };
    mixed
        .reshape([forks, kv_heads, group, tail, d_head])
        .permute([0, 3, 1, 2, 4])
        .reshape([forks, tail, n_heads, d_head])
}

/// Which keys of some positions a query does not see: those after it, those beyond its window, and those of the padding,
/// `[prompts]`, which in the padding see themselves alone. `[prompts, 1, group · tail, keys]`
fn hides(
    padding: &Tensor<1>,
    n_prefix: usize,
    [group, tail]: [usize; 2],
    keys: Range<usize>,
    window: Option<usize>,
) -> Tensor<4, Bool> {
    let device = padding.device();
    let places = |places: Vec<f32>| {
        let shape = [places.len()];
        Tensor::<1>::from_data(TensorData::new(places, shape), &device)
    };
    let n_keys = keys.len();
    let shape = [padding.dims()[0], 1, group * tail, n_keys];
    let queries = (0..group * tail).map(|index| (n_prefix + index % tail) as f32);
    let queries = places(queries.collect())
        .reshape([1, 1, -1, 1])
        .expand(shape);
    let keys = places(keys.map(|key| key as f32).collect());
    let keys = keys.reshape([1, 1, 1, -1]).expand(shape);
    let padding = padding.clone().reshape([-1, 1, 1, 1]).expand(shape);
    let first = padding.min_pair(queries.clone());
    let hides = keys
        .clone()
        .lower(first)
        .bool_or(keys.clone().greater(queries.clone()));
    match window {
        Some(window) => hides.bool_or((queries - keys).greater_equal_elem(window as f32)),
        None => hides,
    }
}

/// As [`super::activate`].
pub fn activate(
    projected: Tensor<3>,
    bias: Option<&Tensor<1>>,
    gains: Option<Tensor<3>>,
    shape: ActivationShape,
    back: WayBack,
) -> Tensor<3> {
    let d_mlp = projected.dims()[2] / if shape.gated { 2 } else { 1 };
    let part = |first| projected.clone().narrow(2, first, d_mlp);
    let (gate, up) = (part(0), shape.gated.then(|| part(d_mlp)));
    let ActivationShape {
        prompts,
        forks,
        tail,
        ..
    } = shape;
    let own_forks = gate.dims()[1] / tail;
    let by_fork = |x: Tensor<3>| x.reshape([prompts, own_forks, tail, d_mlp]);
    let gains = gains.map(|gains| {
        let [a, b, _] = gains.dims();
        gains.reshape([a, b, 1, d_mlp])
    });
    let mut gate = by_fork(gate);
    if let (Some(gains), GainsOn::Gate) = (&gains, shape.on) {
        gate = gate * gains.clone();
    }
    if let Some(bias) = bias {
        gate = gate + bias.clone().unsqueeze::<4>();
    }
    let mut activated = match back {
        WayBack::Exact => function(gate, shape.function),
        WayBack::Linear => gate.clone() * slope(gate.detach(), shape.function),
    };
    if let Some(up) = up {
        activated = activated * by_fork(up);
        if back == WayBack::Linear {
            let half = activated * 0.5;
            activated = half.clone() + half.detach();
        }
    }
    if let (Some(gains), GainsOn::Activation) = (gains, shape.on) {
        activated = activated * gains;
    }
    activated.reshape([prompts, forks * tail, d_mlp])
}

/// An activation function. GELU, `x Φ(x)` ([Hendrycks and Gimpel, 2016](https://arxiv.org/abs/1606.08415)), of its parts: burn's own
/// goes back through the derivative of the approximation by tanh on a GPU, which is off by up to 1e-3.
fn function<const D: usize>(x: Tensor<D>, function: Activation) -> Tensor<D> {
    match function {
        Activation::Silu => silu(x),
        Activation::Gelu => x.clone() * slope(x, function),
        Activation::GeluTanh => gelu_approximate(x),
    }
}

/// What an activation function multiplies its input by.
fn slope<const D: usize>(x: Tensor<D>, function: Activation) -> Tensor<D> {
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};
    match function {
        Activation::Silu => sigmoid(x),
        Activation::Gelu => ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5,
        Activation::GeluTanh => {
            let cubed = x.clone().powi_scalar(3) * 0.044_715;
            (((x + cubed) * FRAC_2_PI.sqrt()).tanh() + 1.0) * 0.5
        }
    }
}

/// As [`super::log_sum_exp`].
pub fn log_sum_exp(x: Tensor<3>) -> Tensor<3> {
    let largest = x.clone().max_dim(2).detach();
    (x - largest.clone()).exp().sum_dim(2).log() + largest
}

/// As [`super::log_normaliser`]: the products of all rows are in memory.
pub fn log_normaliser(x: Tensor<3>, pieces: &[Tensor<2>], cap: Option<f64>) -> Tensor<3> {
    let products = pieces
        .iter()
        .map(|piece| project(x.clone(), piece.clone(), Layout::OutIn, None, None))
        .collect();
    log_sum_exp(bounded(Tensor::cat(products, 2), cap))
}

/// `cap · tanh(x / cap)`, where there is a cap.
pub fn bounded<const D: usize>(x: Tensor<D>, cap: Option<f64>) -> Tensor<D> {
    match cap {
        Some(cap) => x.div_scalar(cap).tanh().mul_scalar(cap),
        None => x,
    }
}
