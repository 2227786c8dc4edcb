//! A module's encoding, and a Stylus chain's rules for it.
//!
//! Linkers write what chains refuse at activation: a DataCount section, and table indices in `call_indirect`
//! that are padded to five bytes. Encoding the module again leaves the first out and writes the second short.

use std::io::Cursor;

use wasm_encoder::{
    CodeSection, DataSection, ElementSection, ExportSection, FunctionSection, GlobalSection,
    ImportSection, MemorySection, TableSection, TypeSection,
    reencode::{self, Reencode, RoundtripReencoder},
};
use wasmparser::{
    ExternalKind, FuncType, Parser, Payload, TypeRef, ValType, Validator, WasmFeatures,
    types::Types,
};

use crate::artifact::{CODE_PREFIX, MAX_CODE_BYTES};

/// Bytes that a module may have before compression.
pub const MAX_WASM_BYTES: usize = 131_072;

/// Pages of memory that a call gets for nothing are two; the contract starts with one.
pub const MEMORY_PAGES: u64 = 1;

const ENTRYPOINT: &str = "user_entrypoint";
const MEMORY: &str = "memory";
const HOST: &str = "vm_hooks";
/// A chain calls this before it grows a memory, so it must be imported.
const PAY_FOR_GROWTH: &str = "pay_for_memory_grow";

/// What a Stylus chain lets a module use. Floating point it does not run, so that is left out.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::GC_TYPES);

/// A fault of a module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no valid module of the features that a chain allows.
    #[error("invalid or with features that no Stylus chain allows")]
    Invalid(#[from] wasmparser::Error),
    /// It could not be encoded again.
    #[error("cannot be encoded: {0}")]
    Encode(String),
    /// It has a section that a chain refuses, or that has no business in a contract.
    #[error("has a {0} section")]
    Section(&'static str),
    /// It imports what is not a chain's host function.
    #[error("imports {module}.{name}, which is not a function of {HOST}")]
    Import {
        /// the import's module
        module: String,
        /// the import's name
        name: String,
    },
    /// It lacks the import that memory growth needs.
    #[error("does not import {HOST}.{PAY_FOR_GROWTH}")]
    NoGrowth,
    /// It does not export what it must, or more.
    #[error("exports {found:?}, wanted `{ENTRYPOINT}`, a function from i32 to i32, and `{MEMORY}`")]
    Exports {
        /// names and kinds
        found: Vec<String>,
    },
    /// It has more than one memory, or one that starts with another number of pages.
    #[error("starts with memories of {found:?} pages, wanted one of {MEMORY_PAGES}")]
    Memory {
        /// initial pages of each
        found: Vec<u64>,
    },
    /// It is larger than a chain takes.
    #[error(
        "has {wasm} bytes, {code} as code; at most {MAX_WASM_BYTES} and {MAX_CODE_BYTES} are allowed"
    )]
    TooLarge {
        /// bytes of the module
        wasm: usize,
        /// bytes of the account's code
        code: usize,
    },
}

/// Encodes a module again: no DataCount section, no custom sections, short indices, and no exports but those
/// that a chain looks at.
///
/// # Errors
/// If it is not a module that can be read.
pub fn encode(wasm: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |error: reencode::Error| Error::Encode(error.to_string());
    let mut encoder = RoundtripReencoder;
    let mut module = wasm_encoder::Module::new();
    let mut bodies = CodeSection::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                let mut types = TypeSection::new();
                encoder
                    .parse_type_section(&mut types, section)
                    .map_err(failed)?;
                module.section(&types);
            }
            Payload::ImportSection(section) => {
                let mut imports = ImportSection::new();
                encoder
                    .parse_import_section(&mut imports, section)
                    .map_err(failed)?;
                module.section(&imports);
            }
            Payload::FunctionSection(section) => {
                let mut functions = FunctionSection::new();
                encoder
                    .parse_function_section(&mut functions, section)
                    .map_err(failed)?;
                module.section(&functions);
            }
            Payload::TableSection(section) => {
                let mut tables = TableSection::new();
                encoder
                    .parse_table_section(&mut tables, section)
                    .map_err(failed)?;
                module.section(&tables);
            }
            Payload::MemorySection(section) => {
                let mut memories = MemorySection::new();
                encoder
                    .parse_memory_section(&mut memories, section)
                    .map_err(failed)?;
                module.section(&memories);
            }
            Payload::GlobalSection(section) => {
                let mut globals = GlobalSection::new();
                encoder
                    .parse_global_section(&mut globals, section)
                    .map_err(failed)?;
                module.section(&globals);
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section {
                    let export = export?;
                    if [ENTRYPOINT, MEMORY].contains(&export.name) {
                        encoder.parse_export(&mut exports, export).map_err(failed)?;
                    }
                }
                module.section(&exports);
            }
            Payload::ElementSection(section) => {
                let mut elements = ElementSection::new();
                encoder
                    .parse_element_section(&mut elements, section)
                    .map_err(failed)?;
                module.section(&elements);
            }
            Payload::CodeSectionEntry(body) => {
                encoder
                    .parse_function_body(&mut bodies, body)
                    .map_err(failed)?;
            }
            Payload::DataSection(section) => {
                // The code section comes before the data section; its bodies are all read by now.
                module.section(&std::mem::take(&mut bodies));
                let mut data = DataSection::new();
                encoder
                    .parse_data_section(&mut data, section)
                    .map_err(failed)?;
                module.section(&data);
            }
            Payload::StartSection { .. } => return Err(Error::Section("start")),
            _ => {}
        }
    }
    if !bodies.is_empty() {
        module.section(&bodies);
    }
    Ok(module.finish())
}

