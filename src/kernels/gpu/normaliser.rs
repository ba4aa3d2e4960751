//! The logarithm of the sum of exponentials of a row's products with every row of a table, without the products in memory.
//!
//! A workgroup goes over a slice of the table, and its units keep the largest product so far and the sum of exponentials
//! beside it. The results of the slices are joined as the logarithm of *their* sum of exponentials.

use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::log_sum_exp::log_sum_exp;
use super::product::{Factor, Plan, Tile, tile_column, tile_row, tile_sums};
use super::weights::Matrix;
use super::{contiguous, empty, grid, tanh};
use crate::kernels::Weight;

/// Workgroups that slices are made for: several for each core of a large GPU, since each waits for memory often.
const GROUPS: usize = 512;

/// A product that is no product: less than every other one.
const LEAST: f32 = -1e30;

/// What both kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sliced {
    product: Plan,
    /// Tiles that a workgroup goes over.
    tiles: usize,
    /// Whether products are bounded.
    capped: bool,
}

impl Sliced {
    fn new(table: &Matrix, tile: Tile, cap: Option<f32>, tiles: usize) -> Self {
        Self {
            product: Plan {
                factor: Factor::new(table, true),
                tile,
                parts: 1,
            },
            tiles,
            capped: cap.is_some(),
        }
    }

    /// Tiles across and down.
    fn groups(self, rows: usize) -> [usize; 2] {
        let Plan { factor, tile, .. } = self.product;
        tile.groups(rows, factor.columns)
    }
}

/// `log Σ exp` of every row's products, bounded by `cap · tanh(· / cap)` where there is one.
///
/// # Shapes
/// - `x`: `[rows, depth]`; `table`: `[columns, depth]`, however it is held
/// - returns `[rows, 1]`
pub(in crate::kernels) fn log_normaliser(
    x: CubeTensor,
    table: Weight<CubeBackend>,
    cap: Option<f32>,
) -> CubeTensor {
    let [rows, _] = x.meta.shape().dims();
    if rows == 0 {
        return empty(&x, Shape::new([rows, 1]));
    }
    let table = Matrix::new(table);
    let mut sliced = Sliced::new(&table, Tile::of_table(&x.client, rows), cap, 1);
    let [tiles, down] = sliced.groups(rows);
    // A power of two, so that few kernels do for all numbers of rows.
    sliced.tiles = tiles.div_ceil(GROUPS.div_ceil(down)).next_power_of_two();
    let slices = tiles.div_ceil(sliced.tiles);
    let out = empty(&x, Shape::new([rows, slices]));
    let [of_x, of_table] = sliced.product.factor.vectors();
    let element = table.element();
    let client = x.client.clone();
    // SAFETY: rows and columns are clamped to their number where they are read; a unit writes to rows that there are.
    unsafe {
        slices_kernel::launch_unchecked(
            &client,
            grid(slices, down),
            CubeDim::new_1d(sliced.product.tile.units() as u32),
            of_x,
            of_table,
            contiguous(x).into_buffer_arg(),
            table.values.into_buffer_arg(),
            table.scales.map(CubeTensor::into_buffer_arg).into(),
            out.clone().into_buffer_arg(),
            rows as u32,
            cap.unwrap_or(1.0),
            sliced,
            element,
        );
    }
    match slices {
        1 => out,
        _ => log_sum_exp(out),
    }
}

/// The gradients by the products of some rows from `first` on: `[count, columns]`.
pub(in crate::kernels) fn log_normaliser_weights(
    x: CubeTensor,
    table: Weight<CubeBackend>,
    result: CubeTensor,
    gradient: CubeTensor,
    cap: Option<f32>,
    [first, count]: [usize; 2],
) -> CubeTensor {
    let table = Matrix::new(table);
    let sliced = Sliced::new(&table, Tile::of_table(&x.client, count), cap, 1);
    let [across, down] = sliced.groups(count);
    let out = empty(&x, Shape::new([count, sliced.product.factor.columns]));
    let [of_x, of_table] = sliced.product.factor.vectors();
    let element = table.element();
    let client = x.client.clone();
    // SAFETY: as above; rows from the first on are fewer than all rows by the caller's loop.
    unsafe {
        weights_kernel::launch_unchecked(
            &client,
            grid(across, down),
            CubeDim::new_1d(sliced.product.tile.units() as u32),
            of_x,
            of_table,
            contiguous(x).into_buffer_arg(),
            table.values.into_buffer_arg(),
            table.scales.map(CubeTensor::into_buffer_arg).into(),
            contiguous(result).into_buffer_arg(),
            contiguous(gradient).into_buffer_arg(),
            out.clone().into_buffer_arg(),
            first as u32,
            (first + count) as u32,
            cap.unwrap_or(1.0),
            sliced,
            element,
        );
    }
    out
}

