//! Four numbers beside each other, read at once where their row can be divided so.

use cubecl::prelude::*;

use super::super::at_most;
use super::super::weights::read;
use super::Factor;

/// Numbers in a vector.
pub(super) const QUAD: usize = 4;

/// Four numbers.
pub(super) type Quad = Vector<f32, Const<4>>;

/// The numbers of a row of `x` from `step` on; `ragged` ones beyond its end are zero. The row begins at `start`.
#[cube]
pub(super) fn quad_of_row<Read: Size>(
    x: &[Vector<f32, Read>],
    start: usize,
    step: usize,
    #[comptime] factor: Factor,
    #[comptime] ragged: bool,
) -> Quad {
    let depth = comptime!(factor.depth);
    let mut quad = Quad::empty();
    if comptime!(factor.of_x() == QUAD) {
        let at = if comptime!(ragged) {
            at_most(step, comptime!(depth - QUAD))
        } else {
            step
        };
        let read = x[(start + at) / QUAD];
        #[unroll]
        for e in 0..QUAD {
            quad.insert(e, within(read.extract(e), step, depth, ragged));
        }
    } else {
        #[unroll]
        for e in 0..QUAD {
            let at = at_most(step + e, comptime!(depth - 1));
            let number = x[start + at].extract(0usize);
            quad.insert(e, within(number, step + e, depth, true));
        }
    }
    quad
}

/// A number at a step of the sums, and nothing beyond their end.
#[cube]
pub(super) fn within(
    number: f32,
    step: usize,
    #[comptime] depth: usize,
    #[comptime] ragged: bool,
) -> f32 {
    if comptime!(ragged) {
        if step < depth { number } else { 0.0f32 }
    } else {
        number
    }
}

/// Weights that lie beside each other: those of one column from `step` on where the matrix is transposed, else those of one step
/// from `column` on. Beyond an edge they are others: what they are multiplied with is zero, or nobody reads the result.
#[cube]
pub(super) fn quad_of_weights<W: Numeric, Held: Size>(
    weight: &[Vector<W, Held>],
    scales: &ComptimeOption<&[f32]>,
    step: usize,
    column: usize,
    #[comptime] factor: Factor,
) -> Quad {
    let (depth, columns) = comptime!((factor.depth, factor.columns));
    // The place of the first one in its row, and the row.
    let (beside, width) = if comptime!(factor.transposed) {
        (step, comptime!(depth).runtime())
    } else {
        (column, comptime!(columns).runtime())
    };
    let row = if comptime!(factor.transposed) {
        at_most(column, comptime!(columns - 1))
    } else {
        at_most(step, comptime!(depth - 1))
    };
    let start = row * width;
    let mut quad = Quad::empty();
    if comptime!(factor.of_weight() == QUAD) {
        let place = start + at_most(beside, width - QUAD);
        let weights = read(weight, scales, place, QUAD, comptime!(factor.form));
        #[unroll]
        for e in 0..QUAD {
            quad.insert(e, weights[e]);
        }
    } else {
        #[unroll]
        for e in 0..QUAD {
            let place = start + at_most(beside + e, width - 1);
            let weights = read(weight, scales, place, 1usize, comptime!(factor.form));
            quad.insert(e, weights[0usize]);
        }
    }
    quad
}
