//! Parameters as clients write them.

use std::collections::HashMap;

use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use jsonrpsee::types::{Params, params::ParamsSequence};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error as _};

use super::error::RpcError;
use crate::chain::{
    BlockId, Call,
    overrides::{AccountOverride, BlockOverride},
    state::bytecode,
};

/// The parameters of a request, taken one after the other.
pub(crate) struct Args<'a> {
    rest: ParamsSequence<'a>,
    index: usize,
}
impl<'a> Args<'a> {
    pub(crate) fn new(params: &'a Params<'_>) -> Self {
        Self {
            rest: params.sequence(),
            index: 0,
        }
    }

    /// The next parameter.
    pub(crate) fn need<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        self.opt()?.ok_or_else(|| RpcError::Argument {
            index: self.index - 1,
            reason: "missing value for required argument".into(),
        })
    }

    /// The next parameter, if it is there and not null.
    pub(crate) fn opt<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let index = self.index;
        self.index += 1;
        self.rest.optional_next().map_err(|error| {
            let detail = error.data().map_or("", |data| data.get());
            RpcError::Argument {
                index,
                reason: detail.trim_matches('"').into(),
            }
        })
    }
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Number(u64),
            Text(String),
            #[serde(rename_all = "camelCase")]
            Object {
                block_number: Option<U64>,
                block_hash: Option<B256>,
            },
        }
        match Wire::deserialize(deserializer)? {
            Wire::Number(number) => Ok(Self::Number(number)),
            Wire::Object {
                block_hash: Some(hash),
                block_number: None,
            } => Ok(Self::Hash(hash)),
            Wire::Object {
                block_number: Some(number),
                block_hash: None,
            } => Ok(Self::Number(number.to())),
            Wire::Object { .. } => Err(D::Error::custom("want blockNumber or blockHash")),
            Wire::Text(text) => match text.as_str() {
                "latest" | "safe" | "finalized" => Ok(Self::Latest),
                "pending" => Ok(Self::Pending),
                "earliest" => Ok(Self::Earliest),
                hash if hash.len() == 66 => hash.parse().map(Self::Hash).map_err(D::Error::custom),
                number => number
                    .strip_prefix("0x")
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .map(Self::Number)
                    .ok_or_else(|| D::Error::custom(format!("not a block: {number:.20}"))),
            },
        }
    }
}

/// A small number, as number, decimal text or `0x` text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) u64);
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Number(u64),
            Text(String),
        }
        let number = match Wire::deserialize(deserializer)? {
            Wire::Number(number) => Ok(number),
            Wire::Text(text) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => text.parse(),
            },
        };
        number.map(Self).map_err(D::Error::custom)
    }
}

/// The object that `eth_call` and `eth_estimateGas` take.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireCall {
    from: Option<Address>,
    to: Option<Address>,
    gas: Option<U64>,
    gas_price: Option<U256>,
    max_fee_per_gas: Option<U256>,
    max_priority_fee_per_gas: Option<U256>,
    value: Option<U256>,
    nonce: Option<U64>,
    data: Option<Bytes>,
    input: Option<Bytes>,
    access_list: Option<Vec<AccessListItem>>,
    authorization_list: Option<Vec<AuthorizationItem>>,
}
impl TryFrom<WireCall> for Call {
    type Error = RpcError;

