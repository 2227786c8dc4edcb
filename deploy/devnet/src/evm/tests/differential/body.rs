//! Random bodies of functions: typed expressions and statements.

use wasm_encoder::{
    BlockType, Function,
    Instruction::{self, *},
    MemArg, ValType,
};

use super::generate::{HOSTS, I32, I64, NEAR, Plan, Rng, Signature};

/// A function's body in the making.
pub(super) struct Body<'p> {
    plan: &'p Plan,
    locals: Vec<ValType>,
    /// Locals from here on count loops down; nothing else writes them.
    counters: u32,
    next_counter: u32,
    result: Option<ValType>,
    /// What a branch to each open label takes along, the innermost last.
    labels: Vec<Option<ValType>>,
    /// Instructions left to write.
    budget: u32,
    code: Vec<Instruction<'static>>,
}

const COUNTERS: u32 = 6;

impl<'p> Body<'p> {
    pub(super) fn write(
        rng: &mut Rng,
        plan: &'p Plan,
        signature: &Signature,
        main: bool,
    ) -> Function {
        let mut locals = signature.params.clone();
        let own: Vec<ValType> = (0..rng.below(5)).map(|_| rng.pick(&[I32, I64])).collect();
        locals.extend(&own);
        let counters = locals.len() as u32;
        let mut body = Body {
            plan,
            locals,
            counters,
            next_counter: 0,
            result: signature.result,
            labels: vec![signature.result],
            budget: 20 + rng.below(120) as u32,
            code: Vec::new(),
        };
        if main {
            body.code.extend([I32Const(0), Call(0)]);
        }
        for _ in 0..1 + rng.below(6) {
            body.statement(rng, 0);
        }
        if main {
            body.digest();
            // Mostly a success, so that the output is seen; a failure of the kind that is seen too.
            let status = i32::from(rng.chance(8));
            body.code.push(I32Const(status));
        } else if let Some(ty) = signature.result {
            body.expression(rng, ty, 0);
        }
        body.code.push(End);
        let mut groups: Vec<(u32, ValType)> = own.into_iter().map(|ty| (1, ty)).collect();
        groups.push((COUNTERS, I32));
        let mut function = Function::new(groups);
        for instruction in &body.code {
            function.instruction(instruction);
        }
        function
    }

    /// All globals into memory, and the first page of memory out.
    fn digest(&mut self) {
        for (index, ty) in self.plan.globals.iter().enumerate() {
            self.code
                .extend([I32Const(8 * index as i32), GlobalGet(index as u32)]);
            self.code.push(match *ty {
                I32 => I32Store(at(0)),
                _ => I64Store(at(0)),
            });
        }
        self.code.extend([I32Const(0), I32Const(1 << 16), Call(1)]);
    }

    fn block(&mut self, rng: &mut Rng, label: Option<ValType>, deep: u32) {
        self.labels.push(label);
        for _ in 0..rng.below(4) {
            self.statement(rng, deep + 1);
        }
    }

    fn close(&mut self) {
        self.labels.pop();
        self.code.push(End);
    }

    fn statement(&mut self, rng: &mut Rng, deep: u32) {
        if self.budget == 0 || deep > 6 {
            self.code.push(Nop);
            return;
        }
        self.budget -= 1;
        match rng.below(26) {
            0..4 => self.set_local(rng, deep),
            4 | 5 => self.set_global(rng, deep),
            6..9 => self.store(rng, deep),
            9 => {
                self.code.push(Block(BlockType::Empty));
                self.block(rng, None, deep);
                self.close();
            }
            10 | 11 => {
                self.expression(rng, I32, deep + 1);
                self.code.push(If(BlockType::Empty));
                self.block(rng, None, deep);
                if rng.chance(2) {
                    self.code.push(Else);
                    for _ in 0..rng.below(3) {
                        self.statement(rng, deep + 1);
                    }
                }
                self.close();
            }
            12 | 13 => self.count_down(rng, deep),
            14 | 15 => self.branch(rng, deep),
            16 => self.table(rng, deep),
            17 | 18 => {
                self.call(rng, deep, None);
            }
            19 => {
                let ty = rng.pick(&[I32, I64]);
                self.expression(rng, ty, deep + 1);
                self.code.push(Drop);
            }
            20 => {
                for _ in 0..2 {
                    self.address(rng, deep);
                }
                self.size(rng);
                self.code.push(MemoryCopy {
                    src_mem: 0,
                    dst_mem: 0,
                });
            }
            21 => {
                self.address(rng, deep);
                self.expression(rng, I32, deep + 1);
                self.size(rng);
                self.code.push(MemoryFill(0));
            }
            22 | 23 => self.host(rng, deep),
            24 if rng.chance(4) => {
                if let Some(ty) = self.result {
                    self.expression(rng, ty, deep + 1);
                }
                self.code.push(Return);
            }
            25 if rng.chance(12) => self.code.push(Unreachable),
            _ => self.code.push(Nop),
        }
    }

