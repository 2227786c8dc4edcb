//! A slow interpreter of programs as they were written, which counts ink, stack and memory by the rules.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::U256;
use wasmparser::Operator;

use super::program::{Function, Program, arity};

const PAGE: usize = 1 << 16;
pub(super) const INK_PRICE: u64 = 10_000;

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

pub(super) type Run<T = ()> = Result<T, Stop>;

/// A running program, and what is left of it.
pub(super) struct Machine<'p, 'a> {
    program: &'p Program<'a>,
    pub(super) start: &'p Start<'p>,
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
    pub(super) warm: BTreeSet<U256>,
    pub(super) cache: BTreeMap<U256, (U256, Option<U256>)>,
    pub(super) loads: u32,
    pub(super) stores: u32,
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

impl<'a> Program<'a> {
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

impl<'p, 'a> Machine<'p, 'a> {
    pub(super) fn charge(&mut self, ink: u64) -> Run {
        self.ink = self.ink.checked_sub(ink).ok_or(Stop::OutOfInk)?;
        Ok(())
    }

    pub(super) fn charge_gas(&mut self, gas: u64) -> Run {
        self.charge(gas.saturating_mul(INK_PRICE))
    }

    pub(super) fn need_gas(&self, gas: u64) -> Run {
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

    pub(super) fn read(&self, at: u64, len: u64) -> Run<Vec<u8>> {
        Ok(self.memory[self.range(at, len)?].to_vec())
    }

    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> Run {
        let range = self.range(at, bytes.len() as u64)?;
        self.memory[range].copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn word(&self, at: u64) -> Run<U256> {
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
}