    fn try_from(request: WireCall) -> Result<Self, RpcError> {
        let refuse = |reason: &str| Err(RpcError::Refused(reason.into()));
        let input = match (request.input, request.data) {
            (Some(input), Some(data)) if input != data => {
                return refuse(
                    "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data",
                );
            }
            (Some(bytes), _) | (None, Some(bytes)) => bytes,
            (None, None) => Bytes::new(),
        };
        let dynamic = request.max_fee_per_gas.or(request.max_priority_fee_per_gas);
        if request.gas_price.is_some() && dynamic.is_some() {
            return refuse("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
        }
        let gas_price = request
            .gas_price
            .or(request.max_fee_per_gas)
            .unwrap_or_default();
        let Ok(gas_price) = u128::try_from(gas_price) else {
            return refuse("gas price is too high");
        };
        Ok(Self {
            from: request.from.unwrap_or_default(),
            to: request.to,
            value: request.value.unwrap_or_default(),
            input,
            gas: request.gas.map(|gas| gas.to()),
            gas_price,
            nonce: request.nonce.map(|nonce| nonce.to()),
            access_list: request
                .access_list
                .unwrap_or_default()
                .into_iter()
                .map(|item| (item.address, item.storage_keys))
                .collect(),
            authorizations: request
                .authorization_list
                .unwrap_or_default()
                .into_iter()
                .map(AuthorizationItem::into_signed)
                .collect(),
        })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessListItem {
    pub(super) address: Address,
    pub(super) storage_keys: Vec<B256>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthorizationItem {
    chain_id: U256,
    address: Address,
    nonce: U64,
    y_parity: U64,
    r: U256,
    s: U256,
}
impl AuthorizationItem {
    fn into_signed(self) -> SignedAuthorization {
        let inner = Authorization {
            chain_id: self.chain_id,
            address: self.address,
            nonce: self.nonce.to(),
        };
        // Any other parity is out of range whatever its value, and recovers no signer.
        let parity = u8::try_from(self.y_parity.to::<u64>()).unwrap_or(u8::MAX);
        SignedAuthorization::new_unchecked(inner, parity, self.r, self.s)
    }
}
impl From<&SignedAuthorization> for AuthorizationItem {
    fn from(signed: &SignedAuthorization) -> Self {
        Self {
            chain_id: signed.inner().chain_id,
            address: signed.inner().address,
            nonce: U64::from(signed.inner().nonce),
            y_parity: U64::from(signed.y_parity()),
            r: signed.r(),
            s: signed.s(),
        }
    }
}

/// The third parameter of `eth_call`.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct StateOverrides(HashMap<Address, WireAccountOverride>);
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireAccountOverride {
    balance: Option<U256>,
    nonce: Option<U64>,
    code: Option<Bytes>,
    state: Option<HashMap<B256, B256>>,
    state_diff: Option<HashMap<B256, B256>>,
    move_precompile_to_address: Option<Address>,
}
impl TryFrom<StateOverrides> for HashMap<Address, AccountOverride> {
    type Error = RpcError;

    fn try_from(wire: StateOverrides) -> Result<Self, RpcError> {
        let slots = |slots: HashMap<B256, B256>| {
            slots
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect()
        };
        wire.0
            .into_iter()
            .map(|(address, account)| {
                if account.state.is_some() && account.state_diff.is_some() {
                    return Err(RpcError::Refused(format!(
                        "account {address} has both 'state' and 'stateDiff'"
                    )));
                }
                let pretend = AccountOverride {
                    balance: account.balance,
                    nonce: account.nonce.map(|nonce| nonce.to()),
                    code: account.code.as_ref().map(bytecode),
                    state: account.state.map(slots),
                    state_diff: account.state_diff.map(slots).unwrap_or_default(),
                    precompile_to: account.move_precompile_to_address,
                };
                Ok((address, pretend))
            })
            .collect()
    }
}

/// The fourth parameter of `eth_call`. Difficulty and randomness are fixed on this chain.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireBlockOverride {
    number: Option<U64>,
    time: Option<U64>,
    gas_limit: Option<U64>,
    #[serde(alias = "coinbase")]
    fee_recipient: Option<Address>,
    #[serde(alias = "baseFee")]
    base_fee_per_gas: Option<U64>,
}
impl From<WireBlockOverride> for BlockOverride {
    fn from(wire: WireBlockOverride) -> Self {
        Self {
            number: wire.number.map(|number| number.to()),
            time: wire.time.map(|time| time.to()),
            gas_limit: wire.gas_limit.map(|gas| gas.to()),
            coinbase: wire.fee_recipient,
            base_fee: wire.base_fee_per_gas.map(|fee| fee.to()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn blocks_are_named_in_every_usual_way() {
        let id = |value| from_value::<BlockId>(value);
        let hash = B256::repeat_byte(7);
        assert_eq!(id(json!("latest")).unwrap(), BlockId::Latest);
        assert_eq!(id(json!("finalized")).unwrap(), BlockId::Latest);
        assert_eq!(id(json!("pending")).unwrap(), BlockId::Pending);
        assert_eq!(id(json!("0x10")).unwrap(), BlockId::Number(16));
        assert_eq!(id(json!(5)).unwrap(), BlockId::Number(5));
        assert_eq!(id(json!(hash)).unwrap(), BlockId::Hash(hash));
        assert_eq!(id(json!({"blockHash": hash})).unwrap(), BlockId::Hash(hash));
        assert_eq!(
            id(json!({"blockNumber": "0x2"})).unwrap(),
            BlockId::Number(2)
        );
        for bad in [
            json!("newest"),
            json!("0x"),
            json!({}),
            json!(-1),
            json!("0xfffffffffffffffff"),
        ] {
            assert!(id(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn data_and_input_mean_the_same() {
        let call = |value| Call::try_from(from_value::<WireCall>(value).unwrap());
        assert_eq!(call(json!({"data": "0x01"})).unwrap().input[..], [1]);
        assert_eq!(call(json!({"input": "0x02"})).unwrap().input[..], [2]);
        assert!(call(json!({"data": "0x01", "input": "0x01"})).is_ok());
        assert!(call(json!({"data": "0x01", "input": "0x02"})).is_err());
        assert!(call(json!({"gasPrice": "0x1", "maxFeePerGas": "0x1"})).is_err());
        assert!(from_value::<WireCall>(json!({"gas": "0x10000000000000000"})).is_err());
    }

    #[test]
    fn overrides_are_strict() {
        let parse = |value| from_value::<StateOverrides>(value);
        let who = Address::repeat_byte(1);
        let good = parse(json!({ (who.to_string()): {"balance": "0x5", "code": "0xeff00000"} }));
        let accounts: HashMap<_, AccountOverride> = good.unwrap().try_into().unwrap();
        assert_eq!(accounts[&who].balance, Some(U256::from(5)));
        assert!(parse(json!({ (who.to_string()): {"movePrecompile": who} })).is_err());
        let both = parse(json!({ (who.to_string()): {"state": {}, "stateDiff": {}} })).unwrap();
        assert!(HashMap::try_from(both).is_err());
    }

    #[test]
    fn numbers_are_written_in_many_ways() {
        for ten in [json!(10), json!("10"), json!("0xa")] {
            assert_eq!(serde_json::from_value::<Number>(ten).unwrap().0, 10);
        }
        for bad in [json!(-1), json!("ten"), json!("0x"), json!(null)] {
            assert!(serde_json::from_value::<Number>(bad).is_err());
        }
    }
}
