//! The class that the page's worker holds. Thin: it converts, calls the session, converts back.

use std::collections::BTreeMap;

use js_sys::{Float32Array, Object, Reflect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::files::model_files;
use super::held::Held;
use super::host::Worker;
use crate::attribution::Settings;
use crate::export::mask_file::MaskFile;
use crate::export::snippet::python_snippet;
use crate::items::{AnswersFrom, Item, Template, parse_items_from};
use crate::job::Job;
use crate::kernels::is_gpu;
use crate::model::device::{Compute, DeviceInfo};
use crate::model::{ModelError, Neuron, Opened, Precision, choice};
use crate::pruning::Mask;
use crate::pruning::effect::{ControlReport, PruneReport};
use crate::pruning::selection::{TopPercent, ranked};
use crate::scoring::{Rule, SetScores};
use crate::study::link::{self, Shared};
use crate::study::report::Report;
use crate::study::session::TuneRequest;
use crate::study::warm_up::warm_up;
use crate::study::{Expected, Reproduction, Session, Study, StudyError, runner};

pub(super) type Result<T> = std::result::Result<T, WebError>;

/// The engine in the page's worker.
#[wasm_bindgen]
pub struct Engine {
    /// Where the model is, or the next one goes to.
    compute: Compute,
    /// A GPU that is compared with the processor for every model, where the page leaves the choice to the engine.
    gpu: Option<Compute>,
    pub(super) held: Held,
}

pub(super) fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T> {
    Ok(serde_wasm_bindgen::from_value(value)?)
}

pub(super) fn to_js(value: &impl Serialize) -> Result<JsValue> {
    Ok(value.serialize(&Serializer::json_compatible())?)
}

#[derive(Deserialize)]
struct ModelRequest {
    id: String,
    #[serde(default)]
    sha256: Option<String>,
    /// How its weights are held.
    #[serde(default)]
    precision: Precision,
}

#[derive(Deserialize)]
struct SetRequest {
    set: String,
}

#[derive(Deserialize)]
struct RuleRequest {
    rule: Rule,
    scores: Vec<SetScores>,
}

#[derive(Deserialize)]
struct ItemsRequest {
    name: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct TextRequest {
    text: String,
    /// From where right answers that are numbers are counted, where that is known.
    #[serde(default)]
    answers_from: Option<AnswersFrom>,
}

#[derive(Deserialize)]
struct AttributeRequest {
    set: String,
    settings: Settings,
    /// Whether one that was made of the same before will do.
    #[serde(default)]
    known: bool,
}

#[derive(Deserialize)]
struct RankedRequest {
    #[serde(default)]
    layer: Option<usize>,
    top: usize,
    #[serde(default)]
    mask: Option<Mask>,
}

#[derive(Deserialize)]
struct NeuronRequest {
    #[serde(flatten)]
    neuron: Neuron,
    set: String,
}

#[derive(Deserialize)]
struct PruneRequest {
    mask: Mask,
    sets: Vec<String>,
}

#[derive(Deserialize)]
struct ControlRequest {
    mask: Mask,
    sets: Vec<String>,
    masks: usize,
    seed: u64,
}

#[derive(Deserialize)]
struct SearchRequest {
    sets: Vec<String>,
    #[serde(default)]
    layers: Option<Vec<usize>>,
    percents: Vec<f64>,
}

#[derive(Deserialize)]
struct RunRequest {
    study: Study,
    #[serde(default)]
    expected: Option<Expected>,
    /// Items of the bundled samples that the study names.
    #[serde(default)]
    samples: BTreeMap<String, Vec<Item>>,
}

#[derive(Deserialize)]
struct MaskRequest {
    #[serde(default)]
    study: Option<Study>,
    prune: PruneReport,
    #[serde(default)]
    control: Option<ControlReport>,
}

#[derive(Deserialize)]
struct LinkRequest {
    study: Study,
    /// The mask's effect, when there is one.
    #[serde(default)]
    prune: Option<PruneReport>,
}

#[derive(Deserialize)]
struct SnippetRequest {
    mask: Mask,
    #[serde(default)]
    repo: Option<String>,
}

impl Engine {
    pub(super) fn session(&mut self) -> Result<&mut Session> {
        self.held.session_mut()
    }

    /// Where a model is loaded to.
    async fn choose_device(
        &mut self,
        opened: &Opened,
        precision: Precision,
        job: Job<'_>,
    ) -> Result<()> {
        match &mut self.gpu {
            Some(gpu) => {
                gpu.precision = precision;
                self.compute = choice::for_model(opened.config(), gpu, job).await?;
            }
            None => {
                self.compute.precision = precision;
                self.compute.check_fits(opened.config())?;
                self.compute.check_shapes(opened.config(), job).await?;
            }
        }
        Ok(())
    }

    /// Runs a study in a session of its own: only once it is through does it take the place of the one at hand.
    async fn rerun(
        &mut self,
        request: RunRequest,
        progress: JsValue,
    ) -> Result<(Report, Reproduction)> {
        let host = Worker::new(progress);
        let mut session = self.session()?.beside();
        // Items a study may name: the ones sent with it, else the sets already here.
        let bench = self.held.bench();
        let sample = |name: &str| match request.samples.get(name) {
            Some(sent) => Ok(sent.clone()),
            None => match bench.set(name) {
                Ok(set) => Ok(set.given().to_vec()),
                Err(error) => Err(StudyError::Document(error.to_string())),
            },
        };
        let expected = request.expected.unwrap_or_default();
        let job = Job::new(&host);
        let found = runner::reproduce(&mut session, &request.study, &expected, sample, job).await?;
        self.held = Held::Session(Box::new(session));
        Ok(found)
    }
}

#[wasm_bindgen]
impl Engine {
    /// Starts on "webgpu", "wasm", or "auto": the faster one for each model, where there is a GPU that passes the
    /// self-test. The browser tells the page what the GPU is called, and wgpu nothing.
    pub async fn start(device: String, adapter: String) -> Result<Engine> {
        let host = Worker::new(JsValue::NULL);
        let gpu = async {
            let mut gpu = Compute::wgpu(Job::new(&host)).await?;
            if !adapter.is_empty() {
                gpu.info.adapter = adapter;
            }
            Ok::<_, ModelError>(gpu)
        };
        let (compute, gpu) = match device.as_str() {
            "wasm" => (Compute::flex(), None),
            "webgpu" => (gpu.await?, None),
            _ => match gpu.await {
                Ok(gpu) => (gpu.clone(), Some(gpu)),
                Err(error) => {
                    let mut compute = Compute::flex();
                    compute.info.message = Some(format!("WebGPU is not used: {error}."));
                    (compute, None)
                }
            },
        };
        Ok(Engine {
            compute,
            gpu,
            held: Held::Bench(
                Template::named("question-answer")
                    .map_err(WebError::request)?
                    .into(),
            ),
        })
    }

    /// The device and its self-test. Its limits are those for the next model.
    pub fn device(&self) -> Result<JsValue> {
        let mut info: DeviceInfo = self.compute.info.clone();
        // What the processor does not hold goes to the GPU.
        if let Some(gpu) = &self.gpu {
            info.limits = gpu.info.limits;
        }
        to_js(&info)
    }

    /// Items, prompting and rule, for [`Engine::take_bench`] of another engine.
    pub fn bench(&self) -> Result<JsValue> {
        to_js(self.held.bench())
    }

    /// Takes what another engine had.
    pub fn take_bench(&mut self, bench: JsValue) -> Result<()> {
        self.held = Held::Bench(from_js(bench)?);
        Ok(())
    }

    /// The prompt templates.
    pub fn templates(&self) -> Result<JsValue> {
        to_js(&Template::all())
    }

    /// The attribution presets by name.
    pub fn presets(&self) -> Result<JsValue> {
        let presets: BTreeMap<&str, Option<Settings>> = Settings::PRESETS
            .iter()
            .map(|name| (*name, Settings::preset(name)))
            .collect();
        to_js(&presets)
    }

    /// Loads a model from `[{name, file: Blob}]`.
    pub async fn load_model(
        &mut self,
        request: JsValue,
        files: Vec<JsValue>,
        progress: JsValue,
    ) -> Result<JsValue> {
        let request: ModelRequest = from_js(request)?;
        let files = model_files(files).await?;
        let host = Worker::new(progress);
        // The old model goes first: two may not fit.
        self.held.unload();
        self.compute.device.memory_cleanup();
        let job = Job::new(&host);
        let opened = Opened::new(files).await?;
        self.choose_device(&opened, request.precision, job).await?;
        let model = opened.load(&request.id, &self.compute, job).await?;
        self.compute.faults.check()?;
        if let Some(expected) = request.sha256.filter(|expected| *expected != model.sha256) {
            return Err(WebError::file(format!(
                "the sha256 of the weights is {}, and not {expected} as it has to be",
                model.sha256
            )));
        }
        if is_gpu(&self.compute.device) {
            warm_up(&model.decoder, job).await?;
            self.compute.faults.check()?;
        }
        let session = Session::new(self.compute.clone(), model, self.held.bench().clone());
        let info = session.model_info();
        self.held = Held::Session(Box::new(session));
        to_js(&info)
    }

    /// Reads items from text.
    pub fn parse_items(&self, request: JsValue) -> Result<JsValue> {
        let TextRequest { text, answers_from } = from_js(request)?;
        to_js(&parse_items_from(&text, answers_from))
    }

    /// Adds or replaces an item set.
    pub fn set_items(&mut self, request: JsValue) -> Result<JsValue> {
        let ItemsRequest { name, items } = from_js(request)?;
        self.held.change(|bench| bench.set_items(&name, items));
        let sha256 = self.held.bench().set(&name)?.sha256();
        to_js(&serde_json::json!({ "sha256": sha256 }))
    }

    /// Removes an item set.
    pub fn remove_items(&mut self, name: &str) {
        self.held.change(|bench| bench.remove_items(name));
    }

    /// Changes how predictions are made; of the given scores, those that could follow.
    pub fn set_rule(&mut self, request: JsValue) -> Result<JsValue> {
        let RuleRequest { rule, scores } = from_js(request)?;
        self.held.change(|bench| bench.set_rule(rule));
        let follow = scores.iter().filter_map(|scores| scores.by_rule(rule));
        to_js(&follow.collect::<Vec<SetScores>>())
    }

    /// Scores a set.
    pub async fn score(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let SetRequest { set } = from_js(request)?;
        let host = Worker::new(progress);
        to_js(self.session()?.score(&set, Job::new(&host)).await?)
    }

    /// Attributes a set; `scores` of the result is one `Float32Array`, layer after layer.
    pub async fn attribute(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let AttributeRequest {
            set,
            settings,
            known,
        } = from_js(request)?;
        let host = Worker::new(progress);
        let session = self.session()?;
        if !(known && session.is_attributed(&set, &settings)) {
            session.attribute(&set, &settings, Job::new(&host)).await?;
        }
        let found = session.attributed()?;
        let flat: Vec<f32> = found.scores.iter().flatten().copied().collect();
        let result: Object = to_js(found)?
            .dyn_into()
            .map_err(|_| WebError::request("no object"))?;
        Reflect::set(
            &result,
            &"scores".into(),
            &Float32Array::from(flat.as_slice()),
        )
        .map_err(|_| WebError::request("scores cannot be set"))?;
        Ok(result.into())
    }

    /// The neurons of largest absolute score.
    pub fn ranked(&mut self, request: JsValue) -> Result<JsValue> {
        let RankedRequest { layer, top, mask } = from_js(request)?;
        let found = self.session()?.attributed()?;
        to_js(&ranked(found, layer, top, mask.as_ref()))
    }

    /// One neuron's card.
    pub async fn neuron(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let NeuronRequest { neuron, set } = from_js(request)?;
        let host = Worker::new(progress);
        let session = self.session()?;
        to_js(&session.neuron(neuron, &set, Job::new(&host)).await?)
    }

    /// The mask of the top p % of a layer.
    pub fn mask_top(&mut self, request: JsValue) -> Result<JsValue> {
        let selection: TopPercent = from_js(request)?;
        to_js(&self.session()?.mask_top(selection)?)
    }

    /// Sets before and after a mask.
    pub async fn prune(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let PruneRequest { mask, sets } = from_js(request)?;
        let host = Worker::new(progress);
        to_js(&self.session()?.prune(mask, &sets, Job::new(&host)).await?)
    }

    /// Random masks of the same size.
    pub async fn control(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let request: ControlRequest = from_js(request)?;
        let host = Worker::new(progress);
        let count = (request.masks, request.seed);
        let session = self.session()?;
        let job = Job::new(&host);
        to_js(
            &session
                .control(request.mask, &request.sets, count, job)
                .await?,
        )
    }

    /// Layer × percentage on validation sets.
    pub async fn search(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let request: SearchRequest = from_js(request)?;
        let host = Worker::new(progress);
        let layers = request.layers.as_deref();
        let session = self.session()?;
        let job = Job::new(&host);
        to_js(
            &session
                .search(&request.sets, layers, &request.percents, job)
                .await?,
        )
    }

    /// Trains gains.
    pub async fn tune(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let request: TuneRequest = from_js(request)?;
        let host = Worker::new(progress);
        to_js(&self.session()?.tune(&request, Job::new(&host)).await?)
    }

    /// Re-runs a study and says what reproduced. From then on its items and settings are the ones at hand; a run that
    /// fails or is cancelled leaves them as they were.
    pub async fn reproduce(&mut self, request: JsValue, progress: JsValue) -> Result<JsValue> {
        let (report, reproduction) = self.rerun(from_js(request)?, progress).await?;
        to_js(&serde_json::json!({ "report": report, "reproduction": reproduction }))
    }

    /// `mask.json`.
    pub fn export_mask(&mut self, request: JsValue) -> Result<String> {
        let request: MaskRequest = from_js(request)?;
        let session = self.session()?;
        let (info, engine) = (session.model_info(), session.engine_info());
        let file = MaskFile::new(
            &info,
            engine,
            request.study,
            &request.prune,
            request.control,
        );
        Ok(file.to_json()?)
    }

    /// Reads a `mask.json` for the loaded model.
    pub fn import_mask(&mut self, text: &str) -> Result<JsValue> {
        let file = MaskFile::from_json(text)?;
        let model = &self.session()?.model;
        let (mask, warnings) = file.for_model(model.config(), &model.sha256)?;
        to_js(&serde_json::json!({ "mask": mask, "study": file.study, "warnings": warnings }))
    }

    /// Python that applies a mask in transformers.
    pub fn python_snippet(&mut self, request: JsValue) -> Result<String> {
        let SnippetRequest { mask, repo } = from_js(request)?;
        Ok(python_snippet(
            &mask,
            self.session()?.model.config().family,
            repo.as_deref().unwrap_or("path/to/model"),
        ))
    }

    /// The fragment of a link that carries a study and what was found.
    pub fn encode_link(&mut self, request: JsValue) -> Result<String> {
        let LinkRequest { study, prune } = from_js(request)?;
        let session = self.session()?;
        let baseline: Vec<_> = study
            .item_sets
            .iter()
            .filter_map(|set| session.baseline(&set.name))
            .collect();
        let mask = prune.as_ref().map(|prune| &prune.mask);
        let precision = session.model.report.precision;
        let expected = Expected::new(precision, mask, &baseline, prune.as_ref()).shortened();
        let shared = Shared {
            study,
            expected: Some(expected).filter(|expected| !expected.sets.is_empty()),
        };
        Ok(link::encode(&shared)?)
    }

    /// What a link carries.
    pub fn decode_link(&self, fragment: &str) -> Result<JsValue> {
        to_js(&link::decode(fragment)?)
    }

    /// A study's or a report's document, as what a link would carry of it.
    pub fn read_document(&self, text: &str) -> Result<JsValue> {
        to_js(&Shared::from_document(text)?)
    }
}
