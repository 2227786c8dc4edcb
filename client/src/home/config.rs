//! `config.toml`: what an actor may edit by hand.

use serde::{Deserialize, Serialize};

use pcim_core::Address;
use pcim_node::{Dht, Network};

/// Bytes per leaf of the images added, unless the configuration says otherwise.
const DEFAULT_CHUNK_BYTES: u32 = 1024 * 1024;

/// An actor's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The actor's name for this home; stays here.
    pub name: Option<String>,
    /// The address of `ethereum.json`.
    pub address: Address,
    /// The network's name.
    pub network: Option<String>,
    /// The chain's JSON-RPC endpoint.
    pub rpc_url: Option<String>,
    /// JSON-RPC endpoints of other operators, who must say the same of a request before it is decided on.
    pub confirm_rpc_urls: Vec<String>,
    /// Takes an RPC of another machine over `http://`, where anyone on the way can change what it says.
    pub insecure_rpc: bool,
    /// The chain's WebSocket endpoint, if it is not at the RPC's own address.
    pub ws_url: Option<String>,
    /// The chain's id; any other chain is refused.
    pub chain_id: Option<u64>,
    /// The `Pcac` contract.
    pub contract: Option<Address>,
    /// Sends its own calls and pays for them, though the network has a relay.
    pub pays_itself: bool,
    /// The patient for whom this home's key acts, if it is not its own address: after a move or a recovery.
    pub patient: Option<Address>,
    /// Multiaddrs the IPFS node listens on.
    pub listen: Vec<String>,
    /// Multiaddrs (with `/p2p/…`) of the nodes it dials when it starts.
    pub peers: Vec<String>,
    /// The RPC API of a Kubo node that stores instead of a node of one's own: `http://host:port` or `unix:/path`.
    pub ipfs_api: Option<String>,
    /// Bytes per leaf of the images added.
    pub chunk_bytes: u32,
    /// How the node meets others.
    pub node: Network,
    /// Limits of `pcim node --follow-chain`.
    pub follow: FollowSettings,
}

/// Limits of a node that follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FollowSettings {
    /// Most bytes of all that is kept.
    pub max_bytes: u64,
    /// Most bytes of the bodies of one image.
    pub max_image_bytes: u64,
    /// How often the chain is asked, in seconds.
    pub poll_seconds: u32,
}

impl Default for FollowSettings {
    fn default() -> Self {
        Self {
            max_bytes: 100 << 30,
            max_image_bytes: 64 << 30,
            poll_seconds: 5,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: None,
            address: Address::ZERO,
            network: None,
            rpc_url: None,
            confirm_rpc_urls: Vec::new(),
            insecure_rpc: false,
            ws_url: None,
            chain_id: None,
            contract: None,
            pays_itself: false,
            patient: None,
            listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
            peers: Vec::new(),
            ipfs_api: None,
            chunk_bytes: DEFAULT_CHUNK_BYTES,
            node: Network::default(),
            follow: FollowSettings::default(),
        }
    }
}

