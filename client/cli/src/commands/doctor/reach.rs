//! Whom the node reaches, and who reaches it.

use std::net::IpAddr;
use std::time::Duration;

use pcim_client::Session;

use super::finding::Finding;

/// How long a follower has to answer.
const LIMIT: Duration = Duration::from_secs(15);

pub(super) async fn findings(session: &Session) -> Vec<Finding> {
    let mut findings = vec![match through_relay(session).await {
        Some(at) => Finding::good("reachable", format!("through a relay, at {at}")),
        None => listening(session),
    }];
    let followers = match session.network() {
        Ok(file) => file.map(|file| file.followers).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    if followers.is_empty() {
        let found = "the network names none: images are here and at who fetched them";
        findings.push(Finding::note(
            "followers",
            found,
            "keep `pcim node` running",
        ));
        return findings;
    }
    for follower in followers {
        let dial = tokio::time::timeout(LIMIT, session.dial(std::slice::from_ref(&follower)));
        let answers = matches!(dial.await, Ok(Ok(1..)));
        findings.push(match answers {
            true => Finding::good("follower", follower),
            false => Finding::note(
                "follower",
                format!("{follower} does not answer"),
                "tell the consortium if it stays so",
            ),
        });
    }
    findings
}

/// Where a relay lets others reach the home's node, while it runs.
async fn through_relay(session: &Session) -> Option<String> {
    if !session.home().socket_path().exists() {
        return None;
    }
    let addresses = session.node().await.ok()?.addresses().await.ok()?;
    addresses.into_iter().find(|at| at.contains("/p2p-circuit"))
}

/// What the contact card will say of where this node is found.
fn listening(session: &Session) -> Finding {
    let what = "reachable";
    let remedy = "pcim config set listen /ip4/0.0.0.0/tcp/4001, and give out a new card";
    let config = session.home().config();
    if config.ipfs_api.is_some() {
        return Finding::skipped(what, "a Kubo node stores, and listens in its own way");
    }
    let running = match session.home().socket_path().exists() {
        true => "",
        false => "; `pcim node` does not run now",
    };
    let places: Vec<Place> = config.listen.iter().map(|it| place(it)).collect();
    let listen = config.listen.join(" ");
    match places.iter().max() {
        None => Finding::bad(what, "the node listens nowhere", remedy),
        Some(Place::Here) => Finding::note(
            what,
            format!("{listen}: from this machine alone, and the contact card says so{running}"),
            remedy,
        ),
        Some(Place::Private) => Finding::note(
            what,
            format!("{listen}: from its own network alone{running}"),
            "outside of it others need a relay: let `pcim node` run, which asks the network's followers for a place",
        ),
        Some(Place::Open) => Finding::good(what, format!("{listen}{running}")),
    }
}

/// Says whether no address of a node can be dialled from another machine.
pub(crate) fn is_here_only(addresses: &[String]) -> bool {
    addresses
        .iter()
        .all(|address| place(address) == Place::Here)
}

/// From where an address can be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Here,
    Private,
    Open,
}

/// Where a multiaddr can be dialled from, by its first part.
fn place(multiaddr: &str) -> Place {
    let mut parts = multiaddr.split('/').skip(1);
    let (kind, value) = (parts.next(), parts.next().unwrap_or_default());
    let ip: Option<IpAddr> = match kind {
        Some("ip4" | "ip6") => value.parse().ok(),
        _ => None,
    };
    match ip.map(|ip| ip.to_canonical()) {
        Some(ip) if ip.is_loopback() => Place::Here,
        Some(IpAddr::V4(ip)) if ip.is_private() || ip.is_link_local() => Place::Private,
        Some(IpAddr::V6(ip)) if ip.is_unique_local() || ip.is_unicast_link_local() => {
            Place::Private
        }
        _ => Place::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, place};

    #[test]
    fn an_address_tells_from_where_it_is_dialled() {
        for (text, wanted) in [
            ("/ip4/127.0.0.1/tcp/0", Place::Here),
            ("/ip6/::1/tcp/4001", Place::Here),
            ("/ip6/::ffff:127.0.0.1/tcp/4001", Place::Here),
            ("/ip4/10.1.2.3/tcp/4001", Place::Private),
            ("/ip4/192.168.1.2/tcp/4001", Place::Private),
            ("/ip6/fd00::1/tcp/4001", Place::Private),
            ("/ip4/0.0.0.0/tcp/4001", Place::Open),
            ("/ip4/192.0.2.1/tcp/4001", Place::Open),
            ("/dns/node.example/tcp/4001", Place::Open),
        ] {
            assert_eq!(place(text), wanted, "{text}");
        }
    }
}
