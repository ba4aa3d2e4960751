//! A GGUF model split into several files by llama.cpp (`gguf-split`): `{stem}-00001-of-00003.gguf` and so on. Each part is a
//! GGUF file that says which one it is; the first has the model's metadata.

use super::gguf::{Metadata, Value};
use super::source::ByteSource;
use super::{TensorInfo, WeightFile, WeightKind, WeightsError, check_layout, gguf};

/// Largest number of parts accepted.
pub const MAX_PARTS: usize = 1000;
/// Most missing parts that are named.
const MOST_NAMED: usize = 8;

/// One part of a split model, by its file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartName {
    stem: String,
    /// Which part, counted from 1.
    pub number: usize,
    /// How many parts there are.
    pub count: usize,
}

impl PartName {
    /// Reads `{stem}-00001-of-00003.gguf`.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let five_digits = |text: &str| {
            let is_number = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten()
        };
        let (number, count) = (five_digits(number)?, five_digits(count)?);
        let is_one = (1..=MAX_PARTS).contains(&count) && (1..=count).contains(&number);
        is_one.then(|| Self {
            stem: stem.to_owned(),
            number,
            count,
        })
    }

    /// The file names of all parts.
    pub fn all(&self) -> impl Iterator<Item = String> {
        (1..=self.count).map(|number| self.of(number))
    }

    fn of(&self, number: usize) -> String {
        format!("{}-{number:05}-of-{:05}.gguf", self.stem, self.count)
    }
}

/// Which part a file says it is, counted from 0, and of how many; `None` for a whole model.
fn place(metadata: &Metadata) -> Result<Option<(usize, usize)>, WeightsError> {
    let number = |key| {
        let value = metadata.get(key).and_then(Value::as_u64);
        value.and_then(|value| usize::try_from(value).ok())
    };
    match (number("split.no"), number("split.count")) {
        (_, None | Some(0 | 1)) => Ok(None),
        (Some(part), Some(count)) if part < count && count <= MAX_PARTS => Ok(Some((part, count))),
        (part, Some(count)) => Err(WeightsError::Header(format!(
            "it says that it is part {} of {count}",
            part.map_or_else(|| "(none)".into(), |part| part.to_string())
        ))),
    }
}

/// Files that are missing beside parts of a model, by name where those have the usual ones.
fn missing(name: &str, count: usize, is_there: impl Fn(usize) -> bool) -> Option<WeightsError> {
    let absent: Vec<usize> = (0..count).filter(|&part| !is_there(part)).collect();
    if absent.is_empty() {
        return None;
    }
    let usual = PartName::parse(name).filter(|usual| usual.count == count);
    let call = |&part: &usize| match &usual {
        Some(usual) => usual.of(part + 1),
        None => format!("part {}", part + 1),
    };
    Some(WeightsError::MissingParts {
        name: name.to_owned(),
        count,
        named: absent.iter().take(MOST_NAMED).map(call).collect(),
        more: absent.len().saturating_sub(MOST_NAMED),
    })
}

impl WeightFile {
    /// Checks that the file is a whole model, and no part of one.
    ///
    /// # Errors
    ///
    /// [`WeightsError::MissingParts`]; `name` is the file's.
    pub fn check_whole(&self, name: &str) -> Result<(), WeightsError> {
        let Some(metadata) = self.metadata() else {
            return Ok(());
        };
        let error =
            place(metadata)?.and_then(|(own, count)| missing(name, count, |part| part == own));
        error.map_or(Ok(()), Err)
    }

    /// Reads the headers of all parts of a split GGUF model, named and in any order.
    ///
    /// # Errors
    ///
    /// [`WeightsError::MissingParts`] names those that were not given; [`WeightsError::Header`] when a file is no part of
    /// the same model; the others as [`WeightFile::open`].
    pub async fn open_split(
        files: Vec<(String, Box<dyn ByteSource>)>,
    ) -> Result<Self, WeightsError> {
        let wrong = |message: String| WeightsError::Header(message);
        let mut parts: Vec<Option<Part>> = Vec::new();
        let mut name_of_first = String::new();
        for (name, source) in files {
            let (tensors, metadata) = gguf::read_header(source.as_ref()).await?;
            check_layout(&tensors, source.len())?;
            let Some((part, count)) = place(&metadata)? else {
                return Err(wrong(format!("`{name}` is no part of a split model")));
            };
            if parts.is_empty() {
                parts.resize_with(count, || None);
                name_of_first.clone_from(&name);
            }
            let is_other = parts.len() != count;
            match parts.get_mut(part) {
                Some(place @ None) if !is_other => {
                    *place = Some(Part {
                        source,
                        tensors,
                        metadata,
                    });
                }
                _ => {
                    return Err(wrong(format!(
                        "`{name}` says that it is part {} of {count}, and `{name_of_first}` is of another model",
                        part + 1
                    )));
                }
            }
        }
        let is_there = |part: usize| matches!(parts.get(part), Some(Some(_)));
        if let Some(error) = missing(&name_of_first, parts.len(), is_there) {
            return Err(error);
        }
        let (mut sources, mut tensors, mut metadata) = (Vec::new(), Vec::new(), None);
        for part in parts.into_iter().flatten() {
            let of_part = part.tensors.into_iter().map(|tensor| TensorInfo {
                source: sources.len(),
                ..tensor
            });
            tensors.extend(of_part);
            sources.push(part.source);
            metadata.get_or_insert(part.metadata);
        }
        Self::new(sources, WeightKind::Gguf, tensors, metadata)
    }
}

/// An open part.
struct Part {
    source: Box<dyn ByteSource>,
    tensors: Vec<TensorInfo>,
    metadata: Metadata,
}