    /// The settable locals of a type.
    fn local(&mut self, rng: &mut Rng, ty: ValType) -> Option<u32> {
        let fit: Vec<u32> = (0..self.counters)
            .filter(|index| self.locals[*index as usize] == ty)
            .collect();
        (!fit.is_empty()).then(|| rng.pick(&fit))
    }

    fn set_local(&mut self, rng: &mut Rng, deep: u32) {
        let ty = rng.pick(&[I32, I64]);
        if let Some(local) = self.local(rng, ty) {
            self.expression(rng, ty, deep + 1);
            self.code.push(LocalSet(local));
        }
    }

    fn set_global(&mut self, rng: &mut Rng, deep: u32) {
        if self.plan.globals.is_empty() {
            return;
        }
        let index = rng.below(self.plan.globals.len() as u64) as u32;
        self.expression(rng, self.plan.globals[index as usize], deep + 1);
        self.code.push(GlobalSet(index));
    }

    fn store(&mut self, rng: &mut Rng, deep: u32) {
        self.address(rng, deep);
        let arg = offset(rng);
        let (ty, store) = rng.pick(&[
            (I32, I32Store(arg)),
            (I32, I32Store8(arg)),
            (I32, I32Store16(arg)),
            (I64, I64Store(arg)),
            (I64, I64Store8(arg)),
            (I64, I64Store16(arg)),
            (I64, I64Store32(arg)),
        ]);
        self.expression(rng, ty, deep + 1);
        self.code.push(store);
    }

    /// A loop with a counter of its own, which a branch may leave early.
    fn count_down(&mut self, rng: &mut Rng, deep: u32) {
        if self.next_counter == COUNTERS {
            return;
        }
        let counter = self.counters + self.next_counter;
        self.next_counter += 1;
        let times = rng.below(12) as i32;
        self.code.extend([I32Const(times), LocalSet(counter)]);
        self.code.push(Loop(BlockType::Empty));
        self.block(rng, None, deep);
        self.code.extend([LocalGet(counter), I32Const(1), I32Sub]);
        self.code.extend([LocalTee(counter), I32Const(0), I32GtS]);
        self.code.push(BrIf(0));
        self.close();
    }

    fn branch(&mut self, rng: &mut Rng, deep: u32) {
        let depth = rng.below(self.labels.len() as u64) as usize;
        let label = self.labels[self.labels.len() - 1 - depth];
        let conditional = rng.below(4) != 0;
        if let Some(ty) = label {
            self.expression(rng, ty, deep + 1);
        }
        if conditional {
            self.expression(rng, I32, deep + 1);
            self.code.push(BrIf(depth as u32));
            if label.is_some() {
                self.code.push(Drop);
            }
        } else {
            self.code.push(Br(depth as u32));
        }
    }

    fn table(&mut self, rng: &mut Rng, deep: u32) {
        let fit: Vec<u32> = (0..self.labels.len())
            .filter(|depth| self.labels[self.labels.len() - 1 - depth].is_none())
            .map(|depth| depth as u32)
            .collect();
        if fit.is_empty() {
            return;
        }
        let targets: Vec<u32> = (0..rng.below(6)).map(|_| rng.pick(&fit)).collect();
        self.expression(rng, I32, deep + 1);
        if rng.below(3) != 0 {
            self.code.extend([I32Const(7), I32And]);
        }
        let default = rng.pick(&fit);
        self.code.push(BrTable(targets.into(), default));
    }

