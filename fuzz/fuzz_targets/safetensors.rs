//! A safetensors file: its header, then every tensor, whole and by rows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::weights::{MemorySource, WeightFile};

fuzz_target!(|data: &[u8]| {
    let Ok(file) = pollster::block_on(WeightFile::open(Box::new(MemorySource(data.to_vec()))))
    else {
        return;
    };
    for tensor in file.tensors() {
        let whole = pollster::block_on(file.read_f32(&tensor.name));
        let rows = tensor.shape.first().copied().unwrap_or(0);
        let Ok(values) = pollster::block_on(file.read_rows_f32(&tensor.name, 0..rows)) else {
            continue;
        };
        assert_eq!(whole.unwrap(), values);
    }
});
