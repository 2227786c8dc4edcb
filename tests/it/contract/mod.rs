//! The contract, through its ABI alone.

mod figures;
mod grant;
mod registration;
mod roles;
mod text;
mod upkeep;
