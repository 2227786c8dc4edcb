//! Prices of instructions and the stack that a function needs, from the rules, on the program as it was written.
//!
//! Nothing here is shared with the instrumentation: it is what the instrumentation is held against.

use wasmparser::{BlockType, FuncType, Operator};

/// Names as the parser prints them, and the ink of each.
const INK: [(&str, u64); 25] = [
    (
        "Unreachable Return Nop I32Const I64Const Block Loop Else End",
        1,
    ),
    ("Drop", 9),
    ("Br BrIf If", 765),
    ("Select", 1250),
    ("Call", 3800),
    ("LocalGet LocalTee", 75),
    ("LocalSet", 210),
    ("GlobalGet", 225),
    ("GlobalSet", 575),
    ("I32Load I32Load8S I32Load8U I32Load16S I32Load16U", 670),
    (
        "I64Load I64Load8S I64Load8U I64Load16S I64Load16U I64Load32S I64Load32U",
        680,
    ),
    ("I32Store I32Store8 I32Store16", 825),
    ("I64Store I64Store8 I64Store16 I64Store32", 950),
    ("MemorySize", 3000),
    ("MemoryGrow", 8050),
    (
        "I32Eqz I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU",
        170,
    ),
    (
        "I64Eqz I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU",
        225,
    ),
    ("I32Clz I32Ctz I64Clz I64Ctz", 210),
    (
        "I32Add I32Sub I32And I32Or I32Xor I32Shl I32ShrS I32ShrU I32Rotl I32Rotr",
        70,
    ),
    (
        "I64Add I64Sub I64And I64Or I64Xor I64Shl I64ShrS I64ShrU I64Rotl I64Rotr \
         I32WrapI64 I64ExtendI32S I64ExtendI32U I32Extend8S I32Extend16S I64Extend8S I64Extend16S I64Extend32S",
        100,
    ),
    ("I32Mul I64Mul", 160),
    ("I32DivS I32DivU I32RemS I32RemU", 1120),
    ("I64DivS I64DivU I64RemS I64RemU", 1270),
    ("I32Popcnt", 2650),
    ("I64Popcnt", 6000),
];
const BULK: u64 = 950;
const HEADER: u64 = 2450;

fn name(op: &Operator<'_>) -> String {
    let text = format!("{op:?}");
    text.split([' ', '{', '('])
        .next()
        .unwrap_or_default()
        .into()
}

/// The ink of one instruction; what no rule names is not to be had.
fn ink(op: &Operator<'_>, types: &[FuncType]) -> u64 {
    match op {
        Operator::BrTable { targets } => return 2400 + 325 * u64::from(targets.len()),
        Operator::CallIndirect { type_index, .. } => {
            return 13_610 + 650 * types[*type_index as usize].params().len() as u64;
        }
        Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } => return BULK,
        _ => {}
    }
    let name = name(op);
    let known = INK
        .iter()
        .find(|(names, _)| names.split_whitespace().any(|known| known == name));
    known.map_or(u64::MAX, |(_, ink)| *ink)
}

/// Whether a basic block ends with this instruction.
fn last(op: &Operator<'_>) -> bool {
    let ends = "End Else Return Loop Br BrTable BrIf If Call CallIndirect";
    let name = name(op);
    ends.split(' ').any(|end| end == name)
}

/// For each instruction that begins a basic block, what entering it there costs.
pub(super) fn blocks(ops: &[Operator<'_>], types: &[FuncType]) -> Vec<Option<u64>> {
    let mut costs = vec![None; ops.len()];
    let mut first = 0;
    for (at, op) in ops.iter().enumerate() {
        if last(op) {
            let inks = ops[first..=at].iter().map(|op| ink(op, types));
            costs[first] = Some(inks.fold(HEADER, u64::saturating_add));
            first = at + 1;
        }
    }
    costs
}

/// A walk over heights of the value stack.
struct Height {
    now: u32,
    most: u32,
    open: Vec<u32>,
}

impl Height {
    fn up(&mut self, by: usize) {
        self.now += by as u32;
        self.most = self.most.max(self.now);
    }

    fn down(&mut self, by: usize) {
        self.now = self.now.saturating_sub(by as u32);
    }

    fn open(&mut self, ty: BlockType, types: &[FuncType]) {
        match ty {
            BlockType::Empty => {}
            BlockType::Type(_) => self.up(1),
            BlockType::FuncType(ty) => {
                self.up(types[ty as usize].results().len());
                self.down(types[ty as usize].params().len());
            }
        }
        self.open.push(self.now);
    }

    fn end(&mut self) {
        self.now = self.open.pop().unwrap_or(0);
    }

    /// The check and the payment that come before a basic block.
    fn meter(&mut self) {
        self.up(1);
        self.up(1);
        self.down(1);
        self.down(1);
        self.open.push(self.now);
        self.up(1);
        self.down(1);
        self.end();
        self.up(1);
        self.up(1);
        self.down(1);
        self.down(1);
    }

    /// The payment per byte that comes before `memory.fill` and `memory.copy`.
    fn bulk(&mut self) {
        self.down(1);
        for _ in 0..3 {
            self.up(1);
        }
        self.up(1);
        for _ in 0..3 {
            self.down(1);
        }
        self.up(1);
        self.down(1);
        self.down(1);
        self.open.push(self.now);
        self.up(1);
        self.down(1);
        self.end();
        self.up(1);
    }
}

/// The most values at once on the stack of a metered function, in the rules' way of counting.
pub(super) fn height<'t>(
    ops: &[Operator<'_>],
    types: &'t [FuncType],
    callee: impl Fn(u32) -> &'t FuncType,
) -> u32 {
    let mut height = Height {
        now: 0,
        most: 0,
        open: vec![0],
    };
    let costs = blocks(ops, types);
    for (op, cost) in ops.iter().zip(costs) {
        if cost.is_some() {
            height.meter();
        }
        let mut call = |ty: &FuncType| {
            height.up(ty.results().len());
            height.down(ty.params().len());
        };
        match op {
            Operator::Call { function_index } => call(callee(*function_index)),
            Operator::CallIndirect { type_index, .. } => {
                call(&types[*type_index as usize]);
                height.down(1);
            }
            Operator::Block { blockty } | Operator::Loop { blockty } => {
                height.open(*blockty, types)
            }
            Operator::If { blockty } => {
                height.down(1);
                height.open(*blockty, types);
            }
            Operator::Else => height.now = height.open.last().copied().unwrap_or(0),
            Operator::End => height.end(),
            Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } => {
                height.bulk();
                height.down(3);
            }
            Operator::Select => height.down(2),
            _ => {
                let name = name(op);
                let pushes = ["Const", "LocalGet", "GlobalGet", "MemorySize"];
                let keeps = [
                    "Load",
                    "Tee",
                    "Eqz",
                    "Clz",
                    "Ctz",
                    "Popcnt",
                    "Extend",
                    "Wrap",
                    "Grow",
                    "Reinterpret",
                    "Nop",
                    "Return",
                    "Unreachable",
                ];
                if pushes.iter().any(|part| name.contains(part)) {
                    height.up(1);
                } else if name.contains("Store") {
                    height.down(2);
                } else if name != "Br" && !keeps.iter().any(|part| name.contains(part)) {
                    height.down(1);
                }
            }
        }
    }
    height.most
}
