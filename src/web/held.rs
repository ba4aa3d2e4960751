//! What the engine holds: a bench, by itself until a model is loaded.

use super::error::WebError;
use crate::study::{Bench, Session};

/// A bench by itself, or in a session.
pub(super) enum Held {
    /// No model is loaded.
    Bench(Bench),
    /// With a model.
    Session(Box<Session>),
}

impl Held {
    pub fn bench(&self) -> &Bench {
        match self {
            Self::Bench(bench) => bench,
            Self::Session(session) => session.bench(),
        }
    }

    /// Changes what lies on the bench.
    pub fn change(&mut self, change: impl FnOnce(&mut Bench)) {
        match self {
            Self::Bench(bench) => change(bench),
            Self::Session(session) => session.change(change),
        }
    }

    /// The session, where a model is loaded.
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Bench(_) => None,
            Self::Session(session) => Some(session),
        }
    }

    /// The same, for what computes.
    pub fn session_mut(&mut self) -> Result<&mut Session, WebError> {
        match self {
            Self::Bench(_) => Err(WebError::no_model()),
            Self::Session(session) => Ok(session),
        }
    }

    /// Lets go of the model and what was found with it.
    pub fn unload(&mut self) {
        *self = Self::Bench(self.bench().clone());
    }
}
