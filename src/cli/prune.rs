//! What `secateur prune` did, as a study: whoever runs it gets the same.

use crate::attribution::Settings;
use crate::pruning::Mask;
use crate::pruning::effect::ControlReport;
use crate::pruning::selection::TopPercent;
use crate::study::made_of::Materials;
use crate::study::{ControlSpec, FORMAT, ItemSetSpec, PruningSpec, Role, Session, Study, VERSION};

/// The study of a mask: its items, how they were put to the model and, where a selection made it, the attribution that
/// was selected from.
pub(super) fn study_of(
    session: &Session,
    items: &str,
    mask: &Mask,
    selected: Option<(Settings, TopPercent)>,
    control: Option<&ControlReport>,
) -> Study {
    let Materials {
        template,
        few_shot,
        choice_order,
        scoring,
        ..
    } = Materials::of(session.bench(), None);
    let (attribution, selection) = selected.unzip();
    let sets = session.bench().sets().iter().map(|(name, set)| {
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
            sha256: set.sha256().to_owned(),
            items: Some(set.given().to_vec()),
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
        template,
        few_shot,
        choice_order,
        scoring,
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
