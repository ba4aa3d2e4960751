//! What results are made of, and whether that is the same for two of them: the one comparison by which a session keeps a
//! result, a re-run says what differs, and documents are held to their studies.

use serde::{Deserialize, Serialize};

use super::report::EngineInfo;
use super::{Bench, ChoiceOrder, Prompting, ScoringSpec};
use crate::attribution::Settings;
use crate::items::{FewShot, TemplateSpec};
use crate::model::{Model, Precision};
use crate::pruning::Mask;
use crate::scoring::{Rule, SetScores};

/// Everything that decides a result but the device. A part that is absent is not part of the result or, in documents of
/// older versions, not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct MadeOf {
    /// SHA-256 of the model's weight file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How the model's matrices were held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Version of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// What the set was called. It decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// SHA-256 of the items as they were given, in canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// SHA-256 of the items that shots are drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shots: Option<String>,
    /// How the items are put to the model, without the name of the shots' set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompting: Option<Prompting>,
    /// How predictions are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// The attribution's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// What is pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
}

/// A result with what it was made of: a part for each of its sets, and one for the attribution that it rests on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stamped<T> {
    /// What it was made of.
    pub made_of: Vec<MadeOf>,
    /// The result.
    #[serde(flatten)]
    pub result: T,
}

/// Derived, it could not be flattened: `typescript` declares it.
#[cfg(test)]
impl<T: ts_rs::TS + 'static> ts_rs::TS for Stamped<T> {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(config: &ts_rs::Config) -> String {
        format!("Stamped<{}>", T::name(config))
    }

    fn inline(config: &ts_rs::Config) -> String {
        Self::name(config)
    }

    fn visit_dependencies(visitor: &mut impl ts_rs::TypeVisitor) {
        visitor.visit::<T>();
        visitor.visit::<MadeOf>();
    }
}

impl Stamped<SetScores> {
    /// The same log-likelihoods counted by another rule; none where scores by that one need more than was measured.
    pub fn by_rule(&self, rule: Rule) -> Option<Self> {
        let result = self.result.by_rule(rule)?;
        let counted = |of: &MadeOf| MadeOf {
            rule: Some(rule),
            ..of.clone()
        };
        let made_of = self.made_of.iter().map(counted).collect();
        Some(Self { made_of, result })
    }
}

fn known(sha256: &str) -> Option<String> {
    (!sha256.is_empty()).then(|| sha256.to_owned())
}

/// What may differ between two results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The model.
    Model,
    /// How its matrices are held.
    Precision,
    /// The engine's version.
    Engine,
    /// The items.
    Items,
    /// The items that shots are drawn from.
    Shots,
    /// How the items are put to the model.
    Prompting,
    /// How predictions are made.
    Rule,
    /// The attribution's settings.
    Settings,
    /// What is pruned.
    Mask,
}

impl MadeOf {
    /// A model by its hash, which is empty where it is not known.
    pub fn of_model(sha256: &str) -> Self {
        Self {
            model: known(sha256),
            ..Self::default()
        }
    }

