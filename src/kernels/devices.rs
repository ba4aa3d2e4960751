//! Which module has the kernels of which backend.

use burn::backend::tensor::FloatTensor;
use burn_flex::Flex;

use super::backward::{Attended, KernelGradients};
#[cfg(feature = "gpu")]
use super::gpu;
use super::{ActivationInputs, ActivationShape, AttentionShape, Kernels, Maybe, Weight, cpu};

macro_rules! kernels_of {
    ($backend:ty, $module:ident) => {
        impl Kernels for $backend {
            fn product(
                x: FloatTensor<Self>,
                weight: Weight<Self>,
                bias: Maybe<Self>,
                residual: Maybe<Self>,
                transposed: bool,
            ) -> FloatTensor<Self> {
                let (bias, residual) = (bias.into_option(), residual.into_option());
                $module::product(x, weight, bias, residual, transposed)
            }

            fn normalise(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: Maybe<Self>,
                heads: usize,
                centred: bool,
                eps: f32,
            ) -> FloatTensor<Self> {
                $module::norm(x, weight, bias.into_option(), heads, centred, eps)
            }

            fn turn(
                x: FloatTensor<Self>,
                cos: FloatTensor<Self>,
                sin: FloatTensor<Self>,
                rotated: usize,
                back: bool,
            ) -> FloatTensor<Self> {
                $module::rotate(x, cos, sin, rotated, back)
            }

            fn attend_heads(
                heads: FloatTensor<Self>,
                prefix: Maybe<Self>,
                padding: Maybe<Self>,
                shape: AttentionShape,
            ) -> FloatTensor<Self> {
                $module::attend(heads, prefix.into_option(), padding.into_option(), shape)
            }

            fn activation(
                projected: FloatTensor<Self>,
                bias: Maybe<Self>,
                gains: Maybe<Self>,
                shape: ActivationShape,
            ) -> FloatTensor<Self> {
                $module::activate(ActivationInputs {
                    projected,
                    bias: bias.into_option(),
                    gains: gains.into_option(),
                    shape,
                })
            }

            fn row_log_sum_exp(x: FloatTensor<Self>) -> FloatTensor<Self> {
                $module::log_sum_exp(x)
            }
        }

        impl KernelGradients for $backend {
            fn normalise_backward(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                heads: usize,
                centred: bool,
                eps: f32,
            ) -> FloatTensor<Self> {
                $module::norm_backward(x, weight, gradient, heads, centred, eps)
            }

            fn attention_backward(
                state: Attended<Self>,
                gradient: FloatTensor<Self>,
                with_prefix: bool,
            ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
                $module::attend_backward(state, gradient, with_prefix)
            }

            fn activation_backward(
                inputs: ActivationInputs<Self>,
                gradient: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                $module::activate_backward(inputs, gradient)
            }

            fn gains_backward(
                inputs: ActivationInputs<Self>,
                gradient: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                $module::gains_backward(inputs, gradient)
            }

            fn row_log_sum_exp_backward(
                x: FloatTensor<Self>,
                result: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                $module::log_sum_exp_backward(x, result, gradient)
            }
        }
    };
}

kernels_of!(Flex, cpu);
#[cfg(feature = "gpu")]
kernels_of!(burn_cubecl::CubeBackend, gpu);
