//! Tensors of a weight file by name: checked, read, laid out, put on the device.

use burn::tensor::{Device, Tensor};

use super::loader::Loader;
use crate::kernels::WayBack;
use crate::model::family::list::{Layout, Slot, Weight};
use crate::model::layers::{Linear, Norm, Table};
use crate::model::{Config, ModelError, Precision, upload};

/// Largest piece of a table that is held in fewer bits, in bytes of f32, as which it is read.
const PACKED_PIECE: u64 = 64 << 20;

/// A matrix on the host.
pub(super) struct Matrix {
    values: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Matrix {
    fn transposed(self) -> Self {
        let mut turned: Vec<f32> = Vec::with_capacity(self.values.len());
        for column in 0..self.columns {
            turned.extend(self.values.iter().skip(column).step_by(self.columns));
        }
        Self {
            values: turned,
            rows: self.columns,
            columns: self.rows,
        }
    }

    fn upload(self, device: &Device, precision: Precision) -> Tensor<2> {
        precision.upload(self.values, [self.rows, self.columns], device)
    }

    /// Its rows in another order, row `i` being row `row_in_file(i)`.
    pub(super) fn rows_by(&self, row_in_file: impl Fn(usize) -> usize) -> Self {
        let (count, width) = (self.rows, self.columns);
        let mut values = Vec::with_capacity(self.values.len());
        for row in 0..count {
            let start = row_in_file(row) * width;
            values.extend_from_slice(&self.values[start..start + width]);
        }
        Self {
            values,
            rows: count,
            columns: width,
        }
    }

    /// The rows of another matrix after its own.
    pub(super) fn append(&mut self, other: Self) {
        self.values.extend(other.values);
        self.rows += other.rows;
    }
}

/// A projection on the host, its weight as `[out, in]`.
pub(super) struct Projection {
    pub(super) weight: Matrix,
    pub(super) bias: Option<Vec<f32>>,
}

impl Projection {
    /// Another one of the same input beside it. Where only one of them has a bias, the other gets one of zeros.
    pub(super) fn beside(mut self, other: Self) -> Self {
        if self.bias.is_some() || other.bias.is_some() {
            let zeros = |rows| vec![0.0; rows];
            let bias = self.bias.get_or_insert_with(|| zeros(self.weight.rows));
            bias.extend(other.bias.unwrap_or_else(|| zeros(other.weight.rows)));
        }
        self.weight.append(other.weight);
        self
    }
}

impl Loader<'_> {
    /// The stored shape of a weight.
    pub(super) fn stored(&self, weight: &Weight, config: &Config) -> Vec<usize> {
        let mut shape = weight.dims(config);
        if self.layout_of(weight) == Layout::InOut {
            shape.reverse();
        }
        shape
    }

    fn layout_of(&self, weight: &Weight) -> Layout {
        weight.in_file(self.file.kind()).layout
    }

    /// A weight's name, without `.weight` or `.bias`.
    fn name(&self, layer: Option<usize>, weight: &Weight) -> String {
        self.weights.name_in(self.file.kind(), layer, weight)
    }

