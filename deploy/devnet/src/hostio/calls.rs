//! Arguments and results, calls, creations and what they return.

use alloy_primitives::{Bytes, U256};

use super::guest::Host;
use super::price::{self, EVM_API, HOSTIO, PTR};
use super::{CallKind, CallRequest, CreateRequest, Escape, Refused, Request};

type Done<T = ()> = Result<T, Escape>;

/// The results that a call returns to the program.
const SUCCEEDED: u32 = 0;
const FAILED: u32 = 2;

/// Where a call's arguments lie in the program's memory.
pub(super) struct CallPointers {
    pub(super) to: u32,
    pub(super) data: u32,
    pub(super) len: u32,
    /// Absent for calls that send nothing.
    pub(super) value: Option<u32>,
    pub(super) gas: u64,
    pub(super) return_len: u32,
}

/// Where a creation's arguments lie in the program's memory.
pub(super) struct CreatePointers {
    pub(super) code: u32,
    pub(super) len: u32,
    pub(super) value: u32,
    pub(super) salt: Option<u32>,
    pub(super) address: u32,
    pub(super) return_len: u32,
}

impl Host<'_> {
    pub(super) fn read_args(&mut self, dst: u32) -> Done {
        self.buy_ink(HOSTIO)?;
        let args = self.env().args.clone();
        self.buy_ink(price::write(args.len() as u32))?;
        self.gave(&[&args]);
        self.write(dst, &args)
    }

    pub(super) fn write_result(&mut self, data: u32, len: u32) -> Done {
        self.buy_ink(HOSTIO)?;
        self.buy_ink(price::read(len))?;
        self.buy_ink(price::read(len))?;
        let outs = self.read(data, len)?;
        self.given(&[&outs]);
        self.guest().outs = outs;
        Ok(())
    }

    pub(super) fn call(&mut self, kind: CallKind, at: CallPointers) -> Done<u32> {
        self.buy_ink(HOSTIO + 3 * PTR + EVM_API)?;
        self.buy_ink(price::read(at.len))?;
        self.buy_ink(price::read(at.len))?;
        let gas_left = self.gas_left()?;
        let call = CallRequest {
            kind,
            gas_left,
            gas_asked: at.gas.min(gas_left),
            to: self.read_address(at.to)?,
            input: self.read(at.data, at.len)?.into(),
            value: match at.value {
                Some(value) => self.read_number(value)?,
                None => U256::ZERO,
            },
        };
        self.given(&[call.to.as_slice(), &at.gas.to_be_bytes()]);
        if at.value.is_some() {
            self.given(&[&call.value.to_be_bytes::<32>()]);
        }
        self.given(&[&call.input]);
        let reply = self.ask(|reply| Request::Call { call, reply })?;
        self.buy_gas(reply.cost)?;
        self.keep_return_data(at.return_len, reply.data)?;
        let status = if reply.success { SUCCEEDED } else { FAILED };
        self.gave(&[&[status as u8]]);
        Ok(status)
    }

    pub(super) fn create(&mut self, at: CreatePointers) -> Done {
        let pointers = if at.salt.is_some() { 4 } else { 3 };
        self.buy_ink(HOSTIO + pointers * PTR + EVM_API)?;
        self.buy_ink(price::read(at.len))?;
        self.buy_ink(price::read(at.len))?;
        let create = CreateRequest {
            gas_left: self.gas_left()?,
            code: self.read(at.code, at.len)?.into(),
            value: self.read_number(at.value)?,
            salt: match at.salt {
                Some(salt) => Some(self.read_word(salt)?),
                None => None,
            },
        };
        self.given(&[&create.value.to_be_bytes::<32>()]);
        self.given(&[create.salt.as_ref().map_or(&[], |salt| salt.as_slice())]);
        self.given(&[&create.code]);
        let reply = self
            .ask(|reply| Request::Create { create, reply })?
            .map_err(|Refused| Escape::Failure("creation refused"))?;
        self.buy_gas(reply.cost)?;
        let address = reply.address.unwrap_or_default();
        self.gave(&[address.as_slice()]);
        self.write(at.address, address.as_slice())?;
        self.keep_return_data(at.return_len, reply.data)
    }

    fn keep_return_data(&mut self, len_at: u32, data: Bytes) -> Done {
        let len = data.len() as u32;
        self.gave(&[&len.to_be_bytes()]);
        self.guest().return_data = data;
        self.write_u32(len_at, len)
    }

    pub(super) fn read_return_data(&mut self, dst: u32, offset: u32, size: u32) -> Done<u32> {
        self.buy_ink(HOSTIO + EVM_API)?;
        let data = self.guest().return_data.clone();
        let rest = data.get(offset as usize..).unwrap_or_default();
        let len = size.min(rest.len() as u32);
        self.buy_ink(price::write(len))?;
        self.given(&[&offset.to_be_bytes(), &size.to_be_bytes()]);
        self.gave(&[&rest[..len as usize]]);
        if len > 0 {
            self.write(dst, &rest[..len as usize])?;
        }
        Ok(len)
    }

    pub(super) fn return_data_size(&mut self) -> Done<u32> {
        self.buy_ink(HOSTIO)?;
        let size = self.guest().return_data.len() as u32;
        self.gave(&[&size.to_be_bytes()]);
        Ok(size)
    }
}
