//! ArbWasm (0x71): activates Stylus programs and tells about them.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall, SolError, SolValue, sol};
use revm::context::JournalTr;

use super::{CODE_HASH, COPY_WORD, Failure, Invocation, Purity, READ, WRITE};
use crate::arbos::code::{Code, NotWasm, Root, unpack_classic};
use crate::arbos::params::{self, Params};
use crate::arbos::pricer;
use crate::arbos::programs::{self, DAY, Inactive, Record};
use crate::arbos::version::{FRAGMENTS, STYLUS_3};
use crate::wasm;

sol! {
    function activateProgram(address program) external payable returns (uint16 version, uint256 dataFee);
    function codehashKeepalive(bytes32 codehash) external payable;
    function stylusVersion() external view returns (uint16);
    function codehashVersion(bytes32 codehash) external view returns (uint16);
    function codehashAsmSize(bytes32 codehash) external view returns (uint32);
    function programVersion(address program) external view returns (uint16);
    function programInitGas(address program) external view returns (uint64 gas, uint64 gasWhenCached);
    function programMemoryFootprint(address program) external view returns (uint16);
    function programTimeLeft(address program) external view returns (uint64);
    function inkPrice() external view returns (uint32);
    function maxStackDepth() external view returns (uint32);
    function freePages() external view returns (uint16);
    function pageGas() external view returns (uint16);
    function pageRamp() external view returns (uint64);
    function pageLimit() external view returns (uint16);
    function minInitGas() external view returns (uint64 gas, uint64 cached);
    function initCostScalar() external view returns (uint64);
    function expiryDays() external view returns (uint16);
    function keepaliveDays() external view returns (uint16);
    function blockCacheSize() external view returns (uint16);
    function activationGas() external view returns (uint64);

    event ProgramActivated(bytes32 indexed codehash, bytes32 moduleHash, address program, uint256 dataFee, uint16 version);
    event ProgramLifetimeExtended(bytes32 indexed codehash, uint256 dataFee);

    error ProgramNotWasm();
    error ProgramNotActivated();
    error ProgramUpToDate();
    error ProgramNeedsUpgrade(uint16 version, uint16 stylusVersion);
    error ProgramExpired(uint64 ageInSeconds);
    error ProgramInsufficientValue(uint256 have, uint256 want);
    error ProgramKeepaliveTooSoon(uint64 ageInSeconds);
}

/// Gas of any activation, before the program is looked at.
const ACTIVATION: u64 = 1_659_168;
/// Gas of an account touched before, and of one not.
const WARM_ACCOUNT: u64 = 100;
const COLD_ACCOUNT: u64 = 2_600;
/// Words of the longest code of an account (EIP-170).
const WORDS_OF_CODE: u64 = 24_576 / 32;
/// Slots that the data pricer reads and writes.
const PRICER_READS: u64 = 5;
const PRICER_WRITES: u64 = 2;

type Done<T = Vec<u8>> = Result<T, Failure>;

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done {
    match selector {
        activateProgramCall::SELECTOR => activate(call),
        codehashKeepaliveCall::SELECTOR => keepalive(call),
        codehashVersionCall::SELECTOR => {
            of_hash(call, |_, record, _| u64::from(record.version).abi_encode())
        }
        codehashAsmSizeCall::SELECTOR => {
            of_hash(call, |_, record, _| (record.asm_kb * 1024).abi_encode())
        }
        programVersionCall::SELECTOR => {
            of_program(call, |_, record, _| record.version.abi_encode())
        }
        programInitGasCall::SELECTOR => of_program(call, |params, record, _| {
            let cached = params.cached_gas(record.cached_cost);
            let init = params.init_gas(record.init_cost);
            let init = if record.version > 1 {
                init + cached
            } else {
                init
            };
            (init, cached).abi_encode_params()
        }),
        programMemoryFootprintCall::SELECTOR => {
            of_program(call, |_, record, _| record.footprint.abi_encode())
        }
        programTimeLeftCall::SELECTOR => of_program(call, |params, record, now| {
            let lifetime = u64::from(params.expiry_days) * DAY;
            lifetime.saturating_sub(record.age(now)).abi_encode()
        }),
        activationGasCall::SELECTOR => {
            call.since(STYLUS_3)?;
            call.open::<()>(Purity::View)?;
            let gas = call.read(programs::activation_gas_slot())?;
            Ok(gas.abi_encode())
        }
        _ => parameter(call, selector),
    }
}

