//! From foreign bytes to a well-formed program: WebAssembly validation and the rules on imports, exports and memory.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use wasmparser::{
    Export, ExternalKind, FuncType, FunctionBody, KnownCustom, MemoryType, Name, Operator, Parser,
    Payload, TypeRef, ValType, Validator, WasmFeatures,
};

use super::{
    ActivationError, ActivationParams,
    imports::{PAY_FOR_MEMORY_GROW, VM_HOOKS_MODULE},
    limits,
};

/// The export that a call of the program enters, of type (length: i32) -> status: i32.
pub(crate) const ENTRYPOINT: &str = "user_entrypoint";
/// The export of the program's memory.
pub(crate) const MEMORY: &str = "memory";

/// How names begin that belong to the instrumentation.
const RESERVED_PREFIX: &str = "stylus";

/// An imported function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Import<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    /// An index of [`Program::types`].
    pub(super) ty: u32,
}

/// A data or element segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Bytes in the module, the segment's own header included.
    pub(super) encoded: u64,
    /// Bytes or elements it holds.
    pub(super) length: u64,
    /// Where an active segment goes.
    pub(super) offset: Option<u32>,
}

/// A validated program. Its only memory is exported, and it imports nothing but functions.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) wasm: &'a [u8],
    pub(super) debug: bool,
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<Import<'a>>,
    /// The types of its own functions: indices of [`Program::types`].
    pub(super) functions: Vec<u32>,
    /// The initial entries of its tables.
    pub(super) tables: Vec<u64>,
    pub(super) memory: MemoryType,
    /// Its own globals, as encoded.
    pub(super) globals: Vec<&'a [u8]>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Segment>,
    pub(super) data: Vec<Segment>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    /// The name of the module and the longest name of a function, in bytes, where a name section gives them.
    pub(super) module_name: usize,
    pub(super) longest_function_name: usize,
    /// Where the sections are that instrumentation leaves alone, by section id.
    sections: HashMap<u8, Range<usize>>,
}

impl<'a> Program<'a> {
    /// Validates `wasm` against the features and rules of the chain.
    ///
    /// # Errors
    /// The first violation found. Limits on counts are [`counts::check`](super::counts::check)'s.
    pub(super) fn parse(wasm: &'a [u8], params: ActivationParams) -> Result<Self, ActivationError> {
        if !(1..=3).contains(&params.version) {
            let reason = format!("unsupported Stylus version {}, want 1 to 3", params.version);
            return Err(ActivationError::parse(reason));
        }
        if wasm.len() > limits::MAX_WASM_BYTES {
            let reason = format!(
                "{} bytes of wasm, want at most {}",
                wasm.len(),
                limits::MAX_WASM_BYTES
            );
            return Err(ActivationError::parse(reason));
        }
        let features = features(params);
        Validator::new_with_features(features).validate_all(wasm)?;
        let program = Self::read(wasm, features, params.debug)?;
        program.check_imports()?;
        program.check_exports()?;
        program.check_memory(params.page_limit)?;
        if program.start.is_some() && !params.debug {
            return Err(ActivationError::parse("start functions are not allowed"));
        }
        Ok(program)
    }

    fn read(wasm: &'a [u8], features: WasmFeatures, debug: bool) -> Result<Self, ActivationError> {
        let mut program = Self {
            wasm,
            debug,
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            tables: Vec::new(),
            memory: MemoryType {
                memory64: false,
                shared: false,
                initial: 0,
                maximum: Some(0),
                page_size_log2: None,
            },
            globals: Vec::new(),
            exports: Vec::new(),
            start: None,
            elements: Vec::new(),
            data: Vec::new(),
            bodies: Vec::new(),
            module_name: 0,
            longest_function_name: 0,
            sections: HashMap::new(),
        };
        let mut parser = Parser::new(0);
        parser.set_features(features);
        for payload in parser.parse_all(wasm) {
            program.payload(payload?)?;
        }
        Ok(program)
    }