    /// Of what the results of a set are made, beside the model. `hash_of` finds a set's hash, which is empty where it is
    /// not known.
    ///
    /// # Errors
    ///
    /// That of `hash_of`, for the set or for the one that shots are drawn from.
    pub(super) fn of_set<'a, E>(
        set: &str,
        hash_of: impl Fn(&str) -> Result<&'a str, E>,
        prompting: &Prompting,
        rule: Rule,
    ) -> Result<Self, E> {
        let mut prompting = prompting.clone();
        let shots = match &mut prompting.few_shot {
            Some(few_shot) => known(hash_of(few_shot.set.take().as_deref().unwrap_or(set))?),
            None => None,
        };
        Ok(Self {
            set: Some(set.to_owned()),
            items: known(hash_of(set)?),
            shots,
            prompting: Some(prompting),
            rule: Some(rule),
            ..Self::default()
        })
    }

    /// The same, made with a loaded model by this engine.
    #[must_use]
    pub fn with_model(self, model: &Model) -> Self {
        Self {
            model: Some(model.sha256.clone()),
            precision: Some(model.report.precision),
            engine: Some(EngineInfo::VERSION.to_owned()),
            ..self
        }
    }

    /// The same under a mask.
    #[must_use]
    pub fn under(self, mask: &Mask) -> Self {
        Self {
            mask: Some(mask.clone()),
            ..self
        }
    }

    /// The same, attributed: what the settings are called decides nothing.
    #[must_use]
    pub fn attributed(self, settings: &Settings) -> Self {
        Self {
            settings: Some(Settings {
                preset: None,
                ..settings.clone()
            }),
            ..self
        }
    }

    /// The parts that both have, and that are not the same.
    pub fn differences(&self, other: &Self) -> Vec<Part> {
        fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a != b)
        }
        let masks = self.mask.as_ref().zip(other.mask.as_ref());
        let parts = [
            (Part::Model, differ(&self.model, &other.model)),
            (Part::Precision, differ(&self.precision, &other.precision)),
            (Part::Engine, differ(&self.engine, &other.engine)),
            (Part::Items, differ(&self.items, &other.items)),
            (Part::Shots, differ(&self.shots, &other.shots)),
            (Part::Prompting, differ(&self.prompting, &other.prompting)),
            (Part::Rule, differ(&self.rule, &other.rule)),
            (Part::Settings, differ(&self.settings, &other.settings)),
            (Part::Mask, masks.is_some_and(|(a, b)| !a.is_same(b))),
        ];
        let differing = parts.into_iter().filter(|(_, differs)| *differs);
        differing.map(|(part, _)| part).collect()
    }

    /// Whether a result that was made of this is one of `other` as well.
    pub fn is_same(&self, other: &Self) -> bool {
        self.differences(other).is_empty()
    }
}

/// What results were made of beside the model, as documents say it: as a study does, but the items by their hashes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Materials {
    /// All item sets.
    pub item_sets: Vec<HashedSet>,
    /// The prompt template.
    pub template: TemplateSpec,
    /// Solved items before each prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<FewShot>,
    /// The order of the choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice_order: Option<ChoiceOrder>,
    /// How items are scored.
    pub scoring: ScoringSpec,
    /// The settings of the attribution at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Settings>,
}

/// An item set by its hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HashedSet {
    /// Its name.
    pub name: String,
    /// SHA-256 of the items as canonical JSONL.
    pub sha256: String,
}

impl Materials {
    /// What lies on a bench, and how it was attributed.
    pub fn of(bench: &Bench, attribution: Option<&Settings>) -> Self {
        let prompting = bench.prompting();
        let sets = bench.sets().iter().map(|(name, set)| HashedSet {
            name: name.clone(),
            sha256: set.sha256().to_owned(),
        });
        Self {
            item_sets: sets.collect(),
            template: TemplateSpec::of(&prompting.template),
            few_shot: prompting.few_shot.clone(),
            choice_order: prompting.choice_order.map(|seed| ChoiceOrder { seed }),
            scoring: ScoringSpec {
                rule: bench.rule(),
                keep_tokens: false,
            },
            attribution: attribution.cloned(),
        }
    }

