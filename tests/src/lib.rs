//! Shared by the tests of the programs. Tests of the whole house live in `it/`.

pub mod program;
