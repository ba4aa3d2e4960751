//! A tile of a product's outputs, which one workgroup computes.
//!
//! In stages, the units bring a piece of the tile's rows and columns to the workgroup's memory; while they multiply it, the next
//! piece is on its way. A piece's rows lie one number of vectors further apart than they are long, so that units beside each
//! other read from different banks of that memory.

use cubecl::prelude::*;

use super::super::at_most;
use super::Plan;
use super::quad::{QUAD, Quad, quad_of_row, quad_of_weights};

/// The outputs of a workgroup, and how its units divide the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Tile {
    pub(in super::super) rows: usize,
    pub(in super::super) columns: usize,
    /// Rows and columns of a unit.
    pub(in super::super) unit: [usize; 2],
    /// Steps of the sums in a stage.
    pub(super) stage: usize,
    /// Slices of the sums, which different units of the workgroup add up.
    pub(super) slices: usize,
}

impl Tile {
    /// For many rows.
    const LARGE: Self = Self::new([64, 64], [8, 4], 16, 1);
    /// For few rows and very many columns.
    const WIDE: Self = Self::new([16, 64], [4, 4], 16, 1);
    /// For a processor that plays a GPU: it runs few units at once, pays for every barrier, and compiles slowly.
    const ON_PROCESSOR: Self = Self::new([16, 32], [2, 4], 16, 1);

    /// The tiles from the largest to the smallest, and how many of them keep a large GPU busy: a larger one reads less. Chosen by what a
    /// hundred of them took on an H100 in Chromium with the products of SmolLM2-135M, 16 to 2,048 rows (`docs/performance.md`).
    const ALL: [(Self, usize); 4] = [
        (Self::LARGE, 128),
        (Self::new([32, 32], [4, 4], 32, 1), 128),
        (Self::new([16, 32], [2, 4], 32, 2), 64),
        (Self::new([8, 32], [2, 4], 16, 4), 1),
    ];

    const fn new(
        [rows, columns]: [usize; 2],
        unit: [usize; 2],
        stage: usize,
        slices: usize,
    ) -> Self {
        Self {
            rows,
            columns,
            unit,
            stage,
            slices,
        }
    }

    /// The tile for a product of this shape, whose sums may be divided into `parts`, and how many of them keep a GPU busy.
    pub(super) fn of(client: &Client, [rows, columns]: [usize; 2], parts: usize) -> (Self, usize) {
        if is_processor(client) {
            return (Self::ON_PROCESSOR, 1);
        }
        Self::that_keeps_busy(rows, columns, parts)
    }

    /// The tile for products with a whole table, which has very many columns.
    pub(in super::super) fn of_table(client: &Client, rows: usize) -> Self {
        if is_processor(client) {
            Self::ON_PROCESSOR
        } else if rows <= Self::LARGE.rows / 2 {
            Self::WIDE
        } else {
            Self::LARGE
        }
    }

    fn that_keeps_busy(rows: usize, columns: usize, parts: usize) -> (Self, usize) {
        let keeps_busy = |(tile, busy): &(Self, usize)| {
            let [across, down] = tile.groups(rows, columns);
            rows > tile.rows / 2 && across * down * parts >= *busy
        };
        let [.., smallest] = Self::ALL;
        Self::ALL.into_iter().find(keeps_busy).unwrap_or(smallest)
    }

    /// Workgroups across and down.
    pub(in super::super) const fn groups(self, rows: usize, columns: usize) -> [usize; 2] {
        [columns.div_ceil(self.columns), rows.div_ceil(self.rows)]
    }

    /// Units beside each other.
    pub(in super::super) const fn across(self) -> usize {
        self.columns / self.unit[1]
    }

    pub(in super::super) const fn units_of_slice(self) -> usize {
        self.rows / self.unit[0] * self.across()
    }

    /// Units of a workgroup.
    pub(in super::super) const fn units(self) -> usize {
        self.units_of_slice() * self.slices
    }
}

/// Whether a processor plays the GPU (SwiftShader): it runs so few units in step, a GPU 8 to 128.
fn is_processor(client: &Client) -> bool {
    client.properties().hardware.plane_size_max <= 4
}

