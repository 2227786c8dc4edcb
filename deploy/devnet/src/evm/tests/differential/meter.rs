//! A slow interpreter of programs as they were written, which counts ink, stack and memory by the rules.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{U256, keccak256};
use wasmparser::{
    DataKind, ElementItems, ElementKind, ExternalKind, FuncType, Operator, Parser, Payload, TypeRef,
};

use super::price;

const PAGE: usize = 1 << 16;
const INK_PRICE: u64 = 10_000;
const HOST: u64 = 8400;
const POINTER: u64 = 5040;
const EVM: u64 = 59_673;

/// A program, decoded.
pub(super) struct Program<'a> {
    types: Vec<FuncType>,
    /// Name and type of each import.
    imports: Vec<(&'a str, u32)>,
    functions: Vec<Function<'a>>,
    globals: Vec<u64>,
    table: Vec<Option<u32>>,
    memory: (u32, Option<u32>),
    data: Vec<(usize, &'a [u8])>,
    entry: u32,
}

struct Function<'a> {
    ty: u32,
    locals: usize,
    ops: Vec<Operator<'a>>,
    costs: Vec<Option<u64>>,
    /// For `block`, `loop` and `if` their `end`; for `else` too.
    ends: Vec<usize>,
    /// For `if` its `else`.
    elses: Vec<Option<usize>>,
    words: u32,
}

/// How a program is started.
pub(super) struct Start<'a> {
    pub(super) args: &'a [u8],
    pub(super) ink: u64,
    pub(super) stack: u32,
    pub(super) storage: BTreeMap<U256, U256>,
}

/// How a run stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    OutOfInk,
    OutOfStack,
    Failure,
    Exit(u32),
    /// Something that this interpreter does not do.
    Unknown(&'static str),
}

type Run<T = ()> = Result<T, Stop>;

/// A running program, and what is left of it.
pub(super) struct Machine<'p, 'a> {
    program: &'p Program<'a>,
    start: &'p Start<'p>,
    pub(super) ink: u64,
    pub(super) stack: u32,
    pub(super) memory: Vec<u8>,
    pub(super) pages: [u16; 2],
    pub(super) outs: Vec<u8>,
    /// Name, ink before and after of each host call that succeeded.
    pub(super) steps: Vec<(String, u64, u64)>,
    pub(super) refund: i64,
    pub(super) slots: BTreeMap<U256, U256>,
    globals: Vec<u64>,
    warm: BTreeSet<U256>,
    cache: BTreeMap<U256, (U256, Option<U256>)>,
    loads: u32,
    stores: u32,
}

/// A label that can be branched to.
struct Label {
    /// Where a branch goes on.
    to: usize,
    /// Values that a branch takes along.
    arity: usize,
    height: usize,
    again: bool,
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

    fn type_of(&self, function: u32) -> &FuncType {
        let function = function as usize;
        let ty = match self.imports.get(function) {
            Some((_, ty)) => *ty,
            None => self.functions[function - self.imports.len()].ty,
        };
        &self.types[ty as usize]
    }

