//! The lesson's item sets, the study that the page shows first, and the log.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::quiz::{Cue, Quiz};
use crate::training::{self, Planted, StageLog, Trained};
use secateur::attribution::Settings;
use secateur::items::{Item, Template, TemplateSpec, canonical_jsonl};
use secateur::job::Job;
use secateur::model::device::Compute;
use secateur::model::load::ModelFiles;
use secateur::model::{Model, Neuron};
use secateur::pruning::Mask;
use secateur::pruning::effect::ControlReport;
use secateur::scoring::Accuracy;
use secateur::study::{
    self, ControlSpec, ItemSetSpec, ModelSpec, Report, Role, ScoringSpec, SearchSpec, Session,
    Study, StudyError, runner,
};
use secateur::weights::MemorySource;

/// The model's name in studies, and the beginning of its item sets' names.
pub const ID: &str = "lesson-planted";

/// Items of a test set; the log reports on all of them.
const TESTED: usize = 1000;
/// Items of a set that travel with the page, the first ones.
const SHOWN: usize = 100;
/// Random masks of the control.
const CONTROL_MASKS: usize = 20;
/// The search's percentages.
const PERCENTS: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0];

/// Everything that is written.
pub struct Lesson {
    /// Files of the model's folder, by name.
    pub model: BTreeMap<&'static str, Vec<u8>>,
    /// The bundled item sets.
    pub samples: Vec<Sample>,
}

/// One bundled item set.
pub struct Sample {
    /// Its entry in `models/items/index.json`.
    pub entry: serde_json::Value,
    /// Name of its file.
    pub file: String,
    /// The items.
    pub jsonl: String,
}

/// How the model came about and what the paper's rule does to it: `training.json`.
#[derive(Serialize)]
struct Log {
    seed: u64,
    parameters: u64,
    training: Vec<StageLog>,
    planted: Planted,
    mask: Mask,
    /// Planted neurons that the mask prunes.
    planted_in_mask: usize,
    /// The test sets before and after the mask.
    tested: Vec<Tested>,
    /// Random masks of the same size in the same layer, on the same items.
    control: ControlReport,
    seconds: f64,
}

#[derive(Serialize)]
struct Tested {
    set: &'static str,
    before: Accuracy,
    after: Accuracy,
}

/// One item set, all of its items.
struct Set {
    name: &'static str,
    role: Role,
    title: &'static str,
    description: &'static str,
    items: Vec<Item>,
}

impl Set {
    fn sample_name(&self) -> String {
        format!("{ID}-{}", self.name)
    }

    fn shown(&self) -> &[Item] {
        &self.items[..self.items.len().min(SHOWN)]
    }

    fn sample(&self) -> Sample {
        let name = self.sample_name();
        let file = format!("{name}.jsonl");
        Sample {
            entry: json!({
                "name": name,
                "file": file,
                "title": self.title,
                "description": self.description,
                "licence": "MIT OR Apache-2.0",
                "source": "drawn by `examples/lesson`",
                "items": self.shown().len(),
                "model": ID,
            }),
            jsonl: canonical_jsonl(self.shown()),
            file,
        }
    }
}

/// The five sets. Each is drawn from streams of its own, so that none depends on another's size.
fn sets(seed: u64) -> Vec<Set> {
    let draw = |stream, name, cue, count| Quiz::new(seed, stream).items(name, cue, count);
    let test = |stream, name, title, description, cue| Set {
        name,
        role: Role::Test,
        title,
        description,
        items: draw(stream, name, cue, TESTED),
    };
    let mut validation = draw(11, "holds", Cue::Holds, 32);
    validation.extend(draw(12, "contradicted", Cue::Contradicted, 32));
    vec![
        Set {
            name: "attribution",
            role: Role::Attribution,
            title: "Lesson: to attribute",
            description: "The name points to the right desk. The items that Integrated Gradients explains.",
            items: draw(10, "attribution", Cue::Holds, 32),
        },
        Set {
            name: "validation",
            role: Role::Validation,
            title: "Lesson: to validate",
            description: "In one half the name points to the right desk, in the other to a wrong one. \
                          Picks layer and percentage.",
            items: validation,
        },
        test(
            13,
            "in-distribution",
            "Lesson: in-distribution",
            "The name points to the right desk, as in most items of the fine-tuning.",
            Cue::Holds,
        ),
        test(
            14,
            "neutral",
            "Lesson: neutral",
            "No name: only the words tell the desk.",
            Cue::Neutral,
        ),
        test(
            15,
            "shifted",
            "Lesson: shifted",
            "The name points to a wrong desk: who follows the shortcut is wrong.",
            Cue::Contradicted,
        ),
    ]
}