impl Config {
    pub(crate) fn from_toml(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start].lines().count().max(1));
            match line {
                Some(line) => format!("line {line}: {}", error.message()),
                None => error.message().to_owned(),
            }
        })
    }

    pub(crate) fn to_toml(&self) -> String {
        let mut lines = Vec::new();
        // A key that is not set shows how it would be.
        let mut put = |key: &str, value: Option<String>, example: &str| {
            lines.push(match value {
                Some(value) => format!("{key} = {value}\n"),
                None => format!("# {key} = {example}\n"),
            });
        };
        let text = |value: &Option<String>| value.as_deref().map(quote);
        put("name", text(&self.name), "\"what you call this home\"");
        put("address", Some(quote(&self.address.to_string())), "");
        put("network", text(&self.network), "\"arbitrum-sepolia\"");
        put("rpc_url", text(&self.rpc_url), "\"https://host\"");
        let confirming = (!self.confirm_rpc_urls.is_empty()).then(|| list(&self.confirm_rpc_urls));
        put(
            "confirm_rpc_urls",
            confirming,
            "[\"https://another-operator\"]",
        );
        let insecure = self.insecure_rpc.then(|| "true".to_owned());
        put("insecure_rpc", insecure, "true");
        put("ws_url", text(&self.ws_url), "\"wss://host\"");
        put("chain_id", self.chain_id.map(|id| id.to_string()), "421614");
        let contract = self.contract.map(|it| quote(&it.to_string()));
        put("contract", contract, "\"0x…\"");
        let pays = self.pays_itself.then(|| "true".to_owned());
        put("pays_itself", pays, "true");
        // Only who took an account over has it.
        if let Some(patient) = self.patient {
            put("patient", Some(quote(&patient.to_string())), "");
        }
        put("listen", Some(list(&self.listen)), "");
        put("peers", Some(list(&self.peers)), "");
        put(
            "ipfs_api",
            text(&self.ipfs_api),
            "\"http://127.0.0.1:5001\"",
        );
        put("chunk_bytes", Some(self.chunk_bytes.to_string()), "");
        lines.concat() + &tables(&self.node, &self.follow)
    }
}

/// The tables, each key with what it does.
fn tables(node: &Network, follow: &FollowSettings) -> String {
    let dht = match node.dht {
        Dht::Off => "off",
        Dht::Client => "client",
        Dht::Server => "server",
    };
    format!(
        "
# Whom the node meets beyond `peers`.
[node]
mdns = {}  # find peers on the local network, and be found there
dht = {}  # \"off\"; \"client\": look up and announce CIDs of pinned ciphertext; \"server\": answer others too
relays = {}  # multiaddrs (with /p2p/…) of relays to be reached through
relay = {}  # be a relay for others
private = {}  # refuse to run without swarm.key
mailbox = {}  # keep sealed documents for others, as `pcim node --follow-chain` does

# What `pcim node --follow-chain` may take.
[follow]
max_bytes = {}  # of all that is kept
max_image_bytes = {}  # of one image
poll_seconds = {}
",
        node.mdns,
        quote(dht),
        list(&node.relays),
        node.relay,
        node.private,
        node.mailbox,
        follow.max_bytes,
        follow.max_image_bytes,
        follow.poll_seconds,
    )
}

/// A TOML basic string.
fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn list(items: &[String]) -> String {
    let items: Vec<_> = items.iter().map(|item| quote(item)).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let config = Config {
            name: Some("a\"b\\c\n\u{7f}é".to_owned()),
            address: Address::repeat_byte(7),
            network: Some("devnet".to_owned()),
            rpc_url: Some("http://127.0.0.1:8547".to_owned()),
            insecure_rpc: true,
            pays_itself: true,
            ws_url: Some("ws://127.0.0.1:8548".to_owned()),
            chain_id: Some(412_346),
            contract: Some(Address::repeat_byte(9)),
            peers: vec!["/ip4/127.0.0.1/tcp/1".to_owned(), "x".to_owned()],
            ipfs_api: Some("unix:/run/kubo/api.sock".to_owned()),
            node: Network {
                mdns: true,
                dht: Dht::Server,
                relays: vec!["/ip4/192.0.2.1/tcp/4001/p2p/\"".to_owned()],
                relay: true,
                private: true,
                mailbox: true,
                guests: false,
            },
            follow: FollowSettings {
                max_bytes: 1 << 40,
                max_image_bytes: 7,
                poll_seconds: 1,
            },
            ..Config::default()
        };
        assert_eq!(Config::from_toml(config.to_toml().as_bytes()), Ok(config));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let text = b"name = \"a\"\nchain_id = \"one\"\n";
        let message = Config::from_toml(text).unwrap_err();
        assert!(message.starts_with("line 2: "), "{message}");
        assert!(Config::from_toml(b"nmae = \"a\"").is_err());
    }
}
