//! The contract's history on this disk: every log, in SQLite, kept level with the chain and asked without it.
//!
//! - [`Index`] holds the logs of one contract as [`Entry`]s and answers a [`Query`]; [`Index::sync`] brings it up to the
//!   chain's head, through reorganisations, in ranges that the provider takes. It may be deleted: it is read again then.
//! - [`State`] is what entries come to: images, and who may open them. The index keeps it with them: [`Index::images`].
//! - [`Index::check`] compares that with the contract's own views.
//! - [`report`]: the history in forms that hospitals, patients and regulators know; [`watch`]: rules over what happens.
//!
//! A log that cannot be understood is kept as [`What::Unknown`], never left out. Text in entries is as its sender wrote
//! it: code that shows it passes it through [`escaped`].

pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod entry;
pub(crate) mod error;
pub(crate) mod fold;
pub(crate) mod images;
pub(crate) mod index;
pub(crate) mod query;
pub(crate) mod ranges;
pub mod report;
pub(crate) mod row;
pub(crate) mod select;
pub(crate) mod state;
pub(crate) mod store;
pub(crate) mod sync;
pub(crate) mod tail;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub mod watch;

pub use crate::audit::check::Difference;
pub use crate::audit::compare::Compared;
pub use crate::audit::entry::{Entry, EventKind, UnknownLog, What};
pub use crate::audit::error::{Error, Result};
pub use crate::audit::index::{Freshness, Index};
pub use crate::audit::query::{ImageQuery, Query, Standing};
pub use crate::audit::state::{Grant, Image, Mark, State};
pub use crate::audit::sync::Synced;
pub use crate::audit::text::{escaped, time};
