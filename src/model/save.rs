//! A decoder's weights as a safetensors file, with the names and layout of transformers.

use burn::tensor::Tensor;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::family::list::Layout;
use super::run::read;
use super::{Decoder, ModelError};
use crate::kernels::plain::unpacked;
use crate::weights::WeightKind;

impl Decoder {
    /// The weights in f32; a tied output projection is left out.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unsupported`] for a family whose files hold its weights in another form,
    /// [`ModelError::Device`] when a weight cannot be read or is no number.
    pub async fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let weights = self.config.weights;
        let mut layouts = self
            .config
            .every_weight()
            .map(|(_, weight)| weight.in_file(WeightKind::Safetensors).layout);
        if layouts.any(|layout| layout != Layout::Plain) {
            let family = self.config.family.name();
            return Err(ModelError::Unsupported(format!("storing a {family} model")));
        }
        let tables = [&weights.embedding, &weights.lm_head].map(|weight| {
            let name = weight.in_file(WeightKind::Safetensors).name;
            format!("{name}.weight")
        });
        let mut vectors = Vec::new();
        let mut matrices: Vec<(String, Tensor<2>)> = Vec::new();
        self.map(
            self.device(),
            |name, weight| {
                vectors.push((name.to_owned(), weight.clone()));
                weight
            },
            |name, weight| {
                let in_f32 = unpacked(&weight);
                match matrices.last_mut() {
                    // A table in pieces.
                    Some((last, rows)) if last == name => {
                        *rows = Tensor::cat(vec![rows.clone(), in_f32], 0);
                    }
                    _ => matrices.push((name.to_owned(), in_f32)),
                }
                weight
            },
        );
        let mut stored = Vec::with_capacity(vectors.len() + matrices.len());
        for (name, weight) in vectors {
            stored.push(bytes_of(name, weight).await?);
        }
        for (name, weight) in matrices {
            // Projections are kept as [in, out], and stored as [out, in].
            let is_table = tables.contains(&name);
            let weight = if is_table { weight } else { weight.transpose() };
            stored.push(bytes_of(name, weight).await?);
        }
        let fail = |error: safetensors::SafeTensorError| ModelError::Config(error.to_string());
        let views = stored
            .iter()
            .map(|(name, shape, bytes)| {
                let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(fail)?;
                Ok((name.as_str(), view))
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let format = [("format".to_owned(), "pt".to_owned())];
        safetensors::serialize(views, Some(format.into())).map_err(fail)
    }
}

async fn bytes_of<const D: usize>(
    name: String,
    weight: Tensor<D>,
) -> Result<(String, Vec<usize>, Vec<u8>), ModelError> {
    let shape = weight.dims().to_vec();
    let values = read(weight).await?;
    Ok((
        name,
        shape,
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    ))
}
