//! Replacement values: UIDs and dummies.

use dicom_core::{PrimitiveValue, VR};
use sha2::{Digest, Sha256};

/// The root of every UID that the standard itself defines: SOP classes, transfer syntaxes, well-known frames of reference.
const STANDARD_ROOT: &str = "1.2.840.10008.";

/// The UID that stands for `uid` under `key`: `2.25.` and a UUID in decimal (PS3.5 Annex B.2, UUID version 8), taken from
/// HMAC-SHA-256. Standard UIDs stay.
pub(super) fn map_uid(key: &[u8; 32], uid: &str) -> String {
    if uid.starts_with(STANDARD_ROOT) {
        return uid.to_owned();
    }
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hmac_sha256(key, uid.as_bytes())[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    format!("2.25.{}", u128::from_be_bytes(uuid))
}

/// HMAC (RFC 2104) for a key shorter than a block.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner);
    outer.finalize().into()
}

/// A value that means nothing and is valid for the VR (PS3.5 §6.2): 1 January 1900 at midnight, zero, `ANONYMIZED`.
/// None for sequences and UIDs, which have rules of their own.
pub(super) fn dummy(vr: VR) -> Option<PrimitiveValue> {
    let text = |text: &str| Some(PrimitiveValue::from(text));
    match vr {
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT => {
            text("ANONYMIZED")
        }
        VR::UR => text("about:blank"),
        VR::AS => text("000Y"),
        VR::DA => text("19000101"),
        VR::DT => text("19000101000000"),
        VR::TM => text("000000"),
        VR::DS | VR::IS => text("0"),
        VR::AT => Some(PrimitiveValue::from(dicom_core::Tag(0, 0))),
        VR::FD => Some(PrimitiveValue::from(0.0_f64)),
        VR::FL => Some(PrimitiveValue::from(0.0_f32)),
        VR::SL => Some(PrimitiveValue::from(0_i32)),
        VR::SS => Some(PrimitiveValue::from(0_i16)),
        VR::SV => Some(PrimitiveValue::from(0_i64)),
        VR::UL => Some(PrimitiveValue::from(0_u32)),
        VR::US => Some(PrimitiveValue::from(0_u16)),
        VR::UV => Some(PrimitiveValue::from(0_u64)),
        VR::OB | VR::UN => Some(PrimitiveValue::U8([0; 2].as_slice().into())),
        VR::OW => Some(PrimitiveValue::from(0_u16)),
        VR::OL => Some(PrimitiveValue::from(0_u32)),
        VR::OF => Some(PrimitiveValue::from(0.0_f32)),
        VR::OD => Some(PrimitiveValue::from(0.0_f64)),
        VR::OV => Some(PrimitiveValue::from(0_u64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_the_standard_one() {
        // RFC 4231 test case 2 has a key of 4 bytes; zeros pad it to 32 without a change of meaning.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(hmac_sha256(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn uids_map_by_key_and_stay_valid() {
        let (a, b) = ([1; 32], [2; 32]);
        let mapped = map_uid(&a, "1.2.3.4");
        assert_eq!(mapped, map_uid(&a, "1.2.3.4"));
        assert_ne!(mapped, map_uid(&b, "1.2.3.4"));
        assert_ne!(mapped, map_uid(&a, "1.2.3.5"));
        for n in 0..200 {
            let uid = map_uid(&a, &format!("1.2.{n}"));
            assert!(uid.len() <= 44 && uid.starts_with("2.25."), "{uid}");
            assert!(!uid["2.25.".len()..].starts_with('0'), "{uid}");
        }
        assert_eq!(map_uid(&a, "1.2.840.10008.1.2.1"), "1.2.840.10008.1.2.1");
    }
}