#[cube(launch_unchecked)]
fn slices_kernel<W: Numeric, Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    table: &[Vector<W, Held>],
    scales: ComptimeOption<&[f32]>,
    out: &mut [f32],
    rows: u32,
    cap: f32,
    #[comptime] sliced: Sliced,
    #[define(W)] _element: ElemType,
) {
    let plan = comptime!(sliced.product);
    let tile = comptime!(plan.tile);
    let (unit_rows, unit_columns) = comptime!((tile.unit[0], tile.unit[1]));
    let (across, units) = comptime!((tile.across(), tile.units()));
    let unit = UNIT_POS as usize;
    let rows = rows as usize;
    let first_row = CUBE_POS_Y as usize * comptime!(tile.rows);
    let mut most = Array::<f32>::new(unit_rows);
    let mut sums = Array::<f32>::new(unit_rows);
    #[unroll]
    for r in 0..unit_rows {
        most[r] = f32::new(LEAST);
        sums[r] = 0.0f32;
    }
    for step in 0..comptime!(sliced.tiles) {
        // Beyond the last tile the last column is read again, and nothing counted.
        let first_column =
            (CUBE_POS_X as usize * comptime!(sliced.tiles) + step) * comptime!(tile.columns);
        let products = tile_sums(
            x,
            table,
            &scales,
            first_row,
            rows,
            first_column,
            0usize.runtime(),
            plan,
        );
        let mut is_column = Array::<bool>::new(unit_columns);
        #[unroll]
        for c in 0..unit_columns {
            is_column[c] = first_column + tile_column(c, plan) < comptime!(plan.factor.columns);
        }
        let mut logits = Array::<f32>::new(comptime!(unit_rows * unit_columns));
        #[unroll]
        for r in 0..unit_rows {
            let mut largest = most[r];
            #[unroll]
            for c in 0..unit_columns {
                let e = comptime!(r * unit_columns + c);
                let logit = bounded(products[e], cap, sliced.capped);
                logits[e] = if is_column[c] { logit } else { f32::new(LEAST) };
                largest = max(largest, logits[e]);
            }
            let mut sum = sums[r] * (most[r] - largest).exp();
            #[unroll]
            for c in 0..unit_columns {
                sum += (logits[comptime!(r * unit_columns + c)] - largest).exp();
            }
            most[r] = largest;
            sums[r] = sum;
        }
    }
    // The units beside each other have the same rows: what is the largest of all of them, and then the sum.
    let mut shared = Shared::<[f32]>::new_slice(comptime!(units * unit_rows));
    let beside = unit / across * across;
    #[unroll]
    for r in 0..unit_rows {
        shared[comptime!(r * units) + unit] = most[r];
    }
    sync_cube();
    let mut largest = Array::<f32>::new(unit_rows);
    #[unroll]
    for r in 0..unit_rows {
        let mut value = most[r];
        for other in 0..across {
            value = max(value, shared[comptime!(r * units) + beside + other]);
        }
        largest[r] = value;
    }
    sync_cube();
    #[unroll]
    for r in 0..unit_rows {
        shared[comptime!(r * units) + unit] = sums[r] * (most[r] - largest[r]).exp();
    }
    sync_cube();
    #[unroll]
    for r in 0..unit_rows {
        let row = first_row + tile_row(r, tile);
        if unit == beside && row < rows {
            let mut sum = 0.0f32;
            for other in 0..across {
                sum += shared[comptime!(r * units) + beside + other];
            }
            out[row * CUBE_COUNT_X as usize + CUBE_POS_X as usize] = largest[r] + sum.ln();
        }
    }
}

#[cube(launch_unchecked)]
fn weights_kernel<W: Numeric, Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    table: &[Vector<W, Held>],
    scales: ComptimeOption<&[f32]>,
    result: &[f32],
    gradient: &[f32],
    out: &mut [f32],
    first: u32,
    rows: u32,
    cap: f32,
    #[comptime] sliced: Sliced,
    #[define(W)] _element: ElemType,
) {
    let plan = comptime!(sliced.product);
    let tile = comptime!(plan.tile);
    let (unit_rows, unit_columns) = comptime!((tile.unit[0], tile.unit[1]));
    let columns = comptime!(plan.factor.columns);
    let (first, rows) = (first as usize, rows as usize);
    let first_below = CUBE_POS_Y as usize * comptime!(tile.rows);
    let first_column = CUBE_POS_X as usize * comptime!(tile.columns);
    let products = tile_sums(
        x,
        table,
        &scales,
        first + first_below,
        rows,
        first_column,
        0usize.runtime(),
        plan,
    );
    let mut at = Array::<usize>::new(unit_columns);
    #[unroll]
    for c in 0..unit_columns {
        at[c] = first_column + tile_column(c, plan);
    }
    #[unroll]
    for r in 0..unit_rows {
        let below = first_below + tile_row(r, tile);
        let row = first + below;
        #[unroll]
        for c in 0..unit_columns {
            let column = at[c];
            if row < rows && column < columns {
                let logit = bounded(
                    products[comptime!(r * unit_columns + c)],
                    cap,
                    sliced.capped,
                );
                let mut weight = (logit - result[row]).exp() * gradient[row];
                if comptime!(sliced.capped) {
                    weight *= 1.0f32 - logit / cap * (logit / cap);
                }
                out[below * columns + column] = weight;
            }
        }
    }
}

/// A product as a logit.
#[cube]
fn bounded(product: f32, cap: f32, #[comptime] capped: bool) -> f32 {
    if comptime!(capped) {
        cap * tanh(product / cap)
    } else {
        product
    }
}
