//! The node that the methods work on, and how a method is added.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{error::RpcError, filters::Filters, types::Args};
use crate::chain::{Chain, fork};

/// The fewest and the most executions at a time; in between, as many as the machine has processors. Further ones wait.
const EXECUTIONS: (usize, usize) = (2, 16);

/// How many executions this machine should do at a time: each may take much memory, and none goes faster for company.
fn executions() -> usize {
    let processors = std::thread::available_parallelism().map_or(EXECUTIONS.0, Into::into);
    processors.clamp(EXECUTIONS.0, EXECUTIONS.1)
}

/// The state that the methods work on.
pub(crate) struct Node {
    pub(super) chain: Arc<Chain>,
    filters: Mutex<Filters>,
    executions: Semaphore,
}
impl Node {
    pub(super) fn new(chain: Arc<Chain>) -> Self {
        Self {
            chain,
            filters: Mutex::default(),
            executions: Semaphore::new(executions()),
        }
    }

    pub(super) fn filters(&self) -> MutexGuard<'_, Filters> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a method that answers at once.
    pub(super) fn method<R: Serialize + Clone + 'static>(
        module: &mut RpcModule<Self>,
        name: &'static str,
        answer: fn(&Self, &mut Args<'_>) -> Result<R, RpcError>,
    ) -> Result<(), RegisterMethodError> {
        module.register_method(name, move |params, node, _| {
            answer(node, &mut Args::new(&params))
        })?;
        Ok(())
    }

    /// Adds a method that executes or writes, and so may take a while.
    pub(super) fn blocking<R: Serialize + Clone + Send + 'static>(
        module: &mut RpcModule<Self>,
        name: &'static str,
        answer: fn(&Self, &mut Args<'_>) -> Result<R, RpcError>,
    ) -> Result<(), RegisterMethodError> {
        module.register_async_method(name, move |params, node, _| async move {
            let _permit = node.executions.acquire().await;
            let worker = node.clone();
            finish(name, move || answer(&worker, &mut Args::new(&params))).await
        })?;
        Ok(())
    }

    /// Adds a method that reads state: at once, unless it is another chain's and may have to be fetched first.
    pub(super) fn reading<R: Serialize + Clone + Send + 'static>(
        module: &mut RpcModule<Self>,
        name: &'static str,
        answer: fn(&Self, &mut Args<'_>) -> Result<R, RpcError>,
    ) -> Result<(), RegisterMethodError> {
        module.register_async_method(name, move |params, node, _| async move {
            if !node.chain.is_fork() {
                return answer(&node, &mut Args::new(&params));
            }
            finish(name, move || answer(&node, &mut Args::new(&params))).await
        })?;
        Ok(())
    }
}

/// Does work on a thread that may wait, and fails if it could not read state of a fork.
async fn finish<R: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> Result<R, RpcError> + Send + 'static,
) -> Result<R, RpcError> {
    let work = move || {
        fork::failure();
        let answer = work();
        match fork::failure() {
            Some(failure) => Err(RpcError::Refused(failure)),
            None => answer,
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, method = name, "a method failed to finish");
            Err(RpcError::Internal)
        })
}