    /// Calls a function, directly or through the table; `wanted` is what it must return, if that matters.
    fn call(&mut self, rng: &mut Rng, deep: u32, wanted: Option<ValType>) -> bool {
        let fit: Vec<u32> = (HOSTS.len()..self.plan.signatures.len())
            .map(|index| index as u32)
            .filter(|index| {
                wanted.is_none() || self.plan.signatures[*index as usize].result == wanted
            })
            .collect();
        if fit.is_empty() {
            return false;
        }
        let callee = rng.pick(&fit);
        let signature = self.plan.signatures[callee as usize].clone();
        for ty in &signature.params {
            self.expression(rng, *ty, deep + 1);
        }
        if rng.chance(3) {
            self.expression(rng, I32, deep + 1);
            if rng.below(8) != 0 {
                self.code
                    .extend([I32Const(self.plan.table as i32), I32RemU]);
            }
            self.code.push(CallIndirect {
                type_index: callee,
                table_index: 0,
            });
        } else {
            self.code.push(Call(callee));
        }
        if wanted.is_none() && signature.result.is_some() {
            self.code.push(Drop);
        }
        true
    }

    fn host(&mut self, rng: &mut Rng, deep: u32) {
        let name = rng.below(HOSTS.len() as u64) as usize;
        match HOSTS[name].0 {
            "evm_ink_left" => self.code.extend([Call(name as u32), Drop]),
            "exit_early" if rng.below(6) != 0 => self.code.push(Nop),
            "storage_flush_cache" | "exit_early" => {
                self.code
                    .extend([I32Const(rng.below(2) as i32), Call(name as u32)]);
            }
            "pay_for_memory_grow" => {
                let pages = rng.pick(&[0, 0, 1, 2, 65_536]);
                self.code.extend([I32Const(pages), Call(name as u32)]);
            }
            "write_result" | "native_keccak256" => {
                self.address(rng, deep);
                self.size(rng);
                if HOSTS[name].1.len() == 3 {
                    self.address(rng, deep);
                }
                self.code.push(Call(name as u32));
            }
            "storage_load_bytes32" | "storage_cache_bytes32" => {
                // A few keys, so that some come again.
                self.code.push(I32Const(64 * rng.below(4) as i32));
                self.address(rng, deep);
                self.code.push(Call(name as u32));
            }
            _ => {
                self.address(rng, deep);
                self.code.push(Call(name as u32));
            }
        }
    }

    /// A place in memory, seldom one beyond.
    fn address(&mut self, rng: &mut Rng, deep: u32) {
        if rng.chance(3) {
            self.expression(rng, I32, deep + 1);
            if rng.below(20) != 0 {
                self.code.extend([I32Const(NEAR as i32 - 1), I32And]);
            }
        } else {
            self.code.push(I32Const(rng.below(NEAR) as i32));
        }
    }

    fn size(&mut self, rng: &mut Rng) {
        let size = match rng.below(40) {
            0 => 70_000 + rng.below(1 << 30),
            1 => rng.below(3000),
            _ => rng.below(70),
        };
        self.code.push(I32Const(size as i32));
    }

    fn expression(&mut self, rng: &mut Rng, ty: ValType, deep: u32) {
        if self.budget == 0 || deep > 7 {
            return self.leaf(rng, ty);
        }
        self.budget -= 1;
        match rng.below(16) {
            0..3 => self.leaf(rng, ty),
            3..7 => self.binary(rng, ty, deep),
            7 => self.unary(rng, ty, deep),
            8 => {
                self.address(rng, deep);
                let arg = offset(rng);
                self.code.push(if ty == I32 {
                    rng.pick(&[
                        I32Load(arg),
                        I32Load8S(arg),
                        I32Load8U(arg),
                        I32Load16S(arg),
                        I32Load16U(arg),
                    ])
                } else {
                    rng.pick(&[
                        I64Load(arg),
                        I64Load8S(arg),
                        I64Load8U(arg),
                        I64Load16S(arg),
                        I64Load16U(arg),
                        I64Load32S(arg),
                        I64Load32U(arg),
                    ])
                });
            }
            9 => {
                self.expression(rng, ty, deep + 1);
                self.expression(rng, ty, deep + 1);
                self.expression(rng, I32, deep + 1);
                self.code.push(Select);
            }
            10 => {
                self.code.push(Block(BlockType::Result(ty)));
                self.block(rng, Some(ty), deep);
                self.expression(rng, ty, deep + 1);
                self.close();
            }
            11 => {
                self.expression(rng, I32, deep + 1);
                self.code.push(If(BlockType::Result(ty)));
                self.block(rng, Some(ty), deep);
                self.expression(rng, ty, deep + 1);
                self.code.push(Else);
                self.expression(rng, ty, deep + 1);
                self.close();
            }
            12 => {
                if !self.call(rng, deep, Some(ty)) {
                    self.leaf(rng, ty);
                }
            }
            13 if ty == I32 => {
                let grow = rng.pick(&[0, 0, 1, 1, 2, 300]);
                self.code.extend([I32Const(grow), MemoryGrow(0)]);
            }
            14 => match self.local(rng, ty) {
                Some(local) => {
                    self.expression(rng, ty, deep + 1);
                    self.code.push(LocalTee(local));
                }
                None => self.leaf(rng, ty),
            },
            _ => self.leaf(rng, ty),
        }
    }

