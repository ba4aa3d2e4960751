//! What Secateur computes on a processor: loops over numbers in memory, without a standard library and without allocating.
//!
//! Each operation and its gradient goes over memory once. Its output is made of chunks that do not depend on each other, so that
//! any number of threads comes to the same numbers ([`Kernel`]). The loops are written so that the compiler makes vector
//! instructions of them, natively those that the processor has ([`pulp`](https://docs.rs/pulp)).
//!
//! In a browser all of it is a WebAssembly module of its own that works on the engine's memory, compiled for speed where the engine is
//! compiled for size, once for every browser and once for those that have fused multiply-add (relaxed SIMD).

#![no_std]
#![allow(
    unsafe_code,
    reason = "a check within a product's loops would cost a part of its speed: what it reads is checked when it is made"
)]

mod activation;
mod arithmetic;
mod attention;
mod call;
mod log_sum_exp;
#[cfg(feature = "module")]
mod module;
mod norm;
mod product;
mod rotation;
mod vector;
mod weights;

pub use activation::{
    Activated, Activation, ActivationBackward, ActivationInputs, ActivationShape, GainsBackward,
    GainsOn,
};
pub use attention::{Attention, AttentionBackward, AttentionInputs, AttentionShape};
pub use call::Call;
pub use log_sum_exp::{LogSumExp, LogSumExpBackward};
pub use norm::{Norm, NormBackward};
pub use product::Product;
pub use rotation::Rotation;
pub use weights::Weights;

/// A computation whose output is made of chunks that do not depend on each other.
pub trait Kernel: Sync {
    /// Numbers of a chunk.
    fn width(&self) -> usize;

    /// Numbers that are gone over for a chunk: about how long it takes.
    fn cost(&self) -> usize {
        self.width()
    }

    /// Numbers of memory to work in.
    fn scratch(&self) -> usize {
        0
    }

    /// Fills chunks of the output, the first of which is at place `first`. What they held counts for nothing but where a kernel
    /// says so.
    fn fill(&self, first: usize, out: &mut [f32], scratch: &mut [f32]);
}

/// Gives `work` every chunk with its place, compiled for the widest vectors that the processor has.
#[inline(always)]
fn each_chunk(
    first: usize,
    width: usize,
    out: &mut [f32],
    mut work: impl FnMut(usize, &mut [f32]),
) {
    arithmetic::with_all_instructions(
        #[inline(always)]
        || {
            for (index, chunk) in out.chunks_mut(width.max(1)).enumerate() {
                work(first + index, chunk);
            }
        },
    );
}
