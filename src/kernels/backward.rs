//! How gradients go back through the kernels. Weights are constants; what is tracked are the activations and the gains.

use burn::backend::Autodiff;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend};
use burn::tensor::Shape;

use super::{ActivationInputs, ActivationShape, AttentionShape, Kernels, Maybe, Weight};

/// The gradients that are kernels of their own. A product goes back by a product, a rotation by a rotation.
pub(super) trait KernelGradients: Kernels {
    fn normalise_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        heads: usize,
        centred: bool,
        eps: f32,
    ) -> FloatTensor<Self>;

    /// By the heads of the tail, and by those of the prefix where `with_prefix`.
    fn attention_backward(
        state: Attended<Self>,
        gradient: FloatTensor<Self>,
        with_prefix: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>);

    /// By the projections of every token, `[tokens, d_mlp or 2 · d_mlp]`.
    fn activation_backward(
        inputs: ActivationInputs<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// By the gains of every fork, `[forks of all prompts, d_mlp]`.
    fn gains_backward(
        inputs: ActivationInputs<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn row_log_sum_exp_backward(
        x: FloatTensor<Self>,
        result: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// What the way back through attention needs.
#[derive(Clone, Debug)]
pub(super) struct Attended<B: Backend> {
    pub(super) heads: FloatTensor<B>,
    pub(super) prefix: Option<FloatTensor<B>>,
    pub(super) padding: Option<FloatTensor<B>>,
    #[cfg_attr(
        not(feature = "gpu"),
        expect(dead_code, reason = "kernels for a processor make it again")
    )]
    pub(super) out: FloatTensor<B>,
    pub(super) shape: AttentionShape,
}

/// A product goes back to `x` through the weight the other way round, and to the residual as it is.
#[derive(Debug)]
struct Product;

impl<B: KernelGradients> Backward<B, 2> for Product {
    /// The weight, and whether it was transposed.
    type State = (Weight<B>, bool);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (weight, transposed) = ops.state;
        let [x, residual] = ops.parents;
        if let Some(residual) = residual {
            grads.register::<B>(residual.id, gradient.clone());
        }
        if let Some(x) = x {
            let by_x = B::product(gradient, weight, Maybe::None, Maybe::None, !transposed);
            grads.register::<B>(x.id, by_x);
        }
    }
}

#[derive(Debug)]
struct Normalise;

impl<B: KernelGradients> Backward<B, 1> for Normalise {
    type State = (FloatTensor<B>, FloatTensor<B>, usize, bool, f32);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (x, weight, heads, centred, eps) = ops.state;
        if let [Some(parent)] = ops.parents {
            let by_x = B::normalise_backward(x, weight, gradient, heads, centred, eps);
            grads.register::<B>(parent.id, by_x);
        }
    }
}

#[derive(Debug)]
struct Turn;

impl<B: KernelGradients> Backward<B, 1> for Turn {
    type State = (FloatTensor<B>, FloatTensor<B>, usize, bool);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (cos, sin, rotated, back) = ops.state;
        if let [Some(parent)] = ops.parents {
            grads.register::<B>(parent.id, B::turn(gradient, cos, sin, rotated, !back));
        }
    }
}

#[derive(Debug)]
struct Attention;

impl<B: KernelGradients> Backward<B, 2> for Attention {
    type State = Attended<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let with_prefix = ops.parents[1].is_some();
        let (by_heads, by_prefix) = B::attention_backward(ops.state, gradient, with_prefix);
        let found = [Some(by_heads), by_prefix];
        for (parent, found) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(found)) = (parent, found) {
                grads.register::<B>(parent.id, found);
            }
        }
    }
}

#[derive(Debug)]
struct Activation;

impl<B: KernelGradients> Backward<B, 2> for Activation {
    type State = ActivationInputs<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let ActivationShape { prompts, tail, .. } = ops.state.shape;
        // Where all forks read the same projections, or one row of gains, their gradients add up.
        let over_forks = |gradient: FloatTensor<B>, like: Shape| {
            let [rows, width] = gradient.shape().dims();
            let own = like.num_elements() / width;
            if own == rows {
                return gradient;
            }
            let parts = match own {
                1 => [1, rows, width],
                _ => [prompts, rows / prompts / tail, tail * width],
            };
            let summed = B::float_sum_dim(B::float_reshape(gradient, parts.into()), 1);
            B::float_reshape(summed, like)
        };
        let [projected, gains] = ops.parents;
        let of_gains = ops.state.gains.as_ref().map(|gains| gains.shape());
        if let (Some(parent), Some(like)) = (gains, of_gains) {
            let found = B::gains_backward(ops.state.clone(), gradient.clone());
            grads.register::<B>(parent.id, over_forks(found, like));
        }
        if let Some(parent) = projected {
            let like = ops.state.projected.shape();
            let found = B::activation_backward(ops.state, gradient);
            grads.register::<B>(parent.id, over_forks(found, like));
        }
    }
}

