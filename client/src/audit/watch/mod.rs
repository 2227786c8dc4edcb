//! Watching: rules over live events, and what is done when one of them speaks.
//!
//! [`Watcher`] is pure: it is given every log in the order of the chain, and the program's life now and then, and answers
//! with [`Alert`]s. What an alert sets off, and that nothing is set off twice, is the business of whoever feeds it.

mod file;
mod rules;
#[cfg(test)]
mod tests;

pub use file::{Action, Error, MAX_RULES, MAX_RULES_BYTES, Rule, Scope, When};
pub use rules::{Alert, Mine, Watcher};
