//! The contract's history on this disk: every log, in SQLite, kept level with the chain and asked without it.
//!
//! - [`Index`] holds the logs of one contract as [`Entry`]s and answers a [`Query`]; [`Index::sync`] brings it up to the
//!   chain's head, through reorganisations, in ranges that the provider takes. It may be deleted: it is read anew then.
//! - [`State`] is what entries come to: images, and who may open them. The index keeps it with them: [`Index::images`].
//! - [`Index::check`] compares that with the contract's own views.
//! - [`report`]: the history in forms that hospitals, patients and regulators know; [`watch`]: rules over what happens.
//!
//! A log that cannot be understood is kept as [`What::Unknown`], never left out. Text in entries is as its sender wrote
//! it: whoever shows it passes it through [`escaped`].

mod check;
mod compare;
mod entry;
mod error;
mod images;
mod index;
mod query;
mod ranges;
pub mod report;
mod select;
mod state;
mod store;
mod sync;
#[cfg(test)]
mod tests;
mod text;
pub mod watch;

pub use self::check::Difference;
pub use self::compare::Compared;
pub use self::entry::{Entry, EventKind, UnknownLog, What};
pub use self::error::{Error, Result};
pub use self::index::{Freshness, Index};
pub use self::query::{ImageQuery, Query, Standing};
pub use self::state::{Grant, Image, Mark, State};
pub use self::sync::Synced;
pub use self::text::{escaped, time};