    fn leaf(&mut self, rng: &mut Rng, ty: ValType) {
        let globals: Vec<u32> = (0..self.plan.globals.len() as u32)
            .filter(|index| self.plan.globals[*index as usize] == ty)
            .collect();
        let constant = match ty {
            I32 => I32Const(rng.number() as i32),
            _ => I64Const(rng.number() as i64),
        };
        let leaf = match rng.below(10) {
            0..4 => self.local(rng, ty).map(LocalGet),
            4 | 5 if !globals.is_empty() => Some(GlobalGet(rng.pick(&globals))),
            6 if ty == I32 => Some(MemorySize(0)),
            6 if rng.chance(3) => Some(Call(6)),
            _ => None,
        };
        self.code.push(leaf.unwrap_or(constant));
    }

    fn unary(&mut self, rng: &mut Rng, ty: ValType, deep: u32) {
        let (operand, op) = match ty {
            I32 => rng.pick(&[
                (I32, I32Eqz),
                (I64, I64Eqz),
                (I32, I32Clz),
                (I32, I32Ctz),
                (I32, I32Popcnt),
                (I64, I32WrapI64),
                (I32, I32Extend8S),
                (I32, I32Extend16S),
            ]),
            _ => rng.pick(&[
                (I64, I64Clz),
                (I64, I64Ctz),
                (I64, I64Popcnt),
                (I32, I64ExtendI32S),
                (I32, I64ExtendI32U),
                (I64, I64Extend8S),
                (I64, I64Extend16S),
                (I64, I64Extend32S),
            ]),
        };
        self.expression(rng, operand, deep + 1);
        self.code.push(op);
    }

    fn binary(&mut self, rng: &mut Rng, ty: ValType, deep: u32) {
        let (operand, op) = match ty {
            I32 if rng.chance(3) => (
                I64,
                rng.pick(&[
                    I64Eq, I64Ne, I64LtS, I64LtU, I64GtS, I64GtU, I64LeS, I64LeU, I64GeS, I64GeU,
                ]),
            ),
            I32 => (
                I32,
                rng.pick(&[
                    I32Add, I32Sub, I32Mul, I32And, I32Or, I32Xor, I32Shl, I32ShrS, I32ShrU,
                    I32Rotl, I32Rotr, I32Eq, I32Ne, I32LtS, I32LtU, I32GtS, I32GtU, I32LeS, I32LeU,
                    I32GeS, I32GeU, I32DivS, I32DivU, I32RemS, I32RemU,
                ]),
            ),
            _ => (
                I64,
                rng.pick(&[
                    I64Add, I64Sub, I64Mul, I64And, I64Or, I64Xor, I64Shl, I64ShrS, I64ShrU,
                    I64Rotl, I64Rotr, I64DivS, I64DivU, I64RemS, I64RemU,
                ]),
            ),
        };
        self.expression(rng, operand, deep + 1);
        self.expression(rng, operand, deep + 1);
        self.code.push(op);
    }
}

fn at(offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        memory_index: 0,
    }
}

fn offset(rng: &mut Rng) -> MemArg {
    let offset = rng.pick(&[0, 0, 1, 8, 500]);
    if rng.chance(60) {
        return at(u64::from(u32::MAX) - offset);
    }
    at(offset)
}
