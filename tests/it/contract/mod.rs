//! The contract, through its ABI alone.

mod figures;
mod roles;
mod rules;
mod text;
