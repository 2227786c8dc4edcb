//! `gateway.toml`: every setting of the gateway, each with a default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::limits::{Limits, Timing};
use crate::tls::TlsFiles;

/// Most bytes of a configuration or of rules.
pub(crate) const FILE_MAX: usize = 1 << 20;

/// The settings of a gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The AE title that senders call.
    pub ae: String,
    /// Takes any called AE title.
    pub any_called_ae: bool,
    /// The address on which both doors listen.
    pub address: IpAddr,
    /// The port of the DIMSE door; 0 takes a free one.
    pub dicom_port: u16,
    /// The port of the HTTP door; 0 takes a free one. Without it there is none.
    pub http_port: Option<u16>,
    /// Most associations at the same time.
    pub associations: usize,
    /// Most bytes of a PDU.
    pub pdu_bytes: u32,
    /// Seconds for an association request to come.
    pub request_seconds: u64,
    /// Seconds for the next message of an association to come.
    pub idle_seconds: u64,
    /// Seconds for the next part of a message to come, and for an answer to be taken.
    pub stall_seconds: u64,
    /// Most bytes of one object.
    pub object_bytes: u64,
    /// The folder of the spool. In the home unless another is given.
    pub spool: Option<PathBuf>,
    /// Most bytes in the spool.
    pub spool_bytes: u64,
    /// Fewest bytes that stay free on the spool's disk.
    pub free_bytes: u64,
    /// Days for which the instances of a sealed study are known, so that none is sealed twice.
    pub remember_days: u64,
    /// Seconds without a new object after which a study is complete.
    pub quiet_seconds: u64,
    /// The rules. Without them every study waits for a person.
    pub rules: Option<PathBuf>,
    /// The folder of the handovers. In the home unless another is given.
    pub handovers: Option<PathBuf>,
    /// The applications that are let in; only those of this machine if none is given.
    pub peer: Vec<Peer>,
    /// The bearer tokens of the HTTP door.
    pub token: Vec<Token>,
    /// The web origins whose pages may use the HTTP door.
    pub origins: Vec<String>,
    /// The names under which the HTTP door is called, beside its address: `host` or `host:port`.
    pub hosts: Vec<String>,
    /// The address under which others call the HTTP door, for the addresses in its answers; the one that they name unless it is given.
    pub url: Option<String>,
    /// Seconds between two looks at which images may be opened.
    pub look_seconds: u64,
    /// The certificate of both doors; without it connections are plain.
    pub tls: Option<TlsFiles>,
}

/// An application that is let in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its AE title; `*` at the end stands for any rest.
    pub ae: String,
    /// Its addresses: `10.1.2.3` or `10.1.0.0/16`.
    pub address: Vec<Network>,
    /// The port on which it waits for reports of storage commitment; without it they come on the association that asked.
    pub report_port: Option<u16>,
    /// Its rights; storing alone unless others are given.
    #[serde(default = "storing")]
    pub may: Vec<Right>,
    /// `host:port` at which it takes objects that C-MOVE sends to this AE title.
    pub move_to: Option<String>,
}

/// A bearer token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// How logs and rules call its holder.
    pub name: String,
    /// SHA-256 of the token, hex: the token itself is nowhere in the configuration.
    pub sha256: String,
    /// The last second in which it is valid, unix.
    pub expires: Option<u64>,
    /// The rights of its holder; storing alone unless others are given.
    #[serde(default = "storing")]
    pub may: Vec<Right>,
}

/// A right of a token's holder, or of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Send objects.
    Store,
    /// Search and retrieve the images that this home may open.
    Read,
}