/// Checks a module against a Stylus chain's rules, and the contract's own: one memory page at the start, no
/// floating point. Returns the size in bytes of the account's code.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(wasm: &[u8]) -> Result<usize, Error> {
    let types = Validator::new_with_features(FEATURES).validate_all(wasm)?;
    let mut grows = false;
    let mut exports = Vec::new();
    let mut memories = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if import.module != HOST || !matches!(import.ty, TypeRef::Func(_)) {
                        let (module, name) = (import.module.to_owned(), import.name.to_owned());
                        return Err(Error::Import { module, name });
                    }
                    grows |= import.name == PAY_FOR_GROWTH;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    memories.push(memory?.initial);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    exports.push((export.name.to_owned(), export.kind, export.index));
                }
            }
            Payload::StartSection { .. } => return Err(Error::Section("start")),
            Payload::DataCountSection { .. } => return Err(Error::Section("DataCount")),
            Payload::CustomSection(_) => return Err(Error::Section("custom")),
            _ => {}
        }
    }
    if !grows {
        return Err(Error::NoGrowth);
    }
    if memories != [MEMORY_PAGES] {
        return Err(Error::Memory { found: memories });
    }
    exports.sort_by(|a, b| a.0.cmp(&b.0));
    let fit = matches!(
        exports.as_slice(),
        [(memory, ExternalKind::Memory, 0), (entrypoint, ExternalKind::Func, index)]
            if memory == MEMORY && entrypoint == ENTRYPOINT && is_entrypoint(&types, *index)
    );
    if !fit {
        let found = exports
            .into_iter()
            .map(|(name, kind, _)| format!("{name} ({kind:?})"))
            .collect();
        return Err(Error::Exports { found });
    }
    let code = code(wasm).len();
    if wasm.len() > MAX_WASM_BYTES || code > MAX_CODE_BYTES {
        return Err(Error::TooLarge {
            wasm: wasm.len(),
            code,
        });
    }
    Ok(code)
}

/// Makes the account's code for a module: the prefix, then the module under brotli, quality 11, window 22.
#[must_use]
pub fn code(wasm: &[u8]) -> Vec<u8> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: wasm.len(),
        ..Default::default()
    };
    let mut code = CODE_PREFIX.to_vec();
    brotli::BrotliCompress(&mut Cursor::new(wasm), &mut code, &parameters)
        .expect("reading and writing memory does not fail");
    code
}