    /// Runs it to its end; the machine holds what is left.
    pub(super) fn run<'p>(&'p self, start: &'p Start<'p>) -> (Run<u32>, Machine<'p, 'a>) {
        let pages = self.memory.0 as u16;
        let mut machine = Machine {
            program: self,
            start,
            ink: start.ink,
            stack: start.stack,
            memory: vec![0; self.memory.0 as usize * PAGE],
            pages: [pages; 2],
            outs: Vec::new(),
            steps: Vec::new(),
            refund: 0,
            slots: start.storage.clone(),
            globals: self.globals.clone(),
            warm: BTreeSet::new(),
            cache: BTreeMap::new(),
            loads: 0,
            stores: 0,
        };
        for (at, bytes) in &self.data {
            machine.memory[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        let result = machine.call(self.entry, vec![start.args.len() as u64]);
        let result = match result {
            Err(Stop::Exit(status)) => Ok(status),
            result => result.map(|values| values[0] as u32),
        };
        (result, machine)
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
fn arity(ty: wasmparser::BlockType, types: &[FuncType]) -> (usize, usize) {
    match ty {
        wasmparser::BlockType::Empty => (0, 0),
        wasmparser::BlockType::Type(_) => (0, 1),
        wasmparser::BlockType::FuncType(ty) => {
            let ty = &types[ty as usize];
            (ty.params().len(), ty.results().len())
        }
    }
}

impl<'p, 'a> Machine<'p, 'a> {
    fn charge(&mut self, ink: u64) -> Run {
        self.ink = self.ink.checked_sub(ink).ok_or(Stop::OutOfInk)?;
        Ok(())
    }

    fn charge_gas(&mut self, gas: u64) -> Run {
        self.charge(gas.saturating_mul(INK_PRICE))
    }

    fn need_gas(&self, gas: u64) -> Run {
        if self.ink < gas * INK_PRICE {
            return Err(Stop::OutOfInk);
        }
        Ok(())
    }

    fn range(&self, at: u64, len: u64) -> Run<std::ops::Range<usize>> {
        if at + len > self.memory.len() as u64 {
            return Err(Stop::Failure);
        }
        Ok(at as usize..(at + len) as usize)
    }

    fn read(&self, at: u64, len: u64) -> Run<Vec<u8>> {
        Ok(self.memory[self.range(at, len)?].to_vec())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Run {
        let range = self.range(at, bytes.len() as u64)?;
        self.memory[range].copy_from_slice(bytes);
        Ok(())
    }

    fn word(&self, at: u64) -> Run<U256> {
        Ok(U256::from_be_slice(&self.read(at, 32)?))
    }

    fn load(&self, base: u64, arg: &wasmparser::MemArg, len: usize, signed: bool) -> Run<u64> {
        let bytes = self.read(base + arg.offset, len as u64)?;
        let mut all = [if signed && bytes[len - 1] & 0x80 != 0 {
            0xff
        } else {
            0
        }; 8];
        all[..len].copy_from_slice(&bytes);
        Ok(u64::from_le_bytes(all))
    }

    fn store(&mut self, base: u64, arg: &wasmparser::MemArg, len: usize, value: u64) -> Run {
        self.write(base + arg.offset, &value.to_le_bytes()[..len])
    }

    /// Calls a function: with what it returns, whether its words came back.
    fn call(&mut self, index: u32, args: Vec<u64>) -> Run<Vec<u64>> {
        let program = self.program;
        if let Some((name, _)) = program.imports.get(index as usize) {
            let before = self.ink;
            let result = self.host(name, &args);
            if matches!(result, Ok(_) | Err(Stop::Exit(_))) {
                self.steps.push(((*name).into(), before, self.ink));
            }
            return result;
        }
        let function = &program.functions[index as usize - program.imports.len()];
        if self.stack <= function.words {
            self.stack = 0;
            return Err(Stop::OutOfStack);
        }
        self.stack -= function.words;
        let (values, returned) = self.body(function, args)?;
        if returned {
            self.stack += function.words;
        }
        Ok(values)
    }

    /// Executes a body. A branch out of the function is no return: it does not give the words back.
    fn body(&mut self, function: &'p Function<'a>, args: Vec<u64>) -> Run<(Vec<u64>, bool)> {
        let program = self.program;
        let results = program.types[function.ty as usize].results().len();
        let mut locals = args;
        locals.resize(locals.len() + function.locals, 0);
        let mut values: Vec<u64> = Vec::new();
        let mut labels: Vec<Label> = Vec::new();
        let mut at = 0;
        macro_rules! pop {
            () => {
                values.pop().unwrap()
            };
        }
        loop {
            if let Some(cost) = function.costs[at] {
                self.charge(cost)?;
            }
            let op = &function.ops[at];
            let mut branch = None;
            at += 1;
            match op {
                Operator::Nop => {}
                Operator::Unreachable => return Err(Stop::Failure),
                Operator::Block { blockty } | Operator::Loop { blockty } => {
                    let (takes, gives) = arity(*blockty, &program.types);
                    let again = matches!(op, Operator::Loop { .. });
                    labels.push(Label {
                        to: if again { at } else { function.ends[at - 1] + 1 },
                        arity: if again { takes } else { gives },
                        height: values.len() - takes,
                        again,
                    });
                }
                Operator::If { blockty } => {
                    let (takes, gives) = arity(*blockty, &program.types);
                    let condition = pop!() as u32;
                    let end = function.ends[at - 1];
                    let label = Label {
                        to: end + 1,
                        arity: gives,
                        height: values.len() - takes,
                        again: false,
                    };
                    match (condition, function.elses[at - 1]) {
                        (0, None) => at = end + 1,
                        (0, Some(other)) => {
                            at = other + 1;
                            labels.push(label);
                        }
                        _ => labels.push(label),
                    }
                }
                Operator::Else => at = labels.pop().unwrap().to,
                Operator::End => {
                    if labels.pop().is_none() {
                        return Ok((values.split_off(values.len() - results), true));
                    }
                }
                Operator::Return => return Ok((values.split_off(values.len() - results), true)),
                Operator::Br { relative_depth } => branch = Some(*relative_depth),
                Operator::BrIf { relative_depth } => {
                    if pop!() as u32 != 0 {
                        branch = Some(*relative_depth);
                    }
                }
                Operator::BrTable { targets } => {
                    let chosen = pop!() as u32 as usize;
                    let target = targets.targets().nth(chosen).transpose().unwrap();
                    branch = Some(target.unwrap_or(targets.default()));
                }
                Operator::Call { function_index } => {
                    let takes = program.type_of(*function_index).params().len();
                    let args = values.split_off(values.len() - takes);
                    let given = self.call(*function_index, args)?;
                    values.extend(given);
                }
                Operator::CallIndirect { type_index, .. } => {
                    let chosen = pop!() as u32 as usize;
                    let ty = &program.types[*type_index as usize];
                    let callee = program.table.get(chosen).copied().flatten();
                    let callee = callee.filter(|callee| program.type_of(*callee) == ty);
                    let callee = callee.ok_or(Stop::Failure)?;
                    let args = values.split_off(values.len() - ty.params().len());
                    let given = self.call(callee, args)?;
                    values.extend(given);
                }
                Operator::Drop => {
                    pop!();
                }
                Operator::Select => {
                    let condition = pop!() as u32;
                    let second = pop!();
                    let first = pop!();
                    values.push(if condition != 0 { first } else { second });
                }
                Operator::LocalGet { local_index } => values.push(locals[*local_index as usize]),
                Operator::LocalSet { local_index } => locals[*local_index as usize] = pop!(),
                Operator::LocalTee { local_index } => {
                    locals[*local_index as usize] = values[values.len() - 1];
                }
                Operator::GlobalGet { global_index } => {
                    values.push(self.globals[*global_index as usize]);
                }
                Operator::GlobalSet { global_index } => {
                    self.globals[*global_index as usize] = pop!();
                }
                Operator::MemorySize { .. } => values.push((self.memory.len() / PAGE) as u64),
                Operator::MemoryGrow { .. } => {
                    let pages = pop!() as u32;
                    let (least, most) = program.memory;
                    if most != Some(least) {
                        let before = self.ink;
                        self.pay_for_pages(pages)?;
                        let step = ("pay_for_memory_grow".into(), before, self.ink);
                        self.steps.push(step);
                    }
                    let old = (self.memory.len() / PAGE) as u64;
                    let new = old + u64::from(pages);
                    if new > most.unwrap_or(1 << 16).into() {
                        values.push(u32::MAX.into());
                    } else {
                        self.memory.resize(new as usize * PAGE, 0);
                        values.push(old);
                    }
                }
                Operator::MemoryFill { .. } => {
                    let (len, byte, to) = (pop!(), pop!(), pop!());
                    self.charge(100 * len)?;
                    let range = self.range(to, len)?;
                    self.memory[range].fill(byte as u8);
                }
                Operator::MemoryCopy { .. } => {
                    let (len, from, to) = (pop!(), pop!(), pop!());
                    self.charge(100 * len)?;
                    let from = self.range(from, len)?;
                    self.range(to, len)?;
                    self.memory.copy_within(from, to as usize);
                }
                _ => match super::numeric::apply(op, &mut values)? {
                    true => {}
                    false => self.access(op, &mut values)?,
                },
            }
            if let Some(depth) = branch {
                let Some(keep) = labels.len().checked_sub(1 + depth as usize) else {
                    return Ok((values.split_off(values.len() - results), false));
                };
                let label = &labels[keep];
                let taken = values.split_off(values.len() - label.arity);
                values.truncate(label.height);
                values.extend(taken);
                at = label.to;
                labels.truncate(keep + usize::from(label.again));
            }
        }
    }

    /// Loads and stores.
    fn access(&mut self, op: &Operator<'a>, values: &mut Vec<u64>) -> Run {
        use Operator::*;
        let (len, memarg) = match op {
            I32Load8S { memarg }
            | I32Load8U { memarg }
            | I64Load8S { memarg }
            | I64Load8U { memarg }
            | I32Store8 { memarg }
            | I64Store8 { memarg } => (1, memarg),
            I32Load16S { memarg }
            | I32Load16U { memarg }
            | I64Load16S { memarg }
            | I64Load16U { memarg }
            | I32Store16 { memarg }
            | I64Store16 { memarg } => (2, memarg),
            I32Load { memarg }
            | I64Load32S { memarg }
            | I64Load32U { memarg }
            | I32Store { memarg }
            | I64Store32 { memarg } => (4, memarg),
            I64Load { memarg } | I64Store { memarg } => (8, memarg),
            I32Const { value } => {
                values.push(value.cast_unsigned().into());
                return Ok(());
            }
            I64Const { value } => {
                values.push(value.cast_unsigned());
                return Ok(());
            }
            _ => return Err(Stop::Unknown("instruction")),
        };
        let name = format!("{op:?}");
        if name.contains("Store") {
            let value = values.pop().unwrap();
            let base = values.pop().unwrap();
            return self.store(base, memarg, len, value);
        }
        let signed = name
            .split(' ')
            .next()
            .is_some_and(|name| name.ends_with('S'));
        let base = values.pop().unwrap();
        let value = self.load(base, memarg, len, signed)?;
        values.push(if name.starts_with("I32") {
            value as u32 as u64
        } else {
            value
        });
        Ok(())
    }

    fn pay_for_pages(&mut self, pages: u32) -> Run {
        let pages = pages as u16;
        if pages == 0 {
            return self.charge(HOST);
        }
        let gas = pages_gas(pages, self.pages);
        self.pages[0] = self.pages[0].saturating_add(pages);
        self.pages[1] = self.pages[1].max(self.pages[0]);
        self.charge_gas(gas)
    }

    fn host(&mut self, name: &str, args: &[u64]) -> Run<Vec<u64>> {
        let write = |len: u64| POINTER + 30 * len.saturating_sub(32);
        let read = |len: u64| 16_381 + 55 * len.saturating_sub(32);
        match (name, args) {
            ("read_args", [to]) => {
                self.charge(HOST)?;
                let bytes = self.start.args;
                self.charge(write(bytes.len() as u64))?;
                self.write(*to, bytes)?;
            }
            ("write_result", [at, len]) => {
                self.charge(HOST)?;
                self.charge(read(*len))?;
                self.charge(read(*len))?;
                self.outs = self.read(*at, *len)?;
            }
            ("exit_early", [status]) => return Err(Stop::Exit(*status as u32)),
            ("native_keccak256", [at, len, to]) => {
                self.charge(121_800 + 21_000 * len.div_ceil(32).saturating_sub(2))?;
                let hash = keccak256(self.read(*at, *len)?);
                self.write(*to, hash.as_slice())?;
            }
            ("pay_for_memory_grow", [pages]) => self.pay_for_pages(*pages as u32)?,
            ("evm_ink_left", []) => {
                self.charge(HOST)?;
                return Ok(vec![self.ink]);
            }
            ("evm_gas_left", []) => {
                self.charge(HOST)?;
                return Ok(vec![self.ink / INK_PRICE]);
            }
            ("msg_value", [to]) => {
                self.charge(HOST + POINTER)?;
                self.write(*to, &U256::from(7).to_be_bytes::<32>())?;
            }
            ("storage_load_bytes32", [key, to]) => {
                self.charge(HOST + 2 * POINTER)?;
                self.need_gas(2100 + 10 + 5)?;
                let key = self.word(*key)?;
                self.loads += 1;
                let mut gas = match self.loads {
                    ..=32 => 0,
                    33..=128 => 2,
                    _ => 10,
                };
                let value = match self.cache.get(&key) {
                    Some((value, _)) => *value,
                    None => {
                        gas += 5 + if self.warm.insert(key) { 2100 } else { 100 };
                        let value = self.slots.get(&key).copied().unwrap_or_default();
                        self.cache.insert(key, (value, Some(value)));
                        value
                    }
                };
                self.charge_gas(gas)?;
                self.write(*to, &value.to_be_bytes::<32>())?;
            }
            ("storage_cache_bytes32", [key, value]) => {
                self.charge(HOST + 2 * POINTER)?;
                self.need_gas(2300 + 10)?;
                let key = self.word(*key)?;
                let value = self.word(*value)?;
                self.stores += 1;
                let gas = match self.stores {
                    ..=8 => 0,
                    9..=64 => 7,
                    _ => 10,
                };
                self.cache.entry(key).or_insert((value, None)).0 = value;
                self.charge_gas(gas)?;
            }
            ("storage_flush_cache", [clear]) => {
                self.charge(HOST + EVM)?;
                self.need_gas(2300)?;
                self.flush(*clear as u32 != 0)?;
            }
            _ => return Err(Stop::Unknown("host function")),
        }
        Ok(Vec::new())
    }

    fn flush(&mut self, clear: bool) -> Run {
        let budget = self.ink / INK_PRICE;
        let dirty: Vec<(U256, U256)> = (self.cache.iter_mut())
            .filter(|(_, (value, known))| *known != Some(*value))
            .map(|(key, (value, known))| {
                *known = Some(*value);
                (*key, *value)
            })
            .collect();
        if clear {
            self.cache.clear();
        }
        let mut gas = 0;
        for (key, value) in dirty {
            let original = self.start.storage.get(&key).copied().unwrap_or_default();
            let now = self.slots.get(&key).copied().unwrap_or_default();
            if self.warm.insert(key) {
                gas += 2100;
            }
            gas += match (now == value, now == original, original.is_zero()) {
                (true, _, _) | (_, false, _) => 100,
                (false, true, true) => 20_000,
                (false, true, false) => 2900,
            };
            if gas > budget {
                return Err(Stop::OutOfInk);
            }
            self.refund += refund(original, now, value);
            self.slots.insert(key, value);
        }
        self.charge_gas(gas)
    }
}

/// EIP-3529.
fn refund(original: U256, now: U256, new: U256) -> i64 {
    let mut refund = 0;
    if now == new {
        return 0;
    }
    if original == now {
        return if !original.is_zero() && new.is_zero() {
            4800
        } else {
            0
        };
    }
    if !original.is_zero() {
        if now.is_zero() {
            refund -= 4800;
        } else if new.is_zero() {
            refund += 4800;
        }
    }
    if original == new {
        refund += if original.is_zero() { 19_900 } else { 2800 };
    }
    refund
}

/// 1000 gas for each page beyond two, and the rise of an exponential in the most there ever were.
fn pages_gas(new: u16, [open, ever]: [u16; 2]) -> u64 {
    let exponential = |pages: u16| match pages {
        128 => 31_873_999,
        0..128 => 31_873_999.9_f64.powf(f64::from(pages) / 128.0).floor() as u64,
        _ => u64::MAX,
    };
    let now = open.saturating_add(new);
    let most = ever.max(now);
    if most <= 2 {
        return 0;
    }
    let linear = u64::from(now.saturating_sub(2) - open.saturating_sub(2)) * 1000;
    linear.saturating_add(exponential(most) - exponential(ever))
}
