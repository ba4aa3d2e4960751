//! A decoder's weights as a safetensors file, with the names and layout of transformers.

use burn::tensor::Tensor;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::names::Naming;
use super::run::read;
use super::{Decoder, ModelError};

impl Decoder {
    /// The weights in f32; a tied output projection is left out.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] when a weight cannot be read or is no number.
    pub async fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        let (mut vectors, mut matrices) = (Vec::new(), Vec::new());
        self.map(
            self.device(),
            |name, weight| {
                vectors.push((name.to_owned(), weight.clone()));
                weight
            },
            |name, weight| {
                matrices.push((name.to_owned(), weight.clone()));
                weight
            },
        );
        let mut stored = Vec::with_capacity(vectors.len() + matrices.len());
        for (name, weight) in vectors {
            stored.push(bytes_of(name, weight).await?);
        }
        for (name, weight) in matrices {
            // Projections are kept as [in, out], and stored as [out, in].
            let is_table = name == Naming::HuggingFace.embed_tokens();
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