fn is_entrypoint(types: &Types, function: u32) -> bool {
    let wanted = FuncType::new([ValType::I32], [ValType::I32]);
    let types = types.as_ref();
    types[types.core_function_at(function)].unwrap_func() == &wanted
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ENTRY: &str =
        r#"(func (export "user_entrypoint") (param i32) (result i32) (i32.const 0))"#;
    const GROW: &str = r#"(import "vm_hooks" "pay_for_memory_grow" (func (param i32)))"#;
    const PAGE: &str = r#"(memory (export "memory") 1)"#;

    fn module(parts: &[&str]) -> Vec<u8> {
        wat::parse_str(format!("(module {})", parts.concat())).unwrap()
    }

    #[test]
    fn a_small_module_is_fit() {
        let wasm = module(&[GROW, PAGE, ENTRY]);
        assert_eq!(check(&wasm).unwrap(), code(&wasm).len());
        assert_eq!(encode(&wasm).unwrap(), wasm);
    }

    #[test]
    fn what_a_chain_refuses_is_refused() {
        let refused = |parts: &[&str]| check(&module(parts)).unwrap_err();
        let two = r#"(memory (export "memory") 2)"#;
        assert!(matches!(refused(&[GROW, two, ENTRY]), Error::Memory { found } if found == [2]));
        assert!(matches!(refused(&[GROW, ENTRY]), Error::Memory { found } if found.is_empty()));
        assert!(matches!(refused(&[PAGE, ENTRY]), Error::NoGrowth));
        let foreign = r#"(import "env" "abort" (func))"#;
        let error = refused(&[GROW, foreign, PAGE, ENTRY]);
        assert!(
            matches!(error, Error::Import { module, name } if module == "env" && name == "abort")
        );
        let hidden = "(func (param i32) (result i32) (i32.const 0))";
        assert!(matches!(
            refused(&[GROW, PAGE, hidden]),
            Error::Exports { .. }
        ));
        let wrong_type =
            r#"(func (export "user_entrypoint") (param i64) (result i32) (i32.const 0))"#;
        assert!(matches!(
            refused(&[GROW, PAGE, wrong_type]),
            Error::Exports { .. }
        ));
        let more = r#"(func (export "more"))"#;
        assert!(matches!(
            refused(&[GROW, PAGE, ENTRY, more]),
            Error::Exports { .. }
        ));
        let float = "(func (drop (f64.add (f64.const 1) (f64.const 1))))";
        assert!(matches!(
            refused(&[GROW, PAGE, ENTRY, float]),
            Error::Invalid(_)
        ));
        let start = "(func $start) (start $start)";
        assert!(matches!(
            refused(&[GROW, PAGE, ENTRY, start]),
            Error::Section("start")
        ));
        let custom = r#"(@custom "name" "x")"#;
        assert!(matches!(
            refused(&[GROW, PAGE, ENTRY, custom]),
            Error::Section("custom")
        ));
    }

    #[test]
    fn a_module_that_does_not_compress_is_too_large() {
        // A linear congruential generator's high bytes: nothing for a compressor to find.
        let mut state = 1_u32;
        let noise: String = (0..30_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                format!("\\{:02x}", state >> 24)
            })
            .collect();
        let wasm = module(&[
            GROW,
            PAGE,
            ENTRY,
            &format!("(data (i32.const 0) \"{noise}\")"),
        ]);
        assert!(matches!(check(&wasm), Err(Error::TooLarge { code, .. }) if code > MAX_CODE_BYTES));
    }

    #[test]
    fn encoding_leaves_out_what_linkers_write() {
        let data_count =
            r#"(data $d "x") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0)))"#;
        let wasm = module(&[GROW, PAGE, ENTRY, data_count]);
        assert!(matches!(check(&wasm), Err(Error::Section("DataCount"))));

        let plain = r#"(data (i32.const 8) "abc") (@custom "producers" "x") (global (export "__heap_base") i32 (i32.const 1))"#;
        let encoded = encode(&module(&[GROW, PAGE, ENTRY, plain])).unwrap();
        let without = r#"(data (i32.const 8) "abc") (global i32 (i32.const 1))"#;
        assert_eq!(encoded, module(&[GROW, PAGE, ENTRY, without]));
        check(&encoded).unwrap();
    }

    #[test]
    fn encoding_shortens_table_indices() {
        let call = "(table 1 funcref) (func (call_indirect (i32.const 0)))";
        let short = module(&[GROW, PAGE, ENTRY, call]);
        // The last function's body: size 7, no locals, i32.const 0, call_indirect, type, table 0, end.
        let at = short.len() - 8;
        assert_eq!(
            [short[at], short[at + 1], short[at + 4], short[at + 6]],
            [7, 0, 0x11, 0]
        );
        let mut long = short[..at].to_vec();
        long.push(11);
        long.extend_from_slice(&short[at + 1..at + 6]);
        long.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x00, 0x0b]);
        // The code section's size, before its count of two and the entry point's four bytes.
        let section = at - 6 - 1;
        assert_eq!(
            usize::from(short[section]),
            short.len() - section - 1,
            "{short:02x?}"
        );
        long[section] += 4;
        assert!(matches!(check(&long), Err(Error::Invalid(_))));
        assert_eq!(encode(&long).unwrap(), short);
    }
}
