//! What needs no model: item sets, how they are put to a model, and by which rule a choice is predicted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ChoiceOrder, MadeOf, StudyError};
use crate::items::order::{shuffled, shuffled_at};
use crate::items::{FewShot, Item, Prompts, Template, TemplateError, TemplateSpec, items_sha256};
use crate::scoring::Rule;

/// How items are put to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields, rename = "PromptingInUse"))]
pub struct Prompting {
    /// The prompt.
    #[serde(with = "named")]
    #[cfg_attr(test, ts(as = "TemplateSpec"))]
    pub template: Template,
    /// Solved items before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<FewShot>,
    /// Seed of the choices' order; the file's order without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice_order: Option<u64>,
}

/// A template in a document: the shortest way to name it.
mod named {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::items::{Template, TemplateSpec};

    pub fn serialize<S: Serializer>(template: &Template, serializer: S) -> Result<S::Ok, S::Error> {
        TemplateSpec::of(template).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
        let spec = TemplateSpec::deserialize(deserializer)?;
        spec.resolve().map_err(D::Error::custom)
    }
}

impl From<Template> for Prompting {
    fn from(template: Template) -> Self {
        Self {
            template,
            few_shot: None,
            choice_order: None,
        }
    }
}

impl Prompting {
    /// From the parts of a document.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] for a template that is unknown or cannot be used.
    pub fn new(
        template: &TemplateSpec,
        few_shot: Option<FewShot>,
        choice_order: Option<ChoiceOrder>,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            template: template.resolve()?,
            few_shot,
            choice_order: choice_order.map(|order| order.seed),
        })
    }

    /// A set's items with their choices in the order that the model sees.
    pub fn ordered<'a>(&self, items: &'a [Item]) -> Cow<'a, [Item]> {
        match self.choice_order {
            Some(seed) => Cow::Owned(shuffled(items, seed)),
            None => Cow::Borrowed(items),
        }
    }

    /// One item of a set, at its place there, with its choices in the order that the model sees.
    fn ordered_at(&self, item: Item, index: usize) -> Item {
        match self.choice_order {
            Some(seed) => shuffled_at(&item, seed, index),
            None => item,
        }
    }
}

/// An item set, as it was given and as the model sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ItemSet {
    given: Vec<Item>,
    /// With the choices in the order that the model sees, where that is another.
    ordered: Option<Vec<Item>>,
    sha256: String,
}

impl ItemSet {
    fn new(given: Vec<Item>, prompting: &Prompting) -> Self {
        let mut set = Self {
            sha256: items_sha256(&given),
            given,
            ordered: None,
        };
        set.order(prompting);
        set
    }

    fn order(&mut self, prompting: &Prompting) {
        self.ordered = match prompting.ordered(&self.given) {
            Cow::Owned(ordered) => Some(ordered),
            Cow::Borrowed(_) => None,
        };
    }

    /// The items as they were given.
    pub fn given(&self) -> &[Item] {
        &self.given
    }

    /// The items as the model gets them.
    pub fn ordered(&self) -> &[Item] {
        self.ordered.as_deref().unwrap_or(&self.given)
    }

    /// Hash of the items as they were given, in canonical form.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// Item sets, how they are put to a model, and by which rule a choice is predicted. One engine of the page hands it to another
/// as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "unknown"))]
pub struct Bench {
    prompting: Prompting,
    rule: Rule,
    sets: BTreeMap<String, ItemSet>,
}

impl From<Prompting> for Bench {
    /// Without items, and with the default rule.
    fn from(prompting: Prompting) -> Self {
        Self {
            prompting,
            rule: Rule::default(),
            sets: BTreeMap::new(),
        }
    }
}

impl From<Template> for Bench {
    /// Without items, shots and an order of the choices, and with the default rule.
    fn from(template: Template) -> Self {
        Prompting::from(template).into()
    }
}

impl Bench {
    /// How items are put to the model.
    pub fn prompting(&self) -> &Prompting {
        &self.prompting
    }

    /// How predictions are made.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// All sets by their names.
    pub fn sets(&self) -> &BTreeMap<String, ItemSet> {
        &self.sets
    }

    /// A set.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] for an unknown one.
    pub fn set(&self, name: &str) -> Result<&ItemSet, StudyError> {
        let set = self.sets.get(name);
        set.ok_or_else(|| StudyError::NotYet(format!("there is no item set `{name}`")))
    }

    /// The items of a set as the model gets them.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] for an unknown set.
    pub fn items(&self, set: &str) -> Result<&[Item], StudyError> {
        self.set(set).map(ItemSet::ordered)
    }

    /// Adds or replaces a set.
    pub fn set_items(&mut self, name: &str, items: Vec<Item>) {
        let set = ItemSet::new(items, &self.prompting);
        self.sets.insert(name.to_owned(), set);
    }

    /// Removes a set.
    pub fn remove_items(&mut self, name: &str) {
        self.sets.remove(name);
    }

    /// Changes how items are put to the model.
    pub fn set_prompting(&mut self, prompting: Prompting) {
        self.prompting = prompting;
        for set in self.sets.values_mut() {
            set.order(&self.prompting);
        }
    }

