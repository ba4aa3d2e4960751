//! Weight matrices as they are held: in f32, in f16, or in eight bits with a scale for each block of a row. Kernels unpack
//! what they read.

use burn::backend::TensorMetadata;
use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::{ElemType, FloatKind, UIntKind};
use cubecl::prelude::*;

use super::{WIDE, contiguous, element, element_grid, empty};
use crate::kernels::Weight;

/// Eight-bit weights in a word.
const PACKED: usize = 4;

/// How the weights of a matrix are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As numbers.
    Float,
    /// As words of [`PACKED`] integers each, whose scale is that of their block of a row.
    Eight {
        /// Weights that share a scale.
        block: usize,
    },
}

impl Form {
    /// Numbers that one read of memory brings where a kernel takes `count` weights at once.
    pub(super) fn vector(self, count: usize) -> usize {
        match self {
            Self::Float => count,
            Self::Eight { .. } => 1,
        }
    }

    fn block(self) -> Option<usize> {
        match self {
            Self::Float => None,
            Self::Eight { block } => Some(block),
        }
    }
}

/// A matrix in memory order.
pub(super) struct Matrix {
    /// The weights, or the words that hold them.
    pub(super) values: CubeTensor,
    /// The scales of eight-bit weights.
    pub(super) scales: Option<CubeTensor>,
    /// How they are read.
    pub(super) form: Form,
    /// Rows and columns as they lie.
    pub(super) shape: [usize; 2],
    /// Whether they lie the other way round than they were given.
    pub(super) is_turned: bool,
}

impl Matrix {
    pub(super) fn new(weight: Weight<CubeBackend>) -> Self {
        match weight {
            Weight::Float(weight) => Self::of_numbers(weight),
            Weight::Eight(weight) => Self::of_words(&weight),
        }
    }

    fn of_numbers(mut weight: CubeTensor) -> Self {
        let [first, second] = weight.meta.shape().dims();
        let strides = weight.meta.strides();
        // A view of a matrix that lies the other way round is read as it lies.
        let is_turned = first > 1 && second > 1 && strides[0] == 1 && strides[1] == first;
        if is_turned {
            weight.meta.swap(0, 1);
        }
        Self {
            shape: weight.meta.shape().dims(),
            values: contiguous(weight),
            scales: None,
            form: Form::Float,
            is_turned,
        }
    }

    fn of_words(weight: &CubeTensor) -> Self {
        let (words, scales, form) = packed(weight);
        Self {
            shape: weight.shape().dims(),
            values: words,
            scales: Some(scales),
            form,
            is_turned: false,
        }
    }

    /// The type of the numbers in memory.
    pub(super) fn element(&self) -> ElemType {
        match self.values.dtype {
            DType::F16 => ElemType::Float(FloatKind::F16),
            DType::U32 => ElemType::UInt(UIntKind::U32),
            _ => ElemType::Float(FloatKind::F32),
        }
    }
}

/// The words that hold eight-bit weights, their scales `[rows, blocks of a row]`, and how they are read.
fn packed(weight: &CubeTensor) -> (CubeTensor, CubeTensor, Form) {
    let handles = match weight.dtype {
        DType::QFloat(QuantScheme {
            value: QuantValue::Q8S,
            store: QuantStore::PackedU32(0),
            ..
        }) => weight.quantized_handles(),
        _ => None,
    };
    let Some((words, scales)) = handles else {
        panic!("no kernel reads weights held as {:?}", weight.dtype);
    };
    let [_, width]: [usize; 2] = weight.shape().dims();
    let [_, blocks]: [usize; 2] = scales.meta.shape().dims();
    let block = width / blocks.max(1);
    (contiguous(words), contiguous(scales), Form::Eight { block })
}

/// `count` weights at a place of a matrix in memory order, which a vector or a block holds whole.
#[cube]
pub(super) fn read<W: Numeric, Held: Size>(
    values: &[Vector<W, Held>],
    scales: &ComptimeOption<&[f32]>,
    place: usize,
    #[comptime] count: usize,
    #[comptime] form: Form,
) -> Array<f32> {
    let mut weights = Array::<f32>::new(count);
    if comptime!(form.block().is_none()) {
        let vector = values[place / count];
        #[unroll]
        for e in 0..count {
            weights[e] = f32::cast_from(vector.extract(e));
        }
    } else {
        // With its sign bit turned over, a byte is its number and 128.
        let word = u32::cast_from(values[place / PACKED].extract(0usize)) ^ 0x8080_8080u32;
        // A vector of a whole word begins with its first byte.
        let first = if comptime!(count == PACKED) {
            0u32.runtime()
        } else {
            (place % PACKED) as u32 * 8u32
        };
        #[comptime]
        if let ComptimeOption::Some(scales) = scales {
            let scale = scales[place / comptime!(form.block().unwrap_or(1))];
            #[unroll]
            for e in 0..count {
                let byte = (word >> (first + comptime!(8 * e as u32))) & 0xffu32;
                weights[e] = (f32::cast_from(byte) - 128.0f32) * scale;
            }
        }
    }
    weights
}

/// Some rows of a matrix of eight-bit weights, `[ids, columns]`.
pub(in crate::kernels) fn packed_rows(table: &CubeTensor, ids: CubeTensor) -> CubeTensor {
    let [_, columns]: [usize; 2] = table.shape().dims();
    let rows = ids.meta.shape().num_elements();
    let (words, scales, form) = packed(table);
    let out = empty(&scales, Shape::new([rows, columns]));
    let total = rows * columns / PACKED;
    if total == 0 {
        return out;
    }
    let client = out.client.clone();
    // SAFETY: units beyond the total end at once; ids are checked before they are sent to a device.
    unsafe {
        rows_kernel::launch_unchecked(
            &client,
            element_grid(total),
            CubeDim::new_1d(WIDE as u32),
            words.into_buffer_arg(),
            Some(scales.into_buffer_arg()).into(),
            contiguous(ids).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            total as u32,
            columns,
            form,
        );
    }
    out
}

#[cube(launch_unchecked)]
fn rows_kernel(
    values: &[Vector<u32, Const<1>>],
    scales: ComptimeOption<&[f32]>,
    ids: &[i32],
    out: &mut [Vector<f32, Const<4>>],
    total: u32,
    #[comptime] columns: usize,
    #[comptime] form: Form,
) {
    let own = element();
    if own < total as usize {
        let words = comptime!(columns / PACKED);
        let row = ids[own / words] as usize;
        let place = row * columns + own % words * PACKED;
        let weights = read(values, &scales, place, PACKED, form);
        let mut vector = Vector::<f32, Const<4>>::empty();
        #[unroll]
        for e in 0..PACKED {
            vector.insert(e, weights[e]);
        }
        out[own] = vector;
    }
}
