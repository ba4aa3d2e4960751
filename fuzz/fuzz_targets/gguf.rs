//! A GGUF file: metadata, tensor table, every tensor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::weights::gguf::Value;
use secateur::weights::{MemorySource, WeightFile};

fuzz_target!(|data: &[u8]| {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(data);
    let Ok(file) = pollster::block_on(WeightFile::open(Box::new(MemorySource(bytes)))) else {
        return;
    };
    let metadata = file.metadata().expect("a GGUF file has metadata");
    for key in metadata.keys() {
        let Some(Value::Array(array)) = metadata.get(key) else {
            continue;
        };
        let strings = array.strings().map(Iterator::count);
        let scalars = array.scalars().map(Iterator::count);
        assert_eq!(strings.or(scalars), Some(array.len()));
    }
    for tensor in file.tensors() {
        let _ = pollster::block_on(file.read_f32(&tensor.name));
    }
});
