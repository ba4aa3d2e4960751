//! Every call of the engine, with what it is asked with and what it answers.
//!
//! The table is read twice: by `web`, which makes the class of it that JavaScript sees, and by the test that writes
//! `www/src/wire/engine.ts`. Neither can say something else than the other. What a call does stands in `src/web`.

pub use std::collections::BTreeMap;

pub use super::answers::{
    Attribution, Comparison, Floats, Forward, ImportedMask, ItemsHash, Placeholder, PromptView,
    Reproduced,
};
pub use super::{
    AblateRequest, AttributeRequest, BiasRequest, ChangeRequest, CombineRequest, CompareRequest,
    ContrastRequest, ControlRequest, CountRequest, EffectsRequest, ExportRequest, ForwardRequest,
    GeneralRequest, ItemsRequest, LinkRequest, MaskRequest, ModelRequest, NeuronRequest,
    PromptRequest, PromptingRequest, PruneRequest, RankedRequest, RuleRequest, RunRequest,
    SalienceRequest, SearchRequest, SelectRequest, SetRequest, SnippetRequest, SplitRequest,
    StabilityRequest, TextRequest,
};
pub use crate::attribution::Settings;
pub use crate::attribution::contrast::Contrast;
pub use crate::attribution::portrait::Portrait;
pub use crate::attribution::salience::Salience;
pub use crate::items::{Item, ParsedItems, Template};
pub use crate::model::device::DeviceInfo;
pub use crate::pruning::effect::{ControlReport, NeuronCard, PruneReport};
pub use crate::pruning::selection::{RankedNeuron, TopPercent};
pub use crate::pruning::{GeneralAbility, Mask, Race, SearchReport, Stability};
pub use crate::scoring::{Audit, PositionBias, SetScores};
pub use crate::study::link::Shared;
pub use crate::study::report::ModelInfo;
pub use crate::study::session::{Effects, TuneRequest};
pub use crate::study::{Bench, Prompting, RaceSpec, Stamped};
pub use crate::tuning::TuneReport;

