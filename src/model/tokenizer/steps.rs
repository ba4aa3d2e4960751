//! The steps that a text goes through before its tokens are looked up: the `tokenizers` crate's, but for those whose
//! settings can make it panic, fill the memory, or give up in silence.
//!
//! A regular expression runs here, not in the crate: where one gives up, the crate goes on as if nothing had matched.

use std::cell::RefCell;

use fancy_regex::{Regex, RegexBuilder};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value as Json;
use tokenizers::pattern::{Invert, Pattern};
use tokenizers::{
    NormalizedString, Normalizer, NormalizerWrapper, Offsets, PreTokenizedString, PreTokenizer,
    PreTokenizerWrapper, SplitDelimiterBehavior,
};

use super::{oniguruma, precompiled};

/// Steps back that a search of a regular expression may take at first. Those of published tokenizers take about as many
/// as a text has spaces in a row.
const FEW_STEPS_BACK: usize = 2_000;
/// Steps back that it may take when that was not enough: about a fifth of a second.
const MANY_STEPS_BACK: usize = 1_000_000;
/// How often in one text a search may take so many, so that no text takes for ever.
const MOST_LONG_SEARCHES: usize = 32;
/// Most steps of one kind.
const MOST_STEPS: usize = 64;
/// Longest text, in bytes, that a step may put in.
const LONGEST_TEXT: usize = 1024;
/// Longest pattern, in bytes, as it is written and as it is run: each of its classes takes many times as much memory.
/// Those of published tokenizers have about a thousand.
const LONGEST_PATTERN: usize = 1 << 16;
/// How many times as long as it is the steps may make a text.
const MOST_GROWTH: u64 = 1000;

/// A step that changes a text.
pub(super) enum Normaliser {
    /// Several.
    Sequence(Vec<Self>),
    /// Puts a text in the place of every match.
    Replace(Checked, String),
    /// One of the crate's.
    Other(NormalizerWrapper),
}

/// A step that cuts a text.
pub(super) enum Cutter {
    /// Several.
    Sequence(Vec<Self>),
    /// Cuts at every match, or between matches.
    Split {
        pattern: Checked,
        behaviour: SplitDelimiterBehavior,
        is_inverted: bool,
    },
    /// One of the crate's.
    Other(PreTokenizerWrapper),
}

/// A regular expression that says so when it gives up, and gives up before long.
pub(super) struct Checked {
    quick: Regex,
    patient: Regex,
}

impl Checked {
    /// Of an expression as `tokenizer.json` has it.
    fn new(pattern: &str) -> Result<Self, String> {
        check_length(pattern)?;
        let translated = oniguruma::translated(pattern);
        check_length(&translated)?;
        let with_limit = |limit| {
            let mut builder = RegexBuilder::new(&translated);
            let regex = builder.oniguruma_mode(true).backtrack_limit(limit).build();
            regex.map_err(|error| format!("the pattern `{pattern}`: {error}"))
        };
        Ok(Self {
            quick: with_limit(FEW_STEPS_BACK)?,
            patient: with_limit(MANY_STEPS_BACK)?,
        })
    }

    /// Of the field `pattern`: a regular expression, or a text that is meant as it is written.
    fn of(step: &Json) -> Result<Self, String> {
        match (&step["pattern"]["String"], &step["pattern"]["Regex"]) {
            (Json::String(text), _) => Self::new(&fancy_regex::escape(text)),
            (_, Json::String(pattern)) => Self::new(pattern),
            _ => Err("a step has no pattern".into()),
        }
    }
}

fn check_length(pattern: &str) -> Result<(), String> {
    match pattern.len() {
        length if length > LONGEST_PATTERN => Err(format!(
            "a pattern of {length} bytes; at most {LONGEST_PATTERN} are accepted"
        )),
        _ => Ok(()),
    }
}

