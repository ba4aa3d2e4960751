//! What the calls of the page do. Thin: they ask the session.

use std::collections::BTreeMap;

use wasm_bindgen::JsValue;

use super::error::WebError;
use super::held::Held;
use super::host::Worker;
use crate::attribution::Settings;
use crate::attribution::contrast::{Against, Contrast};
use crate::attribution::portrait::Portrait;
use crate::attribution::salience::Salience;
use crate::export::mask_file::MaskFile;
use crate::export::snippet::python_snippet;
use crate::items::{ParsedItems, Template, parse_items_from};
use crate::job::Job;
use crate::kernels::is_gpu;
use crate::model::device::{Compute, DeviceInfo};
use crate::model::load::ModelFiles;
use crate::model::{ModelError, Opened, Precision, Site, choice};
use crate::pruning::effect::{ControlReport, NeuronCard, PruneReport};
use crate::pruning::selection::{RankedNeuron, TopPercent, ranked};
use crate::pruning::{GeneralAbility, Mask, Race, SearchReport, Stability};
use crate::scoring::{Audit, SetScores};
use crate::study::link::{self, Shared};
use crate::study::report::ModelInfo;
use crate::study::session::{Effects, TuneRequest};
use crate::study::warm_up::warm_up;
use crate::study::{Bench, Expected, MadeOf, RaceSpec, Session, Stamped, StudyError, runner};
use crate::tuning::TuneReport;
use crate::wire::answers::{Attribution, ImportedMask, ItemsHash, Reproduced};
use crate::wire::{
    AttributeRequest, ChangeRequest, CombineRequest, ContrastRequest, ControlRequest, CountRequest,
    EffectsRequest, GeneralRequest, ItemsRequest, LinkRequest, MaskRequest, ModelRequest,
    NeuronRequest, PruneRequest, RankedRequest, RuleRequest, RunRequest, SalienceRequest,
    SearchRequest, SelectRequest, SetRequest, SnippetRequest, StabilityRequest, TextRequest,
};

pub(super) type Result<T> = std::result::Result<T, WebError>;

/// The engine, bound to a device and a bench. The table of its calls says what each of them is
/// ([`crate::wire::surface`]).
pub struct Bound {
    /// Where the model is, or the next one goes to.
    compute: Compute,
    /// The processor and a GPU, which are compared for every model, where the page leaves the choice to the engine.
    either: Option<[Compute; 2]>,
    pub(super) held: Held,
}

