//! `secateur prune`: items before and after a mask, and what was done as a study: whoever runs it gets the same.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args as ClapArgs};
use serde::Serialize;

use super::CliError;
use super::commands::{ITEMS, Shell, warn};
use super::files::read_text;
use super::options::{Input, SettingsArgs, named, seed};
use super::outputs::{Computed, Together, path_or_output};
use crate::attribution::Settings;
use crate::export::mask_file::MaskFile;
use crate::model::{ModelError, Site};
use crate::pruning::effect::{ControlReport, PruneReport, check_control};
use crate::pruning::general::GeneralAbility;
use crate::pruning::selection::TopPercent;
use crate::pruning::{Mask, Operation};
use crate::scoring::text::Windows;
use crate::scoring::{SetScores, UnknownWords};
use crate::study::made_of::Materials;
use crate::study::{ControlSpec, FORMAT, ItemSetSpec, PruningSpec, Role, Session, Study, VERSION};

/// What is pruned, on which items, and where the results go.
#[derive(ClapArgs)]
#[command(group(ArgGroup::new("pruned").required(true).args(["mask", "layer"])))]
pub struct PruneArgs {
    #[command(flatten)]
    pub input: Input,
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The mask's file, which takes no settings of an attribution; else --layer and --percent.
    #[arg(long, conflicts_with = "percent", conflicts_with_all = SettingsArgs::GROUPS)]
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
    #[arg(long, default_value_t = 0, requires = "control", value_parser = seed())]
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

impl PruneArgs {
    /// A mask of nothing that says what becomes of neurons, where that is said.
    fn like(&self) -> Result<Option<Mask>, CliError> {
        let like = self.operation.map(|operation| Mask {
            operation,
            factor: self.factor,
            means_of: (operation == Operation::Mean).then(|| ITEMS.to_owned()),
            ..Mask::empty(Site::Post)
        });
        like.as_ref().map_or(Ok(()), Mask::check)?;
        Ok(like)
    }
}

/// The report of `prune`.
#[derive(Serialize)]
struct Pruned {
    study: Study,
    baseline: Option<SetScores>,
    pruned: PruneReport,
    control: Option<ControlReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    general_ability: Option<GeneralAbility>,
}

impl Shell<'_> {
    /// Measures a mask, or the one that a selection makes.
    pub(super) async fn prune(&self, args: PruneArgs) -> Result<(), CliError> {
        let settings = args.settings.settings()?;
        let text = args.text.as_deref().map(read_text).transpose()?;
        let like = args.like()?;
        if args.control > 0 {
            check_control(args.control)?;
        }
        let mut session = self.session(&args.input).await?;
        if let Some((text, path)) = text.as_ref().zip(args.text.as_deref()) {
            check_text(&session, text, path)?;
        }
        let (mask, selected) = self.mask_asked(&mut session, &args, settings).await?;
        let mask = match &like {
            Some(like) => session.changed_like(mask, like, self.job).await?,
            None => mask,
        };
        let drawn = (args.control > 0).then_some((args.control, args.seed));
        let found = self.measured(&mut session, mask, selected, drawn, text.as_deref());
        let found = found.await?;
        let mut results = Together::default();
        if let Some(path) = &args.mask_out {
            let file = found.mask_file(&session);
            results.add(path, file.to_json()?.as_bytes())?;
        }
        let out = path_or_output(args.out.as_ref());
        results.add_json(out, &Computed::new(&session, found))?;
        results.place()
    }

    /// The mask of a file, or the one that a selection makes, with what made it.
    async fn mask_asked(
        &self,
        session: &mut Session,
        args: &PruneArgs,
        settings: Settings,
    ) -> Result<(Mask, Option<(Settings, TopPercent)>), CliError> {
        match (&args.mask, args.layer, args.percent) {
            (Some(path), ..) => Ok((self.read_mask(session, path)?, None)),
            (None, Some(layer), Some(percent)) => {
                let selection = TopPercent { layer, percent };
                selection.check(session.model.config().n_layers)?;
                session.attribute(ITEMS, &settings, self.job).await?;
                Ok((session.mask_top(selection)?, Some((settings, selection))))
            }
            _ => Err(CliError::Input(
                "give --mask, or --layer and --percent".into(),
            )),
        }
    }

    /// What a mask does to the items, beside random ones of its size, and to a text.
    async fn measured(
        &self,
        session: &mut Session,
        mask: Mask,
        selected: Option<(Settings, TopPercent)>,
        drawn: Option<(usize, u64)>,
        text: Option<&str>,
    ) -> Result<Pruned, CliError> {
        let sets = [ITEMS.to_owned()];
        if drawn.is_some() {
            session.check_control(&mask, self.job).await?;
        }
        let pruned = session.prune(mask, &sets, self.job).await?;
        warn(session.warnings());
        let mask = pruned.mask.clone();
        let control = match drawn {
            Some(drawn) => Some(
                session
                    .control(mask.clone(), &sets, drawn, self.job)
                    .await?,
            ),
            None => None,
        };
        let general_ability = match text {
            Some(text) => Some(session.general_ability(mask, text, self.job).await?),
            None => None,
        };
        Ok(Pruned {
            study: study_of(session, ITEMS, &pruned.mask, selected, control.as_ref()),
            baseline: session.baseline(ITEMS).cloned(),
            pruned,
            control,
            general_ability,
        })
    }
}

impl Pruned {
    /// The mask with where it comes from.
    fn mask_file(&self, session: &Session) -> MaskFile {
        MaskFile::new(
            &session.model_info(),
            session.engine_info(),
            Some(self.study.clone()),
            &self.pruned,
            self.control.clone(),
        )
    }
}

/// Refuses a text that cannot be measured, before anything is computed that would be lost with it, and warns of one that the model
/// can hardly read.
fn check_text(session: &Session, text: &str, path: &Path) -> Result<(), CliError> {
    let shown = path.display().to_string();
    Windows::new(&session.model, text)
        .map_err(|error| CliError::Input(format!("{shown}: {error}")))?;
    let unknown = UnknownWords::of_texts(&session.model.tokenizer, std::iter::once(text));
    let unknown = unknown.map_err(ModelError::from)?;
    let warning = unknown.and_then(|unknown| unknown.warning(&shown));
    warn(warning.as_deref().into_iter());
    Ok(())
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
