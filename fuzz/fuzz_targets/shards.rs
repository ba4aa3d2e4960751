//! An index and two shards, each behind its length in two bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::weights::{ByteSource, MemorySource, WeightFile};

fn part<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, rest)) = data.split_first_chunk::<2>() else {
        return std::mem::take(data);
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (part, rest) = rest.split_at(length);
    *data = rest;
    part
}

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let index = part(&mut rest);
    let shards = [1, 2].map(|number| {
        let bytes = part(&mut rest).to_vec();
        let source: Box<dyn ByteSource> = Box::new(MemorySource(bytes));
        (format!("model-0000{number}-of-00002.safetensors"), source)
    });
    let Ok(file) = pollster::block_on(WeightFile::open_sharded(index, shards.into())) else {
        return;
    };
    for tensor in file.tensors() {
        let _ = pollster::block_on(file.read_f32(&tensor.name));
    }
});