impl Bound {
    /// As [`super::Engine::start`].
    pub async fn start(device: &str, adapter: String) -> Result<Self> {
        let host = Worker::new(JsValue::NULL);
        let gpu = async {
            let mut gpu = Compute::wgpu(Job::new(&host)).await?;
            if !adapter.is_empty() {
                gpu.info.adapter = adapter;
            }
            Ok::<_, ModelError>(gpu)
        };
        let (compute, either) = match device {
            "wasm" => (Compute::flex(), None),
            "webgpu" => (gpu.await?, None),
            _ => match gpu.await {
                Ok(gpu) => (gpu.clone(), Some([Compute::flex(), gpu])),
                Err(error) => {
                    let mut compute = Compute::flex();
                    compute.info.message = Some(format!("WebGPU is not used: {error}."));
                    (compute, None)
                }
            },
        };
        Ok(Self {
            compute,
            either,
            held: Held::Bench(
                Template::named("question-answer")
                    .map_err(WebError::request)?
                    .into(),
            ),
        })
    }

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
        match &mut self.either {
            Some([cpu, gpu]) => {
                (cpu.precision, gpu.precision) = (precision, precision);
                self.compute = choice::for_model(opened.config(), cpu, gpu, job).await?;
            }
            None => {
                self.compute.precision = precision;
                self.compute.check_fits(opened.config())?;
                self.compute.check_shapes(opened.config(), job).await?;
            }
        }
        Ok(())
    }

    pub fn device(&self) -> Result<DeviceInfo> {
        let mut info = self.compute.info.clone();
        // What the processor does not hold goes to the GPU.
        if let Some([_, gpu]) = &self.either {
            info.limits = gpu.info.limits;
        }
        Ok(info)
    }

    pub fn bench(&self) -> Result<&Bench> {
        Ok(self.held.bench())
    }

    pub fn take_bench(&mut self, bench: Bench) -> Result<()> {
        self.held = Held::Bench(bench);
        Ok(())
    }

    pub fn templates(&self) -> Result<Vec<Template>> {
        Ok(Template::all())
    }

    pub fn presets(&self) -> Result<BTreeMap<String, Settings>> {
        Ok(Settings::choices())
    }

    pub async fn load_model(
        &mut self,
        request: ModelRequest,
        files: ModelFiles,
        job: Job<'_>,
    ) -> Result<ModelInfo> {
        // The old model goes first: two may not fit.
        self.held.unload();
        self.compute.device.memory_cleanup();
        // A model that was too large for the device says nothing of the next. Where the engine has the choice, it takes the processor then.
        if self.either.is_none() {
            self.compute.faults.forget();
        }
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
        Ok(info)
    }

    pub fn parse_items(&self, request: TextRequest) -> Result<ParsedItems> {
        Ok(parse_items_from(&request.text, request.answers_from))
    }

    pub fn set_items(&mut self, request: ItemsRequest) -> Result<ItemsHash> {
        let ItemsRequest { name, items } = request;
        self.held.change(|bench| bench.set_items(&name, items));
        let sha256 = self.held.bench().set(&name)?.sha256().to_owned();
        Ok(ItemsHash { sha256 })
    }

    pub fn remove_items(&mut self, name: String) -> Result<()> {
        self.held.change(|bench| bench.remove_items(&name));
        Ok(())
    }

    pub fn set_rule(&mut self, request: RuleRequest) -> Result<()> {
        self.held.change(|bench| bench.set_rule(request.rule));
        Ok(())
    }

    pub fn by_rule(&self, request: CountRequest) -> Result<Vec<Stamped<SetScores>>> {
        let CountRequest { rule, scores } = request;
        Ok(scores.iter().filter_map(|one| one.by_rule(rule)).collect())
    }

    pub async fn score(&mut self, request: SetRequest, job: Job<'_>) -> Result<Stamped<SetScores>> {
        let session = self.session()?;
        let made_of = vec![session.made_of(&request.set)?];
        let result = session.score(&request.set, job).await?.clone();
        Ok(Stamped { made_of, result })
    }

    pub async fn audit(&mut self, request: SetRequest, job: Job<'_>) -> Result<Stamped<Audit>> {
        let session = self.session()?;
        let made_of = vec![session.made_of(&request.set)?];
        let result = session.audit(&request.set, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn attribute(
        &mut self,
        request: AttributeRequest,
        job: Job<'_>,
    ) -> Result<Stamped<Attribution>> {
        let AttributeRequest { set, settings } = request;
        let session = self.session()?;
        session.attribute(&set, &settings, job).await?;
        let made_of = session.attribution_made_of().cloned().into_iter().collect();
        let result = session.attributed()?.into();
        Ok(Stamped { made_of, result })
    }

    pub fn is_attributed(&self, request: AttributeRequest) -> Result<bool> {
        let AttributeRequest { set, settings } = request;
        let session = self.held.session();
        Ok(session.is_some_and(|session| session.is_attributed(&set, &settings)))
    }

    pub fn ranked(&mut self, request: RankedRequest) -> Result<Vec<RankedNeuron>> {
        let RankedRequest { layer, top, mask } = request;
        let found = self.session()?.attributed()?;
        Ok(ranked(found, layer, top, mask.as_ref()))
    }

    pub async fn contrast(
        &mut self,
        request: ContrastRequest,
        job: Job<'_>,
    ) -> Result<Stamped<Contrast>> {
        let ContrastRequest {
            set,
            against,
            settings,
        } = request;
        let session = self.session()?;
        let mut made_of = vec![session.made_of(&set)?.attributed(&settings)];
        if let Against::Set { set } = &against {
            made_of.push(session.made_of(set)?.attributed(&settings));
        }
        let result = session.contrast(&set, against, &settings, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn portrait(
        &mut self,
        request: NeuronRequest,
        job: Job<'_>,
    ) -> Result<Stamped<Portrait>> {
        let NeuronRequest { neuron, set } = request;
        let session = self.session()?;
        let made_of = vec![session.made_of(&set)?];
        let result = session.portrait(neuron, &set, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn salience(
        &mut self,
        request: SalienceRequest,
        job: Job<'_>,
    ) -> Result<Stamped<Salience>> {
        let SalienceRequest { set, id, settings } = request;
        let session = self.session()?;
        let made_of = vec![session.made_of(&set)?.attributed(&settings)];
        let result = session.salience(&set, &id, &settings, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn neuron(
        &mut self,
        request: NeuronRequest,
        job: Job<'_>,
    ) -> Result<Stamped<NeuronCard>> {
        let NeuronRequest { neuron, set } = request;
        let session = self.session()?;
        let of_set = session.made_of(&set)?;
        let of_attribution = session.attribution_made_of().cloned();
        let made_of = [of_set].into_iter().chain(of_attribution).collect();
        let result = session.neuron(neuron, &set, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn effects(
        &mut self,
        request: EffectsRequest,
        job: Job<'_>,
    ) -> Result<Stamped<Effects>> {
        let EffectsRequest {
            set,
            settings,
            layers,
        } = request;
        let session = self.session()?;
        let made_of = vec![session.made_of_effects(&set, &settings)?];
        let result = session.effects(&set, &settings, layers.as_deref(), job);
        let result = result.await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn race(&mut self, request: RaceSpec, job: Job<'_>) -> Result<Stamped<Race>> {
        let session = self.session()?;
        let made_of = vec![session.made_of_effects(&request.set, &request.settings)?];
        let result = session.race(&request, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub fn stability(&mut self, request: StabilityRequest) -> Result<Stability> {
        let StabilityRequest {
            selection,
            resampling,
        } = request;
        Ok(self.session()?.stability(selection, resampling)?)
    }

    pub fn mask_top(&mut self, selection: TopPercent) -> Result<Mask> {
        Ok(self.session()?.mask_top(selection)?)
    }

    pub fn combine_masks(&mut self, request: CombineRequest) -> Result<Mask> {
        let CombineRequest { how, masks } = request;
        Ok(self.session()?.combined(how, &masks)?)
    }

    pub async fn change_mask(&mut self, request: ChangeRequest, job: Job<'_>) -> Result<Mask> {
        let ChangeRequest { mask, like } = request;
        Ok(self.session()?.changed_like(mask, &like, job).await?)
    }

    pub async fn prune(
        &mut self,
        request: PruneRequest,
        job: Job<'_>,
    ) -> Result<Stamped<PruneReport>> {
        let PruneRequest { mask, sets } = request;
        let session = self.session()?;
        let made_of = session.made_under(&mask, &sets)?;
        let result = session.prune(mask, &sets, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn general_ability(
        &mut self,
        request: GeneralRequest,
        job: Job<'_>,
    ) -> Result<Stamped<GeneralAbility>> {
        let GeneralRequest { mask, text } = request;
        let session = self.session()?;
        let made_of = vec![MadeOf::default().with_model(&session.model).under(&mask)];
        let result = session.general_ability(mask, &text, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn control(
        &mut self,
        request: ControlRequest,
        job: Job<'_>,
    ) -> Result<Stamped<ControlReport>> {
        let ControlRequest {
            mask,
            sets,
            masks,
            seed,
        } = request;
        let session = self.session()?;
        let made_of = session.made_under(&mask, &sets)?;
        let result = session.control(mask, &sets, (masks, seed), job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn mask_of(&mut self, request: SelectRequest, job: Job<'_>) -> Result<Mask> {
        let SelectRequest {
            selection,
            operation,
            factor,
            means_of,
        } = request;
        // What it does is looked at before anything is measured; its site plays no part in that.
        let like = Mask {
            operation,
            factor,
            means_of,
            ..Mask::empty(Site::Post)
        };
        like.check()?;
        let session = self.session()?;
        let mask = session.mask_of(&selection, job).await?;
        Ok(session.changed_like(mask, &like, job).await?)
    }

    pub async fn search(
        &mut self,
        request: SearchRequest,
        job: Job<'_>,
    ) -> Result<Stamped<SearchReport>> {
        let SearchRequest { sets, spec } = request;
        let session = self.session()?;
        let mut made_of = session.made_of_all(&sets)?;
        made_of.extend(session.attribution_made_of().cloned());
        let result = session.search(&sets, &spec, job).await?;
        Ok(Stamped { made_of, result })
    }

    pub async fn tune(
        &mut self,
        request: TuneRequest,
        job: Job<'_>,
    ) -> Result<Stamped<TuneReport>> {
        let session = self.session()?;
        let sets = [request.train.as_slice(), &request.validation, &request.test].concat();
        let made_of = session.made_under(&request.mask, &sets)?;
        let result = session.tune(&request, job).await?;
        Ok(Stamped { made_of, result })
    }

    /// Runs the study in a session of its own: only once it is through does that take the place of the one at hand.
    pub async fn reproduce(&mut self, request: RunRequest, job: Job<'_>) -> Result<Reproduced> {
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
        let (report, reproduction) =
            runner::reproduce(&mut session, &request.study, &expected, sample, job).await?;
        self.held = Held::Session(Box::new(session));
        Ok(Reproduced {
            report,
            reproduction,
        })
    }

    pub fn export_mask(&mut self, request: MaskRequest) -> Result<String> {
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

    pub fn import_mask(&mut self, text: String) -> Result<ImportedMask> {
        let file = MaskFile::from_json(&text)?;
        let model = &self.session()?.model;
        let (mask, warnings) = file.for_model(model.config(), &model.sha256)?;
        Ok(ImportedMask {
            mask,
            study: file.study,
            warnings,
        })
    }

    pub fn python_snippet(&mut self, request: SnippetRequest) -> Result<String> {
        let SnippetRequest { mask, repo } = request;
        Ok(python_snippet(
            &mask,
            self.session()?.model.config().family,
            repo.as_deref().unwrap_or("path/to/model"),
        ))
    }

    pub fn encode_link(&mut self, request: LinkRequest) -> Result<String> {
        let LinkRequest { study, prune } = request;
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
            // A link is to be short.
            study: study.without_kept_masks(),
            expected: Some(expected).filter(|expected| !expected.sets.is_empty()),
        };
        Ok(link::encode(&shared)?)
    }

    pub fn decode_link(&self, fragment: String) -> Result<Shared> {
        Ok(link::decode(&fragment)?)
    }

    pub fn read_document(&self, text: String) -> Result<Shared> {
        Ok(Shared::from_document(&text)?)
    }
}