    /// What the results of one of the sets were made of; none where that cannot be told.
    pub fn made_of(&self, set: &str) -> Option<MadeOf> {
        let prompting = Prompting::new(&self.template, self.few_shot.clone(), self.choice_order);
        let hash_of = |name: &str| {
            let set = self.item_sets.iter().find(|set| set.name == name);
            set.map(|set| set.sha256.as_str()).ok_or(())
        };
        MadeOf::of_set(set, hash_of, &prompting.ok()?, self.scoring.rule).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::{Item, Template};
    use crate::model::Site;

    fn item(id: &str) -> Item {
        Item {
            id: id.into(),
            context: "q".into(),
            choices: vec!["a".into(), "b".into()],
            gold: 0,
        }
    }

    /// Sets `a` and `b` of the same items and `c` of others, with shots from a set.
    fn bench(shots: &str) -> Bench {
        let mut bench = Bench::from(Prompting {
            few_shot: Some(FewShot {
                k: 1,
                seed: Some(3),
                set: Some(shots.into()),
            }),
            ..Template::named("plain").unwrap().into()
        });
        for (set, id) in [("a", "1"), ("b", "1"), ("c", "2")] {
            bench.set_items(set, vec![item(id)]);
        }
        bench
    }

    #[test]
    fn what_sets_are_called_decides_nothing_and_all_else_does() {
        let made_of = |shots: &str, set: &str| bench(shots).made_of(set).unwrap();
        let first = made_of("a", "a");
        assert!(first.is_same(&made_of("b", "b")));
        assert_eq!(first.differences(&made_of("a", "c")), [Part::Items]);
        assert_eq!(first.differences(&made_of("c", "a")), [Part::Shots]);

        let mut other = bench("a");
        other.set_rule(Rule::PerByte);
        other.set_prompting(Prompting {
            choice_order: Some(1),
            ..other.prompting().clone()
        });
        let other = other.made_of("a").unwrap();
        assert_eq!(first.differences(&other), [Part::Prompting, Part::Rule]);
    }

    #[test]
    fn a_set_without_its_shots_makes_nothing() {
        let mut bench = bench("c");
        assert!(bench.made_of("a").is_ok() && bench.made_of("d").is_err());
        bench.remove_items("c");
        assert!(bench.made_of("a").is_err());
    }

    #[test]
    fn what_one_of_two_does_not_know_is_no_difference() {
        let of = |model: Option<&str>, precision| MadeOf {
            model: model.map(str::to_owned),
            precision,
            ..MadeOf::default()
        };
        let (f32, int8) = (Some(Precision::F32), Some(Precision::Int8));
        assert!(of(Some("0"), f32).is_same(&of(None, f32)));
        assert!(of(Some("0"), None).is_same(&of(Some("0"), f32)));
        let other = of(Some("0"), f32).differences(&of(Some("1"), int8));
        assert_eq!(other, [Part::Model, Part::Precision]);
        let pruned = |neurons: [usize; 2]| MadeOf {
            mask: Some(Mask::of_layer(Site::Post, 1, neurons)),
            ..MadeOf::default()
        };
        assert!(pruned([3, 1]).is_same(&pruned([1, 3])));
        assert_eq!(pruned([3, 1]).differences(&pruned([1, 2])), [Part::Mask]);
    }

    /// The page compares stamps as well: both are held to the same cases.
    #[test]
    fn stamps_differ_as_the_page_has_it() {
        #[derive(Deserialize)]
        struct Case {
            what: String,
            a: MadeOf,
            b: MadeOf,
            differences: Vec<String>,
        }
        let text = include_str!("../../tests/fixtures/made-of.json");
        for case in serde_json::from_str::<Vec<Case>>(text).unwrap() {
            for (a, b) in [(&case.a, &case.b), (&case.b, &case.a)] {
                let found = a.differences(b).into_iter();
                let found: Vec<String> = found
                    .map(|part| format!("{part:?}").to_lowercase())
                    .collect();
                assert_eq!(found, case.differences, "{}", case.what);
            }
        }
    }

    #[test]
    fn a_stamp_is_written_as_the_page_reads_it() {
        let of = bench("c").made_of("b").unwrap().attributed(&Settings {
            preset: Some("fast".into()),
            ..Settings::preset("fast").unwrap()
        });
        let written = serde_json::to_value(&of).unwrap();
        assert_eq!(written["set"], "b");
        assert_eq!(
            written["prompting"],
            serde_json::json!({ "template": "plain@1", "few_shot": { "k": 1, "seed": 3 } })
        );
        assert!(written["settings"].get("preset").is_none());
        assert_eq!(serde_json::from_value::<MadeOf>(written).unwrap(), of);
    }

    /// What a document says and what is on the bench are compared as two benches are.
    #[test]
    fn a_document_s_materials_are_those_of_the_bench() {
        let text = serde_json::to_string(&Materials::of(&bench("c"), None)).unwrap();
        let read: Materials = serde_json::from_str(&text).unwrap();
        let found = read.made_of("b").unwrap();
        assert_eq!(found, bench("c").made_of("b").unwrap());
        assert!(read.made_of("d").is_none());
    }
}
