//! SentencePiece's map of characters (`Precompiled` in `tokenizer.json`): a trie of bytes, then the texts that it leads to.
//!
//! After `spm_precompiled`, which the `tokenizers` crate reads it with and which indexes without a check: everything
//! that a text can lead to is looked at here first.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// Largest map accepted, in bytes; that of XLM-RoBERTa has about 240,000.
const MAX_BYTES: usize = 2 << 20;

/// Checks the map of a `Precompiled` step and returns the bytes of the longest text that it puts in a character's place.
pub(super) fn longest(step: &Json) -> Result<usize, String> {
    let wrong = |what: &str| format!("the `precompiled_charsmap` of a `Precompiled` step {what}");
    let text = step["precompiled_charsmap"]
        .as_str()
        .ok_or_else(|| wrong("is missing"))?;
    if text.len() > MAX_BYTES / 3 * 4 {
        return Err(wrong("is too large"));
    }
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| wrong(&format!("is not base64: {error}")))?;
    let (size, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| wrong("is empty"))?;
    let size = u32::from_le_bytes(*size) as usize / 4 * 4;
    let (trie, texts) = rest
        .split_at_checked(size)
        .filter(|_| size > 0)
        .ok_or_else(|| wrong("has no trie, or one that is cut off"))?;
    let texts = std::str::from_utf8(texts).map_err(|_| wrong("holds texts that are not UTF-8"))?;
    let units: Vec<u32> = trie
        .chunks_exact(4)
        .filter_map(|bytes| bytes.try_into().ok().map(u32::from_le_bytes))
        .collect();
    longest_text(&units, texts).ok_or_else(|| wrong("leads outside itself"))
}

/// The longest text that the trie leads to, or `None` where it leads outside itself.
fn longest_text(units: &[u32], texts: &str) -> Option<usize> {
    let mut is_seen = vec![false; units.len()];
    let mut open = vec![offset(*units.first()?)];
    let mut longest = 0;
    while let Some(node) = open.pop() {
        for byte in 1..=u32::from(u8::MAX) {
            let place = (node ^ byte) as usize;
            let unit = *units.get(place)?;
            if unit & (1 << 31 | 0xff) != byte {
                continue;
            }
            let next = place as u32 ^ offset(unit);
            let seen = is_seen.get_mut(next as usize)?;
            if unit >> 8 & 1 == 1 {
                let start = (*units.get(next as usize)? & !(1 << 31)) as usize;
                let text = texts.get(start..)?;
                longest = longest.max(text.find('\0').unwrap_or(text.len()));
            }
            if !std::mem::replace(seen, true) {
                open.push(next);
            }
        }
    }
    Some(longest)
}

/// Where the children of a unit's node are, relative to it.
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & (1 << 9)) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(trie: &[u32], texts: &str) -> Json {
        let mut bytes = (4 * trie.len() as u32).to_le_bytes().to_vec();
        bytes.extend(trie.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(texts.as_bytes());
        serde_json::json!({ "precompiled_charsmap": STANDARD.encode(bytes) })
    }

    /// A trie of 256 units in which `a` leads to the text at `start`.
    fn trie(start: u32) -> Vec<u32> {
        let mut units = vec![0; 256];
        // The root's children are at 0, and the leaf of `a` (97) at 97 ^ 1.
        units[97] = 97 | 1 << 8 | 1 << 10;
        units[96] = 1 << 31 | start;
        units
    }

    #[test]
    fn a_whole_map_says_its_longest_text_and_a_wrong_one_is_refused() {
        assert_eq!(longest(&map(&trie(0), "bc\0")), Ok(2));
        assert_eq!(longest(&map(&trie(1), "bc\0")), Ok(1));
        for (wrong, what) in [
            (serde_json::json!({}), "missing"),
            (serde_json::json!({ "precompiled_charsmap": "" }), "empty"),
            (serde_json::json!({ "precompiled_charsmap": "?" }), "base64"),
            (map(&[], ""), "no trie"),
            (map(&[0], ""), "outside itself"),
            (map(&trie(9), "bc\0"), "outside itself"),
            // The middle of a character.
            (map(&trie(1), "ä\0"), "outside itself"),
            (map(&[1 << 30; 256], ""), "outside itself"),
        ] {
            let error = longest(&wrong).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        // A trie that says it is larger than the file.
        let cut = STANDARD.encode(u32::MAX.to_le_bytes());
        let error = longest(&serde_json::json!({ "precompiled_charsmap": cut })).unwrap_err();
        assert!(error.contains("cut off"), "{error}");
    }
}
