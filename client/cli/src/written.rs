//! Addresses that are written out.

use pcim_core::Address;

/// An address; one in mixed case must have its checksum right (EIP-55).
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let wrong = || format!("`{text}` is not an address (0x and 40 hex digits)");
    let digits = text.strip_prefix("0x").ok_or_else(wrong)?;
    let mixed = digits.bytes().any(|b| b.is_ascii_lowercase())
        && digits.bytes().any(|b| b.is_ascii_uppercase());
    if mixed {
        return Address::parse_checksummed(text, None)
            .map_err(|_| format!("`{text}` is mistyped: its checksum is wrong (EIP-55)"));
    }
    text.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::address;

    #[test]
    fn addresses_are_checked() {
        let good = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        assert_eq!(address(good).unwrap().to_string(), good);
        assert!(address(&good.to_lowercase()).is_ok());
        assert!(
            address(&good.replace('F', "f"))
                .unwrap_err()
                .contains("checksum")
        );
        assert!(address("0x12").is_err());
        assert!(address("f39fd6e51aad88f6f4ce6ab8827279cfffb92266").is_err());
    }
}
