//! The engine's part for items and scores: prompts, few shots, orders of the choices, splits, exports.

use super::engine::{Bound, Result};
use super::error::WebError;
use crate::items::export::to_csv;
use crate::items::placeholder::PLACEHOLDERS;
use crate::items::split::split;
use crate::items::{Item, canonical_jsonl};
use crate::job::Job;
use crate::scoring::paired::flips;
use crate::scoring::{Paired, PositionBias, encode};
use crate::study::{ChoiceOrder, Prompting, Stamped, StudyError};
use crate::wire::answers::{ChoiceView, Comparison, Placeholder, PromptView};
use crate::wire::{
    BiasRequest, CompareRequest, ExportFormat, ExportRequest, PromptRequest, PromptingRequest,
    SplitRequest,
};

fn prompting(request: PromptingRequest) -> Result<Prompting> {
    if let Some(few_shot) = &request.few_shot {
        few_shot.check().map_err(WebError::settings)?;
    }
    let order = request.choice_order.map(|seed| ChoiceOrder { seed });
    Ok(Prompting::new(&request.template, request.few_shot, order)?)
}

impl Bound {
    pub fn placeholders(&self) -> Result<Vec<Placeholder>> {
        let of = |(name, becomes)| Placeholder { name, becomes };
        Ok(PLACEHOLDERS.map(of).into())
    }

    pub fn set_prompting(&mut self, request: PromptingRequest) -> Result<&Prompting> {
        let prompting = prompting(request)?;
        self.held.change(|bench| bench.set_prompting(prompting));
        Ok(self.held.bench().prompting())
    }

    pub fn prompt(&self, request: PromptRequest) -> Result<PromptView> {
        let bench = self.held.bench();
        let prompting = match request.prompting {
            Some(other) => prompting(other)?,
            None => bench.prompting().clone(),
        };
        let set = request.set.unwrap_or_default();
        let (item, prompts) = bench.asked(request.item, &set, &prompting)?;
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
        Ok(view)
    }

    pub fn split(&self, request: SplitRequest) -> Result<Vec<Vec<Item>>> {
        let SplitRequest {
            items,
            shares,
            seed,
        } = request;
        split(&items, &shares, seed).map_err(WebError::settings)
    }

    pub fn export_items(&self, request: ExportRequest) -> Result<String> {
        let items = request.items;
        Ok(match request.format {
            ExportFormat::Jsonl => canonical_jsonl(&items),
            ExportFormat::Csv => to_csv(&items).map_err(WebError::request)?,
        })
    }

    pub async fn position_bias(
        &mut self,
        request: BiasRequest,
        job: Job<'_>,
    ) -> Result<Stamped<PositionBias>> {
        let BiasRequest { set, orders } = request;
        let session = self.session()?;
        let made_of = vec![session.made_of(&set)?];
        let result = session.position_bias(&set, orders, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub fn compare(&self, request: CompareRequest) -> Result<Comparison> {
        let CompareRequest { before, after } = request;
        Ok(Comparison {
            paired: Paired::of(&before, &after),
            flipped: flips(&before, &after),
        })
    }
}
