//! Random valid programs: typed expressions and statements, with what can go wrong left in.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection,
    MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

use super::body::Body;

/// Numbers that look random (SplitMix64) and come again with their seed.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of the numbers below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(super) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    /// A number, more often than not at some edge.
    pub(super) fn number(&mut self) -> u64 {
        let shift = self.below(64);
        match self.below(8) {
            0 => self.next(),
            1 => u64::MAX - self.below(3),
            2 => i64::MIN.cast_unsigned(),
            3 => 1 << shift,
            4 => u64::from(u32::MAX / 2) + self.below(3),
            _ => self.below(200),
        }
    }
}

/// The host functions that programs call, with parameters and result.
pub(super) const HOSTS: [(&str, &[ValType], Option<ValType>); 9] = [
    ("read_args", &[I32], None),
    ("write_result", &[I32, I32], None),
    ("storage_load_bytes32", &[I32, I32], None),
    ("storage_cache_bytes32", &[I32, I32], None),
    ("storage_flush_cache", &[I32], None),
    ("native_keccak256", &[I32, I32, I32], None),
    ("evm_ink_left", &[], Some(ValType::I64)),
    ("exit_early", &[I32], None),
    ("pay_for_memory_grow", &[I32], None),
];
pub(super) const I32: ValType = ValType::I32;
pub(super) const I64: ValType = ValType::I64;
/// The end of what programs mostly write to.
pub(super) const NEAR: u64 = 2048;

#[derive(Clone)]
pub(super) struct Signature {
    pub(super) params: Vec<ValType>,
    pub(super) result: Option<ValType>,
}

/// A module in the making.
pub(super) struct Plan {
    /// Of imports first, then of functions.
    pub(super) signatures: Vec<Signature>,
    pub(super) globals: Vec<ValType>,
    pub(super) table: u64,
}

/// A random program.
pub(super) fn program(rng: &mut Rng) -> Vec<u8> {
    let mut plan = Plan {
        signatures: HOSTS
            .iter()
            .map(|(_, params, result)| Signature {
                params: params.to_vec(),
                result: *result,
            })
            .collect(),
        globals: (0..rng.below(5)).map(|_| rng.pick(&[I32, I64])).collect(),
        table: 1 + rng.below(8),
    };
    let functions = 1 + rng.below(5) as usize;
    for _ in 0..functions {
        let params = (0..rng.below(4)).map(|_| rng.pick(&[I32, I64])).collect();
        let result = rng.pick(&[None, Some(I32), Some(I64)]);
        plan.signatures.push(Signature { params, result });
    }
    plan.signatures.push(Signature {
        params: vec![I32],
        result: Some(I32),
    });

    let (mut types, mut imports, mut declared) = (
        TypeSection::new(),
        ImportSection::new(),
        FunctionSection::new(),
    );
    for (index, signature) in plan.signatures.iter().enumerate() {
        types
            .ty()
            .function(signature.params.iter().copied(), signature.result);
        match HOSTS.get(index) {
            Some((name, _, _)) => {
                imports.import("vm_hooks", name, EntityType::Function(index as u32));
            }
            None => {
                declared.function(index as u32);
            }
        }
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: plan.table,
        maximum: None,
        shared: false,
    });
    let least = 1 + rng.below(3);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: least,
        maximum: rng.pick(&[None, Some(least), Some(least + 2)]),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    for ty in &plan.globals {
        let value = rng.number();
        let init = match *ty {
            I32 => ConstExpr::i32_const(value as i32),
            _ => ConstExpr::i64_const(value as i64),
        };
        let ty = GlobalType {
            val_type: *ty,
            mutable: true,
            shared: false,
        };
        globals.global(ty, &init);
    }
    let entry = (plan.signatures.len() - 1) as u32;
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("user_entrypoint", ExportKind::Func, entry);
    let mut elements = ElementSection::new();
    let listed: Vec<u32> = (0..rng.below(plan.table + 1))
        .map(|_| rng.below(plan.signatures.len() as u64) as u32)
        .collect();
    elements.active(
        None,
        &ConstExpr::i32_const(0),
        Elements::Functions(listed.into()),
    );
    let mut code = CodeSection::new();
    for (index, signature) in plan.signatures.iter().enumerate().skip(HOSTS.len()) {
        let main = index as u32 == entry;
        code.function(&Body::write(rng, &plan, signature, main));
    }
    let mut data = DataSection::new();
    let bytes: Vec<u8> = (0..rng.below(64)).map(|_| rng.next() as u8).collect();
    data.active(0, &ConstExpr::i32_const(rng.below(NEAR) as i32), bytes);

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&declared);
    module.section(&tables).section(&memories).section(&globals);
    module.section(&exports).section(&elements).section(&code);
    module.section(&data);
    module.finish()
}
