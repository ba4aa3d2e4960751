//! The study itself, checked when it is read.

use serde::{Deserialize, Serialize};

use super::{
    AuditSpec, ChoiceOrder, ControlSpec, ItemSetSpec, KeptMask, MadeOf, ModelSpec, Prompting,
    PruningSpec, RaceSpec, Role, ScoringSpec, SearchSpec, StudyError, kept,
};
use crate::attribution::Settings;
use crate::items::{AnswersFrom, FewShot, TemplateSpec, check_items};
use crate::tuning::TuneSettings;

/// Marks a study document.
pub const FORMAT: &str = "secateur-study";
/// Version of the study document.
pub const VERSION: u32 = 1;

/// Everything that decides a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Study {
    /// [`FORMAT`].
    #[cfg_attr(test, ts(type = "\"secateur-study\""))]
    pub format: String,
    /// [`VERSION`].
    #[cfg_attr(test, ts(type = "1"))]
    pub version: u32,
    /// The model.
    pub model: ModelSpec,
    /// The item sets.
    pub item_sets: Vec<ItemSetSpec>,
    /// The prompt template: `name@version`, or in full.
    pub template: TemplateSpec,
    /// Solved items before each prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<FewShot>,
    /// A seeded order of the choices; that of the items without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice_order: Option<ChoiceOrder>,
    /// How items are scored.
    #[serde(default)]
    pub scoring: ScoringSpec,
    /// What drives the answers beside the questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditSpec>,
    /// The attribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Settings>,
    /// Every method against exact ablation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<RaceSpec>,
    /// The search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchSpec>,
    /// What is pruned; without it, the search's best cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruning: Option<PruningSpec>,
    /// Masks that are kept beside what is pruned. No run takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_masks: Vec<KeptMask>,
    /// The random control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlSpec>,
    /// The tuning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuneSettings>,
    /// Seed of whatever is drawn.
    #[serde(default)]
    pub seed: u64,
}

/// What every version of a document says of itself.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(default)]
    pub(super) format: String,
    #[serde(default)]
    pub(super) version: u32,
}

fn check_version(format: &str, version: u32) -> Result<(), StudyError> {
    if format == FORMAT && version == VERSION {
        return Ok(());
    }
    Err(StudyError::Document(format!(
        "format `{format}` version {version} is not `{FORMAT}` version {VERSION}"
    )))
}

/// Most item sets of one study.
const MAX_SETS: usize = 64;
/// The largest seed: JavaScript, and much that reads JSON, keeps no larger integer as it is.
pub const MAX_SEED: u64 = (1 << 53) - 1;

impl Study {
    /// Reads a study.
    ///
    /// # Errors
    ///
    /// [`StudyError::Document`] with the place in the text, when it is no study of this version.
    pub fn from_json(text: &str) -> Result<Self, StudyError> {
        let damaged = |error: serde_json::Error| StudyError::Document(error.to_string());
        // Another version may have other fields.
        let head: Head = serde_json::from_str(text).map_err(damaged)?;
        check_version(&head.format, head.version)?;
        let study: Self = serde_json::from_str(text).map_err(damaged)?;
        study.check()?;
        Ok(study)
    }

    /// From where the file that sets call `sample` counts right answers that are numbers, where they say so.
    pub fn answers_from(&self, sample: &str) -> Option<AnswersFrom> {
        let mut sets = self.item_sets.iter();
        let set = sets.find(|set| set.sample.as_deref() == Some(sample))?;
        set.answers_from
    }