impl Pattern for &Checked {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        let gave_up = |why: &dyn std::fmt::Display| {
            format!("a regular expression of the tokenizer gave up on a text: {why}")
        };
        if inside.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let mut pieces = Vec::new();
        let (mut from, mut end_of_last, mut n_long) = (0, None, 0);
        while from <= inside.len() {
            let found = match self.quick.find_from_pos(inside, from) {
                Ok(found) => found,
                Err(_) if n_long == MOST_LONG_SEARCHES => {
                    return Err(gave_up(&"too many long searches").into());
                }
                Err(_) => {
                    n_long += 1;
                    let found = self.patient.find_from_pos(inside, from);
                    found.map_err(|error| gave_up(&error))?
                }
            };
            let Some((start, end)) = found.map(|found| (found.start(), found.end())) else {
                break;
            };
            from = end;
            if start == end {
                let next = inside.get(end..).and_then(|rest| rest.chars().next());
                from += next.map_or(1, char::len_utf8);
                // None right after another match.
                if end_of_last == Some(end) {
                    continue;
                }
            }
            let before = end_of_last.unwrap_or(0);
            if before != start {
                pieces.push(((before, start), false));
            }
            pieces.push(((start, end), true));
            end_of_last = Some(end);
        }
        let rest = end_of_last.unwrap_or(0);
        if rest != inside.len() {
            pieces.push(((rest, inside.len()), false));
        }
        Ok(pieces)
    }
}

/// The pieces that a step cuts a text into, those marked that it takes away. The crate makes the same of matches, but
/// panics on pieces without text, which are left out here: such a match cuts between what is before and after it.
struct Pieces<'a> {
    pattern: &'a Checked,
    behaviour: SplitDelimiterBehavior,
    is_inverted: bool,
}

impl Pattern for Pieces<'_> {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        let found = match self.is_inverted {
            true => Invert(self.pattern).find_matches(inside)?,
            false => self.pattern.find_matches(inside)?,
        };
        let joins = |before: bool, is_match: bool| match self.behaviour {
            SplitDelimiterBehavior::Isolated | SplitDelimiterBehavior::Removed => false,
            SplitDelimiterBehavior::MergedWithPrevious => !before && is_match,
            SplitDelimiterBehavior::MergedWithNext => before && !is_match,
            SplitDelimiterBehavior::Contiguous => before == is_match,
        };
        let is_removed = self.behaviour == SplitDelimiterBehavior::Removed;
        let mut pieces: Vec<(Offsets, bool)> = Vec::with_capacity(found.len());
        let mut before = false;
        for ((start, end), is_match) in found {
            match pieces.last_mut() {
                Some(((_, end_of_last), _)) if joins(before, is_match) => *end_of_last = end,
                _ => pieces.push(((start, end), is_removed && is_match)),
            }
            before = is_match;
        }
        pieces.retain(|((start, end), _)| start < end);
        Ok(pieces)
    }
}

thread_local! {
    /// Why a step that changes a text failed: the crate does not hand it on, and takes the text as it was.
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Why a step that changes a text failed since this was asked last.
pub(super) fn failure() -> Option<String> {
    FAILURE.take()
}

impl Normalizer for Normaliser {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        match self {
            Self::Sequence(steps) => steps.iter().try_for_each(|step| step.normalize(text)),
            Self::Replace(pattern, content) => text.replace(pattern, content),
            Self::Other(step) => step.normalize(text),
        }
        .inspect_err(|error| FAILURE.set(Some(error.to_string())))
    }
}

impl PreTokenizer for Cutter {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        match self {
            Self::Sequence(steps) => steps.iter().try_for_each(|step| step.pre_tokenize(text)),
            Self::Split {
                pattern,
                behaviour,
                is_inverted,
            } => {
                let pieces = || Pieces {
                    pattern,
                    behaviour: *behaviour,
                    is_inverted: *is_inverted,
                };
                text.split(|_, part| part.split(pieces(), SplitDelimiterBehavior::Removed))
            }
            Self::Other(step) => step.pre_tokenize(text),
        }
    }
}

impl Normaliser {
    fn from_json(step: &Json) -> Result<Self, String> {
        Ok(match kind(step)? {
            "Sequence" => Self::Sequence(each(step, "normalizers", Self::from_json)?),
            "Replace" => Self::Replace(Checked::of(step)?, text(step, "content")?.to_owned()),
            _ => Self::Other(of_crate(step)?),
        })
    }
}

impl Cutter {
    fn from_json(step: &Json) -> Result<Self, String> {
        Ok(match kind(step)? {
            "Sequence" => Self::Sequence(each(step, "pretokenizers", Self::from_json)?),
            "Split" => Self::Split {
                pattern: Checked::of(step)?,
                behaviour: of_crate(&step["behavior"])?,
                is_inverted: step["invert"].as_bool().unwrap_or(false),
            },
            _ => Self::Other(of_crate(step)?),
        })
    }
}

