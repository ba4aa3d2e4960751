//! What `secateur prune` did, as a study: whoever runs it gets the same.

use crate::attribution::Settings;
use crate::items::{TemplateSpec, items_sha256};
use crate::pruning::Mask;
use crate::pruning::effect::ControlReport;
use crate::pruning::selection::TopPercent;
use crate::study::{
    ChoiceOrder, ControlSpec, FORMAT, ItemSetSpec, PruningSpec, Role, ScoringSpec, Session, Study,
    VERSION,
};

/// The study of a mask: its items, how they were put to the model and, where a selection made it, the attribution that
/// was selected from.
pub(super) fn study_of(
    session: &Session,
    items: &str,
    mask: &Mask,
    selected: Option<(Settings, TopPercent)>,
    control: Option<&ControlReport>,
) -> Study {
    let prompting = session.prompting();
    let (attribution, selection) = selected.unzip();
    let sets = session.given_sets().iter().map(|(name, given)| {
        let is_attributed = name == items && attribution.is_some();
        let roles = match (name == items, is_attributed) {
            (true, true) => vec![Role::Attribution, Role::Test],
            (true, false) => vec![Role::Test],
            // Shots are drawn from it, and nothing else.
            (false, _) => vec![Role::Validation],
        };
        ItemSetSpec {
            name: name.clone(),
            roles,
            sha256: items_sha256(given),
            items: Some(given.clone()),
            sample: None,
            answers_from: None,
            first: None,
            count: None,
            split: None,
        }
    });
    Study {
        format: FORMAT.to_owned(),
        version: VERSION,
        model: session.model_spec(),
        item_sets: sets.collect(),
        template: TemplateSpec::of(&prompting.template),
        few_shot: prompting.few_shot.clone(),
        choice_order: prompting.choice_order.map(|seed| ChoiceOrder { seed }),
        scoring: ScoringSpec {
            rule: session.rule(),
            keep_tokens: false,
        },
        attribution: attribution.map(Settings::named),
        search: None,
        pruning: Some(PruningSpec {
            mask: Some(mask.clone()),
            selection,
        }),
        control: control.map(|control| ControlSpec {
            masks: control.masks,
            seed: control.seed,
        }),
        tuning: None,
        seed: 0,
    }
}
