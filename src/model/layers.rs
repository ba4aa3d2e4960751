//! The small parts that every block is made of: projections, norms, tables.

use burn::tensor::{Device, Tensor};

use super::config::NormKind;
use super::{ModelError, upload};
use crate::kernels::plain::unpacked;
use crate::kernels::{self, Layout, WayBack};

/// A projection `x · W + b`; or several of the same input side by side, since one product of a GPU takes as long as three.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    /// `[in, out]`, held in any [`Precision`](super::Precision)
    pub(super) weight: Tensor<2>,
    /// `[out]`
    pub(super) bias: Option<Tensor<1>>,
}

impl Linear {
    /// Projections side by side, held in f32 where there are several. Those without a bias beside others with one get one
    /// of zeros.
    pub(super) fn join(mut parts: Vec<Self>) -> Option<Self> {
        if parts.len() < 2 {
            return parts.pop();
        }
        let has_bias = parts.iter().any(|part| part.bias.is_some());
        let bias = |part: &Self| match &part.bias {
            Some(bias) => bias.clone(),
            None => Tensor::zeros([part.weight.dims()[1]], &part.weight.device()),
        };
        Some(Self {
            bias: has_bias.then(|| Tensor::cat(parts.iter().map(bias).collect(), 0)),
            weight: Tensor::cat(parts.into_iter().map(|part| part.weight).collect(), 1),
        })
    }

    /// The projections that [`Self::join`] put side by side, by their widths, in f32.
    pub(super) fn split(&self, widths: &[usize]) -> Vec<Self> {
        let weight = unpacked(&self.weight);
        let mut first = 0;
        let mut parts = Vec::with_capacity(widths.len());
        for &width in widths {
            parts.push(Self {
                weight: weight.clone().narrow(1, first, width),
                bias: (self.bias.as_ref()).map(|bias| bias.clone().narrow(0, first, width)),
            });
            first += width;
        }
        parts
    }

    /// `[batch, tokens, in]` to `[batch, tokens, out]`.
    pub(super) fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        self.project(x, self.bias.as_ref(), None)
    }

    /// The same, added to `residual`, `[batch, tokens, out]`.
    pub(super) fn apply_onto(&self, residual: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        self.project(x, self.bias.as_ref(), Some(residual))
    }

    fn project(
        &self,
        x: Tensor<3>,
        bias: Option<&Tensor<1>>,
        residual: Option<Tensor<3>>,
    ) -> Tensor<3> {
        kernels::project(x, self.weight.clone(), Layout::InOut, bias, residual)
    }
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
    pub(super) back: WayBack,
}

impl Norm {
    /// `[…, width]` in and out.
    pub(super) fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let centred = self.kind == NormKind::Layer;
        let bias = self.bias.as_ref();
        kernels::norm(x, &self.weight, bias, centred, self.eps, self.back)
    }

    /// `[n, width]` as a norm changes their direction: centred where it centres, times its gains.
    pub(super) fn linear_part(&self, x: Tensor<2>) -> Tensor<2> {
        let centred = match self.kind {
            NormKind::Layer => x.clone() - x.mean_dim(1),
            _ => x,
        };
        centred * self.weight.clone().unsqueeze::<2>()
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
    /// Some rows, `[ids, d_model]`.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRow`].
    pub(super) fn rows(&self, ids: &[u32], device: &Device) -> Result<Tensor<2>, ModelError> {
        check_rows(ids, self.pieces.iter().map(|piece| piece.dims()[0]).sum())?;
        let select = |piece: &Tensor<2>, ids: Vec<i32>| {
            let shape = [ids.len()];
            kernels::rows(piece, upload::places(ids, shape, device))
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
            return Ok(select(&Tensor::cat(parts, 0), place_in_parts));
        };
        Ok(select(piece, ids.iter().map(|&id| id as i32).collect()))
    }

    /// Products with every row: `[batch, tokens, d_model]` to `[batch, tokens, rows]`.
    pub(super) fn project(&self, x: Tensor<3>) -> Tensor<3> {
        let project = |x: Tensor<3>, piece: &Tensor<2>| {
            kernels::project(x, piece.clone(), Layout::OutIn, None, None)
        };
        let [piece] = self.pieces.as_slice() else {
            let pieces = self.pieces.iter();
            let parts = pieces.map(|piece| project(x.clone(), piece)).collect();
            return Tensor::cat(parts, 2);
        };
        project(x, piece)
    }
}

/// Checks ids before they become indices on a device: a GPU reads whatever lies beyond a table's end.
///
/// # Errors
///
/// [`ModelError::NoRow`] names the first id that is no row of a table of `rows`.
pub(super) fn check_rows(ids: &[u32], rows: usize) -> Result<(), ModelError> {
    match ids.iter().find(|&&id| id as usize >= rows) {
        Some(&id) => Err(ModelError::NoRow {
            id,
            text: None,
            rows,
        }),
        None => Ok(()),
    }
}
