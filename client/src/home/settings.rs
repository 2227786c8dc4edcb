//! Settings of a home by name: each is read, changed and checked by its type.

use toml::{Table, Value};

use crate::home::config::Config;
use crate::papers::network::{is_node, is_url};
use pcim_core::Address;
use pcim_node::MAX_BLOCK;

/// A setting that an owner may change.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name: a key of `config.toml`, with its table before a point.
    pub name: &'static str,
    /// Its use.
    pub about: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Switch,
    Number { least: u64, most: u64 },
    Address,
    Url(&'static [&'static str]),
    Urls(&'static [&'static str]),
    Kubo,
    Multiaddrs,
    Nodes,
    OneOf(&'static [&'static str]),
}

/// Why a setting is not changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// No such setting.
    #[error("there is no setting `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A value of another type, or out of bounds.
    #[error("`{name}` is {wanted}, not `{found}`")]
    Value {
        /// The setting.
        name: &'static str,
        /// What is wanted.
        wanted: String,
        /// What was given.
        found: String,
    },
}

/// Most bytes of a text.
const MAX_TEXT: usize = 256;
/// Numbers that TOML can hold.
const MAX_NUMBER: u64 = i64::MAX as u64;

const fn setting(name: &'static str, kind: Kind, about: &'static str) -> Setting {
    Setting { name, about, kind }
}

/// Every setting that an owner may change.
pub const SETTINGS: [Setting; 22] = [
    setting("name", Kind::Text, "what you call this home"),
    setting(
        "network",
        Kind::Text,
        "the network, of those in `pcim network list`",
    ),
    setting(
        "rpc_url",
        Kind::Url(&["http", "https"]),
        "the chain's endpoint, in place of the network's",
    ),
    setting(
        "confirm_rpc_urls",
        Kind::Urls(&["http", "https"]),
        "endpoints of other operators, who must confirm a request before it is decided on",
    ),
    setting(
        "insecure_rpc",
        Kind::Switch,
        "take an http:// endpoint of another machine",
    ),
    setting(
        "ws_url",
        Kind::Url(&["ws", "wss"]),
        "the chain's WebSocket endpoint",
    ),
    setting(
        "chain_id",
        Kind::Number {
            least: 1,
            most: MAX_NUMBER,
        },
        "the chain's id, in place of the network's",
    ),
    setting(
        "contract",
        Kind::Address,
        "the contract, in place of the network's",
    ),
    setting(
        "pays_itself",
        Kind::Switch,
        "send and pay for calls from this home, though the network has a relay",
    ),
    setting(
        "listen",
        Kind::Multiaddrs,
        "where the node listens; cards carry it",
    ),
    setting("peers", Kind::Nodes, "nodes to dial beside the network's"),
    setting("ipfs_api", Kind::Kubo, "a Kubo node that stores instead"),
    setting(
        "chunk_bytes",
        Kind::Number {
            least: 1,
            most: MAX_BLOCK as u64,
        },
        "bytes of a leaf of an image",
    ),
    setting(
        "node.mdns",
        Kind::Switch,
        "find peers on the local network, and be found",
    ),
    setting(
        "node.dht",
        Kind::OneOf(&["off", "client", "server"]),
        "look up and announce ciphertext",
    ),
    setting("node.relays", Kind::Nodes, "relays to be reached through"),
    setting("node.relay", Kind::Switch, "relay for others"),
    setting(
        "node.private",
        Kind::Switch,
        "refuse to run without swarm.key",
    ),
    setting(
        "node.mailbox",
        Kind::Switch,
        "keep sealed documents for others",
    ),
    setting(
        "follow.max_bytes",
        Kind::Number {
            least: 0,
            most: MAX_NUMBER,
        },
        "most bytes that a follower keeps",
    ),
    setting(
        "follow.max_image_bytes",
        Kind::Number {
            least: 0,
            most: MAX_NUMBER,
        },
        "most bytes of one image",
    ),
    setting(
        "follow.poll_seconds",
        Kind::Number {
            least: 1,
            most: 86_400,
        },
        "how often a follower asks the chain",
    ),
];

