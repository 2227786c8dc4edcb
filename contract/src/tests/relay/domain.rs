//! The domain in which calls are signed, and what is signed for each, as other libraries make it.

use super::*;

#[test]
fn the_domain_is_the_one_that_is_signed_in() {
    deployed();
    let domain = call(STRANGER, eip712DomainCall {}).unwrap();
    assert_eq!(domain.fields.0, [0x0f]);
    assert_eq!(
        (domain.name.as_str(), domain.version.as_str()),
        ("Pcac", "2")
    );
    assert_eq!(
        (domain.chainId, domain.verifyingContract),
        (U256::from(CHAIN_ID), CONTRACT)
    );
    assert!(domain.salt.is_zero() && domain.extensions.is_empty());
    assert_eq!(call(STRANGER, versionCall {}).unwrap(), "2");
}

/// The file holds what eth-account, ethers and viem hash alike.
#[test]
fn a_struct_is_what_other_libraries_sign() {
    let file = include_str!("../../../../tests/interop/vectors-2.json");
    let vectors: serde_json::Value = serde_json::from_str(file).unwrap();
    let mut found = 0;
    for vector in vectors.as_array().unwrap() {
        let name = vector["primaryType"].as_str().unwrap();
        let fields = vector["types"][name].as_array().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let kinds: Vec<String> = fields.iter().map(|field| text(&field["type"])).collect();
        let each = fields.iter().zip(&kinds);
        let each: Vec<String> = each
            .map(|(field, kind)| format!("{kind} {}", text(&field["name"])))
            .collect();
        let hash = keccak256(format!("{name}({})", each.join(",")));
        let selector = IPcacCalls::SELECTORS
            .iter()
            .find(|selector| IPcacCalls::name_by_selector(**selector) == Some(name));
        let Some(selector) = selector else {
            assert!(["ImageAttestation", "Recovery"].contains(&name), "{name}");
            continue;
        };
        let form = crate::relay::form(u32::from_be_bytes(*selector)).unwrap();
        assert_eq!(B256::from(form.type_hash), hash, "{name}");
        assert_eq!(form.count + 3, fields.len(), "{name}");
        for (i, kind) in kinds.iter().enumerate() {
            let dynamic = ["bytes", "string"].contains(&kind.as_str());
            assert_eq!(form.dynamic >> i & 1 == 1, dynamic, "{name} {i}");
        }
        found += 1;
    }
    let forms = IPcacCalls::SELECTORS
        .iter()
        .filter(|selector| crate::relay::form(u32::from_be_bytes(**selector)).is_some());
    assert_eq!(forms.count(), found);
}
