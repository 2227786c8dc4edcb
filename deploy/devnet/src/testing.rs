//! For the tests of a contract: its `.wasm` on a chain in one line, and typed calls of it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let wasm = wat::parse_str(r#"(module
//! #     (import "vm_hooks" "read_args" (func $read (param i32)))
//! #     (import "vm_hooks" "write_result" (func $write (param i32 i32)))
//! #     (memory (export "memory") 1 1)
//! #     (func (export "user_entrypoint") (param $len i32) (result i32)
//! #         (call $read (i32.const 0)) (call $write (i32.const 4) (i32.const 32)) (i32.const 0)))"#)?;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("contract.wasm");
//! # std::fs::write(&path, wasm)?;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use alloy_primitives::U256;
//! use alloy_sol_types::sol;
//!
//! sol! { function same(uint256 value) external view returns (uint256); }
//!
//! let devnet = stylus_devnet::spawn(Default::default()).await?;
//! let contract = devnet.deploy_wasm(&path)?;
//! assert_eq!(contract.call(sameCall { value: U256::from(7) })?, U256::from(7));
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Nothing here goes over the wire, and all of it blocks the thread; tests with other clients use [`Handle::url`].

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    sync::Arc,
};

use alloy_primitives::{Address, Bytes, Log, U256, address};
use alloy_sol_types::{SolCall, sol};

use crate::{
    chain::{BlockId, Call, Chain, block::Receipt, overrides::BlockOverride, tx::MAX_CODE},
    evm::Status,
    rpc::{Error, Handle},
};

sol! {
    function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
}

const ARB_WASM: Address = address!("0x0000000000000000000000000000000000000071");
/// The longest WASM that is read, bytes.
const MAX_WASM: u64 = 1 << 20;
/// Wei that an activation is asked with.
const ETHER: u64 = 1_000_000_000_000_000_000;
/// The code before a program's own in what creates it: it leaves the rest on chain.
const LENGTH_AT: usize = 1;
const PRELUDE: [u8; 43] = {
    let mut prelude = [0; 43];
    prelude[0] = 0x7f;
    let rest = [0x80, 0x60, 0x2b, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3, 0x00];
    let mut at = 0;
    while at < rest.len() {
        prelude[33 + at] = rest[at];
        at += 1;
    }
    prelude
};

/// A contract on a devnet.
#[derive(Clone)]
pub struct Deployed {
    chain: Arc<Chain>,
    address: Address,
    /// The account that calls it.
    caller: Address,
}

/// The result of a transaction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent<R> {
    /// The function's result, as a call just before the transaction gave it.
    pub result: R,
    /// Gas that the transaction used.
    pub gas_used: u64,
    /// The events that it emitted.
    pub logs: Vec<Log>,
}

impl Handle {
    /// Deploys and activates the program in a `.wasm` file, signed by the first account. Where ArbOS is 60 or later, one too
    /// large for an account is deployed as fragments and a root.
    ///
    /// # Errors
    /// The file cannot be read or is too large; the chain refuses the program, with its reason.
    pub fn deploy_wasm(&self, path: impl AsRef<Path>) -> Result<Deployed, Error> {
        let path = path.as_ref();
        let mut wasm = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_WASM + 1).read_to_end(&mut wasm));
        read.map_err(|error| Error::Refused(format!("{}: {error}", path.display())))?;
        if wasm.len() as u64 > MAX_WASM {
            let reason = format!("{}: more than {MAX_WASM} bytes", path.display());
            return Err(Error::Refused(reason));
        }
        self.deploy_program(&wasm)
    }

    /// Deploys WASM from memory, as [`Handle::deploy_wasm`] does from a file.
    ///
    /// # Errors
    /// The chain refuses the program, with its reason.
    pub fn deploy_program(&self, wasm: &[u8]) -> Result<Deployed, Error> {
        let mut packed = Vec::new();
        let mut writer = brotli::CompressorWriter::new(&mut packed, 4096, 11, 22);
        writer.write_all(wasm).map_err(Error::setup)?;
        drop(writer);
        let whole = [&[0xef, 0xf0, 0x00, 0x00], packed.as_slice()].concat();
        let code = match whole.len() <= MAX_CODE {
            true => whole,
            false => self.fragmented(&packed, wasm.len())?,
        };
        let deployed = self.deploy_code(&code)?;
        let activate = activateProgramCall {
            program: deployed.address,
        };
        let arb_wasm = Deployed {
            address: ARB_WASM,
            ..deployed.clone()
        };
        let asked = arb_wasm.ask(&activate, U256::from(ETHER))?;
        // A surplus comes back.
        let fee = asked.dataFee + asked.dataFee / U256::from(5);
        arb_wasm.transact(activate.abi_encode().into(), fee)?;
        Ok(deployed)
    }

    /// Finds a contract that is on the chain already, called by the first account.
    pub fn contract(&self, address: Address) -> Deployed {
        Deployed {
            chain: self.chain().clone(),
            address,
            caller: self.accounts()[0].address,
        }
    }

    /// Deploys fragments; the code of their root.
    fn fragmented(&self, packed: &[u8], wasm: usize) -> Result<Vec<u8>, Error> {
        const FRAGMENT: [u8; 3] = [0xef, 0xf0, 0x01];
        let size = u32::try_from(wasm).map_err(Error::setup)?;
        let mut root = vec![0xef, 0xf0, 0x02, 0x00];
        root.extend(size.to_be_bytes());
        for piece in packed.chunks(MAX_CODE - FRAGMENT.len()) {
            let fragment = self.deploy_code(&[&FRAGMENT, piece].concat())?;
            root.extend(fragment.address);
        }
        Ok(root)
    }

    fn deploy_code(&self, code: &[u8]) -> Result<Deployed, Error> {
        let mut init = PRELUDE.to_vec();
        init[LENGTH_AT + 24..LENGTH_AT + 32].copy_from_slice(&(code.len() as u64).to_be_bytes());
        init.extend_from_slice(code);
        let own = self.contract(Address::ZERO);
        let created = own.send_call(Call {
            from: own.caller,
            input: init.into(),
            ..Call::default()
        })?;
        let address = created
            .contract
            .ok_or_else(|| Error::Refused("no contract was created".into()))?;
        Ok(Deployed { address, ..own })
    }
}

