//! Products of rows with a weight matrix.
//!
//! Of many rows a workgroup computes a [`Tile`], whose rows and weights its units first bring to the workgroup's memory; of
//! a [`few`] rows its units divide the sums. Either way all that is private to a unit is indexed by constants: a browser clamps
//! every computed index into a private array, and the array then leaves the registers.

mod few;
mod quad;
mod tile;

use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::weights::{Form, Matrix};
use super::{WIDE, contiguous, element, element_grid, empty};
use crate::kernels::Weight;
use quad::QUAD;
pub(super) use tile::{Tile, tile_column, tile_row, tile_sums};

/// Length from which on a sum is worth workgroups of its own, whose sums are then added.
const LONG: usize = 4096;

/// The matrix of a product as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Factor {
    /// Length of the sums.
    pub(super) depth: usize,
    /// Columns of the output.
    pub(super) columns: usize,
    /// Whether the weights lie as `[columns, depth]`, and not as `[depth, columns]`.
    pub(super) transposed: bool,
    /// How the weights are held.
    pub(super) form: Form,
}

impl Factor {
    /// That of a product with `weight`, or with its transpose.
    pub(super) fn new(weight: &Matrix, transposed: bool) -> Self {
        let transposed = transposed != weight.is_turned;
        let [first, second] = weight.shape;
        let (columns, depth) = match transposed {
            true => (first, second),
            false => (second, first),
        };
        Self {
            depth,
            columns,
            transposed,
            form: weight.form,
        }
    }

    /// Numbers of `x` that are read at once.
    fn of_x(self) -> usize {
        if self.depth.is_multiple_of(QUAD) {
            QUAD
        } else {
            1
        }
    }

    /// Weights that are read at once: they lie beside each other.
    fn of_weight(self) -> usize {
        let beside = if self.transposed {
            self.depth
        } else {
            self.columns
        };
        if beside.is_multiple_of(QUAD) { QUAD } else { 1 }
    }

    /// Numbers that one read of memory brings: of `x`, and of the weights.
    pub(super) fn vectors(self) -> [usize; 2] {
        [self.of_x(), self.form.vector(self.of_weight())]
    }
}

/// What a product by tiles is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    pub(super) factor: Factor,
    pub(super) tile: Tile,
    /// Workgroups that divide a sum.
    pub(super) parts: usize,
}

impl Plan {
    /// How often a slice of the units brings rows and weights to the workgroup's memory.
    fn stages(self) -> usize {
        self.factor
            .depth
            .div_ceil(self.tile.stage * self.tile.slices * self.parts)
    }

    /// Whether the stages reach beyond the end of the sums.
    fn is_ragged(self) -> bool {
        self.stages() * self.tile.stage * self.tile.slices * self.parts != self.factor.depth
    }
}

/// `x · W + bias + residual`.
///
/// # Shapes
/// - `x`: `[rows, depth]`
/// - `weight`: `[depth, columns]`, or `[columns, depth]` where `transposed`, however it is held
/// - `bias`: `[columns]`; `residual`: `[rows, columns]`
pub(in crate::kernels) fn product(
    x: CubeTensor,
    weight: Weight<CubeBackend>,
    bias: Option<CubeTensor>,
    residual: Option<CubeTensor>,
    transposed: bool,
) -> CubeTensor {
    let [rows, _] = x.meta.shape().dims();
    let weight = Matrix::new(weight);
    let factor = Factor::new(&weight, transposed);
    let columns = factor.columns;
    if rows * columns == 0 {
        return empty(&x, Shape::new([rows, columns]));
    }
    let x = contiguous(x);
    let [bias, residual] = [bias, residual].map(|added| added.map(contiguous));
    if rows <= few::FEW {
        return few::product(x, weight, bias, residual, factor);
    }
    let most_parts = (factor.depth / LONG).max(1);
    let (tile, busy) = Tile::of(&x.client, [rows, columns], most_parts);
    let [across, down] = tile.groups(rows, columns);
    let parts = busy.div_ceil(across * down).clamp(1, most_parts);
    let plan = Plan {
        factor,
        tile,
        parts,
    };
    let out = empty(&x, Shape::new([parts * rows, columns]));
    let element = weight.element();
    let [of_x, of_weight] = factor.vectors();
    let client = x.client.clone();
    // SAFETY: every index is below the length of its buffer, by the shapes above and the guards in the kernel.
    unsafe {
        product_kernel::launch_unchecked(
            &client,
            CubeCount::Static(across as u32, down as u32, parts as u32),
            CubeDim::new_1d(tile.units() as u32),
            of_x,
            of_weight,
            x.into_buffer_arg(),
            weight.values.into_buffer_arg(),
            weight.scales.map(CubeTensor::into_buffer_arg).into(),
            bias.map(CubeTensor::into_buffer_arg).into(),
            residual.map(CubeTensor::into_buffer_arg).into(),
            out.clone().into_buffer_arg(),
            rows as u32,
            plan,
            element,
        );
    }
    sum_of_parts(out, parts)
}