fn storing() -> Vec<Right> {
    vec![Right::Store]
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The applications that are let in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers(Vec<Peer>);

impl Default for Settings {
    fn default() -> Self {
        Self {
            ae: "PCIM".to_owned(),
            any_called_ae: false,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            dicom_port: 11112,
            http_port: None,
            associations: 100,
            pdu_bytes: 1 << 17,
            request_seconds: 30,
            idle_seconds: 300,
            stall_seconds: 60,
            object_bytes: 4 << 30,
            spool: None,
            spool_bytes: 50 << 30,
            free_bytes: 1 << 30,
            remember_days: 90,
            quiet_seconds: 120,
            rules: None,
            handovers: None,
            peer: Vec::new(),
            token: Vec::new(),
            origins: Vec::new(),
            hosts: Vec::new(),
            url: None,
            look_seconds: 10,
            tls: None,
        }
    }
}

impl Settings {
    /// Reads a configuration file. Paths in it are taken from its folder.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Settings`] with the place of the fault.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let bad = |reason: String| Error::Settings {
            path: path.to_owned(),
            reason,
        };
        let mut settings: Self = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for own in [
            &mut settings.spool,
            &mut settings.rules,
            &mut settings.handovers,
        ] {
            *own = own.take().map(|own| folder.join(own));
        }
        if let Some(tls) = &mut settings.tls {
            tls.certificate = folder.join(&tls.certificate);
            tls.key = folder.join(&tls.key);
            tls.clients = tls.clients.take().map(|own| folder.join(own));
        }
        settings.check().map_err(bad)?;
        Ok(settings)
    }

    /// Checks that the values make sense.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn check(&self) -> std::result::Result<(), String> {
        if !is_ae(&self.ae) {
            return Err(format!("ae = {:?}: {AE}", self.ae));
        }
        let numbers = [
            ("associations", self.associations as u64, 1, 10_000),
            ("pdu_bytes", self.pdu_bytes.into(), 4096, 1 << 24),
            ("request_seconds", self.request_seconds, 1, 3600),
            ("idle_seconds", self.idle_seconds, 1, 86_400),
            ("stall_seconds", self.stall_seconds, 1, 3600),
            ("object_bytes", self.object_bytes, 1 << 20, 1 << 36),
            ("spool_bytes", self.spool_bytes, 1 << 20, 1 << 50),
            ("remember_days", self.remember_days, 1, 3650),
            ("quiet_seconds", self.quiet_seconds, 1, 86_400),
            ("look_seconds", self.look_seconds, 1, 86_400),
        ];
        for (name, found, least, most) in numbers {
            if !(least..=most).contains(&found) {
                return Err(format!("{name} = {found}: wanted {least} to {most}"));
            }
        }
        for peer in &self.peer {
            let title = peer.ae.strip_suffix('*').unwrap_or(&peer.ae);
            if peer.ae != "*" && !is_ae(title) {
                return Err(format!("peer ae = {:?}: {AE}, or * at its end", peer.ae));
            }
            if peer.address.is_empty() {
                return Err(format!("peer {:?} has no address", peer.ae));
            }
            if let Some(place) = &peer.move_to {
                let port = place.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
                if peer.ae.ends_with('*') || !matches!(port, Some(Ok(1..))) {
                    return Err(format!(
                        "peer {:?}, move_to = {place:?}: wanted host:port, and an AE title without *",
                        peer.ae
                    ));
                }
            }
        }
        for token in &self.token {
            let is_hash = token.sha256.len() == 64 && hex::decode(&token.sha256).is_ok();
            if !is_hash || token.name.is_empty() || token.name.len() > 64 {
                let name = &token.name;
                return Err(format!(
                    "token {name:?}: wanted a name, and 64 hexadecimal digits as sha256"
                ));
            }
        }
        if let Some(url) = &self.url {
            let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
            let plain =
                |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'?' | b'#' | b'<' | b'>');
            if !rest.is_some_and(|it| !it.is_empty() && it.bytes().all(plain)) || url.ends_with('/')
            {
                return Err(format!(
                    "url = {url:?}: wanted an address such as https://images.example/dicomweb, without a slash at its end"
                ));
            }
        }
        if self.http_port.is_some() && self.token.is_empty() && !self.address.is_loopback() {
            return Err("http_port on an address of the network needs a [[token]]".to_owned());
        }
        Ok(())
    }

    /// Names the settings of another that take effect at the next start alone.
    pub(crate) fn differing(&self, other: &Self) -> Vec<&'static str> {
        let pairs = [
            (
                "ae",
                self.ae == other.ae && self.any_called_ae == other.any_called_ae,
            ),
            ("address", self.address == other.address),
            ("dicom_port", self.dicom_port == other.dicom_port),
            ("http_port", self.http_port == other.http_port),
            ("associations", self.associations == other.associations),
            ("pdu_bytes", self.pdu_bytes == other.pdu_bytes),
            (
                "request_seconds, idle_seconds, stall_seconds",
                (self.request_seconds, self.idle_seconds, self.stall_seconds)
                    == (
                        other.request_seconds,
                        other.idle_seconds,
                        other.stall_seconds,
                    ),
            ),
            (
                "object_bytes, spool_bytes, free_bytes, remember_days",
                (
                    self.object_bytes,
                    self.spool_bytes,
                    self.free_bytes,
                    self.remember_days,
                ) == (
                    other.object_bytes,
                    other.spool_bytes,
                    other.free_bytes,
                    other.remember_days,
                ),
            ),
            ("spool", self.spool == other.spool),
            ("handovers", self.handovers == other.handovers),
            ("url", self.url == other.url),
            ("look_seconds", self.look_seconds == other.look_seconds),
        ];
        let differing = pairs.into_iter().filter(|(_, same)| !same);
        differing.map(|(name, _)| name).collect()
    }

    pub(crate) fn timing(&self) -> Timing {
        Timing {
            pdu: self.pdu_bytes,
            request: Duration::from_secs(self.request_seconds),
            idle: Duration::from_secs(self.idle_seconds),
            stall: Duration::from_secs(self.stall_seconds),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            spool_bytes: self.spool_bytes,
            free_bytes: self.free_bytes,
            object_bytes: self.object_bytes,
            remember: Duration::from_secs(self.remember_days * 86_400),
        }
    }

    pub(crate) fn peers(&self) -> Peers {
        Peers(self.peer.clone())
    }

    pub(crate) fn listening(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, port)
    }
}