    fn payload(&mut self, payload: Payload<'a>) -> Result<(), ActivationError> {
        if let Some((id, range)) = payload.as_section() {
            self.sections.insert(id, range);
        }
        match payload {
            Payload::TypeSection(section) => {
                self.types = section
                    .into_iter_err_on_gc_types()
                    .collect::<Result<_, _>>()?;
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let TypeRef::Func(ty) = import.ty else {
                        let reason = format!("import {} is not a function", import.name);
                        return Err(ActivationError::parse(reason));
                    };
                    self.imports.push(Import {
                        module: import.module,
                        name: import.name,
                        ty,
                    });
                }
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.tables.push(table?.ty.initial);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory = memory?;
                }
            }
            Payload::GlobalSection(section) => {
                let end = section.range().end;
                let starts = section
                    .into_iter_with_offsets()
                    .map(|global| global.map(|(at, _)| at))
                    .collect::<Result<Vec<_>, _>>()?;
                let ends = starts.iter().copied().skip(1).chain([end]);
                for (from, to) in starts.iter().copied().zip(ends) {
                    self.globals.push(self.bytes(from..to)?);
                }
            }
            Payload::ExportSection(section) => {
                self.exports = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    let length = match element.items {
                        wasmparser::ElementItems::Functions(items) => items.count(),
                        wasmparser::ElementItems::Expressions(_, items) => items.count(),
                    };
                    let offset = match element.kind {
                        wasmparser::ElementKind::Active { offset_expr, .. } => {
                            Some(constant(&offset_expr)?)
                        }
                        _ => None,
                    };
                    self.elements.push(Segment {
                        encoded: element.range.len() as u64,
                        length: u64::from(length),
                        offset,
                    });
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let offset = match data.kind {
                        wasmparser::DataKind::Active { offset_expr, .. } => {
                            Some(constant(&offset_expr)?)
                        }
                        wasmparser::DataKind::Passive => None,
                    };
                    self.data.push(Segment {
                        encoded: data.range.len() as u64,
                        length: data.data.len() as u64,
                        offset,
                    });
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    self.names(names)?;
                }
            }
            Payload::Version { .. } | Payload::CodeSectionStart { .. } | Payload::End(_) => {}
            other => {
                let reason = match other.as_section() {
                    Some((id, _)) => format!("unsupported section {id}"),
                    None => "unsupported section".into(),
                };
                return Err(ActivationError::parse(reason));
            }
        }
        Ok(())
    }

    fn names(&mut self, names: wasmparser::NameSectionReader<'a>) -> Result<(), ActivationError> {
        for name in names {
            match name? {
                Name::Module { name, .. } => self.module_name = self.module_name.max(name.len()),
                Name::Function(functions) => {
                    for function in functions {
                        let length = function?.name.len();
                        self.longest_function_name = self.longest_function_name.max(length);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_imports(&self) -> Result<(), ActivationError> {
        let mut types = HashMap::new();
        for import in &self.imports {
            let known = *types
                .entry((import.module, import.name))
                .or_insert(import.ty);
            if known != import.ty {
                let reason = format!("inconsistent imports for {} {}", import.module, import.name);
                return Err(ActivationError::parse(reason));
            }
        }
        Ok(())
    }

    fn check_exports(&self) -> Result<(), ActivationError> {
        let imported: HashSet<_> = self.imports.iter().map(|import| import.name).collect();
        for export in &self.exports {
            let name = match export.name.rsplit_once("__") {
                Some((_, last)) => last,
                None => export.name,
            };
            if name.starts_with(RESERVED_PREFIX) {
                return Err(ActivationError::parse(format!(
                    "reserved name {name} is exported"
                )));
            }
            if imported.contains(name) {
                return Err(ActivationError::parse(format!(
                    "{name} is both imported and exported"
                )));
            }
        }
        Ok(())
    }

    fn check_memory(&self, page_limit: u16) -> Result<(), ActivationError> {
        let exported =
            |export: &Export<'_>| export.name == MEMORY && export.kind == ExternalKind::Memory;
        if !self.exports.iter().any(exported) {
            return Err(ActivationError::parse(
                "missing memory with export name memory",
            ));
        }
        let pages = self.memory.initial;
        let bound = u64::from(page_limit.min(limits::HEAP_BOUND));
        if pages > bound {
            return Err(ActivationError::parse(format!(
                "{pages} pages of memory, want at most {bound}"
            )));
        }
        Ok(())
    }

    /// Checks that the entrypoint is there and returns the index of its function.
    pub(super) fn entrypoint(&self) -> Result<u32, ActivationError> {
        let export = self
            .exports
            .iter()
            .find(|export| export.name == ENTRYPOINT && export.kind == ExternalKind::Func)
            .ok_or_else(|| {
                ActivationError::parse(format!("missing export with name {ENTRYPOINT}"))
            })?;
        match self.function_type(export.index) {
            Some(ty) if ty.params() == [ValType::I32] && ty.results() == [ValType::I32] => {
                Ok(export.index)
            }
            ty => Err(ActivationError::parse(format!(
                "wrong type for {ENTRYPOINT}: {ty:?}"
            ))),
        }
    }

    /// The index of the imported function of type (i32) -> () that pays for memory.
    ///
    /// # Errors
    /// It is missing or of another type.
    pub(super) fn pay_for_memory_grow(&self) -> Result<u32, ActivationError> {
        let missing = || {
            ActivationError::parse(format!(
                "missing import {PAY_FOR_MEMORY_GROW} of {VM_HOOKS_MODULE}"
            ))
        };
        let index = self
            .imports
            .iter()
            .position(|import| {
                import.module == VM_HOOKS_MODULE && import.name == PAY_FOR_MEMORY_GROW
            })
            .and_then(|index| u32::try_from(index).ok())
            .ok_or_else(missing)?;
        match self.function_type(index) {
            Some(ty) if ty.params() == [ValType::I32] && ty.results().is_empty() => Ok(index),
            ty => Err(ActivationError::parse(format!(
                "wrong type for {PAY_FOR_MEMORY_GROW}: {ty:?}"
            ))),
        }
    }

    /// The type of a function, imports first.
    pub(super) fn function_type(&self, index: u32) -> Option<&FuncType> {
        let index = index as usize;
        let ty = match self.imports.get(index) {
            Some(import) => import.ty,
            None => *self.functions.get(index - self.imports.len())?,
        };
        self.types.get(ty as usize)
    }

    /// Pages of memory that a call opens.
    pub(super) fn footprint(&self) -> u16 {
        u16::try_from(self.memory.initial).unwrap_or(u16::MAX)
    }

    /// Says whether memory may be larger than it is initially.
    pub(super) fn growable(&self) -> bool {
        self.memory.maximum != Some(self.memory.initial)
    }

    /// The contents of a section that instrumentation leaves alone.
    pub(super) fn section(&self, id: u8) -> Option<&'a [u8]> {
        self.sections
            .get(&id)
            .and_then(|range| self.wasm.get(range.clone()))
    }

    fn bytes(&self, range: Range<usize>) -> Result<&'a [u8], ActivationError> {
        self.wasm
            .get(range)
            .ok_or_else(|| ActivationError::parse("unexpected end of wasm"))
    }
}

/// The features beyond the first version of WebAssembly that programs may use.
fn features(params: ActivationParams) -> WasmFeatures {
    let features = WasmFeatures::MVP
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::BULK_MEMORY;
    if params.version < 3 && params.arbos < 60 {
        features | WasmFeatures::MULTI_VALUE
    } else {
        features
    }
}

/// The value of a segment's offset. No other expression than a constant is valid without imported globals.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Result<u32, ActivationError> {
    match expression.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value.cast_unsigned()),
        other => Err(ActivationError::parse(format!(
            "unsupported offset of a segment: {other:?}"
        ))),
    }
}
