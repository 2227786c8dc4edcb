//! `pcim init`

use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use pcim_client::home::{Config, Home, NewHome};
use pcim_core::LockCost;
use pcim_ledger::Account;
use pcim_seal::KeyKind;
use serde_json::json;
use zeroize::Zeroizing;

use super::network::{JoinSource, tell_answers};
use crate::context::{Context, passphrase_path, read_secret};
use crate::failure::Usage;
use crate::parse;

/// Make a home: keys, configuration, an empty repository
///
/// The home holds an Ethereum key and an OpenPGP key, both locked with a passphrase. It is
/// made whole or not at all, and never over something that is there.
#[derive(Debug, Args)]
#[command(
    after_help = "The passphrase is asked for, or is the first line of the file that PCIM_PASSPHRASE_FILE names, which others may not be \
able to read (mode 0600). A guess at it costs 256 MiB and about a second; one that falls in fewer than 10^8 guesses is refused without \
--weak."
)]
pub(crate) struct InitArgs {
    /// Name by which you call this home; stays here
    #[arg(long)]
    name: Option<String>,
    /// Join the network of this file, or of the one that the consortium serves here, as `pcim network join` does
    #[arg(long, value_name = "FILE|URL")]
    join: Option<JoinSource>,
    /// Which OpenPGP the home's key is of
    #[arg(long, value_name = "KIND", value_enum, default_value_t = OpenPgp::Default)]
    openpgp: OpenPgp,
    /// A User ID for the OpenPGP certificate; never published
    #[arg(long, value_name = "TEXT")]
    user_id: Option<String>,
    /// Multiaddr the IPFS node listens on [default: a free port of this machine, for this machine only]
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,
    /// Multiaddr of a node to dial
    #[arg(long, value_name = "MULTIADDR")]
    peer: Vec<String>,
    /// Bytes per leaf of the images added
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = parse::leaf)]
    chunk: u32,
    /// Take a passphrase that is guessed soon
    #[arg(long)]
    weak: bool,
    /// File, closed to others (mode 0600), with an Ethereum private key (64 hex digits) to use instead of a new one
    #[arg(long, value_name = "FILE")]
    import_key: Option<PathBuf>,
}

/// Which OpenPGP the home's key is of.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OpenPgp {
    /// RFC 9980: signs with Ed25519, encrypts with ML-KEM-768 and X25519: sealed for decades
    Default,
    /// RFC 9980: signs with ML-DSA-65 and Ed25519 as well; certificates of 10 KB, signatures of 3.5 KB
    Pq,
    /// RFC 9580: Ed25519 and X25519, for readers of images whose software knows no post-quantum keys
    #[value(alias = "v6")]
    Classic,
    /// RFC 4880: SEIPDv1, what GnuPG opens and verifies: a patient's or a radiologist's
    V4,
}

impl From<OpenPgp> for KeyKind {
    fn from(kind: OpenPgp) -> Self {
        match kind {
            OpenPgp::Default => Self::Hybrid,
            OpenPgp::Pq => Self::PostQuantum,
            OpenPgp::Classic => Self::Classic,
            OpenPgp::V4 => Self::V4,
        }
    }
}

impl InitArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let dir = context.home_dir()?;
        let network = context.overrides()?;
        let joined = match &self.join {
            Some(source) => Some(source.verified().await?),
            None => None,
        };
        if let Some((_, answers)) = &joined {
            tell_answers(context, answers);
        }
        let account = match &self.import_key {
            Some(path) => Some(Account::from_private_key(&*private_key(path)?)?),
            None => None,
        };
        let listen = match self.listen.is_empty() {
            true => vec![free_address()?],
            false => self.listen.clone(),
        };
        let config = Config {
            name: self.name.clone(),
            network: context.global().network.clone(),
            rpc_url: network.rpc_url,
            insecure_rpc: network.insecure_rpc,
            chain_id: network.chain_id,
            contract: network.contract,
            listen,
            peers: self.peer.clone(),
            chunk_bytes: self.chunk,
            ..Config::default()
        };
        let known = [self.name.as_deref(), self.user_id.as_deref()];
        let known: Vec<_> = known.into_iter().flatten().collect();
        let file = passphrase_path();
        let passphrase = context.new_passphrase(file.as_deref(), &known, self.weak)?;
        let (openpgp, user_id) = (self.openpgp, self.user_id.clone());
        let home = tokio::task::spawn_blocking(move || {
            let new = NewHome {
                config,
                passphrase: &passphrase,
                cost: LockCost::FULL,
                openpgp: openpgp.into(),
                user_id: user_id.as_deref(),
                account,
            };
            Home::init(&dir, new)
        })
        .await??;
        if let Some((file, _)) = &joined {
            home.join_network(file)?;
        }
        let fingerprint = home.openpgp()?.certificate().fingerprint();
        let value = json!({
            "home": home.dir().display().to_string(),
            "address": home.address(),
            "fingerprint": fingerprint,
            "listen": home.config().listen,
            "network": home.config().network,
        });
        let mut text = format!(
            "home         {}\naddress      {}\nOpenPGP key  {fingerprint}\n",
            home.dir().display(),
            home.address()
        );
        if let Some((file, _)) = &joined {
            let (name, consortium) = (&file.name, file.consortium);
            text.push_str(&format!(
                "network      {name}, of consortium {consortium}\n"
            ));
        }
        context.ui.result(&value, &text)
    }
}

/// A port that is free now, so that contact cards stay true.
fn free_address() -> anyhow::Result<String> {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .context("no free port")?
        .port();
    Ok(format!("/ip4/127.0.0.1/tcp/{port}"))
}

/// Reads an Ethereum private key in hex.
pub(crate) fn private_key(path: &std::path::Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let content = read_secret(path)?;
    let wrong = || Usage(format!("{}: not 64 hex digits", path.display()));
    let text = std::str::from_utf8(&content).map_err(|_| wrong())?.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let key: pcim_core::B256 = text.parse().map_err(|_| wrong())?;
    Ok(Zeroizing::new(key.0))
}
