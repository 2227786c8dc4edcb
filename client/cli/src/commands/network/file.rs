//! Network files as they are read and shown.

use std::path::Path;

use pcim_client::network::Answered;
use pcim_client::papers::network::{MAX_NETWORK_BYTES, NetworkFile};
use pcim_core::date::time;

use crate::context::{Context, read_small};
use crate::ui::printable;

/// Reads a network file.
pub(super) fn read(path: &Path) -> anyhow::Result<NetworkFile> {
    let mut json = read_small(path)?;
    json.truncate(MAX_NETWORK_BYTES + 1);
    Ok(NetworkFile::read(&json).map_err(pcim_client::Error::from)?)
}

/// A network, for people.
pub(super) fn text(file: &NetworkFile) -> String {
    let mut text = format!(
        "network      {}\nconsortium   {}\ncontract     {} on chain {}\ncode hash    {}\n",
        file.name, file.consortium, file.contract, file.chain_id, file.code_hash
    );
    let mut line = |label: &str, value: &str| {
        text.push_str(&format!("{label:<11}  {}\n", printable(value)));
    };
    for rpc in &file.rpcs {
        let url = pcim_ledger::shown_url(&rpc.url);
        let mark = if rpc.insecure { "  insecure" } else { "" };
        line("rpc", &format!("{url}{mark}"));
    }
    let relay = file.relay.as_deref();
    relay.into_iter().for_each(|url| line("relay", url));
    file.followers.iter().for_each(|it| line("follower", it));
    file.gateways.iter().for_each(|url| line("gateway", url));
    if file.expires_at > 0 {
        line("issued", &time(file.issued_at));
        line("expires", &time(file.expires_at));
    }
    text
}

/// Tells how the endpoints of a network answered; one without encryption is pointed out.
pub(crate) fn tell_answers(context: &Context, answers: &[Answered]) {
    for answer in answers {
        let url = &answer.url;
        if answer.insecure {
            context.ui.note(&format!(
                "note: the consortium marks {url} as insecure: anyone on the way there can change what it says"
            ));
        }
        if let Some(reason) = &answer.silent {
            context
                .ui
                .note(&format!("note: {url}: {}", printable(reason)));
        }
    }
}
