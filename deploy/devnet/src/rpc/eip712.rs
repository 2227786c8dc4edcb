//! The hash of typed data (EIP-712), from the JSON that wallets take.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, I256, U256, keccak256};
use serde::Deserialize;
use serde_json::Value;

/// The deepest nesting of a message.
const MAX_DEPTH: usize = 32;
const DOMAIN: &str = "EIP712Domain";

/// A message with its types.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypedData {
    types: BTreeMap<String, Vec<Member>>,
    primary_type: String,
    domain: Value,
    message: Value,
}
#[derive(Clone, Debug, Deserialize)]
struct Member {
    name: String,
    r#type: String,
}

type Hashed<T> = Result<T, String>;

impl TypedData {
    /// Reads the data, which some clients send as text.
    pub(super) fn read(value: Value) -> Hashed<Self> {
        let read = match value {
            Value::String(text) => serde_json::from_str(&text),
            other => serde_json::from_value(other),
        };
        read.map_err(|error| format!("not typed data: {error}"))
    }

    /// The hash that is signed.
    pub(super) fn hash(&self) -> Hashed<B256> {
        let mut bytes = vec![0x19, 0x01];
        bytes.extend(self.structure(DOMAIN, &self.domain, 0)?);
        if self.primary_type != DOMAIN {
            bytes.extend(self.structure(&self.primary_type, &self.message, 0)?);
        }
        Ok(keccak256(bytes))
    }

    fn structure(&self, name: &str, value: &Value, depth: usize) -> Hashed<B256> {
        if depth > MAX_DEPTH {
            return Err(format!("{name} is nested more than {MAX_DEPTH} deep"));
        }
        let mut bytes = keccak256(self.encode_type(name)?).to_vec();
        for member in self.members(name)? {
            let field = value.get(&member.name).unwrap_or(&Value::Null);
            let word = self.word(&member.r#type, field, depth);
            let word = word.map_err(|error| format!("{name}.{}: {error}", member.name))?;
            bytes.extend(word);
        }
        Ok(keccak256(bytes))
    }

    fn members(&self, name: &str) -> Hashed<&[Member]> {
        match self.types.get(name) {
            Some(members) => Ok(members),
            None if name == DOMAIN => Ok(&[]),
            None => Err(format!("no type {name}")),
        }
    }

    /// `Name(type member,…)`, and the types that it uses behind it, in the order of their names.
    fn encode_type(&self, name: &str) -> Hashed<String> {
        let mut used = BTreeSet::new();
        self.collect(name, &mut used)?;
        used.remove(name);
        let mut text = String::new();
        for one in std::iter::once(name).chain(used) {
            let members = self.members(one)?.iter();
            let members: Vec<_> = members
                .map(|member| format!("{} {}", member.r#type, member.name))
                .collect();
            text.push_str(&format!("{one}({})", members.join(",")));
        }
        Ok(text)
    }

    fn collect<'a>(&'a self, name: &'a str, used: &mut BTreeSet<&'a str>) -> Hashed<()> {
        if !used.insert(name) {
            return Ok(());
        }
        for member in self.members(name)? {
            let base = member.r#type.split('[').next().unwrap_or_default();
            if let Some((known, _)) = self.types.get_key_value(base) {
                self.collect(known, used)?;
            }
        }
        Ok(())
    }

    /// The word that stands for a value.
    fn word(&self, kind: &str, value: &Value, depth: usize) -> Hashed<B256> {
        if let Some((item, length)) = array(kind) {
            let items = value.as_array().ok_or("want a list")?;
            if length.is_some_and(|length| length != items.len()) {
                return Err(format!("{} items, want {kind}", items.len()));
            }
            if depth > MAX_DEPTH {
                return Err(format!("nested more than {MAX_DEPTH} deep"));
            }
            let mut bytes = Vec::new();
            for one in items {
                bytes.extend(self.word(item, one, depth + 1)?);
            }
            return Ok(keccak256(bytes));
        }
        if self.types.contains_key(kind) {
            return self.structure(kind, value, depth + 1);
        }
        let bytes = || parse::<Bytes>(value, kind);
        match kind {
            "string" => Ok(keccak256(value.as_str().ok_or("want a string")?)),
            "bytes" => Ok(keccak256(bytes()?)),
            "bool" => match value {
                Value::Bool(bool) => Ok(B256::from(U256::from(*bool))),
                _ => Err("want true or false".into()),
            },
            "address" => Ok(parse::<Address>(value, kind)?.into_word()),
            _ if kind.starts_with("bytes") => {
                let length: usize = size(kind, "bytes", 32)?;
                let bytes = bytes()?;
                if bytes.len() != length {
                    return Err(format!("{} bytes, want {kind}", bytes.len()));
                }
                Ok(B256::right_padding_from(&bytes))
            }
            _ if kind.starts_with("uint") => {
                let bits = size(kind, "uint", 256)?;
                let number = unsigned(value).ok_or_else(|| format!("want {kind}"))?;
                match number.bit_len() <= bits {
                    true => Ok(number.into()),
                    false => Err(format!("{number} is no {kind}")),
                }
            }
            _ if kind.starts_with("int") => {
                let bits = size(kind, "int", 256)?;
                let number = signed(value).ok_or_else(|| format!("want {kind}"))?;
                match (number.bits() as usize) <= bits {
                    true => Ok(number.into_raw().into()),
                    false => Err(format!("{number} is no {kind}")),
                }
            }
            _ => Err(format!("no type {kind}")),
        }
    }
}

/// The item of an array type, and its length where that is fixed.
fn array(kind: &str) -> Option<(&str, Option<usize>)> {
    let (item, length) = kind.strip_suffix(']')?.rsplit_once('[')?;
    match length {
        "" => Some((item, None)),
        length => Some((item, Some(length.parse().ok()?))),
    }
}

fn size(kind: &str, prefix: &str, most: usize) -> Hashed<usize> {
    let digits = kind.strip_prefix(prefix).unwrap_or_default();
    let size = match digits {
        "" if prefix != "bytes" => Some(most),
        digits => digits.parse().ok(),
    };
    let size = size.filter(|size| (1..=most).contains(size));
    size.ok_or_else(|| format!("no type {kind}"))
}

fn parse<T: std::str::FromStr>(value: &Value, kind: &str) -> Hashed<T> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| format!("want {kind}"))
}

