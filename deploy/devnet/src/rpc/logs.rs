//! `eth_getLogs` and the filter methods.

use alloy_primitives::U256;
use jsonrpsee::{RpcModule, server::RegisterMethodError};

use super::{
    error::RpcError,
    filters::{FilterKind, LogRequest, get_logs},
    node::Node,
    types::Args,
};

/// Adds `eth_getLogs` and the filter methods.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::method(module, "eth_getLogs", |node, args| {
        get_logs(&node.chain.read(), args.need()?)
    })?;
    Node::method(module, "eth_newFilter", |node, args: &mut Args<'_>| {
        let request: LogRequest = args.need()?;
        request.span()?;
        request.clone().filter()?;
        node.new_filter(FilterKind::Logs(request))
    })?;
    Node::method(module, "eth_newBlockFilter", |node, _| {
        node.new_filter(FilterKind::Blocks)
    })?;
    Node::method(module, "eth_newPendingTransactionFilter", |node, _| {
        node.new_filter(FilterKind::Transactions)
    })?;
    Node::method(module, "eth_getFilterChanges", |node, args| {
        let id = args.need()?;
        let ledger = node.chain.read();
        node.filters().changes(&id, &ledger)
    })?;
    Node::method(module, "eth_getFilterLogs", |node, args| {
        let id = args.need()?;
        let kind = node.filters().get(&id)?.kind.clone();
        match kind {
            FilterKind::Logs(request) => get_logs(&node.chain.read(), request),
            _ => Err(RpcError::Refused("filter not found".into())),
        }
    })?;
    Node::method(module, "eth_uninstallFilter", |node, args| {
        let id: U256 = args.need()?;
        Ok(node.filters().live.remove(&id).is_some())
    })
}
impl Node {
    fn new_filter(&self, kind: FilterKind) -> Result<U256, RpcError> {
        let given = self.chain.read().serial();
        self.filters().add(kind, given)
    }
}
