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
use super::product::{Plan, Tile, sums_of};
use super::weights::Matrix;
use super::{UNITS, at_most, contiguous, empty, grid, tanh};
use crate::kernels::Weight;

/// Workgroups that slices are made for: several for each core of a large GPU, since each waits for memory often.
const GROUPS: usize = 2048;

/// A product that is no product: less than every other one.
const LEAST: f32 = -1e30;

/// What both kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sliced {
    product: Plan,
    /// Whether products are bounded.
    capped: bool,
}

impl Sliced {
    fn new(rows: usize, table: &Matrix, cap: Option<f32>) -> Self {
        let [first, second] = table.shape;
        let (columns, depth) = match table.is_turned {
            true => (second, first),
            false => (first, second),
        };
        Self {
            product: Plan {
                depth,
                columns,
                transposed: !table.is_turned,
                form: table.form,
                tile: tile(rows),
            },
            capped: cap.is_some(),
        }
    }
}

/// Few rows leave a unit one column, since there are many of them; more rows are units below each other.
fn tile(rows: usize) -> Tile {
    match rows {
        1 => Tile::new(1, 1, 1, 1),
        2..=4 => Tile::new(4, 1, 1, 1),
        5..=8 => Tile::new(8, 1, 1, 1),
        9..=16 => Tile::new(8, 4, 2, 1),
        17..=32 => Tile::new(8, 4, 4, 1),
        _ => Tile::new(8, 4, 8, 1),
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
    let sliced = Sliced::new(rows, &table, cap);
    let Plan { columns, tile, .. } = sliced.product;
    let [tiles, down] = tile.groups(rows, columns);
    let tiles_of_slice = tiles.div_ceil(GROUPS.div_ceil(down));
    let slices = tiles.div_ceil(tiles_of_slice);
    let out = empty(&x, Shape::new([rows, slices]));
    let [of_x, of_table] = sliced.product.vectors();
    let element = table.element();
    let client = x.client.clone();
    // SAFETY: rows and columns are clamped to their number where they are read; a unit writes to rows that there are.
    unsafe {
        slices_kernel::launch_unchecked(
            &client,
            grid(slices, down),
            CubeDim::new_1d(UNITS as u32),
            of_x,
            table.form.vector(of_table),
            contiguous(x).into_buffer_arg(),
            table.values.into_buffer_arg(),
            table.scales.map(CubeTensor::into_buffer_arg).into(),
            out.clone().into_buffer_arg(),
            rows as u32,
            tiles_of_slice as u32,
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
    let sliced = Sliced::new(count, &table, cap);
    let Plan { columns, tile, .. } = sliced.product;
    let [across, down] = tile.groups(count, columns);
    let out = empty(&x, Shape::new([count, columns]));
    let [of_x, of_table] = sliced.product.vectors();
    let element = table.element();
    let client = x.client.clone();
    // SAFETY: as above; rows from the first on are fewer than all rows by the caller's loop.
    unsafe {
        weights_kernel::launch_unchecked(
            &client,
            grid(across, down),
            CubeDim::new_1d(UNITS as u32),
            of_x,
            table.form.vector(of_table),
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
    tiles_of_slice: u32,
    cap: f32,
    #[comptime] sliced: Sliced,
    #[define(W)] _element: ElemType,
) {
    let plan = comptime!(sliced.product);
    let tile = comptime!(plan.tile);
    let (tile_rows, tile_columns) = comptime!((tile.rows, tile.columns));
    let across = comptime!(tile.across());
    let unit = UNIT_POS as usize;
    let rows = rows as usize;
    let first_row = CUBE_POS_Y as usize * comptime!(tile.down * tile_rows);
    let row = first_row + unit / across * tile_rows;
    let mut most = Array::<f32>::new(tile_rows);
    let mut sums = Array::<f32>::new(tile_rows);
    #[unroll]
    for r in 0..tile_rows {
        most[r] = f32::new(LEAST);
        sums[r] = 0.0f32;
    }
    let first = CUBE_POS_X as usize * tiles_of_slice as usize;
    let tiles = comptime!(tile.groups(1, plan.columns)[0]);
    for step in first..at_most(first + tiles_of_slice as usize, tiles) {
        let column = (step * across + unit % across) * tile_columns;
        let products = sums_of(
            x,
            table,
            &scales,
            row,
            rows,
            column,
            0usize.runtime(),
            comptime!(plan.steps(1)).runtime(),
            plan,
        );
        let mut logits = Array::<f32>::new(comptime!(tile_rows * tile_columns));
        #[unroll]
        for r in 0..tile_rows {
            let mut largest = most[r];
            #[unroll]
            for c in 0..tile_columns {
                let e = comptime!(r * tile_columns + c);
                let logit = bounded(products[e], cap, sliced.capped);
                logits[e] = if column + c < comptime!(plan.columns) {
                    logit
                } else {
                    f32::new(LEAST)
                };
                largest = max(largest, logits[e]);
            }
            let mut sum = sums[r] * (most[r] - largest).exp();
            #[unroll]
            for c in 0..tile_columns {
                sum += (logits[comptime!(r * tile_columns + c)] - largest).exp();
            }
            most[r] = largest;
            sums[r] = sum;
        }
    }
    let mut all_most = Shared::<[f32]>::new_slice(comptime!(UNITS * tile_rows));
    let mut all_sums = Shared::<[f32]>::new_slice(comptime!(UNITS * tile_rows));
    #[unroll]
    for r in 0..tile_rows {
        all_most[r * UNITS + unit] = most[r];
        all_sums[r * UNITS + unit] = sums[r];
    }
    sync_cube();
    // From here on, a unit for each row of the workgroup.
    let own = first_row + unit;
    if unit < comptime!(tile.down * tile_rows) && own < rows {
        let start = unit % tile_rows * UNITS + unit / tile_rows * across;
        let mut largest = all_most[start];
        for other in 1..across {
            largest = max(largest, all_most[start + other]);
        }
        let mut sum = 0.0f32;
        for other in 0..across {
            sum += all_sums[start + other] * (all_most[start + other] - largest).exp();
        }
        out[own * CUBE_COUNT_X as usize + CUBE_POS_X as usize] = largest + sum.ln();
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
    let (tile_rows, tile_columns) = comptime!((tile.rows, tile.columns));
    let across = comptime!(tile.across());
    let columns = comptime!(plan.columns);
    let unit = UNIT_POS as usize;
    let rows = rows as usize;
    let below = (CUBE_POS_Y as usize * comptime!(tile.down) + unit / across) * tile_rows;
    let row = first as usize + below;
    let column = (CUBE_POS_X as usize * across + unit % across) * tile_columns;
    let products = sums_of(
        x,
        table,
        &scales,
        row,
        rows,
        column,
        0usize.runtime(),
        comptime!(plan.steps(1)).runtime(),
        plan,
    );
    #[unroll]
    for r in 0..tile_rows {
        #[unroll]
        for c in 0..tile_columns {
            if row + r < rows && column + c < columns {
                let logit = bounded(
                    products[comptime!(r * tile_columns + c)],
                    cap,
                    sliced.capped,
                );
                let mut weight = (logit - result[row + r]).exp() * gradient[row + r];
                if comptime!(sliced.capped) {
                    weight *= 1.0f32 - logit / cap * (logit / cap);
                }
                out[(below + r) * columns + column + c] = weight;
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
