//! The key of de-identification on the disk: encrypted to its home's own key, and signed by it.

use pcim_seal::UnlockedKey;
use zeroize::Zeroizing;

/// Stands before the key, so that no other document of the home's own passes for one.
pub(super) const HEAD: &[u8] = b"pcim-deid-key 1\n";
/// Bytes of the key.
pub(super) const BYTES: usize = 32;

/// Encrypts a key to its home's own key.
pub(super) fn seal(key: &[u8; BYTES], own: &UnlockedKey) -> pcim_seal::Result<Vec<u8>> {
    let plain = Zeroizing::new([HEAD, key].concat());
    pcim_seal::encrypt_document(&plain, own, &[&own.certificate()])
}

/// Reads a key; the first homes have it in the clear.
pub(super) fn open(file: &[u8], own: &UnlockedKey) -> Result<Zeroizing<[u8; BYTES]>, String> {
    let key = |bytes: &[u8]| {
        let found = bytes.len();
        <[u8; BYTES]>::try_from(bytes)
            .map(Zeroizing::new)
            .map_err(|_| format!("{found} bytes instead of {BYTES}"))
    };
    if file.len() == BYTES {
        return key(file);
    }
    let certificate = own.certificate();
    let plain = pcim_seal::decrypt_document(file, own, |_| Ok(certificate));
    let plain = Zeroizing::new(plain.map_err(|error| error.to_string())?);
    let rest = plain.strip_prefix(HEAD);
    key(rest.ok_or("not a key of de-identification")?)
}
