//! The engine's part for items and scores: prompts, few shots, orders of the choices, splits, exports.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::engine::{Engine, Result, from_js, to_js};
use super::error::WebError;
use super::host::Worker;
use crate::items::export::to_csv;
use crate::items::placeholder::PLACEHOLDERS;
use crate::items::split::split;
use crate::items::{FewShot, Item, TemplateSpec, canonical_jsonl};
use crate::job::Job;
use crate::scoring::{ItemScore, Orders, Paired, encode, paired::flips};
use crate::study::{ChoiceOrder, Prompting, StudyError};

#[derive(Deserialize)]
struct PromptingRequest {
    template: TemplateSpec,
    #[serde(default)]
    few_shot: Option<FewShot>,
    #[serde(default)]
    choice_order: Option<u64>,
}

impl PromptingRequest {
    fn resolve(self) -> Result<Prompting> {
        if let Some(few_shot) = &self.few_shot {
            few_shot.check().map_err(WebError::settings)?;
        }
        let order = self.choice_order.map(|seed| ChoiceOrder { seed });
        Ok(Prompting::new(&self.template, self.few_shot, order)?)
    }
}

#[derive(Deserialize)]
struct PromptRequest {
    item: Item,
    /// The item's set, from which shots may be drawn.
    #[serde(default)]
    set: Option<String>,
    /// Another way to ask than the one in use: a template that is being written.
    #[serde(default)]
    prompting: Option<PromptingRequest>,
}

#[derive(Serialize)]
struct ChoiceView {
    /// What follows the part that all choices share and is not scored.
    context: String,
    continuation: String,
    /// Tokens of both.
    tokens: Vec<String>,
    /// How many of them are not scored.
    scored_from: usize,
}

#[derive(Serialize)]
struct PromptView {
    prompt: String,
    /// Index of the right choice, in the order that the model sees.
    gold: usize,
    /// Empty without a model.
    tokens: Vec<String>,
    choices: Vec<ChoiceView>,
}

#[derive(Deserialize)]
struct SplitRequest {
    items: Vec<Item>,
    shares: Vec<f64>,
    seed: u64,
}

#[derive(Deserialize)]
struct ExportRequest {
    items: Vec<Item>,
    format: ExportFormat,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ExportFormat {
    Jsonl,
    Csv,
}

#[derive(Deserialize)]
struct BiasRequest {
    set: String,
    orders: Orders,
}

#[derive(Deserialize)]
struct CompareRequest {
    before: Vec<ItemScore>,
    after: Vec<ItemScore>,
}

#[wasm_bindgen]
impl Engine {
    /// The placeholders of a template: `[{name, becomes}]`.
    pub fn placeholders(&self) -> Result<JsValue> {
        let of =
            |(name, becomes): (&str, &str)| serde_json::json!({ "name": name, "becomes": becomes });
        to_js(&PLACEHOLDERS.map(of))
    }

    /// Changes template, few shots and order of the choices.
    pub fn set_prompting(&mut self, request: JsValue) -> Result<()> {
        let prompting = from_js::<PromptingRequest>(request)?.resolve()?;
        self.held.change(|bench| bench.set_prompting(prompting));
        Ok(())
    }

    /// The exact prompt of an item and, with a model, its tokens.
    pub fn prompt(&self, request: JsValue) -> Result<JsValue> {
        let PromptRequest {
            item,
            set,
            prompting,
        } = from_js(request)?;
        let bench = self.held.bench();
        let prompting = match prompting {
            Some(prompting) => prompting.resolve()?,
            None => bench.prompting().clone(),
        };
        let (item, prompts) = bench.asked(item, &set.unwrap_or_default(), &prompting)?;
        let rendered = prompts.render(&item)?;
        let prompt = rendered.prompt().to_owned();
        let own = |context: &str| context.get(prompt.len()..).unwrap_or_default().to_owned();
        let choices = rendered.choices.iter().map(|choice| ChoiceView {
            context: own(&choice.context),
            continuation: choice.continuation.clone(),
            tokens: Vec::new(),
            scored_from: 0,
        });
        let mut view = PromptView {
            choices: choices.collect(),
            tokens: Vec::new(),
            gold: item.gold,
            prompt,
        };
        if let Some(session) = self.held.session() {
            let tokenizer = &session.model.tokenizer;
            let texts = |ids: &[u32]| ids.iter().map(|&id| tokenizer.token_text(id)).collect();
            let found = encode(&session.model, &[item], &prompts).map_err(StudyError::from)?;
            for encoded in found {
                view.tokens = texts(&encoded.prompt);
                let found = encoded.choices.iter().zip(&encoded.scored_from);
                for (choice, (tokens, from)) in view.choices.iter_mut().zip(found) {
                    choice.tokens = texts(tokens);
                    choice.scored_from = *from;
                }
            }
        }
        to_js(&view)
    }

    /// Deals items out to parts, stratified by the place of the right choice: a list of lists.
    pub fn split(&self, request: JsValue) -> Result<JsValue> {
        let SplitRequest {
            items,
            shares,
            seed,
        } = from_js(request)?;
        to_js(&split(&items, &shares, seed).map_err(WebError::settings)?)
    }

    /// Items as the text of a file.
    pub fn export_items(&self, request: JsValue) -> Result<String> {
        let ExportRequest { items, format } = from_js(request)?;
        Ok(match format {
            ExportFormat::Jsonl => canonical_jsonl(&items),
            ExportFormat::Csv => to_csv(&items).map_err(WebError::request)?,
        })
    }

    /// A set with its choices in several orders.
    pub async fn position_bias(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let BiasRequest { set, orders } = from_js(request)?;
        let host = Worker::new(progress);
        let job = Job::new(&host);
        to_js(&self.session()?.position_bias(&set, orders, job).await?)
    }

    /// Two runs over the same items: the exact test and the flipped items.
    pub fn compare(&self, request: JsValue) -> Result<JsValue> {
        let CompareRequest { before, after } = from_js(request)?;
        let paired = Paired::of(&before, &after);
        to_js(&serde_json::json!({ "paired": paired, "flipped": flips(&before, &after) }))
    }
}
