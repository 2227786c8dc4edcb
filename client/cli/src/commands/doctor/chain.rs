//! The chain: endpoints and whether they agree, the contract, the account's ether.

use std::time::Duration;

use futures::future::join_all;
use pcim_client::Session;
use pcim_client::papers::network::NetworkFile;
use pcim_core::U256;
use pcim_core::date::{now, time};
use pcim_deploy::artifact;
use pcim_deploy::deploy::{Activation, Deployed, status};
use pcim_ledger::{Chain, Deployment, RelayService, shown_url};
use serde::Deserialize;
use serde_json::json;

use super::finding::Finding;

/// How long an endpoint has to answer.
const LIMIT: Duration = Duration::from_secs(20);
/// Blocks by which an endpoint may be behind another one.
const BEHIND: u64 = 240;
/// Seconds before the end of a network file or program from which the end is reported.
const SOON: u64 = 30 * 86_400;
/// Wei for a few transactions: the fee's cap of one.
const LITTLE_WEI: u64 = 5_000_000_000_000_000;

/// A block, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Block {
    hash: String,
    number: String,
}

pub(super) async fn findings(session: &Session) -> Vec<Finding> {
    let file = session.network();
    let mut findings = vec![network(&file)];
    let deployments = match session.deployments() {
        Ok(all) => all,
        Err(error) => {
            let remedy = "pcim network join FILE";
            findings.push(Finding::bad("rpc", error.to_string(), remedy));
            return findings;
        }
    };
    findings.push(operators(session));
    let reached = endpoints(&deployments, &mut findings).await;
    let Some((deployment, chain)) = reached else {
        return findings;
    };
    findings.extend(contract(deployment, file.ok().flatten().as_ref()).await);
    findings.push(match session.relay() {
        Ok(Some(service)) => relay(&service, deployment).await,
        Ok(None) => ether(session, &chain).await,
        Err(error) => Finding::bad("relay", error.to_string(), "pcim network join FILE"),
    });
    findings
}

/// The network's relay, which pays for this home's calls.
async fn relay(service: &RelayService, deployment: &Deployment) -> Finding {
    let (what, url) = ("relay", service.shown());
    let own =
        "ask its operator; `pcim config set pays_itself true` sends from this home's own ether";
    match service.terms().await {
        Err(error) => Finding::bad(what, error.to_string(), own),
        Ok(terms)
            if (terms.chain_id, terms.contract) != (deployment.chain_id, deployment.contract) =>
        {
            let found = format!(
                "{url} calls contract {} on chain {}",
                terms.contract, terms.chain_id
            );
            Finding::bad(what, found, own)
        }
        Ok(terms) => {
            let most = terms.calls_per_signer;
            Finding::good(
                what,
                format!("{url} pays for your calls, {most} a day at most"),
            )
        }
    }
}

/// The network that the home is set up for.
fn network(file: &pcim_client::Result<Option<NetworkFile>>) -> Finding {
    let what = "network";
    match file {
        Err(error) => Finding::bad(what, error.to_string(), "pcim network join FILE"),
        Ok(None) => Finding::note(
            what,
            "no network file: endpoint and contract are the home's own settings",
            "pcim network join FILE",
        ),
        Ok(Some(file)) => {
            let found = format!("{}, until {}", file.name, time(file.expires_at));
            match file.expires_at.saturating_sub(now()) {
                0..SOON => Finding::note(what, found, "join by the consortium's newest file"),
                _ => Finding::good(what, found),
            }
        }
    }
}

/// Tells whether another operator confirms a request before it is decided on.
fn operators(session: &Session) -> Finding {
    let what = "operators";
    match session.confirming() {
        Ok(0) => Finding::note(
            what,
            "one operator of the chain alone is asked before you approve: his word is taken",
            "pcim config set confirm_rpc_urls URL",
        ),
        Ok(more) => Finding::good(what, format!("{more} more must confirm what you approve")),
        Err(error) => Finding::bad(
            what,
            error.to_string(),
            "pcim config set confirm_rpc_urls URL",
        ),
    }
}

