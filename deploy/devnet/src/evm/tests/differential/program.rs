//! Programs as they were written, decoded, with what the rules say about each function.

use wasmparser::{
    DataKind, ElementItems, ElementKind, ExternalKind, FuncType, Operator, Parser, Payload, TypeRef,
};

use super::price;

/// A program, decoded.
pub(super) struct Program<'a> {
    pub(super) types: Vec<FuncType>,
    /// Name and type of each import.
    pub(super) imports: Vec<(&'a str, u32)>,
    pub(super) functions: Vec<Function<'a>>,
    pub(super) globals: Vec<u64>,
    pub(super) table: Vec<Option<u32>>,
    pub(super) memory: (u32, Option<u32>),
    pub(super) data: Vec<(usize, &'a [u8])>,
    pub(super) entry: u32,
}

pub(super) struct Function<'a> {
    pub(super) ty: u32,
    pub(super) locals: usize,
    pub(super) ops: Vec<Operator<'a>>,
    pub(super) costs: Vec<Option<u64>>,
    /// For `block`, `loop` and `if` their `end`; for `else` too.
    pub(super) ends: Vec<usize>,
    /// For `if` its `else`.
    pub(super) elses: Vec<Option<usize>>,
    pub(super) words: u32,
}

fn constant(expression: &wasmparser::ConstExpr<'_>) -> u64 {
    match expression.get_operators_reader().read().unwrap() {
        Operator::I32Const { value } => u64::from(value.cast_unsigned()),
        Operator::I64Const { value } => value.cast_unsigned(),
        Operator::F32Const { value } => value.bits().into(),
        Operator::F64Const { value } => value.bits(),
        other => panic!("{other:?} is no constant"),
    }
}

impl<'a> Program<'a> {
    pub(super) fn read(wasm: &'a [u8]) -> Self {
        let mut program = Self {
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            globals: Vec::new(),
            table: Vec::new(),
            memory: (0, None),
            data: Vec::new(),
            entry: 0,
        };
        let mut declared = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.unwrap() {
                Payload::TypeSection(types) => {
                    program.types = types
                        .into_iter_err_on_gc_types()
                        .map(Result::unwrap)
                        .collect();
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import.unwrap();
                        let TypeRef::Func(ty) = import.ty else {
                            panic!("{import:?}")
                        };
                        program.imports.push((import.name, ty));
                    }
                }
                Payload::FunctionSection(functions) => {
                    declared = functions.into_iter().map(Result::unwrap).collect();
                }
                Payload::TableSection(tables) => {
                    let table = tables.into_iter().next().unwrap().unwrap();
                    program.table = vec![None; table.ty.initial as usize];
                }
                Payload::MemorySection(memories) => {
                    let memory = memories.into_iter().next().unwrap().unwrap();
                    program.memory = (memory.initial as u32, memory.maximum.map(|max| max as u32));
                }
                Payload::GlobalSection(globals) => {
                    program.globals = globals
                        .into_iter()
                        .map(|global| constant(&global.unwrap().init_expr))
                        .collect();
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export.unwrap();
                        if export.name == "user_entrypoint" && export.kind == ExternalKind::Func {
                            program.entry = export.index;
                        }
                    }
                }
                Payload::ElementSection(elements) => {
                    for element in elements {
                        let element = element.unwrap();
                        let ElementKind::Active { offset_expr, .. } = &element.kind else {
                            continue;
                        };
                        let ElementItems::Functions(items) = element.items else {
                            panic!("element expressions")
                        };
                        for (at, item) in items.into_iter().enumerate() {
                            let at = constant(offset_expr) as usize + at;
                            program.table[at] = Some(item.unwrap());
                        }
                    }
                }
                Payload::DataSection(data) => {
                    for segment in data {
                        let segment = segment.unwrap();
                        if let DataKind::Active { offset_expr, .. } = &segment.kind {
                            let at = constant(offset_expr) as usize;
                            program.data.push((at, segment.data));
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let ty = declared[program.functions.len()];
                    program.functions.push(Function::read(ty, &body));
                }
                _ => {}
            }
        }
        for at in 0..program.functions.len() {
            let function = &program.functions[at];
            let costs = price::blocks(&function.ops, &program.types);
            let callee = |index: u32| program.type_of(index);
            let height = price::height(&function.ops, &program.types, callee);
            let words = height + function.locals as u32 + 4;
            program.functions[at].costs = costs;
            program.functions[at].words = words;
        }
        program
    }

    pub(super) fn type_of(&self, function: u32) -> &FuncType {
        let function = function as usize;
        let ty = match self.imports.get(function) {
            Some((_, ty)) => *ty,
            None => self.functions[function - self.imports.len()].ty,
        };
        &self.types[ty as usize]
    }
}

impl<'a> Function<'a> {
    fn read(ty: u32, body: &wasmparser::FunctionBody<'a>) -> Self {
        let groups = body.get_locals_reader().unwrap().into_iter();
        let locals = groups.map(|group| group.unwrap().0 as usize).sum();
        let ops: Vec<Operator<'a>> = (body.get_operators_reader().unwrap().into_iter())
            .map(Result::unwrap)
            .collect();
        let mut ends = vec![0; ops.len()];
        let mut elses = vec![None; ops.len()];
        let mut open: Vec<usize> = Vec::new();
        for (at, op) in ops.iter().enumerate() {
            match op {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    open.push(at)
                }
                Operator::Else => elses[open[open.len() - 1]] = Some(at),
                Operator::End => {
                    if let Some(opened) = open.pop() {
                        ends[opened] = at;
                        if let Some(other) = elses[opened] {
                            ends[other] = at;
                        }
                    }
                }
                _ => {}
            }
        }
        Self {
            ty,
            locals,
            ops,
            costs: Vec::new(),
            ends,
            elses,
            words: 0,
        }
    }
}

/// The values that a block takes and gives.
pub(super) fn arity(ty: wasmparser::BlockType, types: &[FuncType]) -> (usize, usize) {
    match ty {
        wasmparser::BlockType::Empty => (0, 0),
        wasmparser::BlockType::Type(_) => (0, 1),
        wasmparser::BlockType::FuncType(ty) => {
            let ty = &types[ty as usize];
            (ty.params().len(), ty.results().len())
        }
    }
}
