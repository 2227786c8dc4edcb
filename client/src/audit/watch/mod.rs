//! Watching: rules over live events, and what is done when one of them speaks.
//!
//! [`Watcher`] is pure: it is given every log in the order of the chain, and the program's life now and then, and answers
//! with [`Alert`]s. The caller decides what an alert sets off, and sees that nothing is set off twice.

pub(crate) mod file;
pub(crate) mod rules;
#[cfg(test)]
mod tests;

pub use crate::audit::watch::file::{Action, Error, MAX_RULES, MAX_RULES_BYTES, Rule, Scope, When};
pub use crate::audit::watch::rules::{Alert, Mine, Watcher};
