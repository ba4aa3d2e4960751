//! Results in forms that others read.
//!
//! - [`mask_file`]: `mask.json`, bound to the study and the results that it came from
//! - [`snippet`]: the same mask for Hugging Face transformers
//! - [`tensors`]: attribution scores as safetensors

pub mod mask_file;
pub mod snippet;
pub mod tensors;

pub use mask_file::MaskFile;

/// Why something could not be written or read back.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The text is no mask file of this version.
    #[error("mask file: {0}")]
    MaskFile(String),
    /// The tensors could not be written.
    #[error("safetensors: {0}")]
    Tensors(String),
}