impl Setting {
    /// Finds a setting by its name.
    ///
    /// # Errors
    /// [`SettingError::Unknown`]
    pub fn of(name: &str) -> Result<&'static Self, SettingError> {
        let found = SETTINGS.iter().find(|setting| setting.name == name);
        found.ok_or_else(|| SettingError::Unknown {
            name: name.to_owned(),
        })
    }

    /// Says whether it takes several values.
    pub fn is_list(&self) -> bool {
        matches!(self.kind, Kind::Multiaddrs | Kind::Nodes | Kind::Urls(_))
    }

    fn wanted(&self) -> String {
        match self.kind {
            Kind::Text => "a text of one line".to_owned(),
            Kind::Switch => "`true` or `false`".to_owned(),
            Kind::Number { least, most } => format!("a number from {least} to {most}"),
            Kind::Address => "an address (0x and 40 hex digits)".to_owned(),
            Kind::Url(schemes) | Kind::Urls(schemes) => {
                format!("a URL with {}", schemes.join(" or "))
            }
            Kind::Kubo => "`http://host:port` or `unix:/path`".to_owned(),
            Kind::Multiaddrs => "a multiaddr such as /ip4/192.0.2.1/tcp/4001".to_owned(),
            Kind::Nodes => "a multiaddr with /p2p/".to_owned(),
            Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }

    /// One value of the setting's type.
    fn value(&self, text: &str) -> Result<Value, SettingError> {
        let plain = |text: &str| text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        let good = match self.kind {
            Kind::Text => plain(text) && !text.is_empty(),
            Kind::Switch => matches!(text, "true" | "false"),
            Kind::Number { least, most } => text
                .parse()
                .is_ok_and(|number: u64| (least..=most).contains(&number)),
            Kind::Address => text.parse::<Address>().is_ok() && text.starts_with("0x"),
            Kind::Url(schemes) | Kind::Urls(schemes) => is_url(text, schemes),
            Kind::Kubo => is_url(text, &["http"]) || text.starts_with("unix:/") && plain(text),
            Kind::Multiaddrs => text.starts_with('/') && plain(text),
            Kind::Nodes => is_node(text),
            Kind::OneOf(words) => words.contains(&text),
        };
        let wrong = || SettingError::Value {
            name: self.name,
            wanted: self.wanted(),
            found: pcim_core::text::escaped(text.chars().take(MAX_TEXT)),
        };
        if !good {
            return Err(wrong());
        }
        Ok(match self.kind {
            Kind::Switch => Value::Boolean(text == "true"),
            Kind::Number { .. } => Value::Integer(text.parse().map_err(|_| wrong())?),
            _ => Value::String(text.to_owned()),
        })
    }
}

impl Config {
    fn table(&self) -> Table {
        toml::from_str(&self.to_toml()).expect("a configuration is written as it is read")
    }

    /// Reads a setting: none, one or several values as they would be typed.
    pub fn get(&self, setting: &Setting) -> Vec<String> {
        let (table, key) = split(setting.name);
        let whole = self.table();
        let within = table.map_or(Some(&whole), |table| whole.get(table)?.as_table());
        match within.and_then(|within| within.get(key)) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().map(typed).collect(),
            Some(value) => vec![typed(value)],
        }
    }

    /// Returns the configuration with another value of a setting; without values, with its default or none.
    ///
    /// # Errors
    /// [`SettingError::Value`]
    pub fn with(&self, setting: &Setting, values: &[String]) -> Result<Self, SettingError> {
        let (table, key) = split(setting.name);
        let mut whole = self.table();
        let within = match table {
            Some(table) => whole.get_mut(table).and_then(Value::as_table_mut),
            None => Some(&mut whole),
        };
        let within = within.expect("the tables of a configuration are written always");
        match values {
            values if setting.is_list() => {
                let items = values.iter().map(|value| setting.value(value));
                within.insert(
                    key.to_owned(),
                    Value::Array(items.collect::<Result<_, _>>()?),
                );
            }
            [] => drop(within.remove(key)),
            [value] => drop(within.insert(key.to_owned(), setting.value(value)?)),
            [_, second, ..] => {
                return Err(SettingError::Value {
                    name: setting.name,
                    wanted: "one value".to_owned(),
                    found: second.clone(),
                });
            }
        }
        whole.try_into().map_err(|_| SettingError::Value {
            name: setting.name,
            wanted: setting.wanted(),
            found: values.join(" "),
        })
    }
}