    /// # Errors
    ///
    /// [`StudyError::Document`] when parts contradict each other.
    pub fn check(&self) -> Result<(), StudyError> {
        let fail = |message: String| Err(StudyError::Document(message));
        check_version(&self.format, self.version)?;
        if self.item_sets.is_empty() || self.item_sets.len() > MAX_SETS {
            return fail(format!(
                "a study has 1 to {MAX_SETS} item sets, not {}",
                self.item_sets.len()
            ));
        }
        for (index, set) in self.item_sets.iter().enumerate() {
            if self.item_sets[..index]
                .iter()
                .any(|other| other.name == set.name)
            {
                return fail(format!("two item sets are called `{}`", set.name));
            }
            if set.roles.is_empty() {
                return fail(format!("item set `{}` has no role", set.name));
            }
            if set.items.is_none() && set.sample.is_none() {
                return fail(format!(
                    "item set `{}` has neither items nor the name of a sample",
                    set.name
                ));
            }
            // The same file cannot be read in two ways: parts of one split would not be.
            let sample = set.sample.as_deref();
            if sample.is_some_and(|sample| self.answers_from(sample) != set.answers_from) {
                return fail(format!(
                    "item set `{}` has another `answers_from` than another set of the same file",
                    set.name
                ));
            }
            if let Some(items) = &set.items {
                check_items(items).map_err(|error| {
                    StudyError::Document(format!("item set `{}`: {error}", set.name))
                })?;
            }
        }
        if let Some(few_shot) = &self.few_shot {
            let checked = few_shot.check();
            checked.map_err(|error| StudyError::Document(error.to_string()))?;
        }
        self.check_named_sets()?;
        self.prompting()?;
        if let Some(settings) = &self.attribution {
            settings.check()?;
        }
        if let Some(race) = &self.race {
            race.settings.check()?;
            race.resampling.check()?;
        }
        if let Some(mask) = self
            .pruning
            .as_ref()
            .and_then(|pruning| pruning.mask.as_ref())
        {
            mask.check()?;
        }
        kept::check(&self.kept_masks)?;
        self.check_seeds()?;
        self.check_selection()
    }

    /// Parts that name an item set name one of the study's.
    fn check_named_sets(&self) -> Result<(), StudyError> {
        let few_shot = self.few_shot.as_ref();
        let named = [
            (
                "few_shot",
                few_shot.and_then(|few_shot| few_shot.set.as_ref()),
            ),
            ("audit", self.audit.as_ref().map(|audit| &audit.set)),
            ("race", self.race.as_ref().map(|race| &race.set)),
        ];
        let mut named = named.into_iter();
        named.try_for_each(|(part, set)| self.check_named(part, set))
    }

    /// Whether a set that a part names is one of the study's.
    pub(super) fn check_named(&self, part: &str, set: Option<&String>) -> Result<(), StudyError> {
        let is_lacking = |set: &&String| !self.item_sets.iter().any(|other| other.name == **set);
        match set.filter(is_lacking) {
            Some(set) => Err(StudyError::Document(format!(
                "`{part}` names the item set `{set}`, which the study lacks"
            ))),
            None => Ok(()),
        }
    }

    fn check_seeds(&self) -> Result<(), StudyError> {
        let few_shot = self.few_shot.as_ref().and_then(|few_shot| few_shot.seed);
        let of_sets = self.item_sets.iter().filter_map(|set| set.split.as_ref());
        let named = [
            ("seed", Some(self.seed)),
            ("control.seed", self.control.map(|control| control.seed)),
            (
                "choice_order.seed",
                self.choice_order.map(|order| order.seed),
            ),
            ("few_shot.seed", few_shot),
            (
                "race.resampling.seed",
                self.race.as_ref().map(|race| race.resampling.seed),
            ),
        ];
        let all = named
            .into_iter()
            .filter_map(|(name, seed)| Some((name, seed?)));
        let mut all = all.chain(of_sets.map(|split| ("split.seed", split.seed)));
        match all.find(|(_, seed)| *seed > MAX_SEED) {
            Some((name, seed)) => Err(StudyError::Document(format!(
                "`{name}` is {seed}, and a seed is at most {MAX_SEED} (2^53 - 1)"
            ))),
            None => Ok(()),
        }
    }

