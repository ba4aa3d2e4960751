//! Products of rows with a weight matrix.
//!
//! Every unit computes a tile of outputs from global memory. A browser clamps each computed index into a private array,
//! and the array then leaves the registers; so all inner loops are unrolled and every such index is a constant. Units
//! of a workgroup are neighbours, so that they share what they read in the cache.

use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{UNITS, at_most, contiguous, empty, grid};

/// The outputs of one unit, and how the units of a workgroup divide the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Tile {
    /// Rows of a unit.
    rows: usize,
    /// Columns of a unit.
    columns: usize,
    /// Units below each other; the others of a slice lie across.
    down: usize,
    /// Parts of the sums, which different units add up.
    slices: usize,
}

/// Steps of the sum that are unrolled.
const DEPTH: usize = 4;

/// Workgroups that keep a large GPU busy: a larger tile reads less, and is worth it above.
const BUSY: usize = 512;

impl Tile {
    const fn new(rows: usize, columns: usize, down: usize, slices: usize) -> Self {
        Self {
            rows,
            columns,
            down,
            slices,
        }
    }

    /// The largest tile that keeps a GPU busy with a product of this shape. Where none does, the sums are divided too.
    fn of(rows: usize, columns: usize) -> Self {
        match rows {
            1 => Self::new(1, 1, 1, 8),
            2..=4 => Self::new(4, 1, 1, 4),
            5..=8 => Self::new(4, 1, 2, 4),
            _ => [(8, 8, 1), (8, 4, 1), (4, 4, 2), (2, 2, 1)]
                .into_iter()
                .map(|(rows, columns, ease)| (Self::new(rows, columns, 8, 1), BUSY / ease))
                .find(|(tile, busy)| {
                    let [across, down] = tile.groups(rows, columns);
                    across * down >= *busy
                })
                .map_or(Self::new(2, 2, 4, 4), |(tile, _)| tile),
        }
    }

    /// Units of a slice beside each other.
    const fn across(self) -> usize {
        UNITS / self.slices / self.down
    }

    /// Workgroups across and down.
    fn groups(self, rows: usize, columns: usize) -> [usize; 2] {
        [
            columns.div_ceil(self.across() * self.columns),
            rows.div_ceil(self.down * self.rows),
        ]
    }
}

/// What a product is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Plan {
    /// Length of the sums.
    depth: usize,
    /// Columns of the output.
    columns: usize,
    /// Whether the weights lie as `[columns, depth]`.
    transposed: bool,
    tile: Tile,
}

impl Plan {
    /// Numbers of `x` and of the weights that are read at once: those of one row or column of a step where the weights
    /// are transposed, those of a unit's columns where they are not.
    fn vectors(self) -> [usize; 2] {
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
}

/// `x · W + bias + residual`.
///
/// # Shapes
/// - `x`: `[rows, depth]`
/// - `weight`: `[depth, columns]`, or `[columns, depth]` where `transposed`
/// - `bias`: `[columns]`; `residual`: `[rows, columns]`
pub(in crate::kernels) fn product(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    residual: Option<CubeTensor>,
    transposed: bool,
) -> CubeTensor {
    let [rows, depth] = x.meta.shape().dims();
    let [first, second] = weight.meta.shape().dims();
    let columns = if transposed { first } else { second };
    let (weight, transposed) = match is_turned(&weight) {
        true => (turned(weight), !transposed),
        false => (contiguous(weight), transposed),
    };
    let out = empty(&x, Shape::new([rows, columns]));
    if rows * columns == 0 {
        return out;
    }
    let tile = Tile::of(rows, columns);
    let [across, down] = tile.groups(rows, columns);
    let plan = Plan {
        depth,
        columns,
        transposed,
        tile,
    };
    let [of_x, of_weight] = plan.vectors();
    let client = x.client.clone();
    // SAFETY: every index is below the length of its buffer, by the shapes above and the guards in the kernel.
    unsafe {
        product_kernel::launch_unchecked(
            &client,
            grid(across, down),
            CubeDim::new_1d(UNITS as u32),
            of_x,
            of_weight,
            contiguous(x).into_buffer_arg(),
            weight.into_buffer_arg(),
            bias.map(|bias| contiguous(bias).into_buffer_arg()).into(),
            residual
                .map(|residual| contiguous(residual).into_buffer_arg())
                .into(),
            out.clone().into_buffer_arg(),
            rows as u32,
            plan,
        );
    }
    out
}

/// Whether a matrix is a view of one that lies the other way round.
fn is_turned(weight: &CubeTensor) -> bool {
    let [first, second] = weight.meta.shape().dims();
    let strides = weight.meta.strides();
    first > 1 && second > 1 && strides[0] == 1 && strides[1] == first
}

/// That matrix.
fn turned(mut weight: CubeTensor) -> CubeTensor {
    weight.meta.swap(0, 1);
    weight
}

#[cube(launch_unchecked)]
fn product_kernel<Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    weight: &[Vector<f32, Held>],
    bias: ComptimeOption<&[f32]>,
    residual: ComptimeOption<&[f32]>,
    out: &mut [f32],
    rows: u32,
    #[comptime] plan: Plan,
) {
    let tile = comptime!(plan.tile);
    let (tile_rows, tile_columns) = comptime!((tile.rows, tile.columns));
    let (depth, columns) = comptime!((plan.depth, plan.columns));
    let outputs = comptime!(tile_rows * tile_columns);
    let rows = rows as usize;
    let lanes = comptime!(UNITS / tile.slices);
    let lane = UNIT_POS as usize % lanes;
    let slice = UNIT_POS as usize / lanes;
    let across = comptime!(tile.across());
    let row = (CUBE_POS_Y as usize * comptime!(tile.down) + lane / across) * tile_rows;
    let column = (CUBE_POS_X as usize * across + lane % across) * tile_columns;
    // Where a tile reaches over an edge, the last row or column is read again and not written.
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
    let mut sums = Array::<f32>::new(outputs);
    #[unroll]
    for e in 0..outputs {
        sums[e] = 0.0f32;
    }
    let of_slice = comptime!((depth / DEPTH).div_ceil(tile.slices));
    let first = slice * of_slice;
    let last = at_most(first + of_slice, comptime!(depth / DEPTH));
    for step in first..last {
        add_steps(
            x,
            weight,
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
                &row_at,
                &column_at,
                &mut sums,
                comptime!(depth - rest).runtime(),
                rest,
                plan,
            );
        }
    }
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
                #[comptime]
                if let ComptimeOption::Some(bias) = bias {
                    value += bias[column + c];
                }
                #[comptime]
                if let ComptimeOption::Some(residual) = residual {
                    value += residual[place];
                }
                out[place] = value;
            }
        }
    }
}

/// Adds `steps` steps of the sums, from `from` on.
#[cube]
#[allow(clippy::too_many_arguments)]
fn add_steps<Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    weight: &[Vector<f32, Held>],
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
                let read = weight[(column_at[c] + from) / of_weight + part];
                #[unroll]
                for e in 0..of_weight {
                    right[(part * of_weight + e) * tile_columns + c] = read.extract(e);
                }
            }
        }
    } else {
        #[unroll]
        for s in 0..steps {
            #[unroll]
            for part in 0..comptime!(tile_columns / of_weight) {
                let start = (from + s) * comptime!(plan.columns) + column_at[part * of_weight];
                let read = weight[start / of_weight];
                #[unroll]
                for e in 0..of_weight {
                    right[s * tile_columns + part * of_weight + e] = read.extract(e);
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
