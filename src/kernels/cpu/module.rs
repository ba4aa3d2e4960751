//! The kernels in a browser: a module of their own that works on this one's memory (`secateur-kernels`).
//!
//! The page's worker has made it, the version for what the browser can do, and calls it for the engine.

use std::num::NonZeroUsize;

use burn::backend::ops::FloatTensorOps;
use burn::tensor::{DType, FloatDType};
use burn_flex::{Flex, FlexQTensor, FlexTensor};
use half::f16;
use half::slice::HalfFloatSliceExt;
use secateur_kernels::{Call, Product, Weights};
use wasm_bindgen::prelude::*;

use super::{Numbers, slice, tensor};
use crate::kernels::Weight;

#[wasm_bindgen]
extern "C" {
    /// [`Call::fill`] for all `parts`, in pieces of so many, on all threads; each works in `share` bytes of the scratch.
    #[wasm_bindgen(js_namespace = kernels)]
    fn fill(call: usize, out: usize, parts: usize, piece: usize, scratch: usize, share: usize);

    /// What the module is compiled for: "SIMD" or "relaxed SIMD".
    #[wasm_bindgen(js_namespace = kernels)]
    pub fn instructions() -> String;

    /// Threads that work on a call.
    #[wasm_bindgen(js_namespace = kernels)]
    pub fn threads() -> usize;
}

/// Multiplications of a product that is worth waking other threads for.
const WORTH_SHARING: u64 = 1 << 21;
/// Pieces for each thread: what one is behind, the others take.
const PIECES: usize = 4;

/// What a call comes to, `count` numbers. A thread is given some of its `parts` at a time: `together`, or a multiple of that.
pub(super) fn filled(call: &Call<'_>, count: usize, parts: usize, together: usize) -> Vec<f32> {
    let threads = match parts <= together {
        true => 1,
        false => threads().max(1),
    };
    let piece = match threads {
        1 => parts,
        _ => parts
            .div_ceil(threads * PIECES)
            .next_multiple_of(together.max(1)),
    };
    let mut out = Vec::with_capacity(count);
    if !matches!(call, Call::Product(_)) {
        // A product leaves none of its numbers out; what others add to is zero.
        out.resize(count, 0.0f32);
    }
    let mut scratch = vec![0.0f32; call.scratch() * threads];
    fill(
        std::ptr::from_ref(call).addr(),
        out.as_mut_ptr().addr(),
        parts,
        piece,
        scratch.as_mut_ptr().addr(),
        call.scratch() * size_of::<f32>(),
    );
    // SAFETY: there is room for them, and all of them were filled.
    unsafe { out.set_len(count) };
    out
}

/// A weight matrix in memory order.
struct Matrix {
    numbers: FlexTensor,
    /// The same with its scales, where it is in eight bits.
    eight: Option<FlexQTensor>,
    /// Whether it lies the other way round than it was given.
    is_turned: bool,
}

impl Matrix {
    fn new(weight: Weight<Flex>) -> Self {
        match weight {
            Weight::Eight(weight) => Self {
                numbers: weight.tensor().to_contiguous(),
                eight: Some(weight),
                is_turned: false,
            },
            Weight::Float(weight) => {
                let [first, second] = weight.layout().shape().dims();
                let is_turned =
                    first > 1 && second > 1 && *weight.layout().strides() == [1, first as isize];
                // A view of a matrix that lies the other way round is read as it lies.
                let weight = match is_turned {
                    true => weight.transpose(0, 1),
                    false => weight,
                };
                let weight = match weight.dtype() {
                    DType::F32 | DType::F16 => weight,
                    _ => Flex::float_cast(weight, FloatDType::F32),
                };
                Self {
                    numbers: weight.to_contiguous(),
                    eight: None,
                    is_turned,
                }
            }
        }
    }

    fn weights(&self) -> Weights<'_> {
        if let Some(eight) = &self.eight {
            let values: &[i8] = self.numbers.as_slice().unwrap_or_default();
            let block = values.len() / eight.scales().len().max(1);
            return Weights::I8 {
                values,
                scales: eight.scales(),
                block: NonZeroUsize::new(block).unwrap_or(NonZeroUsize::MIN),
            };
        }
        match self.numbers.dtype() {
            DType::F16 => {
                let halves: &[f16] = self.numbers.as_slice().unwrap_or_default();
                Weights::F16(halves.reinterpret_cast())
            }
            _ => Weights::F32(self.numbers.as_slice().unwrap_or_default()),
        }
    }
}

/// `x · W + bias + residual`; the weight lies as `[out, in]` where it is `transposed`.
pub(in crate::kernels) fn product(
    x: FlexTensor,
    weight: Weight<Flex>,
    bias: Option<FlexTensor>,
    residual: Option<FlexTensor>,
    transposed: bool,
) -> FlexTensor {
    let weight = Matrix::new(weight);
    let transposed = transposed != weight.is_turned;
    let [rows, depth] = x.layout().shape().dims();
    let [first, second] = weight.numbers.layout().shape().dims();
    let columns = if transposed { first } else { second };
    let x = Numbers::of(x);
    let (bias, residual) = (bias.map(Numbers::of), residual.map(Numbers::of));
    let product = Product::new(
        x.slice(),
        weight.weights(),
        transposed,
        slice(bias.as_ref()),
        slice(residual.as_ref()),
        [rows, depth, columns],
    );
    // A browser's integers have 32 bits.
    let work = [rows, depth, columns].map(|size| size as u64);
    let together = match work.iter().product::<u64>() < WORTH_SHARING {
        true => columns,
        false => Product::PANEL,
    };
    let out = filled(&product.into(), rows * columns, columns, together);
    tensor(out, [rows, columns])
}
