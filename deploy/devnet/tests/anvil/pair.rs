//! The devnet and anvil side by side: the same transaction on both, and what must be equal after it.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    common::{
        node::Anvil,
        sign::{Type, Unsigned},
        wire::Wire,
    },
    program::SLOTS,
};

/// The devnet's base fee, wei; anvil is held to it.
pub(crate) const BASE_FEE: u64 = 100_000_000;
/// Where anvil sends tips; on the devnet, where the base fee goes.
pub(crate) const COINBASE: &str = "0xa4b000000000000000000073657175656e636572";

/// The options that bring anvil as near as it can be.
pub(crate) const ANVIL: [&str; 13] = [
    "--chain-id=412346",
    "--hardfork=osaka",
    "--base-fee=100000000",
    "--gas-price=100000000",
    "--gas-limit=1125899906842624",
    "--accounts=1",
    "--no-mining",
    "--disable-min-priority-fee",
    "--disable-default-create2-deployer",
    "--disable-console-log",
    "--memory-limit=1099511627776",
    "--transaction-block-keeper=64",
    "--prune-history=64",
];

/// The result of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Success,
    Revert,
    Halt,
    Refused,
}

/// Both nodes.
pub(crate) struct Pair {
    pub(crate) ours: Wire,
    pub(crate) anvil: Wire,
    time: u64,
    /// Transactions for which anvil charged the calldata floor, and those that offered a tip.
    pub(crate) floors: u64,
    pub(crate) tips: u64,
    /// Frames below the outermost one.
    pub(crate) frames: u64,
    /// Transactions whose calls are nested too deeply for a reader of JSON; of them, the outermost frame is compared and then
    /// all accounts known, not only those in the trace.
    pub(crate) deep: u64,
    pub(crate) logs: u64,
}

impl Pair {
    /// Connects, and funds anvil's accounts as the devnet's are.
    pub(crate) fn new(devnet: &stylus_devnet::Handle, anvil: &Anvil) -> Self {
        let mut pair = Self {
            ours: Wire::connect(&devnet.url()).unwrap(),
            anvil: Wire::connect(&anvil.url).unwrap(),
            time: 0,
            floors: 0,
            tips: 0,
            frames: 0,
            deep: 0,
            logs: 0,
        };
        let block = pair
            .ours
            .must("eth_getBlockByNumber", json!(["latest", false]));
        pair.time = number(&block["timestamp"]) + 1_000;
        pair.anvil.must("anvil_setCoinbase", json!([COINBASE]));
        for account in devnet.accounts() {
            let balance = pair
                .ours
                .must("eth_getBalance", json!([account.address, "latest"]));
            pair.anvil
                .must("anvil_setBalance", json!([account.address, balance]));
        }
        pair
    }

    pub(crate) fn nonce(&mut self, address: Address) -> u64 {
        number(
            &self
                .ours
                .must("eth_getTransactionCount", json!([address, "latest"])),
        )
    }

