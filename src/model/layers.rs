//! The small parts that every block is made of: projections, norms, tables.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::config::NormKind;
use super::precision::unpacked;

/// A projection `x · W + b`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// `[in, out]`, held in any [`Precision`](super::Precision)
    pub(super) weight: Tensor<2>,
    /// `[out]`
    pub(super) bias: Option<Tensor<1>>,
}

impl Linear {
    /// `[batch, tokens, in]` to `[batch, tokens, out]`.
    pub(super) fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        let projected = self.without_bias(x);
        match &self.bias {
            Some(bias) => projected + bias.clone().reshape([1, 1, -1]),
            None => projected,
        }
    }

    /// The same without the bias, as one matrix product over all tokens.
    pub(super) fn without_bias(&self, x: Tensor<3>) -> Tensor<3> {
        project(x, unpacked(&self.weight))
    }
}

fn project(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, tokens, width] = x.dims();
    let out = weight.dims()[1];
    x.reshape([batch * tokens, width])
        .matmul(weight)
        .reshape([batch, tokens, out])
}

/// A norm over the last dimension.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    pub(super) kind: NormKind,
    pub(super) eps: f64,
    /// `[width]`
    pub(super) weight: Tensor<1>,
    /// `[width]`, of layer norms
    pub(super) bias: Option<Tensor<1>>,
}

impl Norm {
    /// `[…, width]` in and out.
    pub(super) fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let last = D - 1;
        let centred = match self.kind {
            NormKind::Rms => x,
            NormKind::Layer => x.clone() - x.mean_dim(last),
        };
        let variance = centred.clone().powi_scalar(2).mean_dim(last);
        let scale = variance.add_scalar(self.eps).sqrt().recip();
        let along = |weight: &Tensor<1>| weight.clone().unsqueeze::<D>();
        let normed = centred * scale * along(&self.weight);
        match &self.bias {
            Some(bias) => normed + along(bias),
            None => normed,
        }
    }
}

/// Rows of the width of the residual stream, one per token: an embedding, or an output projection. In pieces of
/// consecutive rows, since one binding of a GPU may not hold it whole.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// `[rows of the piece, d_model]` each; all but the last of one size.
    pub(super) pieces: Vec<Tensor<2>>,
}

impl Table {
    /// Some rows, `[ids, d_model]`. The ids are rows of the table.
    pub(super) fn rows(&self, ids: &[u32], device: &Device) -> Tensor<2> {
        let select = |piece: &Tensor<2>, ids: Vec<i32>| {
            let shape = [ids.len()];
            let indices = Tensor::<1, Int>::from_data(TensorData::new(ids, shape), device);
            unpacked(piece).select(0, indices)
        };
        let [piece] = self.pieces.as_slice() else {
            // Piece after piece, then back into the order asked for.
            let height = self.pieces.first().map_or(1, |piece| piece.dims()[0]);
            let mut order: Vec<usize> = (0..ids.len()).collect();
            order.sort_by_key(|&place| ids[place]);
            let mut place_in_parts = vec![0; ids.len()];
            for (rank, &place) in order.iter().enumerate() {
                place_in_parts[place] = rank as i32;
            }
            let mut parts = Vec::new();
            for (index, piece) in self.pieces.iter().enumerate() {
                let inside: Vec<i32> = order
                    .iter()
                    .map(|&place| ids[place] as usize)
                    .filter(|id| id / height == index)
                    .map(|id| (id % height) as i32)
                    .collect();
                if !inside.is_empty() {
                    parts.push(select(piece, inside));
                }
            }
            return select(&Tensor::cat(parts, 0), place_in_parts);
        };
        select(piece, ids.iter().map(|&id| id as i32).collect())
    }

    /// Products with every row: `[batch, tokens, d_model]` to `[batch, tokens, rows]`.
    pub(super) fn project(&self, x: Tensor<3>) -> Tensor<3> {
        let [piece] = self.pieces.as_slice() else {
            let parts = self
                .pieces
                .iter()
                .map(|piece| project(x.clone(), unpacked(piece).transpose()))
                .collect();
            return Tensor::cat(parts, 2);
        };
        project(x, unpacked(piece).transpose())
    }
}
