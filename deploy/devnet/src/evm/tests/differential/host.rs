//! The host functions that the interpreter knows, and the storage behind them.

use alloy_primitives::{U256, keccak256};

use super::meter::{INK_PRICE, Machine, Run, Stop};

const HOST: u64 = 8400;
const POINTER: u64 = 5040;
const EVM: u64 = 59_673;

impl Machine<'_, '_> {
    pub(super) fn pay_for_pages(&mut self, pages: u32) -> Run {
        let pages = pages as u16;
        if pages == 0 {
            return self.charge(HOST);
        }
        let gas = pages_gas(pages, self.pages);
        self.pages[0] = self.pages[0].saturating_add(pages);
        self.pages[1] = self.pages[1].max(self.pages[0]);
        self.charge_gas(gas)
    }

    pub(super) fn host(&mut self, name: &str, args: &[u64]) -> Run<Vec<u64>> {
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