/// How a piece of the rows or of the weights lies in the workgroup's memory.
#[derive(Clone, Copy)]
struct Piece {
    /// Vectors in a row.
    across: usize,
    /// Vectors from the beginning of one row to that of the next.
    stride: usize,
    rows: usize,
}

impl Piece {
    /// Its rows are as long as a stage.
    const fn along_sums(rows: usize, tile: Tile) -> Self {
        Self {
            across: tile.stage / QUAD,
            stride: tile.stage / QUAD + 1,
            rows,
        }
    }

    const fn of_weights(plan: Plan) -> Self {
        let tile = plan.tile;
        if plan.factor.transposed {
            Self::along_sums(tile.columns, tile)
        } else {
            Self {
                across: tile.columns / QUAD,
                stride: tile.columns / QUAD,
                rows: tile.stage,
            }
        }
    }

    const fn size(self) -> usize {
        self.stride * self.rows
    }

    /// Vectors that each of `units` brings.
    const fn share(self, units: usize) -> usize {
        self.across * self.rows / units
    }
}

/// Vectors of the workgroup's memory that a tile takes: for the pieces, and then for the sums of its slices.
const fn memory(plan: Plan) -> usize {
    let tile = plan.tile;
    let pieces = Piece::along_sums(tile.rows, tile).size() + Piece::of_weights(plan).size();
    let sums = match tile.slices {
        1 => 0,
        slices => slices * tile.rows * tile.columns / QUAD,
    };
    if tile.slices * pieces > sums {
        tile.slices * pieces
    } else {
        sums
    }
}

/// A unit's place among those of its slice.
#[cube]
fn own(#[comptime] tile: Tile) -> usize {
    UNIT_POS as usize % comptime!(tile.units_of_slice())
}

/// The row of a unit's `r`-th outputs in the tile.
#[cube]
pub(in super::super) fn tile_row(#[comptime] r: usize, #[comptime] tile: Tile) -> usize {
    own(tile) / comptime!(tile.across()) * comptime!(tile.unit[0]) + r
}

/// The column of a unit's `c`-th outputs in the tile: as the weights lie, one by one or in vectors.
#[cube]
pub(in super::super) fn tile_column(#[comptime] c: usize, #[comptime] plan: Plan) -> usize {
    let across = comptime!(plan.tile.across());
    let lane = own(plan.tile) % across;
    if comptime!(plan.factor.transposed) {
        lane + comptime!(c * across)
    } else {
        (lane + comptime!(c / QUAD * across)) * QUAD + comptime!(c % QUAD)
    }
}

