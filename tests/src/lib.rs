//! What the tests of the programs share. Tests of the whole house live in `it/`.

pub mod program;