    /// Has both nodes mine `raw` at the same time and compares everything. The frames' addresses that have code are
    /// added to `known`. `Err`: what differs.
    pub(crate) fn send(
        &mut self,
        tx: &Unsigned,
        from: Address,
        raw: &Bytes,
        watch: &[Address],
        known: &mut Vec<Address>,
    ) -> Result<Fate, String> {
        self.time += 1;
        let time = json!([self.time]);
        self.ours.must("evm_setNextBlockTimestamp", time.clone());
        self.anvil.must("evm_setNextBlockTimestamp", time);
        let fee = json!([U64::from(BASE_FEE)]);
        self.anvil.must("anvil_setNextBlockBaseFeePerGas", fee);

        // A sender sees its balance less all the gas it bought; so that both see the same, anvil's has the tip on top.
        let balance = self.ours.must("eth_getBalance", json!([from, "latest"]));
        let topped = parse::<U256>(&balance).unwrap_or_default() + tip_bought(tx);
        self.anvil.must("anvil_setBalance", json!([from, topped]));
        let ours = self.ours.ask("eth_sendRawTransaction", json!([raw]));
        let anvil = self.anvil.ask("eth_sendRawTransaction", json!([raw]));
        if ours.is_err() {
            self.anvil.must("anvil_setBalance", json!([from, balance]));
        }
        let hash = match (ours, anvil) {
            (Ok(ours), Ok(anvil)) => {
                equal("hash", &ours, &anvil)?;
                ours
            }
            (Err(_), Err(_)) => return Ok(Fate::Refused),
            // Anvil may take a transaction that can never be mined, and finds out later.
            (Err(error), Ok(hash)) => {
                self.anvil.must("evm_mine", json!([]));
                let receipt = self.anvil.must("eth_getTransactionReceipt", json!([hash]));
                self.anvil.must("anvil_dropTransaction", json!([hash]));
                return match receipt.is_null() {
                    true => Ok(Fate::Refused),
                    false => Err(format!("refused: ours {error}, anvil {receipt}")),
                };
            }
            (Ok(_), Err(error)) => return Err(format!("refused: anvil {error}")),
        };
        self.anvil.must("evm_mine", json!([]));
        let receipt = json!([hash]);
        let ours = self.ours.must("eth_getTransactionReceipt", receipt.clone());
        let anvil = self.anvil.must("eth_getTransactionReceipt", receipt);
        let used = self.receipts(tx, &ours, &anvil)?;

        let mut seen: BTreeSet<Address> = watch.iter().copied().collect();
        seen.insert(from);
        let trace = json!([hash, {"tracer": "callTracer"}]);
        let traced = self.ours.ask("debug_traceTransaction", trace.clone());
        let expected = self.anvil.ask("debug_traceTransaction", trace);
        let (traced, expected) = match (traced, expected) {
            (Ok(traced), Ok(expected)) => (traced, expected),
            (Err(ours), Err(anvil)) if too_deep(&ours) && too_deep(&anvil) => {
                self.deep += 1;
                seen.extend(known.iter());
                let top =
                    json!([hash, {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": true}}]);
                (
                    self.ours.must("debug_traceTransaction", top.clone()),
                    self.anvil.must("debug_traceTransaction", top),
                )
            }
            (ours, anvil) => {
                let error = |result: Result<Value, Value>| result.err();
                return Err(format!(
                    "trace: ours {:?}, anvil {:?}",
                    error(ours),
                    error(anvil)
                ));
            }
        };
        let gas = [tx.gas_limit, tx.gas_limit - intrinsic(tx), used];
        self.frames(&traced, &expected, gas, &mut seen, "")
            .map_err(|what| format!("{what}\nours {traced}\nanvil {expected}"))?;
        self.settle(tx, from, &ours, &anvil)?;
        for address in self.state(seen)? {
            if !known.contains(&address) {
                known.push(address);
            }
        }
        let failed = traced["error"].as_str();
        Ok(match (ours["status"].as_str(), failed) {
            (Some("0x1"), _) => Fate::Success,
            (_, Some("execution reverted")) => Fate::Revert,
            _ => Fate::Halt,
        })
    }

    /// Compares receipts; the gas used on the devnet.
    fn receipts(&mut self, tx: &Unsigned, ours: &Value, anvil: &Value) -> Result<u64, String> {
        for field in [
            "transactionHash",
            "transactionIndex",
            "from",
            "to",
            "type",
            "status",
            "contractAddress",
            "logsBloom",
        ] {
            equal(field, &ours[field], &anvil[field])?;
        }
        let logs = |receipt: &Value| -> Value {
            let logs = receipt["logs"].as_array().into_iter().flatten();
            logs.map(|log| {
                json!([
                    log["address"],
                    log["topics"],
                    log["data"],
                    log["logIndex"],
                    log["transactionIndex"]
                ])
            })
            .collect()
        };
        equal("logs", &logs(ours), &logs(anvil))?;
        self.logs += ours["logs"].as_array().map_or(0, Vec::len) as u64;

        // EIP-7623 is off on Arbitrum: anvil charges the floor where execution came cheaper, and only there.
        let gas = [number(&ours["gasUsed"]), number(&anvil["gasUsed"])];
        if gas[0].max(floor(&tx.input)) != gas[1] {
            return Err(format!("gas used: ours {}, anvil {}", gas[0], gas[1]));
        }
        equal(
            "cumulative gas",
            &ours["cumulativeGasUsed"],
            &ours["gasUsed"],
        )?;
        self.floors += u64::from(gas[0] < gas[1]);
        equal(
            "price paid",
            &ours["effectiveGasPrice"],
            &json!(U64::from(BASE_FEE)),
        )?;
        Ok(gas[0])
    }

    /// Compares call trees, down to the gas and the data of every frame. `gas`: what the transaction offers, what it has when
    /// its outermost frame opens, what it uses.
    fn frames(
        &mut self,
        ours: &Value,
        anvil: &Value,
        gas: [u64; 3],
        seen: &mut BTreeSet<Address>,
        path: &str,
    ) -> Result<(), String> {
        // Of an account that leaves itself its own balance anvil's tracer knows nothing.
        if ours["type"] == json!("SELFDESTRUCT")
            && ours["from"] == ours["to"]
            && anvil["to"].is_null()
        {
            return equal("type", &ours["type"], &anvil["type"]);
        }
        for field in ["type", "from", "to", "value", "input", "output"] {
            equal(
                &format!("frame {path}: {field}"),
                &ours[field],
                &anvil[field],
            )?;
        }
        if path.is_empty() {
            // The outermost frame's gas is the transaction's; anvil shows what is left of it when the frame opens.
            let [limit, opened, used] = gas.map(|gas| json!(U64::from(gas)));
            equal("traced gas", &ours["gas"], &limit)?;
            equal("traced gas used", &ours["gasUsed"], &used)?;
            equal("gas of the frame", &opened, &anvil["gas"])?;
        } else {
            for field in ["gas", "gasUsed"] {
                equal(
                    &format!("frame {path}: {field}"),
                    &ours[field],
                    &anvil[field],
                )?;
            }
        }
        if ours["error"].is_null() != anvil["error"].is_null() {
            return Err(format!(
                "frame {path}: error: ours {}, anvil {}",
                ours["error"], anvil["error"]
            ));
        }
        for field in ["from", "to"] {
            seen.extend(parse::<Address>(&ours[field]));
        }
        let none = Vec::new();
        let inner = |frame: &Value| frame["calls"].as_array().unwrap_or(&none).clone();
        let (ours, anvil) = (inner(ours), inner(anvil));
        if ours.len() != anvil.len() {
            let kinds =
                |frames: &[Value]| frames.iter().map(|f| f["type"].clone()).collect::<Value>();
            return Err(format!(
                "frame {path}: calls: ours {}, anvil {}",
                kinds(&ours),
                kinds(&anvil)
            ));
        }
        self.frames += ours.len() as u64;
        for (index, (ours, anvil)) in ours.iter().zip(&anvil).enumerate() {
            self.frames(ours, anvil, gas, seen, &format!("{path}/{index}"))?;
        }
        Ok(())
    }

    /// Checks that anvil charged the sender floor and tip beyond the devnet, to the wei, and gives it back.
    fn settle(
        &mut self,
        tx: &Unsigned,
        from: Address,
        ours: &Value,
        anvil: &Value,
    ) -> Result<(), String> {
        let paid = |receipt: &Value| {
            let gas: U256 = parse(&receipt["gasUsed"]).unwrap_or_default();
            gas * parse::<U256>(&receipt["effectiveGasPrice"]).unwrap_or_default()
        };
        let (ours_paid, anvil_paid) = (paid(ours), paid(anvil));
        let offered = offered(tx);
        equal(
            "anvil's price",
            &anvil["effectiveGasPrice"],
            &json!(U64::from(offered)),
        )?;
        self.tips += u64::from(offered > u128::from(BASE_FEE));
        if ours_paid == anvil_paid {
            return Ok(());
        }
        let balance = json!([from, "latest"]);
        let ours: U256 =
            parse(&self.ours.must("eth_getBalance", balance.clone())).unwrap_or_default();
        let anvil: U256 = parse(&self.anvil.must("eth_getBalance", balance)).unwrap_or_default();
        if ours + ours_paid + tip_bought(tx) != anvil + anvil_paid {
            return Err(format!(
                "sender's balance: ours {ours} after {ours_paid}, anvil {anvil} after {anvil_paid}"
            ));
        }
        self.anvil.must("anvil_setBalance", json!([from, ours]));
        self.anvil
            .must("anvil_setBalance", json!([COINBASE, "0x0"]));
        Ok(())
    }

    /// Compares accounts: balance, nonce, code, slots. Those with code.
    pub(crate) fn state(&mut self, accounts: BTreeSet<Address>) -> Result<Vec<Address>, String> {
        let accounts: Vec<_> = accounts
            .into_iter()
            .filter(|address| json!(address) != json!(COINBASE))
            .collect();
        let mut calls = Vec::new();
        for address in &accounts {
            calls.push(("eth_getBalance", json!([address, "latest"])));
            calls.push(("eth_getTransactionCount", json!([address, "latest"])));
            calls.push(("eth_getCode", json!([address, "latest"])));
            for slot in 0..SLOTS {
                calls.push((
                    "eth_getStorageAt",
                    json!([address, U256::from(slot), "latest"]),
                ));
            }
        }
        let mut coded = Vec::new();
        for (chunk, owners) in calls.chunks(90).zip(accounts.chunks(10)) {
            let ours = self.ours.batch(chunk);
            let anvil = self.anvil.batch(chunk);
            for (index, ((method, params), (ours, anvil))) in
                chunk.iter().zip(ours.iter().zip(&anvil)).enumerate()
            {
                if ours.is_err() || ours != anvil {
                    return Err(format!("{method} {params}: ours {ours:?}, anvil {anvil:?}"));
                }
                if *method == "eth_getCode" && *ours != Ok(json!("0x")) {
                    coded.push(owners[index / (3 + SLOTS as usize)]);
                }
            }
        }
        Ok(coded)
    }

    /// Compares what a call returns that no transaction makes.
    pub(crate) fn call(&mut self, from: Address, to: Address, input: &Bytes) -> Result<(), String> {
        let call = json!([{"from": from, "to": to, "input": input, "gas": "0x2dc6c0",
            "gasPrice": U64::from(BASE_FEE)}, "latest"]);
        let ours = self.ours.ask("eth_call", call.clone());
        let anvil = self.anvil.ask("eth_call", call);
        let view = |result: &Result<Value, Value>| match result {
            Ok(output) => json!({"output": output}),
            // Halts have no data; how they are worded differs.
            Err(error) => json!({"reverted": error["data"].as_str().unwrap_or("0x")}),
        };
        equal("call", &view(&ours), &view(&anvil))
    }
}

/// Computes anvil's price of a transaction's gas, wei.
fn offered(tx: &Unsigned) -> u128 {
    match tx.kind {
        Type::Legacy | Type::AccessList => tx.max_fee,
        Type::Dynamic | Type::SetCode => {
            tx.max_fee.min(u128::from(BASE_FEE).saturating_add(tx.tip))
        }
    }
}

/// Computes the wei that anvil takes from the sender beyond the devnet while the transaction runs.
fn tip_bought(tx: &Unsigned) -> U256 {
    let tip = offered(tx).saturating_sub(BASE_FEE.into());
    U256::from(tip) * U256::from(tx.gas_limit)
}

/// Computes the least gas of a transaction under EIP-7623.
pub(crate) fn floor(input: &[u8]) -> u64 {
    21_000 + 10 * tokens(input)
}

fn tokens(input: &[u8]) -> u64 {
    input
        .iter()
        .map(|byte| if *byte == 0 { 1 } else { 4 })
        .sum()
}

/// Computes the gas of a transaction before anything runs.
pub(crate) fn intrinsic(tx: &Unsigned) -> u64 {
    let creation = match tx.to {
        None => 32_000 + 2 * (tx.input.len() as u64).div_ceil(32),
        Some(_) => 0,
    };
    let list = tx.access_list.iter();
    let list: u64 = list
        .map(|(_, keys)| 2_400 + 1_900 * keys.len() as u64)
        .sum();
    21_000 + 4 * tokens(&tx.input) + creation + list + 25_000 * tx.authorizations.len() as u64
}

fn too_deep(error: &Value) -> bool {
    error["message"]
        .as_str()
        .is_some_and(|message| message.starts_with("recursion limit exceeded"))
}

/// A quantity; 0 if it is none.
pub(crate) fn number(value: &Value) -> u64 {
    parse::<U64>(value).map_or(0, |number| number.to())
}

fn parse<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// Long data is shown by its hash.
fn equal(what: &str, ours: &Value, anvil: &Value) -> Result<(), String> {
    if same(ours, anvil) {
        return Ok(());
    }
    let show = |value: &Value| match value.to_string() {
        long if long.len() > 2_000 => format!("{}… ({})", &long[..200], keccak256(&long)),
        short => short,
    };
    Err(format!(
        "{what}: ours {}, anvil {}",
        show(ours),
        show(anvil)
    ))
}

/// Absent, null and empty data mean the same, and so do addresses in either case.
fn same(ours: &Value, anvil: &Value) -> bool {
    let empty = |value: &Value| value.is_null() || *value == json!("0x");
    match (ours, anvil) {
        (Value::String(ours), Value::String(anvil)) => ours.eq_ignore_ascii_case(anvil),
        (Value::Array(ours), Value::Array(anvil)) => {
            ours.len() == anvil.len()
                && ours
                    .iter()
                    .zip(anvil)
                    .all(|(ours, anvil)| same(ours, anvil))
        }
        _ => ours == anvil || (empty(ours) && empty(anvil)),
    }
}

/// A storage key.
pub(crate) fn slot(number: u64) -> B256 {
    U256::from(number).into()
}