impl<'de> Deserialize<'de> for Normaliser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Json::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Cutter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Json::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Cutter {
    /// Every match of a regular expression is a piece.
    pub(super) fn isolating(pattern: &str) -> Result<Self, String> {
        Ok(Self::Split {
            pattern: Checked::new(pattern)?,
            behaviour: SplitDelimiterBehavior::Isolated,
            is_inverted: false,
        })
    }
}

fn kind(step: &Json) -> Result<&str, String> {
    let kind = step["type"].as_str();
    kind.ok_or_else(|| "a step of the tokenizer has no `type`".into())
}

fn each<T>(
    step: &Json,
    list: &str,
    read: impl Fn(&Json) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let steps = step[list].as_array();
    let steps = steps.ok_or_else(|| format!("a sequence of steps has no `{list}`"))?;
    steps.iter().map(read).collect()
}

fn text<'a>(step: &'a Json, field: &str) -> Result<&'a str, String> {
    let text = step[field].as_str();
    text.ok_or_else(|| format!("a step of the tokenizer has no `{field}`"))
}

fn of_crate<T: serde::de::DeserializeOwned>(step: &Json) -> Result<T, String> {
    T::deserialize(step).map_err(|error| error.to_string())
}

/// How many times as long as it is the steps of `normalizer`, `pre_tokenizer` or `decoder` may make a text, where they
/// can be run at all.
///
/// # Errors
///
/// Names the step that the crate would panic on, that grows a text too far, or that is one too many.
pub(super) fn growth(step: &Json) -> Result<u64, String> {
    let mut steps = Vec::new();
    collect(step, &mut steps)?;
    let mut factors = steps.iter().map(|step| factor(step));
    let growth = factors.try_fold(1u64, |all, factor| {
        Ok::<_, String>(all.saturating_mul(factor?))
    })?;
    match growth {
        growth if growth > MOST_GROWTH => Err(format!(
            "its steps (`Replace` and others) could make a text {growth} times as long; at most {MOST_GROWTH} times is accepted"
        )),
        growth => Ok(growth),
    }
}

/// The single steps of a sequence.
fn collect<'a>(step: &'a Json, steps: &mut Vec<&'a Json>) -> Result<(), String> {
    if step.is_null() {
        return Ok(());
    }
    let lists = ["normalizers", "pretokenizers", "decoders"];
    let nested = lists.iter().filter_map(|list| step[*list].as_array());
    for nested in nested.flatten() {
        collect(nested, steps)?;
    }
    if kind(step)? != "Sequence" {
        steps.push(step);
    }
    match steps.len() {
        count if count > MOST_STEPS => Err(format!("more than {MOST_STEPS} steps in a row")),
        _ => Ok(()),
    }
}

fn factor(step: &Json) -> Result<u64, String> {
    let put_in = |field: &str| match text(step, field)?.len() {
        length if length > LONGEST_TEXT => Err(format!(
            "a step puts in a text of {length} bytes; at most {LONGEST_TEXT} are accepted"
        )),
        length => Ok(length as u64),
    };
    let patterns = ["String", "Regex"].map(|kind| step["pattern"][kind].as_str());
    patterns.into_iter().flatten().try_for_each(check_length)?;
    Ok(match kind(step)? {
        "Replace" => match step["pattern"]["String"].as_str() {
            Some("") => return Err("a step has an empty pattern".into()),
            Some(pattern) => put_in("content")?.div_ceil(pattern.len() as u64).max(1),
            None => match step["pattern"]["Regex"].as_str() {
                Some("") => return Err("a step has an empty pattern".into()),
                Some(pattern) if !oniguruma::may_be_empty(pattern) => put_in("content")?.max(1),
                // It may match the empty text before every character.
                _ => 1 + put_in("content")?,
            },
        },
        "Split"
            if ["String", "Regex"]
                .iter()
                .any(|kind| step["pattern"][kind] == "") =>
        {
            return Err("a step has an empty pattern".into());
        }
        "Prepend" => 1 + put_in("prepend")?,
        "Metaspace" => 4,
        "ByteLevel" => 2,
        "Precompiled" => precompiled::longest(step)?.max(1) as u64,
        "FixedLength" if step["length"] == 0 => {
            return Err("a `FixedLength` step with pieces of length 0".into());
        }
        // The crate takes away more than there is.
        "Strip" if step["stop"].as_u64().is_some_and(|stop| stop > 0) => {
            return Err("a `Strip` step with a `stop`".into());
        }
        _ => 1,
    })
}
