//! Compiles the contract to WASM.