    fn check_selection(&self) -> Result<(), StudyError> {
        let spec = self.pruning.as_ref();
        match spec.and_then(|spec| spec.selection.as_ref()) {
            Some(_) if self.attribution.is_none() => Err(StudyError::Document(
                "a `selection` needs the `attribution` that it selects from; a `mask` alone needs none"
                    .into(),
            )),
            _ => Ok(()),
        }
    }

    /// What is run, without the masks that are kept beside it.
    #[must_use]
    pub fn without_kept_masks(self) -> Self {
        Self {
            kept_masks: Vec::new(),
            ..self
        }
    }

    /// How the study's items are put to the model.
    ///
    /// # Errors
    ///
    /// [`StudyError::Document`] for a template that is unknown or cannot be used.
    pub fn prompting(&self) -> Result<Prompting, StudyError> {
        let found = Prompting::new(&self.template, self.few_shot.clone(), self.choice_order);
        found.map_err(|error| StudyError::Document(error.to_string()))
    }

    /// What its results are made of, beside the items.
    pub fn made_of(&self) -> MadeOf {
        let pruning = self.pruning.as_ref();
        MadeOf {
            prompting: self.prompting().ok(),
            rule: Some(self.scoring.rule),
            settings: self.attribution.clone(),
            mask: pruning.and_then(|pruning| pruning.mask.clone()),
            ..MadeOf::of_model(&self.model.sha256)
        }
    }

    /// Names of the sets that are reported on: those of the roles `test` and `out_of_distribution`, in the study's
    /// order.
    pub fn reported_sets(&self) -> Vec<&str> {
        self.item_sets
            .iter()
            .filter(|set| set.roles.iter().any(|role| role.is_reported()))
            .map(|set| set.name.as_str())
            .collect()
    }

    /// Names of the sets that a tuning learns from, and of those that pick its best state: those of their roles; where there are none, those
    /// that are not reported on, and all where there are no such sets.
    pub fn tuned_sets(&self) -> [Vec<&str>; 2] {
        let reported = self.reported_sets();
        let all = || self.item_sets.iter().map(|set| set.name.as_str());
        let mut others: Vec<&str> = all().filter(|name| !reported.contains(name)).collect();
        if reported.is_empty() || others.is_empty() {
            others = all().collect();
        }
        [Role::Attribution, Role::Validation].map(|role| match self.sets_of(role) {
            named if named.is_empty() => others.clone(),
            named => named,
        })
    }

    /// Names of the sets of a role, in the study's order.
    pub fn sets_of(&self, role: Role) -> Vec<&str> {
        self.item_sets
            .iter()
            .filter(|set| set.roles.contains(&role))
            .map(|set| set.name.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"format":"secateur-study","version":1,"model":{"id":"m","sha256":"0"},
        "item_sets":[{"name":"a","roles":["test"],"sample":"s"}],"template":"plain@1"}"#;

    #[test]
    fn a_study_survives_a_round_trip() {
        let study = Study::from_json(SMALL).unwrap();
        let text = serde_json::to_string(&study).unwrap();
        assert_eq!(Study::from_json(&text).unwrap(), study);
        assert_eq!(study.sets_of(Role::Test), ["a"]);
        assert!(study.sets_of(Role::Validation).is_empty());
    }

    #[test]
    fn what_is_no_study_is_refused_with_the_reason() {
        for (from, to, named) in [
            (r#""version":1"#, r#""version":2"#, "version 2"),
            (
                r#""version":1,"model":{"id":"m","sha256":"0"}"#,
                r#""version":2"#,
                "version 2",
            ),
            (r#"["test"]"#, "[]", "no role"),
            (r#","sample":"s""#, "", "neither items"),
            (r#""template":"plain@1""#, r#""x":1"#, "template"),
            (r#""plain@1""#, "1", "expected `name@version`"),
            (
                r#""plain@1""#,
                r#"{"name":"own","version":1,"promt":"?"}"#,
                "`promt`",
            ),
        ] {
            let error = Study::from_json(&SMALL.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
