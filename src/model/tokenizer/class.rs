//! What transformers' classes make of the files of a tokenizer where these contradict each other. Whether a space is put
//! before a text, `tokenizer.json` has among its steps, `tokenizer_config.json` as `add_prefix_space`.
//!
//! As transformers 5 decides it. Most of its classes take the steps of `tokenizer.json` as they are; these build them
//! anew, from the setting (`tokenization_gpt2.py`, `tokenization_gpt_neox.py`, `tokenization_qwen2.py`,
//! `tokenization_llama.py`). Where file and setting agree, the file's other steps stay as they are, as with transformers 4 and the
//! `tokenizers` library: transformers 5 drops them there too, such as the separate digits of SmolLM2's file.

use serde_json::{Value as Json, json};

use super::SPACE;
use crate::model::Family;

/// A class of transformers that builds its steps anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Gpt2,
    GptNeox,
    Qwen2,
    Llama,
}

impl Class {
    /// The class that `tokenizer_config.json` names, or else the family's.
    pub(super) fn of(name: Option<&str>, family: Family, file: &mut Json) -> Option<Self> {
        match Self::named(name, family) {
            // transformers takes such a file as it is.
            Some(Self::Llama) if byte_level(&mut file["pre_tokenizer"]).is_some() => None,
            class => class,
        }
    }

    fn named(name: Option<&str>, family: Family) -> Option<Self> {
        if family == Family::Qwen2 {
            // transformers holds what files of this family name for a mistake.
            return Some(Self::Qwen2);
        }
        match name.map(|name| name.strip_suffix("Fast").unwrap_or(name)) {
            Some("GPT2Tokenizer") => Some(Self::Gpt2),
            Some("GPTNeoXTokenizer") => Some(Self::GptNeox),
            Some("Qwen2Tokenizer") => Some(Self::Qwen2),
            Some("LlamaTokenizer") => Some(Self::Llama),
            Some(_) => None,
            None => match family {
                Family::Gpt2 => Some(Self::Gpt2),
                Family::GptNeox => Some(Self::GptNeox),
                Family::Qwen3 => Some(Self::Qwen2),
                _ => None,
            },
        }
    }

    /// The tokens that it names before all others, with those that it has where `tokenizer_config.json` does not say.
    pub(super) fn tokens(self) -> &'static [(&'static str, Option<&'static str>)] {
        const END: Option<&str> = Some("<|endoftext|>");
        match self {
            Self::Gpt2 => &[
                ("unk_token", END),
                ("bos_token", END),
                ("eos_token", END),
                ("pad_token", None),
            ],
            Self::GptNeox => &[
                ("unk_token", END),
                ("bos_token", END),
                ("eos_token", END),
                ("pad_token", Some("<|padding|>")),
            ],
            Self::Qwen2 => &[
                ("unk_token", END),
                ("bos_token", None),
                ("eos_token", END),
                ("pad_token", END),
            ],
            Self::Llama => &[
                ("unk_token", Some("<unk>")),
                ("bos_token", Some("<s>")),
                ("eos_token", Some("</s>")),
            ],
        }
    }

    /// Changes the steps of `tokenizer.json` to those that put a space before a text, or do not, and takes away the tokens
    /// around it that GPT-NeoX's class never adds.
    pub(super) fn settle(self, add_prefix_space: Option<bool>, file: &mut Json) {
        if self == Self::GptNeox {
            file["post_processor"].take();
        }
        let step = byte_level(&mut file["pre_tokenizer"]);
        match (self, step) {
            (Self::Llama, None) => sentencepiece(file, add_prefix_space.unwrap_or(true)),
            (_, None) => {}
            (class, Some(step)) => {
                let wanted = add_prefix_space.unwrap_or(false);
                if step["add_prefix_space"].as_bool().unwrap_or(true) == wanted {
                    return;
                }
                step["add_prefix_space"] = wanted.into();
                if class != Self::Qwen2 {
                    step["use_regex"] = true.into();
                    file["pre_tokenizer"] = step.take();
                }
            }
        }
    }
}

/// The byte-level step, alone or in a sequence.
fn byte_level(step: &mut Json) -> Option<&mut Json> {
    if step["type"] == "ByteLevel" {
        return Some(step);
    }
    let steps = step.get_mut("pretokenizers")?.as_array_mut()?;
    steps.iter_mut().find_map(byte_level)
}

/// The same for SentencePiece's steps: `Metaspace`, or `Prepend` among the normalisers.
fn sentencepiece(file: &mut Json, wanted: bool) {
    let (mut has, mut has_metaspace) = (false, false);
    each_step(&mut file["pre_tokenizer"], &mut |step| {
        if step["type"] == "Metaspace" {
            has |= step["prepend_scheme"] != "never" && step["add_prefix_space"] != false;
            has_metaspace = true;
        }
    });
    each_step(&mut file["normalizer"], &mut |step| {
        has |= step["type"] == "Prepend"
    });
    if has == wanted {
        return;
    }
    each_step(&mut file["pre_tokenizer"], &mut |step| {
        if step["type"] == "Metaspace" {
            step["prepend_scheme"] = if wanted { "first" } else { "never" }.into();
            step["add_prefix_space"].take();
        }
    });
    let normaliser = file["normalizer"].take();
    file["normalizer"] = match (wanted, has_metaspace) {
        (true, true) => normaliser,
        (true, false) => {
            let prepend = json!({ "type": "Prepend", "prepend": SPACE.to_string() });
            let both = [prepend, normaliser]
                .into_iter()
                .filter(|step| !step.is_null());
            json!({ "type": "Sequence", "normalizers": both.collect::<Vec<_>>() })
        }
        (false, _) => without_prepend(normaliser),
    };
}

fn without_prepend(mut step: Json) -> Json {
    if step["type"] == "Prepend" {
        return Json::Null;
    }
    if let Some(steps) = step.get_mut("normalizers").and_then(Json::as_array_mut) {
        let kept = std::mem::take(steps).into_iter().map(without_prepend);
        steps.extend(kept.filter(|step| !step.is_null()));
    }
    step
}

fn each_step(step: &mut Json, with: &mut impl FnMut(&mut Json)) {
    for list in ["normalizers", "pretokenizers"] {
        if let Some(steps) = step.get_mut(list).and_then(Json::as_array_mut) {
            steps.iter_mut().for_each(|step| each_step(step, with));
        }
    }
    with(step);
}
