//! The kernels for a processor: loops over rows, each operation and its gradient in one pass over memory.
//!
//! Rows are independent, so what they come to does not depend on how many threads there are. The loops are written so that
//! the compiler makes vector instructions of them, those that the processor has ([`pulp`]).

mod activation;
mod attention;
mod log_sum_exp;
mod norm;
mod product;
mod rotation;
mod vector;

use burn::backend::TensorData;
use burn::tensor::Shape;
use burn_flex::FlexTensor;

pub(super) use activation::{activate, activate_backward, gains_backward};
pub(super) use attention::{attend, attend_backward};
pub(super) use log_sum_exp::{log_sum_exp, log_sum_exp_backward};
pub(super) use norm::{norm, norm_backward};
pub(super) use product::product;
pub(super) use rotation::rotate;

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

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// Number of rows, and their width.
fn last_dim(x: &FlexTensor) -> (usize, usize) {
    let shape = x.layout().shape();
    let width = shape.iter().last().copied().unwrap_or(1);
    (shape.num_elements() / width.max(1), width)
}

/// Does some work for every chunk of `width` numbers of `out`, on all threads; the work is given the chunk's place. `cost`
/// is how many numbers it goes over.
fn each_chunk(out: &mut [f32], width: usize, cost: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if out.is_empty() {
        return;
    }
    // Several chunks that make up a share for one thread.
    let together = LEAST.div_ceil(cost.max(1));
    let share = |(first, chunks): (usize, &mut [f32])| {
        vector::with_all_instructions(|| {
            for (index, chunk) in chunks.chunks_mut(width).enumerate() {
                work(first * together + index, chunk);
            }
        });
    };
    #[cfg(target_family = "wasm")]
    out.chunks_mut(width * together).enumerate().for_each(share);
    #[cfg(not(target_family = "wasm"))]
    {
        use rayon::prelude::*;
        out.par_chunks_mut(width * together)
            .enumerate()
            .for_each(share);
    }
}
