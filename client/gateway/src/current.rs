//! The settings in force: what a reload replaces while the gateway runs.

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::http::Access;
use crate::rules::Rules;
use crate::settings::{Peers, Settings};
use crate::tls::Acceptors;

/// What a reload replaces.
pub(crate) struct InForce {
    pub(crate) settings: Settings,
    pub(crate) peers: Peers,
    pub(crate) access: Access,
    pub(crate) acceptors: Acceptors,
    pub(crate) rules: Rules,
}

/// The settings in force, shared by everything that works by them.
#[derive(Clone)]
pub(crate) struct Current(Arc<RwLock<Arc<InForce>>>);

/// The settings as they were read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Counts the rules.
    pub rules: usize,
    /// Counts the patients whose cards the rules name.
    pub patients: usize,
    /// Settings that differ and take effect at the next start.
    pub at_next_start: Vec<String>,
}

impl InForce {
    /// Reads the rules and the certificates that settings name.
    pub(crate) fn read(settings: Settings) -> Result<Self> {
        Ok(Self {
            peers: settings.peers(),
            access: Access::new(&settings),
            acceptors: Acceptors::read(settings.tls.as_ref())?,
            rules: match &settings.rules {
                Some(path) => Rules::read(path)?,
                None => Rules::default(),
            },
            settings,
        })
    }
}

impl Current {
    pub(crate) fn new(first: InForce) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(first))))
    }

    /// Those of now.
    pub(crate) fn get(&self) -> Arc<InForce> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces them.
    pub(crate) fn set(&self, next: InForce) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}
