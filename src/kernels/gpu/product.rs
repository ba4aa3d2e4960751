//! Products of rows with a weight matrix.
//!
//! Every unit computes a tile of outputs from global memory. A browser clamps each computed index into a private array,
//! and the array then leaves the registers; so all inner loops are unrolled and every such index is a constant. Units
//! of a workgroup are neighbours, so that they share what they read in the cache.

use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::weights::{Form, Matrix, read};
use super::{UNITS, WIDE, at_most, contiguous, element, element_grid, empty};
use crate::kernels::Weight;

/// The outputs of one unit, and how the units of a workgroup divide the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Rows of a unit.
    pub(super) rows: usize,
    /// Columns of a unit.
    pub(super) columns: usize,
    /// Units below each other; the others of a slice lie across.
    pub(super) down: usize,
    /// Slices of the sums, which different units add up.
    slices: usize,
}

/// Steps of the sum that are unrolled.
const DEPTH: usize = 4;

/// Workgroups that keep a large GPU busy: a larger tile reads less, and is worth it above.
const BUSY: usize = 512;

/// Length from which on a sum is worth workgroups of its own, whose sums are then added.
const LONG: usize = 4096;

impl Tile {
    pub(super) const fn new(rows: usize, columns: usize, down: usize, slices: usize) -> Self {
        Self {
            rows,
            columns,
            down,
            slices,
        }
    }

    /// The largest tile that keeps a GPU busy with a product of this shape, whose sums may be divided into `parts`. Where none
    /// does, the units of a workgroup divide them, too.
    fn of(rows: usize, columns: usize, parts: usize) -> Self {
        match rows {
            1 => Self::new(1, 1, 1, 8),
            2..=4 => Self::new(4, 1, 1, 4),
            5..=8 => Self::new(4, 1, 2, 4),
            _ => [(8, 8, 1), (8, 4, 1), (4, 4, 2), (2, 2, 1)]
                .into_iter()
                .map(|(rows, columns, ease)| (Self::new(rows, columns, 8, 1), BUSY / ease))
                .find(|(tile, busy)| {
                    let [across, down] = tile.groups(rows, columns);
                    across * down * parts >= *busy
                })
                .map_or(Self::new(2, 2, 4, 4), |(tile, _)| tile),
        }
    }

    /// Units of a slice beside each other.
    pub(super) const fn across(self) -> usize {
        UNITS / self.slices / self.down
    }

    /// Workgroups across and down.
    pub(super) fn groups(self, rows: usize, columns: usize) -> [usize; 2] {
        [
            columns.div_ceil(self.across() * self.columns),
            rows.div_ceil(self.down * self.rows),
        ]
    }
}

/// What a product is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    /// Length of the sums.
    pub(super) depth: usize,
    /// Columns of the output.
    pub(super) columns: usize,
    /// Whether the weights lie as `[columns, depth]`.
    pub(super) transposed: bool,
    /// How the weights are held.
    pub(super) form: Form,
    pub(super) tile: Tile,
}

impl Plan {
    /// Numbers of `x` and weights that are read at once: those of one row or column of a step where the weights are
    /// transposed, those of a unit's columns where they are not.
    pub(super) fn vectors(self) -> [usize; 2] {
        let by_depth = if self.depth.is_multiple_of(DEPTH) {
            DEPTH
        } else {
            1
        };
        let by_column = match self.columns.is_multiple_of(self.tile.columns) {
            true => self.tile.columns.min(4),
            false => 1,
        };
        [by_depth, if self.transposed { by_depth } else { by_column }]
    }

