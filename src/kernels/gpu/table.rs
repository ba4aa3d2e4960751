//! What is done with a whole table on a GPU, which has kernels of its own for it: rows of a table in eight bits, and the
//! normaliser without the products in memory.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor, QuantizedTensor};
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, TensorMetadata, backend_extension,
};
use burn::tensor::{Int, Tensor};
use burn_cubecl::CubeBackend;

use super::normaliser::{log_normaliser as row_log_normaliser, log_normaliser_weights};
use super::product::product;
use super::weights::packed_rows;
use crate::kernels::backward::finish;
use crate::kernels::{Weight, held, log_sum_exp};

/// The operations that have kernels on a GPU alone.
#[backend_extension(Cube, Autodiff)]
pub(crate) trait TableKernels: Backend {
    /// [`rows`] of a table in eight bits.
    fn packed_rows(table: QuantizedTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self>;

    /// [`log_normaliser`] over `[rows, depth]` and one piece of a table: `[rows, 1]`.
    fn row_log_normaliser(
        x: FloatTensor<Self>,
        #[extension_type] table: Weight<Self>,
        cap: Option<f32>,
    ) -> FloatTensor<Self>;
}

/// [`rows`](crate::kernels::rows) of a table in eight bits.
pub(in crate::kernels) fn rows(table: &Tensor<2>, ids: Tensor<1, Int>) -> Tensor<2> {
    let table = table.clone().into_dispatch();
    Tensor::from_dispatch(Dispatch::packed_rows(table, ids.into_dispatch()))
}

/// [`log_normaliser`](crate::kernels::log_normaliser).
pub(in crate::kernels) fn log_normaliser(
    x: Tensor<3>,
    pieces: &[Tensor<2>],
    cap: Option<f64>,
) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let rows = x.reshape([batch * tokens, width]);
    let of_piece = |piece: &Tensor<2>| {
        let rows = rows.clone().into_dispatch();
        let cap = cap.map(|cap| cap as f32);
        Tensor::<2>::from_dispatch(Dispatch::row_log_normaliser(rows, held(piece), cap))
            .reshape([batch, tokens, 1])
    };
    match pieces {
        [piece] => of_piece(piece),
        _ => log_sum_exp(Tensor::cat(pieces.iter().map(of_piece).collect(), 2)),
    }
}

impl TableKernels for CubeBackend {
    fn packed_rows(table: QuantizedTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        packed_rows(&table, ids)
    }

    fn row_log_normaliser(
        x: FloatTensor<Self>,
        table: Weight<Self>,
        cap: Option<f32>,
    ) -> FloatTensor<Self> {
        row_log_normaliser(x, table, cap)
    }
}

/// The gradient of a normaliser.
trait TableGradients: TableKernels {
    fn row_log_normaliser_backward(
        state: Normalised<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// What the way back through a normaliser needs: the products are computed again.
#[derive(Clone, Debug)]
struct Normalised<B: Backend> {
    x: FloatTensor<B>,
    table: Weight<B>,
    result: FloatTensor<B>,
    cap: Option<f32>,
}

/// Products with a table that are in memory at once on the way back, in bytes: below WebGPU's default binding of 128 MiB.
const PRODUCT_BYTES: usize = 64 << 20;

impl TableGradients for CubeBackend {
    fn row_log_normaliser_backward(
        state: Normalised<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let Normalised {
            x,
            table,
            result,
            cap,
        } = state;
        let [rows, _] = x.shape().dims();
        let [columns, _] = match &table {
            Weight::Float(table) | Weight::Eight(table) => table.shape().dims(),
        };
        let at_once = (PRODUCT_BYTES / (4 * columns)).max(1);
        // Parts of one size.
        let step = rows.div_ceil(rows.div_ceil(at_once).max(1)).max(1);
        let mut parts: Vec<_> = (0..rows)
            .step_by(step)
            .map(|from| {
                let weights = log_normaliser_weights(
                    x.clone(),
                    table.clone(),
                    result.clone(),
                    gradient.clone(),
                    cap,
                    [from, step.min(rows - from)],
                );
                product(weights, table.clone(), None, None, false)
            })
            .collect();
        match parts.len() {
            0 => x,
            1 => parts.swap_remove(0),
            _ => Self::float_cat(parts, 0),
        }
    }
}

#[derive(Debug)]
struct LogNormaliser;

impl<B: TableGradients> Backward<B, 1> for LogNormaliser {
    type State = Normalised<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        if let [Some(parent)] = ops.parents {
            let by_x = B::row_log_normaliser_backward(ops.state, gradient);
            grads.register::<B>(parent.id, by_x);
        }
    }
}

impl<B: TableGradients, C: CheckpointStrategy> TableKernels for Autodiff<B, C> {
    fn packed_rows(table: QuantizedTensor<Self>, ids: IntTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(B::packed_rows(table, ids))
    }

    fn row_log_normaliser(
        x: FloatTensor<Self>,
        table: Weight<Self>,
        cap: Option<f32>,
    ) -> FloatTensor<Self> {
        let table = table.into_constant();
        let (x, node) = x.into_parts();
        let result = B::row_log_normaliser(x.clone(), table.clone(), cap);
        let state = Normalised {
            x,
            table,
            result: result.clone(),
            cap,
        };
        finish!(LogNormaliser, [node], result, state)
    }
}
