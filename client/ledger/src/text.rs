//! Text of others, made fit to be shown.

use reqwest::Url;

/// A node's words, made fit for a terminal: at most 200 characters, controls escaped.
pub(super) fn printable(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut out = String::new();
    for c in text.chars().take(SHOWN) {
        if c.is_control() {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// Scheme, host and port; user, password, path and query may be credentials.
pub(super) fn shown(url: &str) -> String {
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
