//! 256-bit arithmetic and hashing. Results replace the first operand in memory.

use alloy_primitives::{U256, keccak256};

use super::Escape;
use super::guest::Host;
use super::price::{self, ADD_MOD, DIV, HOSTIO, MUL_MOD, PTR};

type Done = Result<(), Escape>;

impl Host<'_> {
    pub(super) fn math_div(&mut self, value: u32, divisor: u32) -> Done {
        self.divide(value, divisor, |a, b| a.checked_div(b))
    }

    pub(super) fn math_mod(&mut self, value: u32, modulus: u32) -> Done {
        self.divide(value, modulus, |a, b| a.checked_rem(b))
    }

    fn divide(&mut self, a_at: u32, b_at: u32, op: fn(U256, U256) -> Option<U256>) -> Done {
        self.buy_ink(HOSTIO + 3 * PTR + DIV)?;
        let a = self.read_number(a_at)?;
        let b = self.read_number(b_at)?;
        let result = op(a, b).unwrap_or_default();
        self.computed(&[a, b], result);
        self.write_number(a_at, result)
    }

    pub(super) fn math_pow(&mut self, value: u32, exponent: u32) -> Done {
        self.buy_ink(HOSTIO + 3 * PTR)?;
        let base = self.read_number(value)?;
        let exponent = self.read_number(exponent)?;
        self.buy_ink(price::pow(exponent))?;
        let result = base.wrapping_pow(exponent);
        self.computed(&[base, exponent], result);
        self.write_number(value, result)
    }

    pub(super) fn math_add_mod(&mut self, value: u32, addend: u32, modulus: u32) -> Done {
        self.modular(ADD_MOD, value, addend, modulus, U256::add_mod)
    }

    pub(super) fn math_mul_mod(&mut self, value: u32, factor: u32, modulus: u32) -> Done {
        self.modular(MUL_MOD, value, factor, modulus, U256::mul_mod)
    }

    fn modular(
        &mut self,
        ink: u64,
        a_at: u32,
        b_at: u32,
        m_at: u32,
        op: fn(U256, U256, U256) -> U256,
    ) -> Done {
        self.buy_ink(HOSTIO + 4 * PTR + ink)?;
        let a = self.read_number(a_at)?;
        let b = self.read_number(b_at)?;
        let m = self.read_number(m_at)?;
        let result = op(a, b, m);
        self.computed(&[a, b, m], result);
        self.write_number(a_at, result)
    }

    fn computed(&mut self, operands: &[U256], result: U256) {
        for operand in operands {
            self.given(&[&operand.to_be_bytes::<32>()]);
        }
        self.gave(&[&result.to_be_bytes::<32>()]);
    }

    pub(super) fn native_keccak256(&mut self, data: u32, len: u32, dst: u32) -> Done {
        self.buy_ink(price::keccak(len))?;
        let preimage = self.read(data, len)?;
        let hash = keccak256(&preimage);
        self.given(&[&preimage]);
        self.gave(&[hash.as_slice()]);
        self.write(dst, hash.as_slice())
    }
}
