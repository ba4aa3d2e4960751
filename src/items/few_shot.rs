//! Few-shot prompts: solved items before the one that is asked.
//!
//! Joined as lm-evaluation-harness joins them (`fewshot_context`, `build_qa_turn`): a shot is its context, the
//! delimiter and its right choice, and an empty line follows it.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Item;
use super::check::{ItemsError, MAX_SHOTS};
use super::template::{Rendered, Template};
use super::template_error::TemplateError;

/// What follows a shot (the harness' `fewshot_delimiter`).
const BETWEEN: &str = "\n\n";

/// How many shots, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct FewShot {
    /// Shots before each item.
    pub k: usize,
    /// Seed of their draw; the first `k` of the set without it (the harness' sampler `first_n`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The set they are drawn from; without it the set that is asked, each item itself left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
}

impl FewShot {
    /// # Errors
    ///
    /// [`ItemsError::Shots`].
    pub fn check(&self) -> Result<(), ItemsError> {
        match self.k {
            1..=MAX_SHOTS => Ok(()),
            k => Err(ItemsError::Shots(k)),
        }
    }
}

/// A template with the shots that go before every item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompts {
    template: Template,
    k: usize,
    /// One more than `k` where there are so many: an item is no shot of its own.
    pool: Vec<Item>,
    /// What stands where each item's own question was, shots left as they are.
    question: Option<&'static str>,
}

impl From<Template> for Prompts {
    /// Without shots.
    fn from(template: Template) -> Self {
        Self {
            template,
            k: 0,
            pool: Vec::new(),
            question: None,
        }
    }
}

impl Prompts {
    /// With shots drawn from `items`: one draw for all prompts, so that they share their beginning.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Item`] when there are fewer items than shots.
    pub fn with_shots(
        template: Template,
        few_shot: &FewShot,
        items: &[Item],
    ) -> Result<Self, TemplateError> {
        let checked = few_shot.check();
        checked.map_err(|error| TemplateError::Item(error.to_string()))?;
        let mut order: Vec<&Item> = items.iter().collect();
        if let Some(seed) = few_shot.seed {
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        }
        let mut pool: Vec<Item> = Vec::new();
        for item in order {
            if pool.len() > few_shot.k {
                break;
            }
            if !pool.iter().any(|other| same(other, item)) {
                pool.push(item.clone());
            }
        }
        if pool.len() < few_shot.k {
            return Err(TemplateError::Item(format!(
                "{} shots need as many different items to be drawn from, and there are {}",
                few_shot.k,
                pool.len()
            )));
        }
        Ok(Self {
            template,
            k: few_shot.k,
            pool,
            question: None,
        })
    }