/// The sums of a unit's outputs, row by row, of the tile that begins at `first_row` of `rows` and at `first_column`, over a part of the
/// depth. Those of all slices are with the units of the first one. Every unit of the workgroup must come by.
#[cube]
#[allow(clippy::too_many_arguments)]
pub(in super::super) fn tile_sums<W: Numeric, Read: Size, Held: Size>(
    x: &[Vector<f32, Read>],
    weight: &[Vector<W, Held>],
    scales: &ComptimeOption<&[f32]>,
    first_row: usize,
    rows: usize,
    first_column: usize,
    part: usize,
    #[comptime] plan: Plan,
) -> Array<f32> {
    let (tile, factor) = comptime!((plan.tile, plan.factor));
    let (unit_rows, unit_columns) = comptime!((tile.unit[0], tile.unit[1]));
    let units = comptime!(tile.units_of_slice());
    let outputs = comptime!(unit_rows * unit_columns);
    let of_rows = comptime!(Piece::along_sums(tile.rows, tile));
    let of_weights = comptime!(Piece::of_weights(plan));
    let size_of_slice = comptime!(of_rows.size() + of_weights.size());
    let mut shared = Shared::<[Quad]>::new_slice(comptime!(memory(plan)));
    let own = own(tile);
    let slice = UNIT_POS as usize / units;
    let rows_at = slice * size_of_slice;
    let weights_at = rows_at + comptime!(of_rows.size());

    // What the unit brings: of every piece one vector in so many rows.
    let rows_apart = comptime!(units / of_rows.across);
    let row = own / comptime!(of_rows.across);
    let row_step = own % comptime!(of_rows.across) * QUAD;
    let rows_share = comptime!(of_rows.share(units));
    let mut starts = Array::<usize>::new(rows_share);
    #[unroll]
    for e in 0..rows_share {
        let at = at_most(first_row + row + comptime!(e * rows_apart), rows - 1);
        starts[e] = at * comptime!(factor.depth);
    }
    let kept_rows_at = rows_at + row * comptime!(of_rows.stride) + own % comptime!(of_rows.across);
    let weights_apart = comptime!(units / of_weights.across);
    let weight_row = own / comptime!(of_weights.across);
    let weight_along = own % comptime!(of_weights.across);
    let weights_share = comptime!(of_weights.share(units));
    let kept_weights_at = weights_at + weight_row * comptime!(of_weights.stride) + weight_along;

    // What it multiplies.
    let left_at = rows_at + tile_row(0usize, tile) * comptime!(of_rows.stride);
    let lane = own % comptime!(tile.across());
    let right_at = if comptime!(factor.transposed) {
        weights_at + lane * comptime!(of_weights.stride)
    } else {
        weights_at + lane
    };

    let mut sums = Array::<f32>::new(outputs);
    #[unroll]
    for e in 0..outputs {
        sums[e] = 0.0f32;
    }
    let stages = comptime!(plan.stages());
    let first = (part * comptime!(tile.slices) + slice) * comptime!(plan.stages() * tile.stage);
    let mut next_rows = Array::<Quad>::new(rows_share);
    let mut next_weights = Array::<Quad>::new(weights_share);
    // In each round but the first, what was brought in the one before is multiplied; in each but the last, more is brought.
    for round in 0..comptime!(stages + 1) {
        if round > 0 {
            #[unroll]
            for e in 0..rows_share {
                shared[kept_rows_at + comptime!(e * rows_apart * of_rows.stride)] = next_rows[e];
            }
            #[unroll]
            for e in 0..weights_share {
                shared[kept_weights_at + comptime!(e * weights_apart * of_weights.stride)] =
                    next_weights[e];
            }
        }
        sync_cube();
        if round < stages {
            let step = first + round * comptime!(tile.stage);
            #[unroll]
            for e in 0..rows_share {
                next_rows[e] = quad_of_row(x, starts[e], step + row_step, factor, plan.is_ragged());
            }
            #[unroll]
            for e in 0..weights_share {
                let row = weight_row + comptime!(e * weights_apart);
                next_weights[e] = if comptime!(factor.transposed) {
                    let step = step + weight_along * QUAD;
                    quad_of_weights(weight, scales, step, first_column + row, factor)
                } else {
                    let column = first_column + weight_along * QUAD;
                    quad_of_weights(weight, scales, step + row, column, factor)
                };
            }
        }
        if round > 0 {
            for quad in 0..comptime!(tile.stage / QUAD) {
                multiply(&shared, left_at + quad, right_at, quad, &mut sums, plan);
            }
        }
        sync_cube();
    }
    if comptime!(tile.slices > 1) {
        add_slices(&mut shared, &mut sums, tile);
    }
    sums
}