fn parameter(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done {
    let get: fn(Params) -> Vec<u8> = match selector {
        stylusVersionCall::SELECTOR => |p| p.version.abi_encode(),
        inkPriceCall::SELECTOR => |p| p.ink_price.abi_encode(),
        maxStackDepthCall::SELECTOR => |p| p.max_stack_depth.abi_encode(),
        freePagesCall::SELECTOR => |p| p.free_pages.abi_encode(),
        pageGasCall::SELECTOR => |p| p.page_gas.abi_encode(),
        pageRampCall::SELECTOR => |_| params::PAGE_RAMP.abi_encode(),
        pageLimitCall::SELECTOR => |p| p.page_limit.abi_encode(),
        minInitGasCall::SELECTOR => |p| (p.min_init(), p.min_cached()).abi_encode_params(),
        initCostScalarCall::SELECTOR => {
            |p| (u64::from(p.init_cost_scalar) * params::SCALAR_UNIT).abi_encode()
        }
        expiryDaysCall::SELECTOR => |p| p.expiry_days.abi_encode(),
        keepaliveDaysCall::SELECTOR => |p| p.keepalive_days.abi_encode(),
        blockCacheSizeCall::SELECTOR => |p| p.block_cache_size.abi_encode(),
        _ => return Err(Failure::Burn),
    };
    call.open::<()>(Purity::View)?;
    Ok(get(call.params()?))
}

type View = fn(&Params, &Record, u64) -> Vec<u8>;

fn of_hash(call: &mut Invocation<'_, '_>, view: View) -> Done {
    let (code_hash,): (B256,) = call.open(Purity::View)?;
    of_active(call, code_hash, view)
}

fn of_program(call: &mut Invocation<'_, '_>, view: View) -> Done {
    let (program,): (Address,) = call.open(Purity::View)?;
    call.burn(CODE_HASH)?;
    let (code_hash, _) = programs::code_of(call.state(), program)?;
    of_active(call, code_hash, view)
}

fn of_active(call: &mut Invocation<'_, '_>, code_hash: B256, view: View) -> Done {
    let params = call.params()?;
    let record = active(call, &params, code_hash)?;
    Ok(view(&params, &record, call.now()))
}

fn active(call: &mut Invocation<'_, '_>, params: &Params, code_hash: B256) -> Done<Record> {
    call.burn(READ)?;
    let record = Record::load(call.state(), code_hash)?;
    record.check(params, call.now())?;
    Ok(record)
}

impl From<Inactive> for Failure {
    fn from(inactive: Inactive) -> Self {
        Self::Solidity(match inactive {
            Inactive::NotActivated => ProgramNotActivated {}.abi_encode(),
            Inactive::NeedsUpgrade { have, want } => ProgramNeedsUpgrade {
                version: have,
                stylusVersion: want,
            }
            .abi_encode(),
            Inactive::Expired { age } => ProgramExpired { ageInSeconds: age }.abi_encode(),
        })
    }
}

/// Code that is no program's is refused without a word, unless there is none, or ArbOS knows no kind of it.
fn not_wasm(error: NotWasm, arbos: u64) -> Failure {
    match error {
        NotWasm::NoCode => Failure::Solidity(ProgramNotWasm {}.abi_encode()),
        NotWasm::NoProgram if arbos >= FRAGMENTS => {
            Failure::Solidity(ProgramNotWasm {}.abi_encode())
        }
        _ => Failure::Refused,
    }
}

fn failed(reason: impl std::fmt::Display) -> Failure {
    Failure::Halt(format!("program activation failed: {reason}"))
}

fn activate(call: &mut Invocation<'_, '_>) -> Done {
    let (program,): (Address,) = call.open(Purity::Payable)?;
    if call.arbos() >= STYLUS_3 {
        let gas = call.read(programs::activation_gas_slot())?;
        call.burn(gas.saturating_to())?;
    }
    call.burn(ACTIVATION)?;
    let (code_hash, code) = programs::code_of(call.state(), program)?;
    if destructed(call, program) {
        return Err(Failure::Refused);
    }
    let params = call.params()?;
    let now = call.now();
    call.burn(READ)?;
    let old = Record::load(call.state(), code_hash)?;
    if old.check(&params, now).is_ok() {
        return Err(Failure::Solidity(ProgramUpToDate {}.abi_encode()));
    }
    let wasm = wasm_of(call, &code, &params)?;
    let scratch = &call.ctx.chain;
    let (arbos, pages_open) = (scratch.arbos, scratch.pages_open);
    let rules = programs::activation_params(&params, arbos, pages_open, scratch.debug);
    let activated = wasm::activate(&wasm, rules).map_err(failed)?;
    call.burn(activated.variable_gas)?;

    if old.cached {
        // The module's old hash is looked up too.
        call.burn(READ)?;
    }
    call.burn(WRITE)?;
    programs::store_module_hash(call.state(), code_hash, activated.module_hash)?;
    let fee = data_fee(call, activated.asm_estimate)?;
    let record = Record {
        version: params.version,
        init_cost: activated.init_cost,
        cached_cost: activated.cached_cost,
        footprint: activated.footprint_pages,
        activated_at: programs::hours(now),
        asm_kb: activated.asm_estimate.div_ceil(1024),
        cached: old.cached,
    };
    call.burn(WRITE)?;
    record.store(call.state(), code_hash)?;
    pay(call, fee)?;
    call.emit(&ProgramActivated {
        codehash: code_hash,
        moduleHash: activated.module_hash,
        program,
        dataFee: fee,
        version: params.version,
    })?;
    Ok((params.version, fee).abi_encode_params())
}

/// The WASM of a program's code. Reading the fragments of a root is paid for, and makes them warm.
fn wasm_of(call: &mut Invocation<'_, '_>, code: &[u8], params: &Params) -> Done {
    let arbos = call.arbos();
    let refuse = |error| not_wasm(error, arbos);
    let root = match Code::of(code, arbos) {
        Code::Classic(body) => return unpack_classic(body, params).map_err(refuse),
        Code::Root(code) => Root::read(code, params).map_err(refuse)?,
        Code::Fragment(_) => return Err(refuse(NotWasm::Fragment)),
        Code::None => return Err(refuse(NotWasm::NoCode)),
        Code::Other => return Err(refuse(NotWasm::NoProgram)),
    };
    let mut packed = Vec::new();
    for address in &root.fragments {
        let loaded = call.state().load_account_with_code(*address)?;
        let (cold, code) = (loaded.is_cold, loaded.info.code.clone().unwrap_or_default());
        let touch = if cold { COLD_ACCOUNT } else { WARM_ACCOUNT };
        // Enough for the longest code is needed, whatever is there.
        if call.gas_left() < touch + COPY_WORD * WORDS_OF_CODE {
            call.burn(u64::MAX)?;
        }
        let code = code.original_byte_slice();
        call.burn(touch + COPY_WORD * code.len().div_ceil(32) as u64)?;
        let Code::Fragment(payload) = Code::of(code, arbos) else {
            return Err(refuse(NotWasm::NoFragment(*address)));
        };
        packed.extend_from_slice(payload);
    }
    root.unpack(&packed).map_err(refuse)
}

fn keepalive(call: &mut Invocation<'_, '_>) -> Done {
    let (code_hash,): (B256,) = call.open(Purity::Payable)?;
    let params = call.params()?;
    let mut record = active(call, &params, code_hash)?;
    let now = call.now();
    let age = record.age(now);
    if age < u64::from(params.keepalive_days) * DAY {
        let too_soon = ProgramKeepaliveTooSoon { ageInSeconds: age };
        return Err(Failure::Solidity(too_soon.abi_encode()));
    }
    let fee = data_fee(call, record.asm_kb.saturating_mul(1024))?;
    record.activated_at = programs::hours(now);
    call.burn(WRITE)?;
    record.store(call.state(), code_hash)?;
    pay(call, fee)?;
    call.emit(&ProgramLifetimeExtended {
        codehash: code_hash,
        dataFee: fee,
    })?;
    Ok(Vec::new())
}

fn destructed(call: &mut Invocation<'_, '_>, program: Address) -> bool {
    let account = call.state().inner.state.get(&program);
    account.is_some_and(|account| account.is_selfdestructed())
}

fn data_fee(call: &mut Invocation<'_, '_>, bytes: u32) -> Done<U256> {
    call.burn(PRICER_READS * READ + PRICER_WRITES * WRITE)?;
    let now = call.now();
    Ok(pricer::charge(call.state(), bytes, now)?)
}

/// Takes the fee out of the value sent and gives the rest back.
fn pay(call: &mut Invocation<'_, '_>, fee: U256) -> Done<()> {
    call.burn(READ)?;
    let (have, own, caller) = (call.value, call.own, call.caller);
    let Some(rest) = have.checked_sub(fee) else {
        let short = ProgramInsufficientValue { have, want: fee };
        return Err(Failure::Solidity(short.abi_encode()));
    };
    let network = call.ctx.chain.network_fee_account;
    for (to, amount) in [(network, fee), (caller, rest)] {
        if call.state().transfer(own, to, amount)?.is_some() {
            return Err(Failure::Burn);
        }
        if let Some(trace) = &mut call.ctx.chain.trace {
            trace.payment(own, to, amount);
        }
    }
    Ok(())
}
