//! Doors for fuzzers: whatever bytes come in, an answer comes out and nothing panics.

use std::sync::Arc;

use jsonrpsee::Methods;
use tokio::runtime::Runtime;

use crate::{
    Config, Error,
    arbos::{params::Params, programs},
    chain::Chain,
    engine::Engine,
    genesis::dev_accounts,
    rpc, wasm,
};

/// A devnet without a network: requests go straight to the methods.
pub struct OfflineNode {
    runtime: Runtime,
    methods: Methods,
}

impl OfflineNode {
    /// Starts a fresh chain.
    ///
    /// # Errors
    ///
    /// If the system has no threads for it.
    pub fn new() -> Result<Self, Error> {
        let accounts = dev_accounts().map_err(Error::setup)?;
        let chain = Chain::open(&Config::default(), &accounts).map_err(Error::setup)?;
        let module = rpc::module(Arc::new(chain)).map_err(Error::setup)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(Error::setup)?;
        Ok(Self {
            runtime,
            methods: module.into(),
        })
    }

    /// Answers a request's body; `None` if it is no request at all.
    ///
    /// # Panics
    ///
    /// If a method fails inside: that is a bug.
    pub fn answer(&self, body: &[u8]) -> Option<String> {
        let body = std::str::from_utf8(body).ok()?;
        let answer = self
            .runtime
            .block_on(self.methods.raw_json_request(body, 1));
        let (answer, _subscription) = answer.ok()?;
        let answer = answer.get().to_owned();
        assert!(!answer.contains("-32603"), "{body}: {answer}");
        Some(answer)
    }
}

/// The fate of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It cannot be activated.
    Refused(String),
    /// It can be, for so much gas.
    Activated(u64),
}

/// Activates a module, and compiles it if that succeeds.
///
/// # Panics
///
/// If a module that passes activation cannot be instrumented or compiled: that is a bug.
pub fn activate(wasm: &[u8], debug: bool) -> Fate {
    let rules = programs::activation_params(&Params::DEFAULT, 51, 0, debug);
    match wasm::activate(wasm, rules) {
        Err(error) => Fate::Refused(error.to_string()),
        Ok(activated) => {
            let module = wasm::instrument_for_run(wasm, rules).expect("what was activated runs");
            let compiled = Engine::new(debug).compile(&module).map(|_| ());
            compiled.expect("what was activated compiles");
            Fate::Activated(activated.variable_gas)
        }
    }
}