/// The table and the key of a name.
fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once('.') {
        Some((table, key)) => (Some(table), key),
        None => (None, name),
    }
}

/// A value as it would be typed.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Boolean(switch) => switch.to_string(),
        Value::Integer(number) => number.to_string(),
        // No setting has another type.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn set(name: &str, values: &[&str]) -> Result<Config, SettingError> {
        let values: Vec<_> = values.iter().map(|&value| value.to_owned()).collect();
        Config::default().with(Setting::of(name)?, &values)
    }

    #[test]
    fn every_setting_is_a_key_of_the_file_and_reads_back() {
        let values: [&[&str]; 22] = [
            &["Ada's \"home\""],
            &["clinic"],
            &["https://rpc.example/key"],
            &["https://two.example", "https://three.example/key"],
            &["true"],
            &["wss://rpc.example"],
            &["421614"],
            &["0x00000000000000000000000000000000000000c0"],
            &["true"],
            &["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"],
            &["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest"],
            &["unix:/run/kubo.sock"],
            &["262144"],
            &["true"],
            &["server"],
            &["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest"],
            &["true"],
            &["true"],
            &["true"],
            &["1099511627776"],
            &["7"],
            &["60"],
        ];
        for (setting, values) in SETTINGS.iter().zip(values) {
            let config = set(setting.name, values).unwrap();
            let written = Config::from_toml(config.to_toml().as_bytes()).unwrap();
            assert_eq!(written, config, "{}", setting.name);
            let read = written.get(setting);
            assert_eq!(read.len(), values.len(), "{}", setting.name);
            for (read, value) in read.iter().zip(values) {
                assert!(read.eq_ignore_ascii_case(value), "{}: {read}", setting.name);
            }
            // Without a value it is as in a new home.
            let reset = written.with(setting, &[]).unwrap();
            match setting.is_list() {
                true => assert!(reset.get(setting).is_empty()),
                false => assert_eq!(reset, Config::default(), "{}", setting.name),
            }
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused_by_name() {
        for (name, value) in [
            ("name", ""),
            ("name", "a\nb"),
            ("rpc_url", "rpc.example"),
            ("rpc_url", "wss://rpc.example"),
            ("confirm_rpc_urls", "wss://rpc.example"),
            ("ws_url", "https://rpc.example"),
            ("insecure_rpc", "yes"),
            ("chain_id", "0"),
            ("chain_id", "-1"),
            ("chain_id", "9223372036854775808"),
            ("contract", "c0"),
            ("contract", "0xc0"),
            ("listen", "192.0.2.1:4001"),
            ("peers", "/ip4/192.0.2.1/tcp/4001"),
            ("ipfs_api", "ftp://x"),
            ("chunk_bytes", "4194304"),
            ("chunk_bytes", "1MiB"),
            ("node.dht", "on"),
            ("follow.poll_seconds", "0"),
        ] {
            let refused = set(name, &[value]);
            assert!(
                matches!(&refused, Err(SettingError::Value { name: named, .. }) if *named == name),
                "{name} {value}: {refused:?}"
            );
        }
        assert!(set("chunk_bytes", &["1", "2"]).is_err());
        for name in ["address", "node", "nmae", "node.", ""] {
            assert!(
                matches!(set(name, &["x"]), Err(SettingError::Unknown { .. })),
                "{name}"
            );
        }
    }
}
