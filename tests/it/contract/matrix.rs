//! Role by function by state: who may do what when, as a table, each cell compared with the model.

use alloy_primitives::B256;
use alloy_sol_types::SolInterface;

use super::model::{Act, Answer, Call, Model};
use crate::chain::{
    Chain, IPcac, IPcac::IPcacCalls as Function, KEY, Refusal, SEAL, SHARED, digest,
};

/// The functions that change something, about one image.
fn functions(chain: &Chain, image: B256) -> Vec<(&'static str, Function)> {
    let (patient, requestor) = (chain.patient.address, chain.doctor.address);
    vec![
        (
            "create_contract",
            Function::create_contract(chain.registration(image)),
        ),
        (
            "requesting_access",
            Function::requesting_access(IPcac::requesting_accessCall {
                image,
                ..chain.request()
            }),
        ),
        (
            "approve_IRs",
            Function::approve_IRs(IPcac::approve_IRsCall {
                image,
                ..chain.approval(0)
            }),
        ),
        (
            "deny_IRs",
            Function::deny_IRs(IPcac::deny_IRsCall {
                image,
                ..chain.denial()
            }),
        ),
        (
            "trace_authorization",
            Function::trace_authorization(IPcac::trace_authorizationCall {
                patient,
                requester: requestor,
                image,
            }),
        ),
        (
            "remove_IRs",
            Function::remove_IRs(IPcac::remove_IRsCall {
                requester: requestor,
                image,
            }),
        ),
        (
            "reshare_IRs",
            Function::reshare_IRs(IPcac::reshare_IRsCall {
                requester: requestor,
                image,
                sharedImage: SHARED,
                expiresAt: 0,
            }),
        ),
        (
            "reseal_image",
            Function::reseal_image(IPcac::reseal_imageCall { image, root: SEAL }),
        ),
        (
            "set_approval_limit",
            Function::set_approval_limit(IPcac::set_approval_limitCall {
                image,
                approvals: 1,
                windowSeconds: 1,
            }),
        ),
        (
            "accredit_radiologist",
            Function::accredit_radiologist(IPcac::accredit_radiologistCall {
                radiologist: requestor,
                accredited: true,
            }),
        ),
        (
            "transfer_consortium",
            Function::transfer_consortium(IPcac::transfer_consortiumCall { to: requestor }),
        ),
    ]
}

fn name(refusal: &Refusal) -> String {
    let shown = format!("{refusal:?}");
    shown
        .split(['(', ' '])
        .next()
        .unwrap_or_default()
        .trim_start_matches("Pcac")
        .to_owned()
}

#[tokio::test]
async fn role_by_function_by_state() {
    let chain = Chain::start().await;
    let mut model = Model {
        consortium: chain.consortium.address,
        accredited: [chain.radiologist.address].into(),
        ..Model::default()
    };
    let start = chain.now().await;
    let expiry = start + 1_000_000;
    let steps: [(&str, &[&str]); 7] = [
        ("unknown", &[]),
        ("none", &["create_contract"]),
        ("requested", &["create_contract", "requesting_access"]),
        (
            "approved",
            &["create_contract", "requesting_access", "approve_IRs"],
        ),
        (
            "expired",
            &["create_contract", "requesting_access", "approve_IRs"],
        ),
        (
            "denied",
            &["create_contract", "requesting_access", "deny_IRs"],
        ),
        (
            "removed",
            &["create_contract", "requesting_access", "remove_IRs"],
        ),
    ];
    for (n, (state, path)) in steps.iter().enumerate() {
        let image = digest(n as u64);
        for (name, function) in functions(&chain, image) {
            if !path.contains(&name) {
                continue;
            }
            let function = match function {
                Function::approve_IRs(call) if *state == "expired" => {
                    Function::approve_IRs(IPcac::approve_IRsCall {
                        expiresAt: expiry,
                        ..call
                    })
                }
                other => other,
            };
            let who = if name == "requesting_access" {
                &chain.doctor
            } else {
                &chain.patient
            };
            let receipt = chain.send_raw(who, function.abi_encode()).await;
            assert_eq!(receipt.status.unwrap().as_u64(), 1, "{state}: {name}");
            let act = Act {
                function,
                attested: true,
            };
            let now = chain.now().await;
            model.call(who.address, now, &Call::Plain(act)).unwrap();
        }
    }
    chain.later(expiry - start + 1).await;

    let roles = [
        ("consortium", &chain.consortium),
        ("radiologist", &chain.radiologist),
        ("patient", &chain.patient),
        ("requestor", &chain.doctor),
        ("stranger", &chain.stranger),
    ];
    let now = chain.now().await;
    for (n, (state, _)) in steps.iter().enumerate() {
        println!(
            "\n{state:<21} consortium           radiologist          patient              requestor            stranger"
        );
        for (name_, function) in functions(&chain, digest(n as u64)) {
            let mut row = format!("{name_:<21}");
            for (role, who) in roles {
                let act = Act {
                    function: function.clone(),
                    attested: true,
                };
                let wanted = model.clone().call(who.address, now, &Call::Plain(act));
                let found = chain
                    .ask(who, chain.contract, function.abi_encode(), "latest")
                    .await;
                let cell = match (&wanted, &found) {
                    (Ok((Answer::Flag(flag), _)), Ok(data)) => {
                        assert_eq!(
                            data[..],
                            B256::with_last_byte(u8::from(*flag))[..],
                            "{state}: {role} {name_}"
                        );
                        flag.to_string()
                    }
                    (Ok((Answer::Nothing, _)), Ok(data)) => {
                        assert!(data.is_empty(), "{state}: {role} {name_}");
                        "done".to_owned()
                    }
                    (Err(refusal), Err(data)) => {
                        assert_eq!(data[..], refusal.abi_encode(), "{state}: {role} {name_}");
                        name(refusal)
                    }
                    other => panic!("{state}: {role} {name_}: {other:?}"),
                };
                row += &format!("{cell:<21}");
            }
            println!("{}", row.trim_end());
        }
    }
    // The cells that matter most, whatever the model says.
    for n in 0..7 {
        let view = IPcac::is_authorizedCall {
            patient: chain.patient.address,
            requester: chain.doctor.address,
            image: digest(n),
        };
        assert_eq!(chain.call(&chain.stranger, &view).await.unwrap(), n == 3);
        let key = IPcac::grantCall {
            image: digest(n),
            requester: chain.doctor.address,
        };
        let grant = chain.call(&chain.stranger, &key).await.unwrap();
        assert_eq!(grant.publicKey == KEY[..16], n >= 2, "{n}");
    }
}
