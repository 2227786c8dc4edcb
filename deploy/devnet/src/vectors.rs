//! The recorded vectors: those in `tests/vectors`, or in the folder that `STYLUS_DEVNET_VECTORS` names.
//!
//! Every `.json` file in the folder is one of two kinds: an array of items, or an object with rows of the memory model.
//! Anything else, an unknown kind of item, and a field that nothing compares are errors.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

const FOLDER: &str = "STYLUS_DEVNET_VECTORS";

/// The subject of an item.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Hand,
    Random,
    Depth,
    ActivationHand,
    ActivationRandom,
    Accept,
    Reject,
}

/// One execution or activation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) file: String,
    /// Of an execution.
    #[serde(default)]
    pub(crate) args: String,
    #[serde(default)]
    pub(crate) ink_limit: u64,
    #[serde(default)]
    pub(crate) env: Setting,
    /// The item that this one varies.
    #[serde(default, rename = "of")]
    _of: Option<String>,
    /// Of an activation.
    pub(crate) activate: Option<Activate>,
    pub(crate) expected: Value,
}

impl Item {
    /// An execution that nobody recorded.
    pub(crate) fn execution(args: String, ink_limit: u64, env: Setting) -> Self {
        Self {
            kind: Kind::Random,
            name: String::new(),
            file: String::new(),
            args,
            ink_limit,
            env,
            _of: None,
            activate: None,
            expected: Value::Null,
        }
    }
}

/// The surroundings of an execution, where they are not the usual.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Setting {
    pub(crate) storage: BTreeMap<String, String>,
    pub(crate) read_only: bool,
    pub(crate) reentrant: u32,
    pub(crate) max_depth: Option<u32>,
    pub(crate) ink_price: Option<u32>,
    pub(crate) open_pages: u16,
    pub(crate) msg_value: Option<String>,
}

/// The circumstances of an activation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Activate {
    pub(crate) version: u16,
    pub(crate) arbos: u64,
    pub(crate) page_limit: u16,
    pub(crate) debug: bool,
    pub(crate) gas: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    columns: Vec<String>,
    params: BTreeMap<String, u64>,
    /// New pages, open, ever, gas.
    rows: Vec<(u16, u16, u16, u64)>,
}

/// Says whether the vectors are those of the repository, of which there is a known number.
pub(crate) fn own() -> bool {
    std::env::var_os(FOLDER).is_none()
}

fn folder() -> PathBuf {
    match std::env::var_os(FOLDER) {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"),
    }
}

/// The bytes of a file in the folder.
pub(crate) fn bytes(file: &str) -> Vec<u8> {
    let path = folder().join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documents() -> Vec<(String, Value)> {
    let folder = folder();
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no vectors in {}", folder.display());
    let parse = |name: String| {
        let value = serde_json::from_slice(&bytes(&name));
        let value = value.unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, value)
    };
    names.into_iter().map(parse).collect()
}

/// The items of these kinds; all items are read, whatever is asked for.
pub(crate) fn items(kinds: &[Kind]) -> Vec<Item> {
    let mut items = Vec::new();
    for (name, document) in documents() {
        if let Value::Array(list) = document {
            for item in list {
                let at = item["name"].as_str().unwrap_or_default().to_owned();
                let item: Item = serde_json::from_value(item)
                    .unwrap_or_else(|error| panic!("{name}: {at}: {error}"));
                items.push(item);
            }
        } else {
            rows_of(&name, document);
        }
    }
    items.retain(|item| kinds.contains(&item.kind));
    items
}

/// The rows of the memory model: new pages, open, ever, gas.
pub(crate) fn memory_rows() -> Vec<(u16, u16, u16, u64)> {
    let documents = documents().into_iter();
    documents
        .filter(|(_, document)| !document.is_array())
        .flat_map(|(name, document)| rows_of(&name, document))
        .collect()
}

fn rows_of(name: &str, document: Value) -> Vec<(u16, u16, u16, u64)> {
    let rows: Rows =
        serde_json::from_value(document).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(rows.columns.len(), 4, "{name}: {:?}", rows.columns);
    let params: Vec<(&str, u64)> = (rows.params.iter())
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    assert_eq!(params, [("free_pages", 2), ("page_gas", 1000)], "{name}");
    rows.rows
}