#[derive(Debug)]
struct LogSumExp;

impl<B: KernelGradients> Backward<B, 1> for LogSumExp {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (x, result) = ops.state;
        if let [Some(parent)] = ops.parents {
            grads.register::<B>(parent.id, B::row_log_sum_exp_backward(x, result, gradient));
        }
    }
}

/// The primitive of a weight.
macro_rules! constant {
    ($weight:expr) => {{
        // The functions of this room take trained weights another way.
        assert!(!$weight.is_tracked(), "a kernel's weight is a constant");
        $weight.into_primitive()
    }};
}

impl<B: Backend, C: CheckpointStrategy> Weight<Autodiff<B, C>> {
    pub(super) fn into_constant(self) -> Weight<B> {
        match self {
            Self::Float(weight) => Weight::Float(constant!(weight)),
            Self::Eight(weight) => Weight::Eight(weight),
        }
    }
}

/// Ends the preparation of an operation: its state is made only where a gradient will go through it.
macro_rules! finish {
    ($operation:expr, $nodes:expr, $out:expr, $state:expr) => {
        match $operation.prepare::<C>($nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish($state, $out),
            OpsKind::UnTracked(prep) => prep.finish($out),
        }
    };
}

#[cfg(feature = "gpu")]
pub(super) use finish;

impl<B: KernelGradients, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn product(
        x: FloatTensor<Self>,
        weight: Weight<Self>,
        bias: Maybe<Self>,
        residual: Maybe<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let weight = weight.into_constant();
        let bias = bias.into_option().map(|bias| constant!(bias));
        let residual = residual.into_option();
        // An absent residual is a node that no gradient goes to.
        let other = residual
            .clone()
            .unwrap_or_else(|| Self::from_inner(x.primitive().clone()));
        let nodes = [x.node(), other.node()];
        let residual = residual.map(|residual| residual.into_primitive());
        let out = B::product(
            x.into_primitive(),
            weight.clone(),
            bias.into(),
            residual.into(),
            transposed,
        );
        finish!(Product, nodes, out, (weight, transposed))
    }

    fn normalise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        heads: usize,
        centred: bool,
        eps: f32,
    ) -> FloatTensor<Self> {
        let weight = constant!(weight);
        let bias = bias.into_option().map(|bias| constant!(bias));
        let (x, node) = x.into_parts();
        let out = B::normalise(x.clone(), weight.clone(), bias.into(), heads, centred, eps);
        finish!(Normalise, [node], out, (x, weight, heads, centred, eps))
    }

    fn turn(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        rotated: usize,
        back: bool,
    ) -> FloatTensor<Self> {
        let (cos, sin) = (constant!(cos), constant!(sin));
        let (x, node) = x.into_parts();
        let out = B::turn(x, cos.clone(), sin.clone(), rotated, back);
        finish!(Turn, [node], out, (cos, sin, rotated, back))
    }

    fn attend_heads(
        heads: FloatTensor<Self>,
        prefix: Maybe<Self>,
        padding: Maybe<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let padding = padding.into_option().map(|padding| constant!(padding));
        let prefix = prefix.into_option();
        let absent = || Self::from_inner(heads.primitive().clone());
        let nodes = [heads.node(), prefix.clone().unwrap_or_else(absent).node()];
        let heads = heads.into_primitive();
        let prefix = prefix.map(|prefix| prefix.into_primitive());
        let (before, padded) = (prefix.clone().into(), padding.clone().into());
        let out = B::attend_heads(heads.clone(), before, padded, shape);
        let state = Attended {
            heads,
            prefix,
            padding,
            out: out.clone(),
            shape,
        };
        finish!(Attention, nodes, out, state)
    }

    fn activation(
        projected: FloatTensor<Self>,
        bias: Maybe<Self>,
        gains: Maybe<Self>,
        shape: ActivationShape,
    ) -> FloatTensor<Self> {
        let gains = gains.into_option();
        let absent = || Self::from_inner(projected.primitive().clone());
        let nodes = [
            projected.node(),
            gains.clone().unwrap_or_else(absent).node(),
        ];
        let state = ActivationInputs {
            projected: projected.into_primitive(),
            bias: bias.into_option().map(|bias| constant!(bias)),
            gains: gains.map(|gains| gains.into_primitive()),
            shape,
        };
        let ActivationInputs {
            projected,
            bias,
            gains,
            shape,
        } = state.clone();
        let out = B::activation(projected, bias.into(), gains.into(), shape);
        finish!(Activation, nodes, out, state)
    }

    fn row_log_sum_exp(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let out = B::row_log_sum_exp(x.clone());
        finish!(LogSumExp, [node], out.clone(), (x, out.clone()))
    }
}
