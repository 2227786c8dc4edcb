//! Random contracts: code that mostly makes sense, and fails in every way code can.
//!
//! Results go to eight words of memory, which a contract usually returns, and to a few slots. Opcodes that
//! Arbitrum answers otherwise (NUMBER, BLOCKHASH, PREVRANDAO, GASPRICE, BLOBBASEFEE) are left out.

use alloy_primitives::{Address, U256};

/// Words of memory that gather results.
const WORDS: u64 = 8;
/// Slots that contracts use.
pub(crate) const SLOTS: u64 = 6;
/// Where a contract assembles what it creates: behind the results.
const SCRATCH: u64 = 512;
/// Opcodes that Osaka does not define.
const UNDEFINED: [u8; 14] = [
    0x0c, 0x0f, 0x1f, 0x21, 0x2f, 0x4b, 0x4f, 0xa5, 0xb0, 0xd0, 0xe0, 0xee, 0xf6, 0xfe,
];

/// A small generator of numbers (SplitMix64); equal seeds give equal sequences.
pub(crate) struct Random(pub(crate) u64);
impl Random {
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    pub(crate) fn word(&mut self) -> U256 {
        U256::from_limbs([self.number(), self.number(), self.number(), self.number()])
    }

    pub(crate) fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.number() as u8).collect()
    }

    /// Numbers at which arithmetic changes its mind, and any other.
    pub(crate) fn operand(&mut self) -> U256 {
        match self.below(8) {
            0 => U256::ZERO,
            1 => U256::ONE,
            2 => U256::MAX - U256::from(self.below(3)),
            3 => (U256::ONE << 255) - U256::from(self.below(2)),
            4 => U256::from(self.below(300)),
            5 => U256::ONE << self.below(256) as usize,
            6 => U256::from(self.number()),
            _ => self.word(),
        }
    }
}

#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
    /// Where the offset of the code behind the end is wanted, two bytes each.
    tail: Vec<usize>,
}
impl Code {
    fn op(&mut self, op: u8) -> &mut Self {
        self.bytes.push(op);
        self
    }

    fn push(&mut self, value: u64) -> &mut Self {
        self.push_word(U256::from(value))
    }

    fn push_word(&mut self, value: U256) -> &mut Self {
        let len = value.byte_len();
        self.bytes.push(0x5f + len as u8);
        self.bytes
            .extend_from_slice(&value.to_be_bytes::<32>()[32 - len..]);
        self
    }

    fn push_address(&mut self, address: Address) -> &mut Self {
        self.push_word(U256::from_be_slice(address.as_slice()))
    }

    /// Pushes two bytes that are known later; where they stand.
    fn push_later(&mut self) -> usize {
        self.bytes.extend_from_slice(&[0x61, 0, 0]);
        self.bytes.len() - 2
    }

    fn set(&mut self, at: usize, value: usize) {
        self.bytes[at..at + 2].copy_from_slice(&(value as u16).to_be_bytes());
    }

    fn push_tail(&mut self) {
        let at = self.push_later();
        self.tail.push(at);
    }

    /// Appends what the tail's offsets mean.
    fn finish(mut self, tail: &[u8]) -> Vec<u8> {
        let end = self.bytes.len();
        for at in std::mem::take(&mut self.tail) {
            self.set(at, end);
        }
        self.bytes.extend_from_slice(tail);
        self.bytes
    }
}

/// Writes contracts.
pub(crate) struct Author<'a> {
    pub(crate) random: &'a mut Random,
    /// Accounts that code may look at, call and pay.
    pub(crate) known: &'a [Address],
}

