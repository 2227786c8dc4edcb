//! Short forms of ids that an owner types: the beginning of an image's digest or of an address, and the name of a contact.
//!
//! An image is one that the home has to do with; a contact is a card in the home's folder `contacts`, by the name of its file.
//! Ids and files that are written out need no home.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

use pcim_client::home::Home;
use pcim_client::known::images_in;
use pcim_client::papers::card::Card;
use pcim_core::{Address, ImageDigest};

use crate::input::{home_dir, read_card_file};
use crate::ui::printable;
use crate::written;

/// Fewest characters of the beginning of an image's digest, after what every digest begins with.
const LEAST_DIGITS: usize = 4;
/// Fewest digits of the beginning of an address, after `0x`.
const LEAST_HEX: usize = 4;
/// What every digest in base 32 begins with.
const DIGEST_HEAD: &str = "bafybei";
/// Most contacts whose names are shown: their cards are verified first.
const MAX_SHOWN: usize = 1_000;
/// Most characters of a name beside an address.
const SHOWN_CHARS: usize = 32;
/// Most candidates that are named.
const SHOWN: usize = 4;

/// The home that this command line is about, before it is parsed.
fn home() -> Option<PathBuf> {
    let mut args = std::env::args_os().skip(1);
    let mut named = None;
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        if text == "--home" {
            named = args.next().map(PathBuf::from);
        } else if let Some(dir) = text.strip_prefix("--home=") {
            named = Some(OsString::from(dir).into());
        }
    }
    home_dir(named.as_deref()).ok()
}

/// An image: its digest, or the beginning of the digest of one that the home knows.
pub(crate) fn image(text: &str) -> Result<ImageDigest, String> {
    let whole = match ImageDigest::from_str(text) {
        Ok(image) => return Ok(image),
        Err(error) => error,
    };
    let digits = text.strip_prefix(DIGEST_HEAD).unwrap_or(text);
    let plain = digits
        .bytes()
        .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b));
    if !plain || digits.len() < LEAST_DIGITS {
        return Err(whole.to_string());
    }
    let known = match home() {
        Some(dir) => images_in(&dir).map_err(|error| error.to_string())?,
        None => BTreeSet::new(),
    };
    let named: Vec<_> = known.iter().map(|it| (it.to_string(), *it)).collect();
    let begins = |(name, _): &&(String, ImageDigest)| name[DIGEST_HEAD.len()..].starts_with(digits);
    let found: Vec<_> = named.iter().filter(begins).collect();
    match found[..] {
        [(_, image)] => Ok(*image),
        [] => Err(format!("no image that this home knows begins so ({whole})")),
        _ => Err(ambiguous(found.iter().map(|(name, _)| name.as_str()))),
    }
}

/// A person: an address, the beginning of a contact's, a contact's name or its beginning, or a contact card.
pub(crate) fn person(text: &str) -> Result<Address, String> {
    let Some(hex) = text.strip_prefix("0x") else {
        return card(text).map(|card| card.address);
    };
    let is_hex = hex.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || !(LEAST_HEX..40).contains(&hex.len()) {
        return written::address(text);
    }
    let mut found: Vec<(String, Address)> = Vec::new();
    for (name, path) in contacts() {
        let Ok(card) = read_card_file(&path) else {
            continue;
        };
        let begins = format!("{:#x}", card.address).starts_with(&text.to_ascii_lowercase());
        if begins && found.iter().all(|(_, address)| *address != card.address) {
            found.push((name, card.address));
        }
    }
    match &found[..] {
        [(_, address)] => Ok(*address),
        [] => Err("no contact's address begins so".to_owned()),
        _ => Err(ambiguous(found.iter().map(|(name, _)| name.as_str()))),
    }
}

/// A contact card: a file, or that of a contact by its name or the beginning of it.
pub(crate) fn card(text: &str) -> Result<Card, String> {
    let path = Path::new(text);
    let read = |path: &Path| read_card_file(path).map_err(|error| printable(&format!("{error:#}")));
    if path.exists() || text.is_empty() || text.contains(['/', '\\']) {
        return read(path);
    }
    let contacts = contacts();
    let wanted = text.to_lowercase();
    let exact = contacts
        .iter()
        .find(|(name, _)| name.to_lowercase() == wanted);
    let begins = |(name, _): &&(String, PathBuf)| name.to_lowercase().starts_with(&wanted);
    let found: Vec<_> = match exact {
        Some(exact) => vec![exact],
        None => contacts.iter().filter(begins).collect(),
    };
    match found[..] {
        [(_, path)] => read(path),
        [] => Err(format!(
            "`{}` is neither a file nor a contact of this home (`pcim card list`)",
            printable(text)
        )),
        _ => Err(ambiguous(found.iter().map(|(name, _)| name.as_str()))),
    }
}

/// The digests of the images that the home of this command line knows.
pub(crate) fn images() -> Vec<String> {
    let known = home().and_then(|dir| images_in(&dir).ok());
    let known = known.unwrap_or_default();
    known.iter().map(ToString::to_string).collect()
}

/// The names of the networks that the home of this command line knows.
pub(crate) fn networks() -> Vec<String> {
    let known = home().and_then(|dir| Home::networks_in(&dir).ok());
    known.unwrap_or_default()
}

/// The contacts of the home that this command line is about: name and file, sorted.
pub(crate) fn contacts() -> Vec<(String, PathBuf)> {
    home().map_or(Vec::new(), |dir| contacts_in(&Home::contacts_in(&dir)))
}

/// The contacts in a folder: name and file, sorted.
pub(crate) fn contacts_in(dir: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let cards = entries.flatten().map(|entry| entry.path());
    let named = cards.filter(|path| path.extension().is_some_and(|it| it == "card"));
    let mut found: Vec<_> = named
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    found.sort();
    found
}

/// The name of the contact whose address it is, as it can be shown.
pub(crate) fn name_of(address: Address) -> Option<String> {
    static NAMES: LazyLock<BTreeMap<Address, String>> = LazyLock::new(|| {
        let mut names = BTreeMap::new();
        for (name, path) in contacts().into_iter().take(MAX_SHOWN) {
            if let Ok(card) = read_card_file(&path) {
                names.entry(card.address).or_insert(name);
            }
        }
        names
    });
    let name: String = NAMES.get(&address)?.chars().take(SHOWN_CHARS).collect();
    Some(printable(&name))
}

/// Writes an address, with the name of the contact whose it is.
pub(crate) fn shown(address: Address) -> String {
    match name_of(address) {
        Some(name) => format!("{address}  {name}"),
        None => address.to_string(),
    }
}

/// Says which of several it may be.
fn ambiguous<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.map(printable).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = names[..names.len().min(SHOWN)].join(", ");
    format!("several begin so: {shown}{more}")
}