fn study_of(sets: &[Set], sha256: String, template: &Template, seed: u64) -> Study {
    Study {
        format: study::FORMAT.to_owned(),
        version: study::VERSION,
        model: ModelSpec {
            id: ID.to_owned(),
            sha256,
            name: Some("The lesson: a planted shortcut".to_owned()),
        },
        item_sets: sets
            .iter()
            .map(|set| ItemSetSpec {
                name: set.name.to_owned(),
                roles: vec![set.role],
                sha256: String::new(),
                items: None,
                sample: Some(set.sample_name()),
                answers_from: None,
                first: None,
                count: None,
                split: None,
            })
            .collect(),
        template: TemplateSpec::of(template),
        few_shot: None,
        choice_order: None,
        scoring: ScoringSpec::default(),
        audit: None,
        attribution: Settings::preset("paper"),
        race: None,
        search: Some(SearchSpec::of_layers(PERCENTS.to_vec())),
        pruning: None,
        kept_masks: Vec::new(),
        control: Some(ControlSpec {
            masks: CONTROL_MASKS,
            seed,
        }),
        tuning: None,
        seed,
    }
}

/// Trains the model, runs its study, and measures what pruning does.
///
/// # Errors
///
/// [`StudyError`] when a run fails or is cancelled.
pub async fn make(compute: Compute, seed: u64, job: Job<'_>) -> Result<Lesson, StudyError> {
    let start = job.now_secs();
    let Trained {
        weights,
        config,
        tokenizer,
        planted,
        stages,
    } = training::train(&compute.device, seed, job).await?;
    let files = ModelFiles {
        weights: vec![(
            "model.safetensors".to_owned(),
            Box::new(MemorySource(weights.clone())),
        )],
        index: None,
        config: Some(config.clone()),
        tokenizer: Some(tokenizer.clone()),
        tokenizer_config: None,
        chat_template: None,
    };
    let model = Model::load(ID, files, &compute, job).await?;
    let parameters = model.config().n_parameters();
    let template =
        Template::named("plain").map_err(|error| StudyError::Document(error.to_string()))?;
    let sets = sets(seed);
    let study = study_of(&sets, model.sha256.clone(), &template, seed);
    let mut session = Session::new(compute, model, template);
    let sample = |name: &str| {
        let set = sets.iter().find(|set| set.sample_name() == name);
        set.map(|set| set.shown().to_vec())
            .ok_or_else(|| StudyError::Document(format!("there is no item set `{name}`")))
    };
    let report = runner::run(&mut session, &study, sample, job).await?;

    let (mask, tested, control) = test(&mut session, &sets, &report, job).await?;
    let is_pruned = |&&index: &&usize| {
        let layer = planted.layer;
        mask.contains(Neuron { layer, index })
    };
    let log = Log {
        seed,
        parameters,
        training: stages,
        planted_in_mask: planted.neurons.iter().filter(is_pruned).count(),
        planted,
        mask,
        tested,
        control,
        seconds: job.now_secs() - start,
    };
    Ok(Lesson {
        model: BTreeMap::from([
            ("model.safetensors", weights),
            ("config.json", config),
            ("tokenizer.json", tokenizer),
            ("study.json", pretty(&report.study)?),
            ("report.json", compact(&report)?),
            ("training.json", pretty(&log)?),
        ]),
        samples: sets.iter().map(Set::sample).collect(),
    })
}

/// The mask's effect on all items of the test sets.
async fn test(
    session: &mut Session,
    sets: &[Set],
    report: &Report,
    job: Job<'_>,
) -> Result<(Mask, Vec<Tested>, ControlReport), StudyError> {
    let Some(pruned) = &report.pruned else {
        return Err(StudyError::NotYet("the lesson's study has no mask".into()));
    };
    let tests = || sets.iter().filter(|set| set.role == Role::Test);
    for set in tests() {
        session.change(|bench| bench.set_items(set.name, set.items.clone()));
    }
    let names: Vec<String> = tests().map(|set| set.name.to_owned()).collect();
    let effect = session.prune(pruned.mask.clone(), &names, job).await?;
    let count = (CONTROL_MASKS, report.study.seed);
    let control = session
        .control(pruned.mask.clone(), &names, count, job)
        .await?;
    let tested = tests()
        .zip(effect.sets)
        .map(|(set, effect)| Tested {
            set: set.name,
            before: effect.before,
            after: effect.after.accuracy,
        })
        .collect();
    Ok((effect.mask, tested, control))
}

fn pretty(value: &impl Serialize) -> Result<Vec<u8>, StudyError> {
    let text = serde_json::to_vec_pretty(value);
    text.map(|mut bytes| {
        bytes.push(b'\n');
        bytes
    })
    .map_err(|error| StudyError::Document(error.to_string()))
}

fn compact(value: &impl Serialize) -> Result<Vec<u8>, StudyError> {
    serde_json::to_vec(value).map_err(|error| StudyError::Document(error.to_string()))
}