const AE: &str =
    "an AE title has 1 to 16 characters without backslash, control characters or spaces around";

/// Says whether a text is an AE title (PS3.5 §6.2).
fn is_ae(text: &str) -> bool {
    let plain = |c: char| c.is_ascii() && !c.is_ascii_control() && c != '\\';
    (1..=16).contains(&text.len()) && text.chars().all(plain) && text.trim() == text
}

/// Says whether a title is one that a pattern means: itself, or what begins as it does up to the `*`.
pub(crate) fn means(pattern: &str, title: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => title.starts_with(start),
        None => title == pattern,
    }
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    let bytes = pcim_core::private::read_limited(path, FILE_MAX).map_err(Error::file(path))?;
    String::from_utf8(bytes).map_err(|_| Error::Settings {
        path: path.to_owned(),
        reason: "not UTF-8".to_owned(),
    })
}

impl Peers {
    /// Says whether an application of this title may come from this address.
    pub(crate) fn admits(&self, title: &str, address: IpAddr) -> bool {
        match self.0.is_empty() {
            true => address.to_canonical().is_loopback(),
            false => self.find(title, address).is_some(),
        }
    }

    /// Says whether an application that was let in has a right. Without a list those of this machine store and do not read.
    pub(crate) fn may(&self, title: &str, address: IpAddr, right: Right) -> bool {
        match self.find(title, address) {
            Some(peer) => peer.may.contains(&right),
            None => self.0.is_empty() && right == Right::Store,
        }
    }

    /// The address at which the application of a title takes objects.
    pub(crate) fn destination(&self, title: &str) -> Option<String> {
        let mut named = self.0.iter().filter(|peer| peer.ae == title);
        named.find_map(|peer| peer.move_to.clone())
    }

