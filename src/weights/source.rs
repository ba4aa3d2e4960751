//! Where a weight file's bytes come from: read by ranges, never whole.

use std::future::Future;
use std::pin::Pin;

use super::WeightsError;

/// A reading of one range.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, WeightsError>> + 'a>>;

/// A file that can be read by ranges.
pub trait ByteSource {
    /// Size in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly `length` bytes from `offset`.
    fn read(&self, offset: u64, length: usize) -> Reading<'_>;
}

/// Checks a range against a file's size before anything is allocated.
///
/// # Errors
///
/// [`WeightsError::Range`].
pub fn check_range(offset: u64, length: usize, size: u64) -> Result<(), WeightsError> {
    match offset.checked_add(length as u64) {
        Some(end) if end <= size => Ok(()),
        _ => Err(WeightsError::Range {
            offset,
            length,
            size,
        }),
    }
}

/// Bytes in memory.
pub struct MemorySource(pub Vec<u8>);

impl ByteSource for MemorySource {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, length: usize) -> Reading<'_> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let bytes = rest.get(..length).unwrap_or_default();
        let result = check_range(offset, length, self.len()).map(|()| bytes.to_vec());
        Box::pin(std::future::ready(result))
    }
}

/// A file on disk.
#[cfg(not(target_family = "wasm"))]
pub struct FileSource {
    file: std::cell::RefCell<std::fs::File>,
    size: u64,
}

#[cfg(not(target_family = "wasm"))]
impl FileSource {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn open(path: &std::path::Path) -> std::io::Result<Self> {
        let file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            file: file.into(),
            size,
        })
    }

    fn read_now(&self, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(not(target_family = "wasm"))]
impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, length: usize) -> Reading<'_> {
        let result = check_range(offset, length, self.size).and_then(|()| {
            self.read_now(offset, length)
                .map_err(|error| WeightsError::Read {
                    offset,
                    length,
                    message: error.to_string(),
                })
        });
        Box::pin(std::future::ready(result))
    }
}
