//! The state of another chain at one block, read when it is asked for and kept.
//!
//! The source is a JSON-RPC node that nobody vouches for: its answers are bounded in size and checked for shape, and one that
//! cannot be used ends the request that needed it. Such a failure is kept for the thread that met it, until
//! [`failure`] takes it: reading state cannot fail by type.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U64, U256, keccak256};
use revm::bytecode::Bytecode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    account::{Account, bytecode},
    config::Fork,
    fork_error::ForkError,
    transport::Transport,
};
use crate::arbos::{ARBOS, version};

/// The longest code of an account that is taken, bytes.
const MAX_CODE: usize = 1 << 16;

thread_local! {
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes the failure that this thread met last, if any.
pub(crate) fn failure() -> Option<String> {
    FAILURE.with_borrow_mut(Option::take)
}

fn fail(error: &ForkError) {
    let text = error.to_string();
    tracing::warn!(%text, "state of a fork cannot be read");
    FAILURE.with_borrow_mut(|failure| {
        failure.get_or_insert(text);
    });
}

/// The block that a chain goes on from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) chain_id: u64,
    pub(crate) number: u64,
    hash: B256,
    /** unix seconds */
    pub(crate) timestamp: u64,
    pub(crate) l1_number: u64,
}

/// A chain to read from.
pub(crate) struct Source {
    transport: Transport,
    pub(crate) origin: Origin,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    accounts: HashMap<Address, Account>,
    slots: HashMap<(Address, U256), U256>,
    code: HashMap<B256, Bytecode>,
    disk: Option<File>,
}

/// A line of the cache on disk.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Slot {
        address: Address,
        slot: U256,
        value: U256,
    },
    Account {
        address: Address,
        balance: U256,
        nonce: u64,
        code: Bytes,
    },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoteBlock {
    number: U64,
    hash: B256,
    timestamp: U64,
    l1_block_number: Option<U64>,
}

impl Source {
    /// Opens a fork: looks at the chain and its block, and reads what the cache on disk has of it.
    pub(crate) fn open(fork: &Fork) -> Result<Self, ForkError> {
        let transport = Transport::start(&fork.url)?;
        let chain_id: U64 = one(&transport, "eth_chainId", json!([]), "latest")?;
        let at = match fork.block {
            Some(number) => json!(U64::from(number)),
            None => json!("latest"),
        };
        let shown = at.as_str().unwrap_or_default();
        let block: Option<RemoteBlock> = one(
            &transport,
            "eth_getBlockByNumber",
            json!([at, false]),
            shown,
        )?;
        let block = block.ok_or_else(|| ForkError::Chain(format!("it has no block {shown}")))?;
        let number = block.number.to::<u64>();
        if fork.block.is_some_and(|wanted| wanted != number) {
            let reason = format!("asked for block {shown}, it gives {number}");
            return Err(ForkError::Chain(reason));
        }
        let origin = Origin {
            chain_id: chain_id.to(),
            number,
            hash: block.hash,
            timestamp: block.timestamp.to(),
            l1_number: block.l1_block_number.map_or(1, |number| number.to()),
        };
        let mut known = Known::default();
        if let Some(dir) = &fork.cache {
            known.load(dir, &origin)?;
        }
        let source = Self {
            transport,
            origin,
            known: Mutex::new(known),
        };
        let arbos: u64 = source
            .fetch_slot(ARBOS, version::version_slot())?
            .saturating_to();
        if !(version::OLDEST..=version::NEWEST).contains(&arbos) {
            return Err(ForkError::Chain(format!(
                "its ArbOS version is {arbos}, want {} to {} (0 is no Arbitrum chain)",
                version::OLDEST,
                version::NEWEST
            )));
        }
        Ok(source)
    }

    /// The account at the fork's block; an empty one is none.
    pub(super) fn account(&self, address: Address) -> Option<Account> {
        if let Some(account) = self.known().accounts.get(&address) {
            return Some(*account).filter(|account| *account != Account::default());
        }
        let account = self.fetch_account(address).unwrap_or_else(|error| {
            fail(&error);
            Account::default()
        });
        Some(account).filter(|account| *account != Account::default())
    }

    /// The slot at the fork's block.
    pub(super) fn storage(&self, address: Address, slot: U256) -> U256 {
        if let Some(value) = self.known().slots.get(&(address, slot)) {
            return *value;
        }
        self.fetch_slot(address, slot).unwrap_or_else(|error| {
            fail(&error);
            U256::ZERO
        })
    }

    /// The code of an account that was read before.
    pub(super) fn code(&self, hash: B256) -> Option<Bytecode> {
        self.known().code.get(&hash).cloned()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self) -> Value {
        json!(U64::from(self.origin.number))
    }

    fn fetch_account(&self, address: Address) -> Result<Account, ForkError> {
        const METHODS: [&str; 3] = ["eth_getBalance", "eth_getTransactionCount", "eth_getCode"];
        let params = json!([address, self.at()]);
        let calls = METHODS.map(|method| (method, params.clone()));
        let block = self.origin.number.to_string();
        let [balance, nonce, code] = ask(&self.transport, calls, &block)?;
        let balance: U256 = read(METHODS[0], balance)?;
        let nonce: U64 = read(METHODS[1], nonce)?;
        let code: Bytes = read(METHODS[2], code)?;
        if code.len() > MAX_CODE {
            let reason = format!("{} bytes of code, want at most {MAX_CODE}", code.len());
            return Err(ForkError::Nonsense {
                method: METHODS[2],
                reason,
            });
        }
        let line = Line::Account {
            address,
            balance,
            nonce: nonce.to(),
            code,
        };
        let mut known = self.known();
        known.write(&line);
        Ok(known.learn(line).unwrap_or_default())
    }

