//! An embeddable Arbitrum-style development chain that runs Stylus WASM, behind Ethereum JSON-RPC.
//!
//! It knows nothing of any particular contract. [`spawn`] starts one; dropping the [`Handle`] stops it. The same as a program:
//! `stylus-devnet`.
//!
//! Each transaction is mined at once into a block of its own, unless [`Config::block_time`] or a request
//! for development nodes says otherwise: then those that wait share the next block. One whose nonce is ahead of its
//! account is held until the gap is filled. Blocks, receipts and errors look as they do on
//! Arbitrum, time can be moved forward, and with [`Config::state_dir`] the chain outlives the
//! process: what was acknowledged is on disk.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! use ethers::providers::{Http, Middleware, Provider};
//!
//! let devnet = stylus_devnet::spawn(stylus_devnet::Config::default()).await?;
//! let provider = Provider::<Http>::try_from(devnet.url())?;
//! let rich = devnet.accounts()[0].address.into_array();
//! assert_eq!(provider.get_chainid().await?.as_u64(), 412_346);
//! assert!(!provider.get_balance(ethers::types::Address::from(rich), None).await?.is_zero());
//! devnet.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! [`Handle::send_raw`] and [`Handle::call`] leave out the wire. Memory grows by the blocks that are kept, all of them unless
//! [`Config::blocks`] says otherwise; of the state, the newest [`Config::states`] versions are kept.
//!
//! # Exactness
//!
//! Ink, gas, stack, memory, storage, logs and errors of programs and transactions under ArbOS 51 and 61, as far as they have been
//! compared with recordings of a reference node and blocks of public chains; the README says by which tests.
//!
//! # Versions of ArbOS
//!
//! [`Config::arbos`] chooses the version that a chain starts with, 61 if it says nothing; `ArbOwner.scheduleArbOSUpgrade` takes it on, step by step,
//! with the first block whose time has come. A step writes what that version writes, and leaves the rest as owners set it.
//!
//! | since | rule | rests on | test |
//! |---|---|---|---|
//! | 40 | Prague; P256VERIFY at 3,450 gas | rules of public chains | `versions::p256_verify_costs_half_before_osaka` |
//! | 50 | Osaka; 32,000,000 gas a transaction; stack of 22,000 words | blocks of Arbitrum One | `evm::tests::replay`, `version::tests` |
//! | 51 | ink, hosts, activation as of Stylus 2 | recordings of a reference node | `wasm::tests`, `vectors`, `edges` |
//! | 51 | code that is no program is refused without data and keeps its gas | reference's source, as described | `activation::code_that_is_no_program_…` |
//! | 59 | Stylus 3: older programs answer `ProgramNeedsUpgrade(2,3)` | public chain data, release notes | `versions::stylus_3_wants_…` |
//! | 59 | stored gas of activation, 800 to read it | reference's source, as described | `versions::activation_pays_…` |
//! | 59 | page limit when a program runs, over all that is open | the same, with its test list | `versions::pages_are_limited_…`, `the_limit_counts_…` |
//! | 59 | growth by more than 65,535 pages cannot be paid | the same, with its test list | `versions::growing_by_more_…` |
//! | 59 | no multiple values: types, and blocks with a type index | the same | `versions::stylus_3_knows_no_…` |
//! | any | `memory.fill` takes the low byte (before 59 nodes refuse other values) | WebAssembly | `versions::a_filled_byte_…` |
//! | 60 | roots and fragments: layout, order of checks, gas of reading them | the same; a recorded deployment of three fragments, gas to the unit | `versions::a_root_is_…`, `bad_roots_…`, `a_fragment_…`, `reading_a_fragment_…` |
//! | 60 | fragments warmed by access lists; roots delegated to, self-destructs refused, codes seen as they are | the same | `fragments::an_access_list_…`, `a_root_that_…`, `a_root_cannot_…`, `contracts_see_…` |
//! | any | a cached program that is activated again stays cached, for 800 more | blocks of public chains, as described | `activation::a_cached_program_…` |
//! | any | upgrades step by step, never backwards | reference's source, as described | `version::tests`, `tests/precompiles.rs` |
//! | 60 | four fragments, 262,144 bytes of WASM | parameters of a public chain | `version::tests`, `versions::owners_choose_…` |
//! | 60 | the last 32 programs of a block are priced as cached | reference's source, as described | `versions::a_program_called_before_…` |
//! | 60 | tips, where an owner has them collected | the same | `versions::tips_are_paid_…` |
//! | 60 | filtered transactions use their gas and do nothing | a block of a public chain, slot included | `versions::a_filtered_…`, `filtering::tests` |
//! | 60 | fee above the stored base fee given back | reference's source, as described | `versions::only_60_gives_back_…` |
//! | 61 | not given back without multi-gas constraints | its tests, an audit, other implementations | `versions::only_60_gives_back_…` |
//! | 60 | events of owners' changes; constraints of multi-gas pricing kept | the same | `versions::the_owners_changes_…`, `multi_gas_…` |
//!
//! Some things could not be learnt: the gas of `activationGas()` (here 1,603: arguments, state, one slot, result); where filterers, the
//! time of filtering and the recipient of its funds are kept (here beside their neighbours); whether 61 changes more than its
//! notices say; how multi-gas is attributed, so constraints are kept but raise no price on a chain that is never congested; the
//! exact texts of a validator's refusals.
//!
//! # With the tools of others
//!
//! ethers, viem, web3.py, Hardhat, Foundry's cast and cargo-stylus 0.10 work unchanged: of the last, `check`, `deploy` (of a file
//! or of a project, also with a constructor through the `StylusDeployer` at its usual address), `activate`, `cache`, `trace`,
//! `simulate`, `replay`, `verify` and `get-initcode`. Port 8547 is where it looks by default. Web pages may use a devnet as
//! [`Config::cors`] says. `examples/counter` is a program to try them on:
//!
//! ```console
//! $ cd examples/counter
//! $ cargo stylus check
//! $ cargo stylus deploy --no-verify --private-key-path key --constructor-args 41
//! $ cargo stylus trace --tx 0x…
//! ```
//!
//! # Differences from a real Arbitrum chain
//!
//! * The prefunded accounts' keys are public ([`Handle::accounts`]): never fund them elsewhere. The node signs for them.
//! * There is no parent chain: its block numbers are simulated from the clock, its block hashes
//!   from the numbers. Posting to it costs nothing unless [`Config::l1_price_per_unit`] or `ArbOwner` sets a price;
//!   what is paid is computed with this Brotli, whose level 1 may pack some bytes differently from the reference's.
//!   Messages to it are kept and committed to, but nothing takes them there. There are no bridge, no retryable
//!   tickets, and no internal transaction at the start of a block.
//! * The module hash of an activation is this chain's own. Programs that need a dictionary are refused.
//! * `ArbRetryableTx`, `ArbAggregator` and `ArbFunctionTable` are not there. The cache manager, where development nodes have a
//!   contract, is built in: it answers as the contract does, but its gas is that of a precompile.
//! * The default tracer shows opcodes, which programs do not have: of a call into one, only the opcode that makes it. No
//!   JavaScript is run: cargo-stylus's script is recognised and answered as `stylusTracer` is. `trace_` methods know the kind
//!   `trace` only.
//! * A program has at most 5·10^12 ink, ten times what the gas of a call buys, and is at most 2 MiB decompressed, whatever
//!   the chain's owner sets. A call has at most 50,000,000 gas. The `pending` block is the latest one; only
//!   `eth_getTransactionCount` counts what waits.
//! * The blocks of `eth_simulateV1` state the root of the state they begin from.
//! * A header's `stateRoot` commits to the state by hashing each block's changes onto the parent's root; it is not the root of
//!   a Merkle tree. `eth_getProof` makes that tree when it is asked: its proofs lead to the hash of their first node, not to a
//!   header.

/// The README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod arbos;
mod chain;
mod cors;
mod engine;
mod evm;
mod faucet;
#[doc(hidden)]
pub mod fuzzing;
mod genesis;
mod hostio;
mod multicall3;
mod rpc;
pub mod testing;
#[cfg(test)]
mod vectors;
mod wasm;

pub use arbos::{ArbOs, UnknownArbOs};
pub use chain::{Config, Fork, ForkError, StoreError};
pub use cors::Cors;
pub use genesis::DevAccount;
pub use rpc::{Error, Handle, spawn};
