//! The kernels for a processor: tensors to the numbers that `secateur-kernels` works on, and back.

#[cfg(target_family = "wasm")]
mod module;
mod operations;
#[cfg(not(target_family = "wasm"))]
mod product;

use burn::backend::TensorData;
use burn::tensor::Shape;
use burn_flex::FlexTensor;
use secateur_kernels::{Call, Kernel};

#[cfg(target_family = "wasm")]
pub(super) use module::product;
#[cfg(target_family = "wasm")]
pub use module::{instructions, threads};
pub(super) use operations::{
    activate, activate_backward, attend, attend_backward, gains_backward, log_sum_exp,
    log_sum_exp_backward, norm, norm_backward, rotate,
};
#[cfg(not(target_family = "wasm"))]
pub(super) use product::product;

/// Numbers that one thread works on at least: fewer take less time than handing them to another thread.
const LEAST: usize = 1 << 14;

/// A tensor whose numbers lie one after another.
struct Numbers(FlexTensor);

impl Numbers {
    fn of(x: FlexTensor) -> Self {
        Self(x.to_contiguous())
    }

    fn slice(&self) -> &[f32] {
        self.0.as_slice().unwrap_or_default()
    }
}

/// The numbers of a tensor that may be absent.
fn slice(numbers: Option<&Numbers>) -> Option<&[f32]> {
    numbers.map(Numbers::slice)
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// What a kernel comes to, `count` numbers, on all threads.
fn run<'a>(kernel: impl Kernel + Into<Call<'a>>, count: usize) -> Vec<f32> {
    // Several chunks that make up a share for one thread.
    let together = LEAST.div_ceil(kernel.cost().max(1));
    let width = kernel.width().max(1);
    #[cfg(target_family = "wasm")]
    return module::filled(&kernel.into(), count, count / width, together);
    #[cfg(not(target_family = "wasm"))]
    {
        use rayon::prelude::*;
        let mut out = vec![0.0; count];
        let shares = out.par_chunks_mut(together * width);
        shares.enumerate().for_each(|(index, out)| {
            let mut scratch = vec![0.0; kernel.scratch()];
            kernel.fill(index * together, out, &mut scratch);
        });
        out
    }
}
