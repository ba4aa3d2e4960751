//! Weight files that the page holds as `Blob`s, on disk until a range is read.

use std::future::Future;
use std::pin::Pin;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use crate::weights::{ByteSource, WeightsError};

/// A `Blob` or `File`.
pub struct BlobSource(pub Blob);

impl ByteSource for BlobSource {
    fn len(&self) -> u64 {
        self.0.size() as u64
    }

    fn read(
        &self,
        offset: u64,
        length: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, WeightsError>> + '_>> {
        Box::pin(async move {
            let fail = |what: &str| WeightsError::Read {
                offset,
                length,
                message: what.to_owned(),
            };
            let end = offset as f64 + length as f64;
            let part = self
                .0
                .slice_with_f64_and_f64(offset as f64, end)
                .map_err(|_| fail("cannot slice the file"))?;
            let buffer = JsFuture::from(part.array_buffer()).await.map_err(|_| {
                fail("the browser cannot read the file (was it changed or removed?)")
            })?;
            let buffer: ArrayBuffer = buffer.dyn_into().map_err(|_| fail("no bytes"))?;
            let bytes = Uint8Array::new(&buffer).to_vec();
            if bytes.len() == length {
                Ok(bytes)
            } else {
                Err(fail("the file ends before that"))
            }
        })
    }
}

/// All bytes of a small file.
pub async fn read_all(blob: &Blob) -> Result<Vec<u8>, WeightsError> {
    let source = BlobSource(blob.clone());
    let length = usize::try_from(source.len()).unwrap_or(usize::MAX);
    source.read(0, length).await
}
