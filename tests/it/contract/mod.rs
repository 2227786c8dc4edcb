//! The contract, through its ABI alone.

mod cost;
mod figures;
mod fuzz;
mod grant;
mod machine;
mod matrix;
mod model;
mod registration;
mod relay;
mod roles;
mod signed;
mod text;
mod upkeep;
mod worst;