    fn fetch_slot(&self, address: Address, slot: U256) -> Result<U256, ForkError> {
        let method = "eth_getStorageAt";
        let params = json!([address, slot, self.at()]);
        let block = self.origin.number.to_string();
        let [word] = ask(&self.transport, [(method, params)], &block)?;
        let value: U256 = read(method, word)?;
        let line = Line::Slot {
            address,
            slot,
            value,
        };
        let mut known = self.known();
        known.write(&line);
        known.learn(line);
        Ok(value)
    }
}

impl Known {
    /// Takes in a line; the account, if it is one.
    fn learn(&mut self, line: Line) -> Option<Account> {
        match line {
            Line::Slot {
                address,
                slot,
                value,
            } => {
                self.slots.insert((address, slot), value);
                None
            }
            Line::Account {
                address,
                balance,
                nonce,
                code,
            } => {
                let code_hash = match code.is_empty() {
                    true => KECCAK256_EMPTY,
                    false => keccak256(&code),
                };
                if !code.is_empty() {
                    self.code.insert(code_hash, bytecode(&code));
                }
                let account = Account {
                    nonce,
                    balance,
                    code_hash,
                };
                self.accounts.insert(address, account);
                Some(account)
            }
        }
    }

    /// Adds a line to the cache on disk; one that cannot be written is only not kept.
    fn write(&mut self, line: &Line) {
        let (Some(disk), Ok(mut text)) = (&mut self.disk, serde_json::to_vec(line)) else {
            return;
        };
        text.push(b'\n');
        if let Err(error) = disk.write_all(&text) {
            tracing::warn!(%error, "the cache of a fork cannot be written");
            self.disk = None;
        }
    }

    /// Reads the cache of a block and goes on writing it. A line that was cut off, and all behind it, is dropped.
    fn load(&mut self, dir: &Path, origin: &Origin) -> Result<(), ForkError> {
        let path = dir.join(format!("fork-{}-{}.jsonl", origin.chain_id, origin.hash));
        let failed = |source| ForkError::Cache {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let open = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path);
        let mut file = BufReader::new(open.map_err(failed)?);
        let (mut good, mut text) = (0, String::new());
        loop {
            text.clear();
            let length = file.read_line(&mut text).map_err(failed)?;
            let line = text.strip_suffix('\n').map(serde_json::from_str::<Line>);
            let Some(Ok(line)) = line else { break };
            self.learn(line);
            good += length as u64;
        }
        let file = file.into_inner();
        file.set_len(good).map_err(failed)?;
        self.disk = Some(file);
        Ok(())
    }
}

fn one<T: DeserializeOwned>(
    transport: &Transport,
    method: &'static str,
    params: Value,
    block: &str,
) -> Result<T, ForkError> {
    let [answer] = ask(transport, [(method, params)], block)?;
    read(method, answer)
}

fn read<T: DeserializeOwned>(method: &'static str, answer: Value) -> Result<T, ForkError> {
    serde_json::from_value(answer).map_err(|error| ForkError::Nonsense {
        method,
        reason: error.to_string(),
    })
}

/// Asks several questions at a time; the answers in their order.
fn ask<const N: usize>(
    transport: &Transport,
    calls: [(&'static str, Value); N],
    block: &str,
) -> Result<[Value; N], ForkError> {
    let methods = calls.each_ref().map(|(method, _)| *method);
    let request = calls.into_iter().enumerate().map(|(id, (method, params))| {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    });
    let request = Value::from_iter(request);
    let answer = transport.post(request.to_string())?;
    let nonsense = |method, reason: &str| ForkError::Nonsense {
        method,
        reason: reason.into(),
    };
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|error| nonsense(methods[0], &format!("not JSON: {error}")))?;
    let Value::Array(answers) = answer else {
        let reason = answer["error"]["message"]
            .as_str()
            .unwrap_or("not a list of answers");
        return Err(nonsense(methods[0], &format!("{reason:.200}")));
    };
    let mut all = methods.map(|_| None);
    for mut answer in answers {
        let id = answer["id"]
            .as_u64()
            .and_then(|id| usize::try_from(id).ok());
        let Some(id) = id.filter(|id| *id < N) else {
            return Err(nonsense(methods[0], "an answer to no question"));
        };
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let reason = error["message"].as_str().unwrap_or("no reason given");
            return Err(ForkError::Refused {
                method: methods[id],
                block: block.into(),
                reason: format!("{reason:.200}"),
            });
        }
        all[id] = answer.get_mut("result").map(Value::take);
    }
    let mut at = 0;
    let whole = all.map(|answer| {
        at += 1;
        answer.ok_or_else(|| nonsense(methods[at - 1], "no result"))
    });
    let mut values = Vec::with_capacity(N);
    for answer in whole {
        values.push(answer?);
    }
    values
        .try_into()
        .map_err(|_| nonsense(methods[0], "not as many answers as questions"))
}