impl Author<'_> {
    /// Code that creates a contract; `depth` more levels of creation may be inside.
    pub(crate) fn creation(&mut self, depth: u32) -> Vec<u8> {
        let mut code = Code::default();
        for _ in 0..self.random.below(3) {
            self.step(&mut code, None, 1);
        }
        let runtime = self.runtime(depth);
        match self.random.below(24) {
            // Code that may not be deployed: an odd first byte, or too much of it.
            0 => {
                code.push(0xef00).push(0).op(0x52);
                code.push(self.random.below(3)).push(30).op(0xf3);
            }
            1 => {
                let size = 24_575 + self.random.below(3);
                code.push(size).push(4096).op(0xf3);
            }
            2 => self.end(&mut code),
            _ => {
                code.push(runtime.len() as u64);
                code.push_tail();
                code.push(SCRATCH).op(0x39);
                code.push(runtime.len() as u64).push(SCRATCH).op(0xf3);
            }
        }
        code.finish(&runtime)
    }

    fn runtime(&mut self, depth: u32) -> Vec<u8> {
        if self.random.once_in(40) {
            let len = self.random.below(64);
            let mut noise = self.random.bytes(len);
            // Not what Arbitrum answers otherwise.
            noise.retain(|op| ![0x3a, 0x40, 0x43, 0x44, 0x4a].contains(op));
            return noise;
        }
        let child = (depth > 0 && self.random.once_in(3)).then(|| self.creation(depth - 1));
        let mut code = Code::default();
        for _ in 0..1 + self.random.below(9) {
            self.step(&mut code, child.as_deref(), 2);
        }
        self.end(&mut code);
        code.finish(child.as_deref().unwrap_or_default())
    }

    fn end(&mut self, code: &mut Code) {
        let size = self.random.below(WORDS * 32 + 40);
        match self.random.below(10) {
            0 => code.op(0x00),
            1 | 2 => code.push(size).push(0).op(0xfd),
            _ => code.push(size).push(0).op(0xf3),
        };
    }

    fn address(&mut self) -> Address {
        match self.random.below(20) {
            0 => Address::from_word(self.random.word().into()),
            _ => self.random.one_of(self.known),
        }
    }

    /// Pushes something to work on: often what is in memory or was sent.
    fn value(&mut self, code: &mut Code) {
        match self.random.below(6) {
            0 => code.push(32 * self.random.below(WORDS)).op(0x51),
            1 => code.push(self.random.below(70)).op(0x35),
            _ => code.push_word(self.random.operand()),
        };
    }

    /// Pushes a place in memory or data: nearly always a near one.
    fn place(&mut self, code: &mut Code) {
        match self.random.below(60) {
            0 => code.push_word(self.random.operand()),
            1..6 => code.push(self.random.below(20_000)),
            _ => code.push(self.random.below(WORDS * 32)),
        };
    }

    /// Takes the top of the stack into the results.
    fn keep(&mut self, code: &mut Code) {
        let word = 32 * self.random.below(WORDS);
        code.push(word).op(0x52);
    }

    /// One thing that a contract does. The stack is as high afterwards as before.
    fn step(&mut self, code: &mut Code, child: Option<&[u8]>, nesting: u32) {
        match self.random.below(22) {
            0..3 => self.compute(code),
            3 => self.look_around(code),
            4 => self.look_at(code),
            5..8 => {
                self.value(code);
                if self.random.once_in(3) {
                    code.op(0x50).push(0);
                }
                code.push(self.random.below(SLOTS)).op(0x55);
            }
            8 | 9 => {
                code.push(self.random.below(SLOTS)).op(0x54);
                self.keep(code);
            }
            10 => {
                self.value(code);
                code.push(self.random.below(SLOTS)).op(0x5d);
                code.push(self.random.below(SLOTS)).op(0x5c);
                self.keep(code);
            }
            11 | 12 => {
                let topics = self.random.below(5);
                for _ in 0..topics {
                    self.value(code);
                }
                self.place(code);
                self.place(code);
                code.op(0xa0 + topics as u8);
            }
            13 => self.copy(code),
            14..18 => self.call(code),
            18 => match child {
                Some(child) => self.create(code, child),
                None => self.compute(code),
            },
            19 if nesting > 0 => self.branch(code, child, nesting),
            20 if nesting > 0 => self.repeat(code, child, nesting),
            21 => match self.random.below(6) {
                0 => self.fault(code),
                1 => {
                    let heir = self.address();
                    code.push_address(heir).op(0xff);
                }
                _ => self.compute(code),
            },
            _ => self.compute(code),
        }
    }

    fn compute(&mut self, code: &mut Code) {
        match self.random.below(10) {
            0 => {
                self.value(code);
                code.op(self.random.one_of(&[0x15, 0x19, 0x1e]));
            }
            1 => {
                (0..3).for_each(|_| self.value(code));
                code.op(self.random.one_of(&[0x08, 0x09]));
            }
            2 => {
                self.place(code);
                self.place(code);
                code.op(0x20);
            }
            3 => {
                // Deep in the stack and back.
                let n = 1 + self.random.below(15) as u8;
                (0..=n).for_each(|_| self.value(code));
                code.op(0x80 + n).op(0x90 + n);
                (0..=n).for_each(|_| {
                    code.op(0x18);
                });
            }
            _ => {
                self.value(code);
                self.value(code);
                let op = match self.random.below(3) {
                    0 => self
                        .random
                        .one_of(&[0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07]),
                    1 => self.random.one_of(&[0x0a, 0x0b, 0x1a, 0x1b, 0x1c, 0x1d]),
                    _ => self
                        .random
                        .one_of(&[0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18]),
                };
                code.op(op);
            }
        }
        self.keep(code);
    }

    /// ADDRESS, ORIGIN, CALLER, CALLVALUE, sizes, COINBASE, TIMESTAMP, GASLIMIT, CHAINID, SELFBALANCE, BASEFEE, PC, MSIZE, GAS.
    fn look_around(&mut self, code: &mut Code) {
        code.op(self.random.one_of(&[
            0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3d, 0x41, 0x42, 0x45, 0x46, 0x47, 0x48, 0x58,
            0x59, 0x5a,
        ]));
        self.keep(code);
    }

    /// BALANCE, EXTCODESIZE, EXTCODEHASH, BLOBHASH.
    fn look_at(&mut self, code: &mut Code) {
        let address = self.address();
        code.push_address(address)
            .op(self.random.one_of(&[0x31, 0x3b, 0x3f, 0x49]));
        self.keep(code);
    }

    fn copy(&mut self, code: &mut Code) {
        let size = self.random.below(100);
        match self.random.below(7) {
            0 => {
                self.value(code);
                self.place(code);
                code.op(0x53);
            }
            1 => {
                code.push(size);
                self.place(code);
                self.place(code);
                code.op(0x5e);
            }
            2 => {
                // All that came back last, and now and then more.
                let beyond = u64::from(self.random.once_in(10));
                code.push(beyond).op(0x3d).op(0x01).push(0);
                self.place(code);
                code.op(0x3e);
            }
            3 => {
                code.push(size);
                self.place(code);
                self.place(code);
                let address = self.address();
                code.push_address(address).op(0x3c);
            }
            4 => {
                code.push(size);
                self.place(code);
                self.place(code);
                code.op(0x39);
            }
            _ => {
                code.push(size);
                self.place(code);
                self.place(code);
                code.op(0x37);
            }
        }
    }

    fn call(&mut self, code: &mut Code) {
        let op = self.random.one_of(&[0xf1, 0xf1, 0xf1, 0xf2, 0xf4, 0xfa]);
        code.push(self.random.below(96));
        self.place(code);
        code.push(self.random.below(160));
        self.place(code);
        if op == 0xf1 || op == 0xf2 {
            match self.random.below(8) {
                0 => code.push(self.random.below(1_000)),
                1 => code.push_word(self.random.operand()),
                _ => code.push(0),
            };
        }
        let address = self.address();
        code.push_address(address);
        match self.random.below(5) {
            0 => code.push(self.random.below(60_000)),
            1 => code.push_word(self.random.operand()),
            _ => code.op(0x5a),
        };
        code.op(op);
        self.keep(code);
    }

    fn create(&mut self, code: &mut Code, child: &[u8]) {
        let len = child.len() as u64;
        code.push(len);
        code.push_tail();
        code.push(SCRATCH).op(0x39);
        let salted = self.random.once_in(2);
        if salted {
            // The same salt twice makes the second creation collide.
            code.push(self.random.below(3));
        }
        code.push(len).push(SCRATCH);
        code.push(if self.random.once_in(4) { 1_u64 } else { 0 });
        code.op(if salted { 0xf5 } else { 0xf0 });
        self.keep(code);
    }

    /// A step that is skipped or not.
    fn branch(&mut self, code: &mut Code, child: Option<&[u8]>, nesting: u32) {
        self.value(code);
        code.push(1).op(0x16);
        let over = code.push_later();
        code.op(0x57);
        self.step(code, child, nesting - 1);
        code.set(over, code.bytes.len());
        code.op(0x5b);
    }

    /// A step done several times; the count is below it on the stack.
    fn repeat(&mut self, code: &mut Code, child: Option<&[u8]>, nesting: u32) {
        let times = match self.random.below(20) {
            0 => 1 << 40,
            _ => 1 + self.random.below(20),
        };
        code.push(times);
        let again = code.bytes.len();
        code.op(0x5b);
        self.step(code, child, nesting - 1);
        code.push(1).op(0x90).op(0x03).op(0x80);
        let back = code.push_later();
        code.set(back, again);
        code.op(0x57).op(0x50);
    }

    fn fault(&mut self, code: &mut Code) {
        match self.random.below(6) {
            // A jump to where no JUMPDEST is, into pushed data, or out of the code.
            0 => code.push(self.random.below(400)).op(0x56),
            1 => {
                let pushed = code.bytes.len() as u64 + 1;
                code.push(0x5b).push(pushed).op(0x56)
            }
            2 => code.op(self.random.one_of(&UNDEFINED)),
            // Too few words on the stack, and too many.
            3 => code.op(0x50).op(0x50).op(0x50),
            4 => {
                let again = code.bytes.len() as u64;
                code.op(0x5b).push(1).push(again).op(0x56)
            }
            _ => code.push_word(self.random.operand()).op(0x51).op(0x50),
        };
    }
}
