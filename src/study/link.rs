//! A study in the fragment of a URL: versioned, compressed, never sent to any server.
//!
//! `s1.` and then the JSON of [`Shared`], deflated, in URL-safe base64 without padding.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use super::reproduction::Expected;
use super::{Study, StudyError};

/// What a link carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    /// The study.
    pub study: Study,
    /// What whoever made the link found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

const PREFIX: &str = "s1.";
/// Largest document accepted, in bytes after decompression.
const LARGEST: u64 = 8 << 20;

/// Whether a text, without `#`, is a fragment of this or of another version, which [`decode`] refuses by name.
pub fn is_fragment(text: &str) -> bool {
    let version = text.strip_prefix('s').and_then(|rest| rest.split_once('.'));
    version.is_some_and(|(version, _)| version.parse::<u32>().is_ok())
}

/// The fragment for a study, without `#`.
///
/// # Errors
///
/// [`StudyError::Link`] when the study cannot be written.
pub fn encode(shared: &Shared) -> Result<String, StudyError> {
    let fail = |error: &dyn std::fmt::Display| StudyError::Link(error.to_string());
    let json = serde_json::to_vec(shared).map_err(|error| fail(&error))?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&json).map_err(|error| fail(&error))?;
    let bytes = encoder.finish().map_err(|error| fail(&error))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Reads a fragment, with or without `#`.
///
/// # Errors
///
/// [`StudyError::Link`] for anything that is not a link of this version, or that unpacks to more than
/// 8 MiB; [`StudyError::Document`] for a study that contradicts itself.
pub fn decode(fragment: &str) -> Result<Shared, StudyError> {
    let fail = |message: &str| StudyError::Link(message.to_owned());
    let fragment = fragment.trim_start_matches('#');
    let Some(text) = fragment.strip_prefix(PREFIX) else {
        return Err(fail(
            "not a link of this version (it must begin with `s1.`)",
        ));
    };
    let bytes = URL_SAFE_NO_PAD
        .decode(text.trim())
        .map_err(|_| fail("damaged or cut off (not base64)"))?;
    let mut json = Vec::new();
    let mut decoder = DeflateDecoder::new(bytes.as_slice());
    (&mut decoder)
        .take(LARGEST + 1)
        .read_to_end(&mut json)
        .map_err(|_| fail("damaged or cut off (not deflated data)"))?;
    if json.len() as u64 > LARGEST {
        return Err(fail("larger than 8 MiB"));
    }
    if decoder.total_in() != bytes.len() as u64 {
        return Err(fail("damaged (something follows its end)"));
    }
    let shared: Shared = serde_json::from_slice(&json)
        .map_err(|error| StudyError::Link(format!("its study cannot be read: {error}")))?;
    shared.study.check()?;
    Ok(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        let study = r#"{"format":"secateur-study","version":1,"model":{"id":"m","sha256":"0"},
            "item_sets":[{"name":"a","roles":["test"],"items":
            [{"id":"1","context":"é?","choices":["a","b"],"gold":1}]}],"template":"plain@1"}"#;
        Shared {
            study: Study::from_json(study).unwrap(),
            expected: None,
        }
    }

    #[test]
    fn a_link_carries_a_study_there_and_back() {
        let fragment = encode(&shared()).unwrap();
        assert!(fragment.starts_with("s1."));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(fragment.chars().all(allowed));
        assert_eq!(decode(&format!("#{fragment}")).unwrap(), shared());
    }

    #[test]
    fn a_damaged_link_is_an_error_and_not_another_study() {
        let fragment = encode(&shared()).unwrap();
        for damaged in [
            "",
            "s2.AAAA",
            "s1.",
            "s1.!!!!",
            &fragment[..fragment.len() / 2],
        ] {
            assert!(decode(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_link_that_unpacks_without_end_is_refused() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder
            .write_all(&vec![b' '; LARGEST as usize + 2])
            .unwrap();
        let bomb = format!("s1.{}", URL_SAFE_NO_PAD.encode(encoder.finish().unwrap()));
        assert!(decode(&bomb).unwrap_err().to_string().contains("8 MiB"));
    }
}