/// Hands the table to another macro.
///
/// - `quick`: answers at once
/// - `loading`: gets a model's files as well, and is told how far it is
/// - `long`: a job, which is told how far it is and can be cancelled
macro_rules! surface {
    ($make:ident) => {
        $make! {
            quick {
                /// The device and its self-test. Its limits are those for the next model.
                fn device() -> DeviceInfo;
                /// Items, prompting and rule, for `take_bench` of another engine; it is not looked into.
                fn bench() -> Bench;
                /// Takes what another engine had.
                fn take_bench(bench: Bench) -> ();
                /// The prompt templates.
                fn templates() -> Vec<Template>;
                /// The attribution presets by name, and what every other method starts with, by the method's name.
                fn presets() -> BTreeMap<String, Settings>;
                /// Reads items from text.
                fn parse_items(request: TextRequest) -> ParsedItems;
                /// Adds or replaces an item set.
                fn set_items(request: ItemsRequest) -> ItemsHash;
                /// Removes an item set.
                fn remove_items(name: String) -> ();
                /// Changes template, few shots and order of the choices; a template that has a name is called by it in the answer.
                fn set_prompting(request: PromptingRequest) -> Prompting;
                /// Changes how predictions are made.
                fn set_rule(request: RuleRequest) -> ();
                /// Scores counted by another rule: those of the given ones that could follow.
                fn by_rule(request: CountRequest) -> Vec<Stamped<SetScores>>;
                /// Whether the attribution that `attribute` would make is at hand.
                fn is_attributed(request: AttributeRequest) -> bool;
                /// The exact prompt of an item and, with a model, its tokens.
                fn prompt(request: PromptRequest) -> PromptView;
                /// The placeholders of a template.
                fn placeholders() -> Vec<Placeholder>;
                /// Deals items out to parts, stratified by the place of the right choice.
                fn split(request: SplitRequest) -> Vec<Vec<Item>>;
                /// Items as the text of a file.
                fn export_items(request: ExportRequest) -> String;
                /// Two runs over the same items: the exact test and the flipped items.
                fn compare(request: CompareRequest) -> Comparison;
                /// The neurons of largest absolute score.
                fn ranked(request: RankedRequest) -> Vec<RankedNeuron>;
                /// How a selection from the attribution holds under resamples of its items.
                fn stability(request: StabilityRequest) -> Stability;
                /// The mask of the top p % of a layer.
                fn mask_top(selection: TopPercent) -> Mask;
                /// The neurons of either of two masks, of both, or of the first alone.
                fn combine_masks(request: CombineRequest) -> Mask;
                /// `mask.json`.
                fn export_mask(request: MaskRequest) -> String;
                /// Reads a `mask.json` for the loaded model.
                fn import_mask(text: String) -> ImportedMask;
                /// Python that applies a mask in transformers.
                fn python_snippet(request: SnippetRequest) -> String;
                /// The fragment of a link that carries a study and what was found.
                fn encode_link(request: LinkRequest) -> String;
                /// What a link carries.
                fn decode_link(fragment: String) -> Shared;
                /// A study's or a report's document, as what a link would carry of it.
                fn read_document(text: String) -> Shared;
            }
            loading {
                /// Loads a model in place of the one before.
                fn load_model(request: ModelRequest) -> ModelInfo;
            }
            long {
                /// A forward pass laid open, for checks against other implementations.
                fn forward(request: ForwardRequest) -> Forward;
                /// What the largest logit after a prompt loses by each neuron, `[n_layers · d_mlp]`.
                fn ablate(request: AblateRequest) -> Floats;
                /// Scores a set.
                fn score(request: SetRequest) -> Stamped<SetScores>;
                /// A set with its choices in several orders.
                fn position_bias(request: BiasRequest) -> Stamped<PositionBias>;
                /// What drives the answers to a set beside its questions.
                fn audit(request: SetRequest) -> Stamped<Audit>;
                /// Attributes a set.
                fn attribute(request: AttributeRequest) -> Stamped<Attribution>;
                /// What every neuron does to the target, measured; what a cancelled job measured is answered, and gone on from.
                fn effects(request: EffectsRequest) -> Stamped<Effects>;
                /// Every method against exact ablation.
                fn race(request: RaceSpec) -> Stamped<Race>;
                /// Scores on a set minus those on another one, or minus those of the same items without their questions.
                fn contrast(request: ContrastRequest) -> Stamped<Contrast>;
                /// What a neuron is about, on a set's prompts.
                fn portrait(request: NeuronRequest) -> Stamped<Portrait>;
                /// Which words of an item's prompt drive its answer.
                fn salience(request: SalienceRequest) -> Stamped<Salience>;
                /// One neuron's card.
                fn neuron(request: NeuronRequest) -> Stamped<NeuronCard>;
                /// A mask whose neurons are changed otherwise; means are measured where they are not known.
                fn change_mask(request: ChangeRequest) -> Mask;
                /// Sets before and after a mask.
                fn prune(request: PruneRequest) -> Stamped<PruneReport>;
                /// A text before and after a mask.
                fn general_ability(request: GeneralRequest) -> Stamped<GeneralAbility>;
                /// Random masks of the same size.
                fn control(request: ControlRequest) -> Stamped<ControlReport>;
                /// The mask of any selection; harm that was not measured yet is measured first.
                fn mask_of(request: SelectRequest) -> Mask;
                /// Masks by every rule that is asked for, on validation sets.
                fn search(request: SearchRequest) -> Stamped<SearchReport>;
                /// Trains gains.
                fn tune(request: TuneRequest) -> Stamped<TuneReport>;
                /// Re-runs a study and says what reproduced. From then on its items and settings are the ones at hand; a
                /// run that fails or is cancelled leaves them as they were.
                fn reproduce(request: RunRequest) -> Reproduced;
            }
        }
    };
}
pub(crate) use surface;
