//! `tokenizer.json`, then a text and what it becomes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secateur::model::Tokenizer;

// In a thread of its own: the `tokenizers` crate keeps every tokenizer's words as long as the thread lives.
fuzz_target!(|data: &[u8]| std::thread::scope(|scope| drop(scope.spawn(|| read(data)).join())));

fn read(data: &[u8]) {
    if let Ok(tokenizer) = Tokenizer::from_json(data)
        && let Ok((prompt, _)) = tokenizer.encode_pair("The cat, 12 🙂 <s>\n", " mat")
    {
        let _ = tokenizer.decode(&prompt);
        prompt.iter().for_each(|&id| drop(tokenizer.token_text(id)));
    }
    let base =
        br#"{"version":"1.0","model":{"type":"WordLevel","vocab":{"<s>":0},"unk_token":"<s>"}}"#;
    let base = Tokenizer::from_json(base).expect("a tokenizer of one word");
    let _ = base.with_config(data);
}