    /// Changes how predictions are made.
    pub fn set_rule(&mut self, rule: Rule) {
        self.rule = rule;
    }

    /// The prompts of a set: the template and the shots drawn for it.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] when the shots' set is not there, [`StudyError::Prompt`] when it has too few items.
    pub fn prompts(&self, set: &str) -> Result<Prompts, StudyError> {
        self.prompts_by(&self.prompting, set)
    }

    fn prompts_by(&self, prompting: &Prompting, set: &str) -> Result<Prompts, StudyError> {
        let template = prompting.template.clone();
        let Some(few_shot) = &prompting.few_shot else {
            return Ok(template.into());
        };
        let pool = self.set(few_shot.set.as_deref().unwrap_or(set))?;
        let pool = prompting.ordered(pool.given());
        Ok(Prompts::with_shots(template, few_shot, &pool)?)
    }

    /// An item as it would be asked by some prompting, which need not be the one in use: with its choices in order, if
    /// the set holds an item of its id, and the prompts of its set.
    ///
    /// # Errors
    ///
    /// As for [`Bench::prompts`].
    pub fn asked(
        &self,
        item: Item,
        set: &str,
        prompting: &Prompting,
    ) -> Result<(Item, Prompts), StudyError> {
        let prompts = self.prompts_by(prompting, set)?;
        let given = self.sets.get(set).map_or(&[][..], ItemSet::given);
        let item = match given.iter().position(|other| other.id == item.id) {
            Some(index) => prompting.ordered_at(item, index),
            None => item,
        };
        Ok((item, prompts))
    }

    /// What the results of a set are made of, beside a model.
    ///
    /// # Errors
    ///
    /// [`StudyError::NotYet`] for a set that is not there, or whose shots' set is not.
    pub fn made_of(&self, set: &str) -> Result<MadeOf, StudyError> {
        let hash_of = |name: &str| self.set(name).map(ItemSet::sha256);
        MadeOf::of_set(set, hash_of, &self.prompting, self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: usize) -> Vec<Item> {
        let item = |index: usize| Item {
            id: format!("{index}"),
            context: format!("q{index}"),
            choices: ["a", "b", "c", "d"]
                .map(|name| format!("{name}{index}"))
                .to_vec(),
            gold: index % 4,
        };
        (0..count).map(item).collect()
    }

    fn prompting(choice_order: Option<u64>) -> Prompting {
        Prompting {
            template: Template::named("lettered").unwrap(),
            few_shot: Some(FewShot {
                k: 2,
                seed: Some(7),
                set: None,
            }),
            choice_order,
        }
    }

    /// What a template's preview shows is what a run then asks, whatever is in use meanwhile.
    #[test]
    fn an_item_is_previewed_as_it_is_asked() {
        let mut bench = Bench::from(prompting(Some(1)));
        bench.set_items("set", items(6));
        for order in [Some(1), Some(2), None] {
            let mut other = bench.clone();
            other.set_prompting(prompting(order));
            let asked = other.items("set").unwrap();
            for (item, asked) in items(6).into_iter().zip(asked) {
                let (found, prompts) = bench.asked(item, "set", &prompting(order)).unwrap();
                assert_eq!(found, *asked);
                assert_eq!(prompts, other.prompts("set").unwrap());
                assert!(
                    prompts
                        .shots(&found)
                        .unwrap()
                        .iter()
                        .all(|shot| asked != *shot)
                );
            }
        }
    }

    /// An item that is being edited keeps its place's order; one that the set does not hold has none.
    #[test]
    fn an_edited_item_is_in_the_order_of_its_place() {
        let mut bench = Bench::from(prompting(Some(1)));
        bench.set_items("set", items(6));
        let asked = |item: &Item| {
            bench
                .asked(item.clone(), "set", bench.prompting())
                .unwrap()
                .0
        };
        let edited = Item {
            choices: ["e", "f", "g", "h"].map(|name| format!("{name}3")).to_vec(),
            ..items(6).remove(3)
        };
        let places = |item: &Item, of: &Item| -> Vec<usize> {
            let place = |choice| of.choices.iter().position(|other| other == choice);
            item.choices.iter().filter_map(place).collect()
        };
        let order = places(&bench.items("set").unwrap()[3], &items(6)[3]);
        assert_ne!(order, [0, 1, 2, 3]);
        assert_eq!(places(&asked(&edited), &edited), order);
        let stranger = Item {
            id: "new".into(),
            ..edited
        };
        assert_eq!(asked(&stranger), stranger);
    }

    #[test]
    fn shots_of_a_set_that_is_not_there_are_refused() {
        let mut elsewhere = prompting(None);
        let few_shot = elsewhere.few_shot.as_mut().unwrap();
        few_shot.set = Some("elsewhere".into());
        let mut bench = Bench::from(elsewhere);
        bench.set_items("set", items(2));
        let message = bench.prompts("set").unwrap_err().to_string();
        assert_eq!(message, "there is no item set `elsewhere`");
        bench.set_items("elsewhere", items(1));
        let message = bench.prompts("set").unwrap_err().to_string();
        assert!(message.contains("there are 1"), "{message}");
    }
}