    async fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let name = self.in_file(name).to_owned();
        self.check(&name, shape)?;
        self.job.checkpoint().await?;
        let values = self.file.read_f32(&name).await?;
        self.note(name);
        Ok(values)
    }

    /// A tensor is in the decoder.
    fn note(&mut self, name: String) {
        self.applied.push(name);
        let total = self.file.tensors().len();
        self.job.progress("loading", self.applied.len(), total);
    }

    async fn vector(&mut self, name: &str, width: usize) -> Result<Vec<f32>, ModelError> {
        self.values(name, &[width]).await
    }

    pub(super) fn upload(&self, values: Vec<f32>) -> Tensor<1> {
        let width = values.len();
        upload::numbers(values, [width], self.device)
    }

    /// The bias beside a weight, where there is one.
    async fn bias(
        &mut self,
        name: &str,
        weight: &Weight,
        config: &Config,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        match (config.has_bias(weight), weight.dims(config).first()) {
            (true, Some(&width)) => self.vector(&format!("{name}.bias"), width).await.map(Some),
            _ => Ok(None),
        }
    }

    pub(super) async fn norm(
        &mut self,
        layer: Option<usize>,
        weight: &Weight,
        config: &Config,
    ) -> Result<Norm, ModelError> {
        let name = self.name(layer, weight);
        let shape = weight.dims(config);
        let mut values = self.values(&format!("{name}.weight"), &shape).await?;
        if self.layout_of(weight) == Layout::LessOne {
            for value in &mut values {
                *value += 1.0;
            }
        }
        let bias = self.bias(&name, weight, config).await?;
        Ok(Norm {
            kind: config.norm_of(weight.slot),
            eps: config.norm_eps,
            weight: self.upload(values),
            bias: bias.map(|bias| self.upload(bias)),
            back: WayBack::Exact,
        })
    }

    /// A projection of a block, of the shape `[out, in]`.
    pub(super) async fn projection(
        &mut self,
        layer: usize,
        weight: &Weight,
        [rows, columns]: [usize; 2],
        config: &Config,
    ) -> Result<Projection, ModelError> {
        let layout = self.layout_of(weight);
        if layout == Layout::HeadByHead && config.n_heads != config.n_kv_heads {
            return Err(ModelError::Unsupported(
                "grouped queries in a projection stored head by head".into(),
            ));
        }
        let name = self.name(Some(layer), weight);
        let of_weight = format!("{name}.weight");
        let values = self
            .values(&of_weight, &self.stored(weight, config))
            .await?;
        self.precision.check_range(&of_weight, &values)?;
        let bias = self.bias(&name, weight, config).await?;
        let stored = |rows, columns| Matrix {
            values,
            rows,
            columns,
        };
        let in_file = |row| row_in_file(layout, config, row);
        Ok(match layout {
            Layout::InOut => Projection {
                weight: stored(columns, rows).transposed(),
                bias,
            },
            Layout::Interleaved | Layout::HeadByHead => Projection {
                weight: stored(rows, columns).rows_by(in_file),
                bias: bias.map(|bias| (0..rows).map(|row| bias[in_file(row)]).collect()),
            },
            Layout::Plain | Layout::LessOne => Projection {
                weight: stored(rows, columns),
                bias,
            },
        })
    }

    /// A projection on the device. The last one of a feed-forward layer is laid out anew as `[in, out]`: a product with the
    /// wide side inside is half as fast again as with a transposed view, and its way back no slower (`cargo xtask bench`).
    pub(super) fn upload_linear(
        &self,
        slot: Slot,
        Projection { weight, bias }: Projection,
    ) -> Linear {
        let weight = match self.precision {
            Precision::F32 if slot != Slot::Down => {
                weight.upload(self.device, Precision::F32).transpose()
            }
            // Blocks are rows of the matrix as it is used.
            precision => weight.transposed().upload(self.device, precision),
        };
        Linear {
            weight,
            bias: bias.map(|bias| self.upload(bias)),
        }
    }

    /// A table in pieces of whole rows.
    pub(super) async fn table(
        &mut self,
        weight: &Weight,
        config: &Config,
    ) -> Result<Table, ModelError> {
        let name = format!("{}.weight", self.name_of(weight));
        let name = self.in_file(&name).to_owned();
        let &[rows, width] = weight.dims(config).as_slice() else {
            return Err(ModelError::Config(format!("`{name}` is no table")));
        };
        self.check(&name, &[rows, width])?;
        let most = match self.precision {
            Precision::F32 => self.piece_bytes,
            // While a piece is used it is there in f32 as well.
            _ => self
                .piece_bytes
                .min(PACKED_PIECE)
                .min(2 * (rows * width) as u64),
        };
        let height = (most / (4 * width as u64)).clamp(1, rows as u64) as usize;
        let mut pieces = Vec::with_capacity(rows.div_ceil(height));
        for first in (0..rows).step_by(height) {
            self.job.checkpoint().await?;
            let last = rows.min(first + height);
            let values = self.file.read_rows_f32(&name, first..last).await?;
            self.precision.check_range(&name, &values)?;
            let matrix = Matrix {
                values,
                rows: last - first,
                columns: width,
            };
            pieces.push(matrix.upload(self.device, self.precision));
        }
        self.note(name);
        Ok(Table { pieces })
    }
}

/// Which row of a projection in a file, whose layout orders them so, is its `row`.
fn row_in_file(layout: Layout, config: &Config, row: usize) -> usize {
    let d_head = config.d_head;
    match layout {
        // A row `(head, j, i)` for `j` in 0..2 and `i` in 0..dimensions/2 is stored as `(head, i, j)`. Rows of a head that are
        // not rotated follow in their own order.
        Layout::Interleaved => {
            let rotated = config.rope.as_ref().map_or(0, |rope| rope.dimensions);
            let half = rotated / 2;
            match row % d_head {
                place if place < rotated => row - place + place % half * 2 + place / half,
                _ => row,
            }
        }
        Layout::HeadByHead => {
            let d_q = config.n_heads * d_head;
            let (which, row) = (row / d_q, row % d_q);
            (row / d_head * 3 + which) * d_head + row % d_head
        }
        _ => row,
    }
}
