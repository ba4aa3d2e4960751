//! A study in the fragment of a URL: versioned, compressed, never sent to any server.
//!
//! `s1.` and then the JSON of [`Shared`], deflated, in URL-safe base64 without padding. A link is found in what mail
//! programs and chats make of it: in brackets, followed by a full stop, wrapped into lines, percent-encoded.

use std::io::{Read, Write};

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use super::reproduction::Expected;
use super::specification::Head;
use super::{Report, Study, StudyError, report};

/// What a link carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SharedStudy"))]
pub struct Shared {
    /// The study.
    pub study: Study,
    /// What whoever made the link found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// The version that is written and read.
const VERSION: u32 = 1;
/// How often an address may be percent-encoded.
const MOST_ENCODINGS: usize = 3;
/// Largest document accepted, in bytes after decompression.
const LARGEST: u64 = 8 << 20;
/// What follows a link may look like a part of it: its last character need not come out even.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    NO_PAD.with_decode_allow_trailing_bits(true),
);

impl Shared {
    /// A study's or a report's document as what a link would carry of it.
    ///
    /// # Errors
    ///
    /// [`StudyError`] for another document, one of another version, and one that contradicts itself.
    pub fn from_document(text: &str) -> Result<Self, StudyError> {
        let Head { format, .. } =
            serde_json::from_str(text).map_err(|error| StudyError::Document(error.to_string()))?;
        if format != report::FORMAT {
            return Ok(Self {
                study: Study::from_json(text)?,
                expected: None,
            });
        }
        let report = Report::from_json(text)?;
        let expected = Some(Expected::of_report(&report));
        Ok(Self {
            study: report.study,
            expected,
        })
    }
}

/// A link as it was found in a text.
struct Found {
    version: u32,
    /// Base64 that begins after the version, with all that follows it directly or in further lines and words.
    text: String,
    /// How much of it there was before each white space.
    words: Vec<usize>,
}

impl Found {
    /// The first link of a text: at its beginning, or behind a `#`. Mail gateways put an address into another one, where
    /// it is encoded once more.
    fn in_text(text: &str) -> Option<Self> {
        let mut plain = text.to_owned();
        (0..MOST_ENCODINGS).find_map(|_| {
            plain = percent_decoded(&plain);
            let after_sign = plain.match_indices('#').map(|(at, _)| &plain[at + 1..]);
            let start = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            after_sign.chain([start]).find_map(Self::at_start)
        })
    }

    fn at_start(text: &str) -> Option<Self> {
        let (version, rest) = text.trim_start().strip_prefix('s')?.split_once('.')?;
        let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        let mut found = Self {
            version: version.parse().ok().filter(|_| is_number)?,
            text: String::new(),
            words: Vec::new(),
        };
        let mut is_line_start = false;
        let mut rest = rest.chars().peekable();
        while let Some(char) = rest.next() {
            // Mail is quoted by `>` or `|` at the start of its lines, and encoded with `=` at their end.
            let is_quoting = is_line_start && matches!(char, '>' | '|');
            let is_break = char == '=' && matches!(rest.peek(), Some('\r' | '\n'));
            if char.is_ascii_alphanumeric() || matches!(char, '-' | '_') {
                found.text.push(char);
                is_line_start = false;
            } else if char.is_whitespace() || is_quoting || is_break {
                found.words.push(found.text.len());
                is_line_start |= matches!(char, '\r' | '\n');
            } else if !is_invisible(char) {
                break;
            }
        }
        Some(found)
    }
}

/// Characters without a width that some programs put where a long word may be broken.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
    )
}

/// `%23` becomes `#`; what is no such code stays.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let code = code.filter(|code| code.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) => {
                plain.push(decoded);
                at += 3;
            }
            None => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Whether a text holds a link of this or of another version, which [`decode`] refuses by name.