impl Deployed {
    /// Returns the contract's address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Returns the same contract, called by another account: a prefunded one, or one that is impersonated.
    #[must_use]
    pub fn by(&self, caller: Address) -> Self {
        Self {
            caller,
            ..self.clone()
        }
    }

    /// Calls a function on the latest state and forgets what it wrote.
    ///
    /// # Errors
    /// [`Error::Failed`] with the revert's data, or a result that is not the function's.
    pub fn call<C: SolCall>(&self, call: C) -> Result<C::Return, Error> {
        self.ask(&call, U256::ZERO)
    }

    /// Sends a transaction that calls a function.
    ///
    /// # Errors
    /// As [`Deployed::call`]'s: nothing is sent if the call would fail.
    pub fn send<C: SolCall>(&self, call: C) -> Result<Sent<C::Return>, Error> {
        self.send_value(call, U256::ZERO)
    }

    /// Sends as [`Deployed::send`], with value in wei.
    ///
    /// # Errors
    /// As [`Deployed::send`]'s.
    pub fn send_value<C: SolCall>(&self, call: C, value: U256) -> Result<Sent<C::Return>, Error> {
        let result = self.ask(&call, value)?;
        let mined = self.transact(call.abi_encode().into(), value)?;
        Ok(Sent {
            result,
            gas_used: mined.gas_used,
            logs: mined.logs,
        })
    }

    fn request(&self, input: Bytes, value: U256) -> Call {
        Call {
            from: self.caller,
            to: Some(self.address),
            value,
            input,
            ..Call::default()
        }
    }

    fn ask<C: SolCall>(&self, call: &C, value: U256) -> Result<C::Return, Error> {
        let request = self.request(call.abi_encode().into(), value);
        let none = BlockOverride::default();
        let done = self
            .chain
            .call(&request, BlockId::Latest, Default::default(), &none)
            .map_err(|error| Error::Refused(error.to_string()))?;
        let reason = match done.status {
            Status::Success => {
                return C::abi_decode_returns(&done.output).map_err(|error| {
                    Error::Refused(format!("not a result of {}: {error}", C::SIGNATURE))
                });
            }
            Status::Revert => "execution reverted".into(),
            Status::Halt(reason) => reason,
        };
        Err(Error::Failed {
            reason,
            data: done.output,
        })
    }

    fn transact(&self, input: Bytes, value: U256) -> Result<Receipt, Error> {
        self.send_call(self.request(input, value))
    }

    /// Sends a transaction and mines it.
    fn send_call(&self, call: Call) -> Result<Receipt, Error> {
        let refused = |error: crate::chain::Error| Error::Refused(error.to_string());
        let hash = self.chain.send_unsigned(call).map_err(refused)?;
        if self.chain.read().find_tx(&hash).is_none() {
            self.chain.mine(None).map_err(refused)?;
        }
        let ledger = self.chain.read();
        let mined = ledger.find_tx(&hash);
        let mined = mined.and_then(|(block, index)| block.mined.get(index));
        let Some(receipt) = mined.map(|mined| &mined.receipt) else {
            return Err(Error::Refused(format!("transaction {hash} is not mined")));
        };
        match receipt.success {
            true => Ok(receipt.clone()),
            false => Err(Error::Failed {
                reason: format!("transaction {hash} failed"),
                data: Bytes::new(),
            }),
        }
    }
}
