//! The committed release artifact: `contract/artifacts/pcac.wasm` and its manifest, embedded.