/// The sum of a product's parts: `[count · rows, columns]` to `[rows, columns]`.
fn sum_of_parts(parts: CubeTensor, count: usize) -> CubeTensor {
    if count == 1 {
        return parts;
    }
    let [all, columns] = parts.meta.shape().dims();
    let rows = all / count;
    let out = empty(&parts, Shape::new([rows, columns]));
    let client = out.client.clone();
    // SAFETY: units beyond the total end at once.
    unsafe {
        sum_kernel::launch_unchecked(
            &client,
            element_grid(rows * columns),
            CubeDim::new_1d(WIDE as u32),
            parts.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            (rows * columns) as u32,
            count as u32,
        );
    }
    out
}

#[cube(launch_unchecked)]
fn sum_kernel(parts: &[f32], out: &mut [f32], total: u32, count: u32) {
    let place = element();
    if place < total as usize {
        let mut sum = 0.0f32;
        for part in 0..count as usize {
            sum += parts[part * total as usize + place];
        }
        out[place] = sum;
    }
}

#[cube(launch_unchecked)]
fn product_kernel<W: Numeric, Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    weight: &[Vector<W, Held>],
    scales: ComptimeOption<&[f32]>,
    bias: ComptimeOption<&[f32]>,
    residual: ComptimeOption<&[f32]>,
    out: &mut [f32],
    rows: u32,
    #[comptime] plan: Plan,
    #[define(W)] _element: ElemType,
) {
    let tile = comptime!(plan.tile);
    let (unit_rows, unit_columns) = comptime!((tile.unit[0], tile.unit[1]));
    let columns = comptime!(plan.factor.columns);
    let rows = rows as usize;
    let first_row = CUBE_POS_Y as usize * comptime!(tile.rows);
    let first_column = CUBE_POS_X as usize * comptime!(tile.columns);
    let part = CUBE_POS_Z as usize;
    let sums = tile_sums(
        x,
        weight,
        &scales,
        first_row,
        rows,
        first_column,
        part,
        plan,
    );
    let mut at = Array::<usize>::new(unit_columns);
    let mut added = Array::<f32>::new(unit_columns);
    let mut is_column = Array::<bool>::new(unit_columns);
    #[unroll]
    for c in 0..unit_columns {
        let column = first_column + tile_column(c, plan);
        at[c] = column;
        is_column[c] = column < columns;
        added[c] = 0.0f32;
        #[comptime]
        if let ComptimeOption::Some(bias) = bias {
            // What is added to the sums is added to one part of them.
            if part == 0 && column < columns {
                added[c] = bias[column];
            }
        }
    }
    let writes = (UNIT_POS as usize) < comptime!(tile.units_of_slice());
    #[unroll]
    for r in 0..unit_rows {
        let row = first_row + tile_row(r, tile);
        let start = row * columns;
        let writes = writes && row < rows;
        #[unroll]
        for c in 0..unit_columns {
            if writes && is_column[c] {
                let place = start + at[c];
                let mut value = sums[comptime!(r * unit_columns + c)] + added[c];
                #[comptime]
                if let ComptimeOption::Some(residual) = residual {
                    value += if part == 0 { residual[place] } else { 0.0f32 };
                }
                out[part * rows * columns + place] = value;
            }
        }
    }
}
