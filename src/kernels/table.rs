//! What is done with a whole table, an embedding or an output projection: some of its rows, and the normaliser of products
//! with all of them.

use burn::tensor::{Int, Tensor};

use super::{log_sum_exp, plain, project};
use crate::kernels::Layout;

/// Some rows of a table `[rows, width]`, however it is held, in f32: `[ids, width]`. Every id must be a row.
pub fn rows(table: &Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if super::is_gpu(&table.device()) && matches!(table.dtype(), burn::tensor::DType::QFloat(_)) {
        return super::gpu::table::rows(table, ids);
    }
    plain::rows(table, ids)
}

/// `log Σ exp` of the products with every row of a table, each bounded by `cap · tanh(· / cap)` where there is one. On a
/// processor all products are in memory; on a GPU none are, and on the way back some at a time.
///
/// # Shapes
/// - `x`: `[batch, tokens, in]`
/// - `pieces` of the table: `[rows of the piece, in]`, however they are held
/// - returns `[batch, tokens, 1]`
pub fn log_normaliser(x: Tensor<3>, pieces: &[Tensor<2>], cap: Option<f64>) -> Tensor<3> {
    #[cfg(feature = "gpu")]
    if super::is_gpu(&x.device()) && !pieces.iter().any(Tensor::is_tracked) {
        return super::gpu::table::log_normaliser(x, pieces, cap);
    }
    let products = |piece: &Tensor<2>| project(x.clone(), piece.clone(), Layout::OutIn, None, None);
    let products = Tensor::cat(pieces.iter().map(products).collect(), 2);
    log_sum_exp(plain::bounded(products, cap))
}
