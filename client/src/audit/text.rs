//! How times from the chain are shown, and its text.

pub(super) use pcim_core::date::civil;
pub use pcim_core::date::time;
pub use pcim_core::text::escaped;
pub(super) use pcim_core::text::steers;
