//! `abi/Pcac.json` is what `abi/IPcac.sol` says, and both are what the contract's types say.
//!
//! `PCAC_UPDATE_ABI=1 cargo test -p pcim-contract --test abi` writes the JSON again.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use alloy_json_abi::{Constructor, JsonAbi, Param, StateMutability};
use alloy_sol_types::{SolError, SolEvent};
use pcim_contract::IPcac::{self, *};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("abi")
        .join(name)
}

/// The statements of the Solidity interface, without comments.
fn statements() -> Vec<String> {
    let text = fs::read_to_string(file("IPcac.sol")).unwrap();
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect();
    let code = code.join("\n");
    let (_, body) = code.split_once("interface IPcac {").unwrap();
    let (body, _) = body.rsplit_once('}').unwrap();
    let statements = body.split(';').map(|statement| statement.trim().to_owned());
    statements
        .filter(|statement| !statement.is_empty())
        .collect()
}

fn abi() -> JsonAbi {
    let statements = statements();
    let mut abi = JsonAbi::parse(statements.iter().map(String::as_str)).unwrap();
    abi.constructor = Some(Constructor {
        inputs: ["consortium", "predecessor"]
            .map(|name| Param {
                ty: "address".into(),
                name: name.into(),
                components: vec![],
                internal_type: None,
            })
            .into(),
        state_mutability: StateMutability::NonPayable,
    });
    abi
}

#[test]
fn the_json_is_the_interface() {
    let abi = abi();
    assert_eq!(abi.functions().count(), 40);
    assert_eq!(abi.events().count(), 21);
    assert_eq!(abi.errors().count(), 39);
    let wanted = serde_json::to_string_pretty(&abi).unwrap() + "\n";
    if env::var_os("PCAC_UPDATE_ABI").is_some() {
        fs::write(file("Pcac.json"), &wanted).unwrap();
    }
    let found = fs::read_to_string(file("Pcac.json"))
        .unwrap()
        .replace("\r\n", "\n");
    assert!(
        found == wanted,
        "Pcac.json is not IPcac.sol: write it again with PCAC_UPDATE_ABI=1"
    );
}

#[test]
fn selectors_and_topics_are_those_of_the_interface() {
    let abi = abi();
    let mut functions: Vec<_> = abi
        .functions()
        .map(|function| function.selector().0)
        .collect();
    functions.sort();
    assert_eq!(functions, IPcac::IPcacCalls::SELECTORS);
    let mut errors: Vec<_> = abi.errors().map(|error| error.selector().0).collect();
    errors.sort();
    assert_eq!(errors, IPcac::IPcacErrors::SELECTORS);
    let mut events: Vec<_> = abi.events().map(|event| event.selector().0).collect();
    events.sort();
    assert_eq!(events, IPcac::IPcacEvents::SELECTORS);
}

#[test]
fn the_types_that_the_contract_emits_have_the_interfaces_signatures() {
    fn event<E: SolEvent>() -> (String, usize, bool) {
        // The first topic is the signature.
        (
            E::SIGNATURE.to_owned(),
            <E::TopicList as alloy_sol_types::TopicList>::COUNT - 1,
            E::ANONYMOUS,
        )
    }
    let found: BTreeMap<_, _> = [
        event::<ContractCreated>(),
        event::<RequestedForApproval>(),
        event::<Requestaccepted>(),
        event::<Approved>(),
        event::<Requestdenied>(),
        event::<Reason>(),
        event::<AuthorizationSuccess>(),
        event::<AuthorizationFailed>(),
        event::<UserRemoved>(),
        event::<Reshared>(),
        event::<ImageResealed>(),
        event::<ApprovalLimitSet>(),
        event::<ImageImported>(),
        event::<ImageFlagged>(),
        event::<EmergencyOpened>(),
        event::<Acted>(),
        event::<AccountChanged>(),
        event::<AccountMoved>(),
        event::<RadiologistAccredited>(),
        event::<ConsortiumOffered>(),
        event::<ConsortiumTransferred>(),
    ]
    .map(|(signature, indexed, anonymous)| (signature, (indexed, anonymous)))
    .into();
    let wanted: BTreeMap<_, _> = abi()
        .events()
        .map(|event| {
            let indexed = event.inputs.iter().filter(|input| input.indexed).count();
            (event.signature(), (indexed, event.anonymous))
        })
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(PcacZero::SIGNATURE, "PcacZero(uint8)");
}

/// The names and types that others rely on, word for word.
#[test]
fn the_papers_names_stand() {
    let abi = abi();
    let names: Vec<&str> = abi
        .functions()
        .map(|function| function.name.as_str())
        .collect();
    for name in [
        "create_contract",
        "requesting_access",
        "approve_IRs",
        "deny_IRs",
        "trace_authorization",
        "remove_IRs",
    ] {
        assert!(names.contains(&name), "{name}");
        let outputs = &abi.function(name).unwrap()[0].outputs;
        assert_eq!(outputs.len(), 1, "{name}");
        assert_eq!(outputs[0].ty, "bool", "{name}");
    }
    assert!(abi
        .functions()
        .all(|f| f.state_mutability != StateMutability::Payable));
}
