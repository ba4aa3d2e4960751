//! Every tensor that a configuration asks for, checked against the file before the first is read.

use std::collections::HashSet;

use super::loader::Loader;
use super::report::is_buffer;
use crate::model::{Config, MissingTensor, ModelError};

/// Most missing tensors that are named; the others are counted.
const MOST_NAMED: usize = 20;

/// Values of two tables that are compared at a time.
const COMPARED_VALUES: usize = 1 << 20;

/// A tensor's name and its shape.
type Expected = (String, Vec<usize>);

impl Loader<'_> {
    /// Checks the whole file against the configuration.
    ///
    /// # Errors
    ///
    /// [`ModelError::MissingTensors`] names what the file lacks, [`ModelError::UnusedTensors`] parts of a decoder that
    /// the configuration has no place for, [`ModelError::Shape`] the first tensor of another shape.
    pub(super) fn check_all(&self, config: &Config) -> Result<(), ModelError> {
        let expected = self.expected(config);
        let asked: HashSet<&str> = expected
            .iter()
            .map(|(name, _)| self.in_file(name))
            .collect();
        let is_asked = |name: &&str| asked.contains(name) || self.applied.iter().any(|n| n == name);
        let names = self.file.tensors().iter();
        let unused: Vec<&str> = names
            .map(|tensor| tensor.name.as_str())
            .filter(|name| !is_asked(name) && !is_buffer(name))
            .collect();
        let in_file = expected.iter().map(|(name, _)| self.in_file(name));
        let missing: Vec<&str> = in_file
            .filter(|name| self.file.tensor(name).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(missing_tensors(&missing, &unused));
        }
        let unused: Vec<String> = unused
            .into_iter()
            .filter(|name| self.is_of_decoder(name))
            .map(str::to_owned)
            .collect();
        if !unused.is_empty() {
            return Err(ModelError::UnusedTensors {
                family: config.family.name(),
                more: unused.len().saturating_sub(MOST_NAMED),
                named: unused.into_iter().take(MOST_NAMED).collect(),
            });
        }
        let mut expected = expected.iter();
        expected.try_for_each(|(name, shape)| self.check(self.in_file(name), shape))
    }

    /// Whether a name is that of a part of a decoder: of a block, an embedding, a norm, a rotary embedding or an output.
    fn is_of_decoder(&self, name: &str) -> bool {
        let bare = self.bare(name);
        let is_below = |part: &str| {
            let rest = bare.strip_prefix(self.bare(part));
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let outside = self.weights.outside().map(|weight| self.name_of(weight));
        outside
            .chain([self.weights.blocks_in(self.file.kind())])
            .any(is_below)
            || bare.contains("norm")
            || bare.starts_with("rope_")
    }

    /// Whether the file of a model whose output matrix is its embedding, by the configuration, has an output matrix that
    /// differs from it. transformers 5 keeps both then.
    ///
    /// # Errors
    ///
    /// [`ModelError::Shape`] for an output matrix of another shape, and when either cannot be read.
    pub(super) async fn has_other_output(&mut self, config: &Config) -> Result<bool, ModelError> {
        let [embedding, output] = [&self.weights.embedding, &self.weights.lm_head].map(|weight| {
            let name = format!("{}.weight", self.name_of(weight));
            self.in_file(&name).to_owned()
        });
        if !config.tied || self.file.tensor(&output).is_none() {
            return Ok(false);
        }
        for name in [&embedding, &output] {
            self.check(name, &[config.vocabulary, config.d_model])?;
        }
        let height = (COMPARED_VALUES / config.d_model).max(1);
        for first in (0..config.vocabulary).step_by(height) {
            self.job.checkpoint().await?;
            let rows = first..config.vocabulary.min(first + height);
            let of_embedding = self.file.read_rows_f32(&embedding, rows.clone()).await?;
            if of_embedding != self.file.read_rows_f32(&output, rows).await? {
                self.notes.push(format!(
                    "the configuration says that the output matrix is the embedding, but `{output}` differs from it \
                     and is used, as in transformers"
                ));
                return Ok(true);
            }
        }
        self.applied.push(output);
        Ok(false)
    }

    /// Checks one tensor, by its name in the file.
    pub(super) fn check(&self, name: &str, expected: &[usize]) -> Result<(), ModelError> {
        let Some(tensor) = self.file.tensor(name) else {
            return Err(missing_tensors(&[name], &[]));
        };
        if tensor.shape != expected {
            return Err(ModelError::Shape {
                name: name.to_owned(),
                expected: expected.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        Ok(())
    }

    /// What is read of a model with this configuration.
    fn expected(&self, config: &Config) -> Vec<Expected> {
        let mut expected = Vec::new();
        for (layer, weight) in config.every_weight() {
            let name = self.weights.name_in(self.file.kind(), layer, weight);
            expected.push((format!("{name}.weight"), self.stored(weight, config)));
            if config.has_bias(weight) {
                let width = weight.dims(config).into_iter().take(1).collect();
                expected.push((format!("{name}.bias"), width));
            }
        }
        expected
    }
}

/// What is missing, each with the most similar of the names that nothing asks for.
fn missing_tensors(names: &[&str], unused: &[&str]) -> ModelError {
    let named = names.iter().take(MOST_NAMED).map(|&name| MissingTensor {
        name: name.to_owned(),
        nearest: nearest(name, unused),
    });
    ModelError::MissingTensors {
        named: named.collect(),
        more: names.len().saturating_sub(MOST_NAMED),
    }
}

/// The name that shares most of its beginning and end with `name`; of equals, one of the same layer.
fn nearest(name: &str, names: &[&str]) -> Option<String> {
    let numbers = |name: &str| -> Vec<String> {
        let parts = name.split(|c: char| !c.is_ascii_digit());
        let digits = parts.filter(|part| !part.is_empty());
        digits.map(str::to_owned).collect()
    };
    let wanted = numbers(name);
    let common = |other: &str| {
        let same = |(a, b): &(u8, u8)| a == b;
        let prefix = name.bytes().zip(other.bytes()).take_while(same).count();
        let ends = name.bytes().rev().zip(other.bytes().rev());
        // No byte counts twice.
        let rest = name.len().min(other.len()) - prefix;
        prefix + ends.take(rest).take_while(same).count()
    };
    names
        .iter()
        .max_by_key(|other| (common(other), numbers(other) == wanted))
        .filter(|other| common(other) * 2 > name.len())
        .map(|&other| other.to_owned())
}