/// Asks every endpoint for the chain and a block; the first that answers.
async fn endpoints<'d>(
    deployments: &'d [Deployment],
    findings: &mut Vec<Finding>,
) -> Option<(&'d Deployment, Chain)> {
    let what = "rpc";
    let asked = join_all(deployments.iter().map(|deployment| async move {
        let latest = async {
            let chain = Chain::connect(&deployment.rpc_url, deployment.chain_id).await?;
            let block: Block = chain
                .request("eth_getBlockByNumber", json!(["latest", false]))
                .await?;
            Ok::<_, pcim_ledger::Error>((chain, block))
        };
        match tokio::time::timeout(LIMIT, latest).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {LIMIT:?}")),
        }
    }))
    .await;
    let height = |block: &Block| u64::from_str_radix(block.number.trim_start_matches("0x"), 16);
    let answered = || asked.iter().filter_map(|answer| answer.as_ref().ok());
    let heights = || answered().filter_map(|(_, block)| height(block).ok());
    let (lowest, highest) = (heights().min(), heights().max());
    let mut common: Option<(String, String)> = None;
    for (deployment, answer) in deployments.iter().zip(&asked) {
        let url = shown_url(&deployment.rpc_url);
        let (chain, block) = match answer {
            Ok(answer) => answer,
            Err(why) => {
                findings.push(match answered().next() {
                    Some(_) => Finding::note(
                        what,
                        format!("{url}: {why}"),
                        "tell the consortium if it stays so",
                    ),
                    None => Finding::bad(
                        what,
                        format!("{url}: {why}"),
                        "check this machine's connection, or set rpc_url",
                    ),
                });
                continue;
            }
        };
        let own = height(block).unwrap_or_default();
        // Every endpoint's block at the height that all of them have.
        let at = lowest.unwrap_or(own);
        let shared =
            chain.request::<Block>("eth_getBlockByNumber", json!([format!("{at:#x}"), false]));
        findings.push(match (shared.await, &common) {
            (Err(error), _) => Finding::note(what, format!("{url}: {error}"), "ask again later"),
            (Ok(block), Some((first, hash))) if block.hash != *hash => Finding::bad(
                what,
                format!("{url} and {first} have different blocks {at}"),
                "one of them is wrong: ask the consortium which",
            ),
            (Ok(_), _) if highest.is_some_and(|highest| highest - own > BEHIND) => {
                let behind = highest.unwrap_or(own) - own;
                Finding::note(
                    what,
                    format!("{url} is {behind} blocks behind"),
                    "wait, or use another one",
                )
            }
            (Ok(block), _) => {
                common.get_or_insert((url.clone(), block.hash));
                Finding::good(what, format!("{url}, block {own}"))
            }
        });
    }
    let answers = deployments.iter().zip(asked);
    let mut good = answers.filter_map(|(deployment, answer)| Some((deployment, answer.ok()?.0)));
    good.next()
}

/// The contract: does it run, until when, and is it what the network file says.
async fn contract(deployment: &Deployment, file: Option<&NetworkFile>) -> Vec<Finding> {
    let deployed = Deployed {
        rpc_url: &deployment.rpc_url,
        chain_id: deployment.chain_id,
        contract: deployment.contract,
        wasm: artifact::PCAC_WASM,
    };
    let status = match status(&deployed).await {
        Ok(status) => status,
        Err(error) => {
            let remedy = "check the contract with the consortium";
            return vec![Finding::bad("contract", error.to_string(), remedy)];
        }
    };
    let at = status.contract;
    let wanted = file.map(|file| (file.code_hash, Some(file.consortium)));
    let code = match wanted {
        Some(wanted) if wanted != (status.code_hash, status.consortium) => Finding::bad(
            "contract",
            format!("{at}: its code or consortium is not what the network file says"),
            "do not use it; ask the consortium by another channel",
        ),
        Some(_) => Finding::good("contract", format!("{at}, as the network file says")),
        None if status.is_local_build => {
            Finding::good("contract", format!("{at}, of this program's build"))
        }
        None => Finding::note(
            "contract",
            format!("{at}: another build than this program's"),
            "ask the consortium for its network file, which says which code it is",
        ),
    };
    let until = time(status.expires_at);
    let program = match (status.activation, status.time_left) {
        (Activation::Active, 0..SOON) => Finding::note(
            "program",
            format!("runs until {until}"),
            "anyone may: pcim deploy keepalive",
        ),
        (Activation::Active, _) => Finding::good("program", format!("runs until {until}")),
        _ => Finding::bad(
            "program",
            "does not run",
            "anyone may: pcim deploy keepalive",
        ),
    };
    vec![code, program]
}

/// The account's ether.
async fn ether(session: &Session, chain: &Chain) -> Finding {
    let what = "ether";
    let address = session.address();
    match chain.balance(address).await {
        Err(error) => Finding::note(what, error.to_string(), "ask again later"),
        Ok(wei) if wei < U256::from(LITTLE_WEI) => Finding::note(
            what,
            format!("{wei} wei at {address}"),
            "others can send for you: --sign-only FILE, then pcim relay FILE; or send ether to it",
        ),
        Ok(wei) => Finding::good(what, format!("{wei} wei at {address}")),
    }
}