fn unsigned(value: &Value) -> Option<U256> {
    match value {
        Value::Number(number) => number.as_u64().map(U256::from),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn signed(value: &Value) -> Option<I256> {
    match value {
        Value::Number(number) => number.as_i64().and_then(|number| number.try_into().ok()),
        Value::String(text) => match text.strip_prefix("0x") {
            Some(_) => text.parse().ok().map(I256::from_raw),
            None => I256::from_dec_str(text).ok(),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// The example of the EIP itself, with its hash.
    #[test]
    fn the_standards_example_hashes_as_it_says() {
        let mail = json!({
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
                ],
                "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
                "Mail": [
                    {"name": "from", "type": "Person"}, {"name": "to", "type": "Person"},
                    {"name": "contents", "type": "string"},
                ],
            },
            "primaryType": "Mail",
            "domain": {
                "name": "Ether Mail", "version": "1", "chainId": 1,
                "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
            },
            "message": {
                "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
                "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
                "contents": "Hello, Bob!",
            },
        });
        let data = TypedData::read(mail.clone()).unwrap();
        let want = "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2";
        assert_eq!(data.hash().unwrap().to_string(), want);
        let text = TypedData::read(Value::String(mail.to_string())).unwrap();
        assert_eq!(text.hash(), data.hash());
    }

    #[test]
    fn values_must_fit_their_types() {
        let hash = |kind: &str, value: Value| {
            let data = TypedData::read(json!({
                "types": {"M": [{"name": "v", "type": kind}]},
                "primaryType": "M", "domain": {}, "message": {"v": value},
            }));
            data.unwrap().hash()
        };
        for (kind, good, bad) in [
            ("uint8", json!(255), json!(256)),
            ("uint8", json!("0xff"), json!(-1)),
            ("int8", json!(-128), json!(-129)),
            ("int16", json!("-5"), json!("five")),
            ("bytes4", json!("0x01020304"), json!("0x010203")),
            ("bytes", json!("0x"), json!("0x1")),
            ("bool", json!(true), json!("true")),
            ("address", json!(Address::ZERO), json!("0x00")),
            ("uint256[2]", json!([1, 2]), json!([1])),
            ("string[]", json!(["a"]), json!("a")),
            ("string", json!("a"), Value::Null),
        ] {
            assert!(hash(kind, good).is_ok(), "{kind}");
            assert!(hash(kind, bad).is_err(), "{kind}");
        }
        for kind in ["uint0", "uint264", "bytes33", "bytes0", "float", "M2"] {
            assert!(hash(kind, json!("0x00")).is_err(), "{kind}");
        }
        // A type that contains itself is no endless loop.
        assert!(hash("M", json!({"v": {"v": null}})).is_err());
    }
}
