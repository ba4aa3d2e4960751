//! `secateur prune`: items before and after a mask, and what was done as a study: whoever runs it gets the same.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::files::read_text;
use super::options::{Input, SettingsArgs, named, seed};
use super::outputs::{Computed, Together};
use crate::attribution::Settings;
use crate::export::mask_file::MaskFile;
use crate::model::Site;
use crate::pruning::effect::{ControlReport, check_control};
use crate::pruning::selection::TopPercent;
use crate::pruning::{Mask, Operation};
use crate::study::made_of::Materials;
use crate::study::{ControlSpec, FORMAT, ItemSetSpec, PruningSpec, Role, Session, Study, VERSION};

/// What is pruned, on which items, and where the results go.
#[derive(ClapArgs)]
pub struct PruneArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The mask's file; else --layer and --percent.
    #[arg(long, conflicts_with_all = ["layer", "percent"])]
    pub mask: Option<PathBuf>,
    /// Layer whose strongest neurons are pruned.
    #[arg(long, requires = "percent")]
    pub layer: Option<usize>,
    /// Percentage of that layer.
    #[arg(long, requires = "layer")]
    pub percent: Option<f64>,
    /// What pruning does to an activation: zero; scale, by --factor; or mean, that of the neuron over all positions of the items'
    /// prompts. The mask's own when absent, and zero for a selection.
    #[arg(long, value_parser = named::<Operation>)]
    pub operation: Option<Operation>,
    /// What activations are multiplied by; for --operation scale.
    #[arg(long, requires = "operation")]
    pub factor: Option<f64>,
    /// Random masks of the same size to compare with.
    #[arg(long, default_value_t = 0)]
    pub control: usize,
    /// Seed of the random masks.
    #[arg(long, default_value_t = 0, value_parser = seed())]
    pub seed: u64,
    /// Where to write the report (JSON); standard output when absent.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Where to write the mask.
    #[arg(long)]
    pub mask_out: Option<PathBuf>,
    /// A text whose perplexity is measured before and after the mask.
    #[arg(long)]
    pub text: Option<PathBuf>,
}

impl Shell<'_> {
    /// Measures a mask, or the one that a selection makes.
    pub(super) async fn prune(&self, args: PruneArgs) -> Result<(), CliError> {
        let PruneArgs {
            input,
            settings,
            mask,
            layer,
            percent,
            operation,
            factor,
            control,
            seed,
            out,
            mask_out,
            text,
        } = args;
        let text = text.map(|path| read_text(&path)).transpose()?;
        if control > 0 {
            check_control(control)?;
        }
        let like = operation.map(|operation| Mask {
            operation,
            factor,
            means_of: (operation == Operation::Mean).then(|| ITEMS.to_owned()),
            ..Mask::empty(Site::Post)
        });
        if let Some(like) = &like {
            like.check()?;
        }
        let mut session = self.session(&input).await?;
        let settings = settings.settings();
        let (mask, selected) = match (mask, layer, percent) {
            (Some(path), ..) => (self.read_mask(&session, &path)?, None),
            (None, Some(layer), Some(percent)) => {
                let selection = TopPercent { layer, percent };
                selection.check(session.model.config().n_layers)?;
                session.attribute(ITEMS, &settings, self.job).await?;
                (session.mask_top(selection)?, Some((settings, selection)))
            }
            _ => {
                return Err(CliError::Input(
                    "give --mask, or --layer and --percent".into(),
                ));
            }
        };
        let mask = match &like {
            Some(like) => session.changed_like(mask, like, self.job).await?,
            None => mask,
        };
        let sets = [ITEMS.to_owned()];
        if control > 0 {
            session.check_control(&mask, self.job).await?;
        }
        let pruned = session.prune(mask, &sets, self.job).await?;
        warn(session.warnings());
        let control = if control > 0 {
            let mask = pruned.mask.clone();
            Some(
                session
                    .control(mask, &sets, (control, seed), self.job)
                    .await?,
            )
        } else {
            None
        };
        let general = match &text {
            Some(text) => {
                let mask = pruned.mask.clone();
                Some(session.general_ability(mask, text, self.job).await?)
            }
            None => None,
        };
        let study = study_of(&session, ITEMS, &pruned.mask, selected, control.as_ref());
        let mut results = Together::default();
        if let Some(path) = mask_out {
            let info = session.model_info();
            let engine = session.engine_info();
            let study = Some(study.clone());
            let file = MaskFile::new(&info, engine, study, &pruned, control.clone());
            results.add(&path, file.to_json()?.as_bytes())?;
        }
        let mut found = serde_json::json!({
            "study": study,
            "baseline": session.baseline(ITEMS),
            "pruned": pruned,
            "control": control,
        });
        if let Some(general) = general {
            found["general_ability"] = serde_json::json!(general);
        }
        results.add_json(out.as_deref(), &Computed::new(&session, found))?;
        results.place()
    }
}

/// The study of a mask: its items, how they were put to the model and, where a selection made it, the attribution that
/// was selected from.
fn study_of(
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
        audit: None,
        attribution: attribution.map(Settings::named),
        race: None,
        search: None,
        pruning: Some(PruningSpec {
            mask: Some(mask.clone()),
            selection: selection.map(Into::into),
        }),
        kept_masks: Vec::new(),
        control: control.map(|control| ControlSpec {
            masks: control.masks,
            seed: control.seed,
        }),
        tuning: None,
        seed: 0,
    }
}