/// Adds four steps of the sums, whose rows and weights are in the workgroup's memory: the rows from `left_at` on, the weights of
/// the `quad`-th four steps from `right_at` on.
#[cube]
fn multiply(
    shared: &Shared<[Quad]>,
    left_at: usize,
    right_at: usize,
    quad: usize,
    sums: &mut Array<f32>,
    #[comptime] plan: Plan,
) {
    let tile = comptime!(plan.tile);
    let (unit_rows, unit_columns) = comptime!((tile.unit[0], tile.unit[1]));
    let of_rows = comptime!(Piece::along_sums(tile.rows, tile));
    let of_weights = comptime!(Piece::of_weights(plan));
    let across = comptime!(tile.across());
    let mut left = Array::<Quad>::new(unit_rows);
    #[unroll]
    for r in 0..unit_rows {
        left[r] = shared[left_at + comptime!(r * of_rows.stride)];
    }
    // One vector of four steps for each column, or for each step one of four columns.
    let mut right = Array::<Quad>::new(unit_columns);
    #[unroll]
    for v in 0..unit_columns {
        right[v] = if comptime!(plan.factor.transposed) {
            shared[right_at + quad + comptime!(v * across * of_weights.stride)]
        } else {
            shared[right_at
                + quad * comptime!(QUAD * of_weights.stride)
                + comptime!(v % QUAD * of_weights.stride + v / QUAD * across)]
        };
    }
    #[unroll]
    for r in 0..unit_rows {
        let numbers = left[r];
        #[unroll]
        for c in 0..unit_columns {
            let mut sum = sums[comptime!(r * unit_columns + c)];
            #[unroll]
            for step in 0..QUAD {
                let weight = if comptime!(plan.factor.transposed) {
                    right[c].extract(step)
                } else {
                    right[comptime!(c / QUAD * QUAD + step)].extract(comptime!(c % QUAD))
                };
                sum = fma(numbers.extract(step), weight, sum);
            }
            sums[comptime!(r * unit_columns + c)] = sum;
        }
    }
}

/// Adds the sums of all slices to those of the first one.
#[cube]
fn add_slices(shared: &mut Shared<[Quad]>, sums: &mut Array<f32>, #[comptime] tile: Tile) {
    let quads = comptime!(tile.unit[0] * tile.unit[1] / QUAD);
    let units = comptime!(tile.units());
    #[unroll]
    for q in 0..quads {
        let mut quad = Quad::empty();
        #[unroll]
        for e in 0..QUAD {
            quad.insert(e, sums[comptime!(q * QUAD + e)]);
        }
        shared[comptime!(q * units) + UNIT_POS as usize] = quad;
    }
    sync_cube();
    // The units of the first slice read what those of the others left; what these read nobody uses.
    let own = own(tile);
    #[unroll]
    for q in 0..quads {
        #[unroll]
        for slice in 1..comptime!(tile.slices) {
            let quad = shared[comptime!(q * units + slice * tile.units_of_slice()) + own];
            #[unroll]
            for e in 0..QUAD {
                sums[comptime!(q * QUAD + e)] += quad.extract(e);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_tile_is_taken_that_keeps_a_gpu_busy_and_is_not_mostly_empty() {
        let rows_of_tile = |rows, columns| Tile::that_keeps_busy(rows, columns, 1).0.rows;
        assert_eq!(rows_of_tile(2048, 576), 64);
        assert_eq!(rows_of_tile(64, 3072), 32);
        assert_eq!(rows_of_tile(64, 576), 16);
        assert_eq!(rows_of_tile(17, 64), 8);
        // Enough columns for any tile.
        assert_eq!(rows_of_tile(12, 49_152), 16);
    }

    #[test]
    fn a_workgroup_has_the_units_and_the_memory_that_every_device_gives() {
        for (tile, _) in [
            Tile::ALL.as_slice(),
            &[(Tile::WIDE, 1), (Tile::ON_PROCESSOR, 1)],
        ]
        .concat()
        {
            for transposed in [false, true] {
                let factor = super::super::Factor {
                    depth: 576,
                    columns: 576,
                    transposed,
                    form: super::super::Form::Float,
                };
                let plan = Plan {
                    factor,
                    tile,
                    parts: 1,
                };
                assert!(tile.units() <= 256, "{tile:?}");
                // With what the normaliser joins its rows in.
                let joined = tile.units() * tile.unit[0] * 4;
                assert!(memory(plan) * 16 + joined <= 16_384, "{tile:?}");
                let pieces = [Piece::along_sums(tile.rows, tile), Piece::of_weights(plan)];
                for piece in pieces {
                    let shared = piece.share(tile.units_of_slice()) * tile.units_of_slice();
                    assert_eq!(shared, piece.across * piece.rows, "{tile:?}");
                }
            }
        }
    }
}