    /// Unrolled steps of one of `slices` slices of the sums.
    pub(super) fn steps(self, slices: usize) -> usize {
        (self.depth / DEPTH).div_ceil(slices)
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
    let [rows, depth] = x.meta.shape().dims();
    let weight = Matrix::new(weight);
    let transposed = transposed != weight.is_turned;
    let columns = weight.shape[usize::from(!transposed)];
    if rows * columns == 0 {
        return empty(&x, Shape::new([rows, columns]));
    }
    let most_parts = (depth / LONG).max(1);
    let tile = Tile::of(rows, columns, most_parts);
    let [across, down] = tile.groups(rows, columns);
    let parts = BUSY.div_ceil(across * down).min(most_parts);
    let out = empty(&x, Shape::new([parts * rows, columns]));
    let plan = Plan {
        depth,
        columns,
        transposed,
        form: weight.form,
        tile,
    };
    let element = weight.element();
    let [of_x, of_weight] = plan.vectors();
    let client = x.client.clone();
    // SAFETY: every index is below the length of its buffer, by the shapes above and the guards in the kernel.
    unsafe {
        product_kernel::launch_unchecked(
            &client,
            CubeCount::Static(across as u32, down as u32, parts as u32),
            CubeDim::new_1d(UNITS as u32),
            of_x,
            plan.form.vector(of_weight),
            contiguous(x).into_buffer_arg(),
            weight.values.into_buffer_arg(),
            weight.scales.map(CubeTensor::into_buffer_arg).into(),
            bias.map(|bias| contiguous(bias).into_buffer_arg()).into(),
            residual
                .map(|residual| contiguous(residual).into_buffer_arg())
                .into(),
            out.clone().into_buffer_arg(),
            rows as u32,
            plan.steps(parts * tile.slices) as u32,
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
    steps_of_slice: u32,
    #[comptime] plan: Plan,
    #[define(W)] _element: ElemType,
) {
    let tile = comptime!(plan.tile);
    let (tile_rows, tile_columns) = comptime!((tile.rows, tile.columns));
    let columns = comptime!(plan.columns);
    let outputs = comptime!(tile_rows * tile_columns);
    let rows = rows as usize;
    let lanes = comptime!(UNITS / tile.slices);
    let lane = UNIT_POS as usize % lanes;
    let slice = UNIT_POS as usize / lanes;
    let part = CUBE_POS_Z as usize;
    let across = comptime!(tile.across());
    let row = (CUBE_POS_Y as usize * comptime!(tile.down) + lane / across) * tile_rows;
    let column = (CUBE_POS_X as usize * across + lane % across) * tile_columns;
    let mut sums = sums_of(
        x,
        weight,
        &scales,
        row,
        rows,
        column,
        part * comptime!(tile.slices) + slice,
        steps_of_slice as usize,
        plan,
    );
    if comptime!(tile.slices > 1) {
        let mut shared = Shared::<[f32]>::new_slice(comptime!(UNITS * outputs));
        #[unroll]
        for e in 0..outputs {
            shared[e * UNITS + UNIT_POS as usize] = sums[e];
        }
        sync_cube();
        #[unroll]
        for e in 0..outputs {
            let mut sum = 0.0f32;
            #[unroll]
            for other in 0..comptime!(tile.slices) {
                sum += shared[e * UNITS + other * lanes + lane];
            }
            sums[e] = sum;
        }
    }
    #[unroll]
    for r in 0..tile_rows {
        #[unroll]
        for c in 0..tile_columns {
            if slice == 0 && row + r < rows && column + c < columns {
                let place = (row + r) * columns + column + c;
                let mut value = sums[r * tile_columns + c];
                // Each is added to one part of the sums.
                if part == 0 {
                    #[comptime]
                    if let ComptimeOption::Some(bias) = bias {
                        value += bias[column + c];
                    }
                    #[comptime]
                    if let ComptimeOption::Some(residual) = residual {
                        value += residual[place];
                    }
                }
                out[part * rows * columns + place] = value;
            }
        }
    }
}

/// The sums of a unit's tile, whose first output is at `row` of `rows` and `column`, over one slice of the depth.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(super) fn sums_of<W: Numeric, Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    weight: &[Vector<W, Held>],
    scales: &ComptimeOption<&[f32]>,
    row: usize,
    rows: usize,
    column: usize,
    slice: usize,
    steps_of_slice: usize,
    #[comptime] plan: Plan,
) -> Array<f32> {
    let (tile_rows, tile_columns) = comptime!((plan.tile.rows, plan.tile.columns));
    let (depth, columns) = comptime!((plan.depth, plan.columns));
    // Where a tile reaches over an edge, the last row or column is read again; nobody writes it.
    let mut row_at = Array::<usize>::new(tile_rows);
    #[unroll]
    for r in 0..tile_rows {
        row_at[r] = at_most(row + r, rows - 1) * depth;
    }
    let mut column_at = Array::<usize>::new(tile_columns);
    #[unroll]
    for c in 0..tile_columns {
        let c_at = at_most(column + c, columns - 1);
        column_at[c] = if comptime!(plan.transposed) {
            c_at * depth
        } else {
            c_at
        };
    }
    let outputs = comptime!(tile_rows * tile_columns);
    let mut sums = Array::<f32>::new(outputs);
    #[unroll]
    for e in 0..outputs {
        sums[e] = 0.0f32;
    }
    let first = slice * steps_of_slice;
    let last = at_most(first + steps_of_slice, comptime!(depth / DEPTH));
    for step in first..last {
        add_steps(
            x,
            weight,
            scales,
            &row_at,
            &column_at,
            &mut sums,
            step * DEPTH,
            DEPTH,
            plan,
        );
    }
    let rest = comptime!(depth % DEPTH);
    // Two conditions, because without a rest nothing must be compiled.
    #[allow(clippy::collapsible_if)]
    if comptime!(rest > 0) {
        if slice == 0 {
            add_steps(
                x,
                weight,
                scales,
                &row_at,
                &column_at,
                &mut sums,
                comptime!(depth - rest).runtime(),
                rest,
                plan,
            );
        }
    }
    sums
}

/// Adds `steps` steps of the sums, from `from` on.
#[cube]
#[allow(clippy::too_many_arguments)]
fn add_steps<W: Numeric, Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    weight: &[Vector<W, Held>],
    scales: &ComptimeOption<&[f32]>,
    row_at: &Array<usize>,
    column_at: &Array<usize>,
    sums: &mut Array<f32>,
    from: usize,
    #[comptime] steps: usize,
    #[comptime] plan: Plan,
) {
    let (tile_rows, tile_columns) = comptime!((plan.tile.rows, plan.tile.columns));
    let (of_x, of_weight) = comptime!((plan.vectors()[0], plan.vectors()[1]));
    let mut left = Array::<f32>::new(comptime!(tile_rows * steps));
    let mut right = Array::<f32>::new(comptime!(steps * tile_columns));
    #[unroll]
    for r in 0..tile_rows {
        #[unroll]
        for part in 0..comptime!(steps / of_x) {
            let read = x[(row_at[r] + from) / of_x + part];
            #[unroll]
            for e in 0..of_x {
                left[r * steps + part * of_x + e] = read.extract(e);
            }
        }
    }
    if comptime!(plan.transposed) {
        #[unroll]
        for c in 0..tile_columns {
            #[unroll]
            for part in 0..comptime!(steps / of_weight) {
                let place = column_at[c] + from + part * of_weight;
                let read = read(weight, scales, place, of_weight, plan.form);
                #[unroll]
                for e in 0..of_weight {
                    right[(part * of_weight + e) * tile_columns + c] = read[e];
                }
            }
        }
    } else {
        #[unroll]
        for s in 0..steps {
            #[unroll]
            for part in 0..comptime!(tile_columns / of_weight) {
                let place = (from + s) * comptime!(plan.columns) + column_at[part * of_weight];
                let read = read(weight, scales, place, of_weight, plan.form);
                #[unroll]
                for e in 0..of_weight {
                    right[s * tile_columns + part * of_weight + e] = read[e];
                }
            }
        }
    }
    #[unroll]
    for s in 0..steps {
        #[unroll]
        for r in 0..tile_rows {
            #[unroll]
            for c in 0..tile_columns {
                sums[r * tile_columns + c] = fma(
                    left[r * steps + s],
                    right[s * tile_columns + c],
                    sums[r * tile_columns + c],
                );
            }
        }
    }
}
