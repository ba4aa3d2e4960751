//! The study: one document for the page, the link and the command line.
//!
//! - `specification`: the study, checked when it is read; `parts`: what it is made of; `kept`: masks beside
//!   what is pruned; `error`: why one cannot be read or run
//! - `stated`: what documents say was found, held to what stands beside it
//! - [`bench`]: item sets and how they are put to a model: what needs none
//! - [`session`]: a bench, a model and their results so far; every action the two ways in offer
//! - [`made_of`]: what results are made of, and whether that is the same; `results`: those at hand, and those of what is
//!   not at hand any more
//! - [`warm_up`]: what a GPU compiles, before the first job
//! - [`runner`]: executes a study from end to end
//! - [`report`]: what a run found
//! - [`reproduction`]: how a re-run compares with it; `beside`: with the other parts of a report
//! - [`link`]: a study in the fragment of a URL

pub mod bench;
mod beside;
mod error;
mod kept;
pub mod link;
pub mod made_of;
mod parts;
pub mod report;
pub mod reproduction;
mod results;
pub mod runner;
pub mod session;
mod specification;
mod stated;
pub mod warm_up;

pub use crate::pruning::SearchSpec;
pub use bench::{Bench, Prompting};
pub use beside::ReproducedPart;
pub use error::StudyError;
pub use kept::{KeptMask, MAX_KEPT_MASKS, MAX_MASK_NAME};
pub use made_of::{MadeOf, Stamped};
pub use parts::{
    AuditSpec, ChoiceOrder, ControlSpec, ItemSetSpec, ModelSpec, PruningSpec, RaceSpec, Role,
    ScoringSpec,
};
pub use report::Report;
pub use reproduction::{Expected, Reproduction};
pub use session::Session;
pub use specification::{FORMAT, MAX_SEED, Study, VERSION};
pub use stated::{Contradiction, Measured};