    /// The same with every item asked by this text in place of its question. Its shots are those that it has with its question.
    #[must_use]
    pub fn asking(&self, question: &'static str) -> Self {
        Self {
            question: Some(question),
            ..self.clone()
        }
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The shots of an item, in their order.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Item`] when only the item itself is left.
    pub fn shots(&self, item: &Item) -> Result<Vec<&Item>, TemplateError> {
        let others = self.pool.iter().filter(|shot| !same(shot, item));
        let shots: Vec<&Item> = others.take(self.k).collect();
        if shots.len() < self.k {
            return Err(TemplateError::Item(format!(
                "{} shots need as many items beside the one that is asked, and there are {}",
                self.k,
                shots.len()
            )));
        }
        Ok(shots)
    }

    /// What the model gets for an item, shots included.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] when a shot or the item lacks what the template asks for, or the prompt would be too long.
    pub fn render(&self, item: &Item) -> Result<Rendered, TemplateError> {
        let mut rendered = match self.question {
            None => self.template.render(item)?,
            Some(question) => self.template.render(&Item {
                context: question.to_owned(),
                ..item.clone()
            })?,
        };
        if self.k == 0 {
            return Ok(rendered);
        }
        let preamble = self.template.preamble.len();
        let mut before = self.template.preamble.clone();
        for shot in self.shots(item)? {
            let solved = self.template.render(shot)?;
            let right = solved.choices.get(shot.gold).ok_or_else(|| {
                TemplateError::Item(format!("the shot `{}` has no right choice", shot.id))
            })?;
            let parts = [
                right.context.get(preamble..).unwrap_or_default(),
                right.continuation.as_str(),
                BETWEEN,
            ];
            self.template
                .check_length([before.len(), parts.map(str::len).iter().sum()])?;
            before.extend(parts);
        }
        for choice in &mut rendered.choices {
            let own = choice.context.get(preamble..).unwrap_or_default();
            let lengths = [before.len(), own.len(), choice.continuation.len()];
            self.template.check_length(lengths)?;
            choice.context = format!("{before}{own}");
        }
        Ok(rendered)
    }
}

/// Whether two items ask the same, whatever they are called and in whatever order their choices stand.
fn same(a: &Item, b: &Item) -> bool {
    let sorted = |item: &Item| {
        let mut choices = item.choices.clone();
        choices.sort_unstable();
        choices
    };
    a.context == b.context
        && a.choices.get(a.gold) == b.choices.get(b.gold)
        && sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: usize) -> Vec<Item> {
        let item = |index: usize| Item {
            id: format!("{index}"),
            context: format!("q{index}"),
            choices: vec![format!("a{index}"), format!("b{index}")],
            gold: index % 2,
        };
        (0..count).map(item).collect()
    }

    #[test]
    fn an_item_is_no_shot_of_its_own_in_any_order_of_its_choices() {
        let items = items(3);
        let turned = Item {
            choices: items[0].choices.iter().rev().cloned().collect(),
            gold: 1 - items[0].gold,
            ..items[0].clone()
        };
        let prompts = prompts(2, None, &items).unwrap();
        for asked in [&items[0], &turned] {
            let rendered = prompts.render(asked).unwrap();
            let before = &rendered.choices[0].context;
            assert_eq!(before.matches("q0").count(), 1, "{before}");
            assert!(before.contains("q1") && before.contains("q2"), "{before}");
        }
    }

    fn prompts(k: usize, seed: Option<u64>, items: &[Item]) -> Result<Prompts, TemplateError> {
        let few_shot = FewShot { k, seed, set: None };
        Prompts::with_shots(
            Template::named("question-answer").unwrap(),
            &few_shot,
            items,
        )
    }

    #[test]
    fn shots_are_joined_as_in_the_harness() {
        let items = items(4);
        let prompts = prompts(2, None, &items).unwrap();
        let rendered = prompts.render(&items[3]).unwrap();
        assert_eq!(
            rendered.prompt(),
            "Question: q0\nAnswer: a0\n\nQuestion: q1\nAnswer: b1\n\nQuestion: q3\nAnswer:"
        );
        assert_eq!(rendered.choices[1].continuation, " b3");
    }

    #[test]
    fn an_item_is_no_shot_of_its_own() {
        let items = items(3);
        let prompts = prompts(2, None, &items).unwrap();
        let ids: Vec<&str> = prompts
            .shots(&items[0])
            .unwrap()
            .iter()
            .map(|item| item.id.as_str())
            .collect();
        assert_eq!(ids, ["1", "2"]);
    }

    #[test]
    fn a_seed_draws_the_same_shots_again_and_another_seed_draws_others() {
        let items = items(50);
        let drawn = |seed| prompts(3, Some(seed), &items).unwrap().pool;
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn a_preamble_stands_once_before_the_shots() {
        let items = items(3);
        let template = Template {
            preamble: "About letters.\n\n".into(),
            ..Template::named("plain").unwrap()
        };
        let few_shot = FewShot {
            k: 1,
            seed: None,
            set: None,
        };
        let prompts = Prompts::with_shots(template, &few_shot, &items).unwrap();
        assert_eq!(
            prompts.render(&items[1]).unwrap().prompt(),
            "About letters.\n\nq0 a0\n\nq1"
        );
    }

    #[test]
    fn too_few_items_are_an_error_with_their_number() {
        let items = items(2);
        assert!(
            prompts(3, None, &items)
                .unwrap_err()
                .to_string()
                .contains("there are 2")
        );
        let two = prompts(2, None, &items).unwrap();
        assert!(
            two.render(&items[0])
                .unwrap_err()
                .to_string()
                .contains("there are 1")
        );
        assert!(prompts(65, None, &items).is_err());
        assert!(prompts(0, None, &items).is_err());
    }

    /// 64 shots of 20 kB each are more than 1 MiB; 50 are not.
    #[test]
    fn shots_that_are_too_long_together_are_refused() {
        let long = |(index, item): (usize, Item)| Item {
            context: format!("{index}{}", "x".repeat(20_000)),
            ..item
        };
        let items: Vec<Item> = items(65).into_iter().enumerate().map(long).collect();
        let rendered = |k| prompts(k, None, &items).unwrap().render(&items[64]);
        assert!(rendered(50).is_ok());
        let error = rendered(64).unwrap_err().to_string();
        assert!(error.contains("`question-answer@1`"), "{error}");
    }
}