    /// The port on which an application waits for reports of storage commitment.
    pub(crate) fn report_port(&self, title: &str, address: IpAddr) -> Option<u16> {
        self.find(title, address)?.report_port
    }

    fn find(&self, title: &str, address: IpAddr) -> Option<&Peer> {
        let address = address.to_canonical();
        self.0.iter().find(|peer| {
            means(&peer.ae, title) && peer.address.iter().any(|network| network.contains(address))
        })
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let ((own, length), (other, other_length)) = (bits(self.address), bits(address));
        let differing = (own ^ other).leading_zeros();
        length == other_length && differing >= u32::from(self.bits)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is no address, such as 10.1.2.3 or 10.1.0.0/16");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| wrong())?)),
            None => (text.as_str(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        match bits <= most {
            true => Ok(Self { address, bits }),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    #[test]
    fn nothing_has_to_be_set() {
        let settings = read("").unwrap();
        assert_eq!((settings.ae.as_str(), settings.dicom_port), ("PCIM", 11112));
        assert!(settings.http_port.is_none());
        let settings = read("rules = 'rules.toml'\nspool = '/var/spool/pcim'").unwrap();
        assert!(settings.rules.unwrap().is_absolute());
        assert_eq!(settings.spool.unwrap(), Path::new("/var/spool/pcim"));
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (text, why) in [
            ("aet = 'X'", "unknown field `aet`"),
            ("ae = 'SEVENTEEN LETTERS'", "1 to 16 characters"),
            ("ae = 'A\\\\B'", "without backslash"),
            ("associations = 0", "associations = 0: wanted 1 to 10000"),
            ("pdu_bytes = 100", "pdu_bytes = 100: wanted 4096"),
            (
                "[[peer]]\nae = 'CT'\naddress = ['10.1.2.3/33']",
                "is no address",
            ),
            ("[[peer]]\nae = 'CT'\naddress = []", "has no address"),
            (
                "[[token]]\nname = 'x'\nsha256 = 'abc'",
                "64 hexadecimal digits",
            ),
            ("address = '0.0.0.0'\nhttp_port = 80", "needs a [[token]]"),
            (
                "[[peer]]\nae = 'WS*'\naddress = ['10.1.2.3']\nmove_to = '10.1.2.3:104'",
                "without *",
            ),
            (
                "[[peer]]\nae = 'WS'\naddress = ['10.1.2.3']\nmove_to = '10.1.2.3'",
                "wanted host:port",
            ),
            ("url = 'images.example'", "wanted an address"),
            ("url = 'http://images.example/'", "without a slash"),
            (
                "[[token]]\nname = 'x'\nsha256 = 'abc'\nmay = ['write']",
                "unknown variant `write`",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn applications_are_admitted_by_title_and_address() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let nobody = Peers::default();
        assert!(nobody.admits("CT1", ip("127.0.0.1")));
        assert!(nobody.admits("CT1", ip("::1")));
        assert!(!nobody.admits("CT1", ip("10.1.2.3")));
        let settings = read(
            "[[peer]]\nae = 'CT*'\naddress = ['10.1.0.0/16', 'fd00::/8']\n[[peer]]\nae = 'PACS'\naddress = ['10.2.0.7']",
        );
        let peers = settings.unwrap().peers();
        for (title, address, is_in) in [
            ("CT1", "10.1.255.1", true),
            ("CT", "fd12::1", true),
            ("CT1", "10.2.0.7", false),
            ("PACS", "10.2.0.7", true),
            ("PACS", "::ffff:10.2.0.7", true),
            ("PACS2", "10.2.0.7", false),
            ("PACS", "10.2.0.8", false),
            ("PACS", "127.0.0.1", false),
            ("CT1", "::a01:1", false),
        ] {
            assert_eq!(peers.admits(title, ip(address)), is_in, "{title} {address}");
        }
    }
}
