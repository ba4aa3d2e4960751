//! A tokenizer in the metadata of a GGUF file, then a text and what it becomes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::model::Tokenizer;
use secateur::weights::{MemorySource, WeightFile};

// In a thread of its own: the `tokenizers` crate keeps every tokenizer's words as long as the thread lives.
fuzz_target!(|data: &[u8]| std::thread::scope(|scope| drop(scope.spawn(|| read(data)).join())));

fn read(data: &[u8]) {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(data);
    let Ok(file) = pollster::block_on(WeightFile::open(Box::new(MemorySource(bytes)))) else {
        return;
    };
    let metadata = file.metadata().expect("a GGUF file has metadata");
    if let Ok(tokenizer) = Tokenizer::from_gguf(metadata)
        && let Ok((prompt, _)) = tokenizer.encode_pair("The cat, 12 🙂 <s>\n", " mat")
    {
        let _ = tokenizer.decode(&prompt);
        prompt.iter().for_each(|&id| drop(tokenizer.token_text(id)));
    }
}
