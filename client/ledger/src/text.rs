//! Text of others, made fit to be shown.

use std::net::IpAddr;

use pcim_core::text::escaped;
use reqwest::Url;

/// A node's words, made fit for a terminal: at most 200 characters, escaped.
pub(super) fn printable(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut out = escaped(text.chars().take(SHOWN));
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// Makes a URL fit to be shown: scheme, host and port, for user, password, path and query may be credentials.
pub fn shown(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return "(unreadable URL)".into();
    };
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    let more = if url.path() == "/" && url.query().is_none() {
        ""
    } else {
        "/…"
    };
    format!(
        "{}://{}{port}{more}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

/// Says whether an endpoint is reached over a network without encryption: `http://` or `ws://` to another machine, where anyone
/// on the way can change what is asked and answered.
pub fn is_insecure(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let here = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => ip.to_canonical().is_loopback(),
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    matches!(url.scheme(), "http" | "ws") && !here
}

#[cfg(test)]
mod tests {
    use super::is_insecure;

    #[test]
    fn plain_text_is_for_this_machine_alone() {
        for url in [
            "http://127.0.0.1:8547",
            "http://127.9.9.9",
            "http://localhost:1",
            "http://node.localhost/",
            "http://[::1]:8547/",
            "http://[::ffff:127.0.0.1]/",
            "ws://127.0.0.1:8548",
            "https://rpc.example",
            "wss://rpc.example",
            "not a url",
        ] {
            assert!(!is_insecure(url), "{url}");
        }
        for url in [
            "http://192.0.2.1:8547",
            "http://rpc.example",
            "HTTP://RPC.EXAMPLE/",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://user@rpc.example:80/127.0.0.1",
            "http://[2001:db8::1]/",
            "http://0.0.0.0:8547",
            "ws://rpc.example",
        ] {
            assert!(is_insecure(url), "{url}");
        }
    }
}