pub fn is_link(text: &str) -> bool {
    Found::in_text(text).is_some()
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
    Ok(format!("s{VERSION}.{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Reads a link, or its fragment, with or without `#`.
///
/// # Errors
///
/// [`StudyError::Link`] for anything that is no link, is damaged or unpacks to more than 8 MiB; [`StudyError::LinkVersion`]
/// for one of another version; [`StudyError::Document`] and [`StudyError::LinkContradicts`] for a study and for results
/// that contradict themselves.
pub fn decode(text: &str) -> Result<Shared, StudyError> {
    let fail = |message: String| StudyError::Link(message);
    let found = Found::in_text(text)
        .ok_or_else(|| fail(format!("not a link (it begins with `s{VERSION}.`)")))?;
    if found.version != VERSION {
        let age = match found.version > VERSION {
            true => "a newer version, which this one cannot read: get that one",
            false => "another version",
        };
        return Err(StudyError::LinkVersion(format!(
            "`s{}.` is of {age} (this one reads `s{VERSION}.`)",
            found.version
        )));
    }
    let shared: Shared = serde_json::from_str(&unpacked(&found)?)
        .map_err(|error| fail(format!("its study cannot be read: {error}")))?;
    shared.study.check()?;
    if let Some(expected) = &shared.expected {
        expected
            .check(&shared.study)
            .map_err(StudyError::LinkContradicts)?;
    }
    Ok(shared)
}

/// The document of a link. It says itself where it ends: words that follow are not its.
fn unpacked(found: &Found) -> Result<String, StudyError> {
    let fail = |message: &str| StudyError::Link(message.to_owned());
    let text = found.text.as_bytes();
    // A single character makes no byte: it can only be of what follows.
    let (whole, _) = text.split_at(text.len() - usize::from(text.len() % 4 == 1));
    let bytes = BASE64
        .decode(whole)
        .map_err(|_| fail("damaged or cut off (not base64)"))?;
    let mut json = String::new();
    let mut decoder = DeflateDecoder::new(bytes.as_slice());
    (&mut decoder)
        .take(LARGEST + 1)
        .read_to_string(&mut json)
        .map_err(|_| fail("damaged or cut off (not deflated data)"))?;
    if json.len() as u64 > LARGEST {
        return Err(fail("larger than 8 MiB"));
    }
    let length = (decoder.total_in() as usize * 8).div_ceil(6);
    if length != text.len() && !found.words.contains(&length) {
        return Err(fail("damaged (something follows its end)"));
    }
    Ok(json)
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

    /// As copied out of mails and chats.
    #[test]
    fn a_link_is_read_from_what_programs_make_of_it() {
        let fragment = encode(&shared()).unwrap();
        let url = format!("https://example.org/secateur/?device=wasm#{fragment}");
        let lines = |width: usize, end: &str| -> String {
            let chars: Vec<char> = url.chars().collect();
            let lines = chars.chunks(width).map(|line| line.iter().collect());
            lines.collect::<Vec<String>>().join(end)
        };
        let percent = |c: char| match c {
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c => format!("%{:02X}", u32::from(c)),
        };
        let mut texts = vec![
            format!("<{url}>"),
            format!("\u{2039}{url}\u{203a}"),
            format!("({url})."),
            format!("see {url}, please"),
            format!("{url} and tell me what you think"),
            format!("\"{url}\""),
            format!("{url}?utm_source=mail"),
            format!("{url}&utm_source=mail"),
            format!("  {url}\n"),
            url.chars().map(percent).collect(),
            url.replace('#', "%23"),
            format!(
                "https://example.com/?url={}&id=1",
                url.replace('#', "%2523")
            ),
            format!("[my study]({url})"),
            format!("<{url}|my study>"),
            format!("<{fragment}>"),
            format!("%23{fragment}"),
            format!("{}\u{200b}{}", &url[..80], &url[80..]),
        ];
        for width in [60, 72, 76] {
            for end in [
                "\n", "\r\n", "\n ", "\n> ", "\n> > ", "\n | ", "=\r\n", "%20", "%0A",
            ] {
                texts.push(format!("<{}>.", lines(width, end)));
                texts.push(format!("{}\nBest wishes", lines(width, end)));
                texts.push(format!("{}\na", lines(width, end)));
            }
        }
        for text in texts {
            assert!(is_link(&text), "{text}");
            assert_eq!(decode(&text).unwrap(), shared(), "{text}");
        }
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
            &format!("{}!{}", &fragment[..20], &fragment[20..]),
            &format!("{fragment}AAAAAAAA"),
            &format!("{fragment}A"),
        ] {
            assert!(decode(damaged).is_err(), "{damaged}");
        }
        assert!(!is_link("https://example.org/s1.html"));
        assert!(!is_link("#section1.2"));
    }

    #[test]
    fn a_link_of_another_version_is_told_by_its_version() {
        for newer in ["s2.AAAA", "#s12.AAAA", "https://example.org/#s2.AAAA"] {
            assert!(is_link(newer));
            let message = decode(newer).unwrap_err().to_string();
            assert!(message.contains("newer version"), "{message}");
        }
    }

    #[test]
    fn a_study_or_a_report_is_what_a_link_would_carry() {
        let text = serde_json::to_string(&shared().study).unwrap();
        assert_eq!(Shared::from_document(&text).unwrap(), shared());
        for other in ["", "[]", "{}", r#"{"format":"secateur-mask","version":1}"#] {
            assert!(Shared::from_document(other).is_err(), "{other}");
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
