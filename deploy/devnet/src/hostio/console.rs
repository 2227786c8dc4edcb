//! Printing, on the local development chain only. Free of charge.

use super::Escape;
use super::guest::Host;

impl Host<'_> {
    pub(super) fn log_txt(&mut self, at: u32, len: u32) -> Result<(), Escape> {
        let text = self.read(at, len)?;
        self.given(&[&text]);
        let contract = self.env().contract;
        tracing::info!(target: "stylus", %contract, "{}", String::from_utf8_lossy(&text));
        Ok(())
    }

    pub(super) fn log_value(&mut self, value: impl std::fmt::Display) {
        let contract = self.env().contract;
        tracing::info!(target: "stylus", %contract, "{value}");
    }
}
