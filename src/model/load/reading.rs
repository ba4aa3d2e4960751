//! Tensors of a weight file by name: checked, read, laid out, put on the device.

use burn::tensor::{Device, Tensor, TensorData};

use super::loader::Loader;
use crate::model::config::NormKind;
use crate::model::layers::{Linear, Norm, Table};
use crate::model::{Config, ModelError, Precision};

/// Largest piece of a table that is held in fewer bits, in bytes of f32.
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
        let shape = [self.rows, self.columns];
        precision.pack(Tensor::from_data(
            TensorData::new(self.values, shape),
            device,
        ))
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
    /// The stored shape of a projection from `input` to `output`.
    pub(super) fn stored(&self, output: usize, input: usize) -> Vec<usize> {
        match self.layout.in_out {
            true => vec![input, output],
            false => vec![output, input],
        }
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
        Tensor::from_data(TensorData::new(values, [width]), self.device)
    }

    pub(super) async fn bias(
        &mut self,
        name: &str,
        width: usize,
        has: bool,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        match has {
            true => self.vector(&format!("{name}.bias"), width).await.map(Some),
            false => Ok(None),
        }
    }

    pub(super) async fn norm(
        &mut self,
        name: &str,
        config: &Config,
        width: usize,
    ) -> Result<Norm, ModelError> {
        let mut weight = self.vector(&format!("{name}.weight"), width).await?;
        for value in &mut weight {
            *value += self.layout.norm_offset;
        }
        let bias = self
            .bias(name, width, config.norm == NormKind::Layer)
            .await?;
        Ok(Norm {
            kind: config.norm,
            eps: config.norm_eps,
            weight: self.upload(weight),
            bias: bias.map(|bias| self.upload(bias)),
        })
    }

    /// A projection's weight as `[out, in]`.
    pub(super) async fn matrix(
        &mut self,
        name: &str,
        [rows, columns]: [usize; 2],
    ) -> Result<Matrix, ModelError> {
        let name = format!("{name}.weight");
        let shape = self.stored(rows, columns);
        let values = self.values(&name, &shape).await?;
        self.precision.check_range(&name, &values)?;
        let stored = Matrix {
            values,
            rows: shape[0],
            columns: shape[1],
        };
        Ok(match self.layout.in_out {
            true => stored.transposed(),
            false => stored,
        })
    }

    /// A projection of the shape `[out, in]`.
    pub(super) async fn projection(
        &mut self,
        name: &str,
        shape: [usize; 2],
        has_bias: bool,
    ) -> Result<Projection, ModelError> {
        let weight = self.matrix(name, shape).await?;
        let bias = self.bias(name, shape[0], has_bias).await?;
        Ok(Projection { weight, bias })
    }

    pub(super) fn upload_linear(&self, Projection { weight, bias }: Projection) -> Linear {
        let weight = match self.precision {
            Precision::F32 => weight.upload(self.device, self.precision).transpose(),
            // Blocks are rows of the matrix as it is used.
            packed => weight.transposed().upload(self.device, packed),
        };
        Linear {
            weight,
            bias: bias.map(|bias| self.upload(bias)),
        }
    }

    /// The last projection, laid out anew as `[in, out]`: a product with the wide side inside is half as fast
    /// again as with a transposed view, and its way back no slower (`cargo xtask bench`).
    pub(super) async fn down(&mut self, name: &str, config: &Config) -> Result<Linear, ModelError> {
        let (d_model, d_mlp) = (config.d_model, config.d_mlp);
        let weight = self.matrix(name, [d_model, d_mlp]).await?;
        let weight = weight.transposed().upload(self.device, self.precision);
        let bias = self.bias(name, d_model, config.mlp_bias).await?;
        Ok(Linear {
            weight,
            bias: bias.map(|bias| self.upload(bias)),
        })
    }

    /// A table in pieces of whole rows.
    pub(super) async fn table(
        &mut self,
        name: &str,
        rows: usize,
        width: usize,
    ) -> Result<Table, ModelError> {
        let name = self.in_file(&format!("{name}.weight")).to_owned();
        self.check(&name, &[rows, width])?;
        let most = match self.precision {
            Precision::F32 => self.piece_bytes,
            // While it is packed a piece is there twice, and while it is used once, in f32.
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
