//! The locks of a home's keys: opened with the passphrase, and renewed.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    DEID, ETHEREUM, Error, Home, KEYS, Keys, MAX_FILE, OPENPGP, Result, deid, io_at, renewal,
};
use pcim_core::{LockCost, Passphrase, private};
use pcim_ledger::Account;
use pcim_seal::LockedKey;

impl Home {
    /// Unlocks both keys, one beside the other: the passphrase is tried as it was given, then in its compatibility form
    /// (Unicode NFKC). Takes 256 MiB and a good part of a second of both processors.
    ///
    /// Keys whose locks cost as little to guess at as those of the first homes, and a key of de-identification in the clear,
    /// are locked again at [`LockCost::FULL`].
    ///
    /// # Errors
    /// [`Error::OpenPgp`], [`Error::Ethereum`], [`Error::OpenToOthers`], [`Error::Io`]
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<Keys> {
        let first = match self.unlock_with(passphrase) {
            Ok(keys) => Ok((keys, None)),
            Err(error) => Err(error),
        };
        let (keys, normalized) = match first {
            Err(error) if is_wrong_passphrase(&error) => match passphrase.normalized() {
                Some(other) => (self.unlock_with(&other)?, Some(other)),
                None => return Err(error),
            },
            other => other?,
        };
        // The keys are at hand all the same: a full disk locks nobody out.
        if let Err(error) = self.renew_light_locks(&keys, normalized.as_ref().unwrap_or(passphrase))
        {
            tracing::warn!("the keys keep their weaker locks: {error}");
        }
        Ok(keys)
    }

    fn unlock_with(&self, passphrase: &Passphrase) -> Result<Keys> {
        let keystore = self.read_secret(ETHEREUM)?;
        let openpgp = self.openpgp()?;
        std::thread::scope(|scope| {
            let account = scope.spawn(|| Account::from_keystore(&keystore, passphrase));
            let openpgp = openpgp.unlock(passphrase).map_err(Error::OpenPgp);
            let account = account
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok(Keys {
                account: account.map_err(Error::Ethereum)?,
                openpgp: Arc::new(openpgp?),
            })
        })
    }

    /// Reads the OpenPGP key, still locked.
    pub fn openpgp(&self) -> Result<LockedKey> {
        LockedKey::from_bytes(&self.read_secret(OPENPGP)?).map_err(Error::OpenPgp)
    }

    /// Reads the key of the UID mapping.
    ///
    /// # Errors
    /// [`Error::DeidKey`] if the file is not one that this home's key signed.
    pub fn deid_key(&self, keys: &Keys) -> Result<Zeroizing<[u8; 32]>> {
        let bytes = Zeroizing::new(self.read_secret(DEID)?);
        deid::open(&bytes, &keys.openpgp).map_err(|reason| Error::DeidKey {
            path: self.dir.join(DEID),
            reason,
        })
    }

    /// Locks the keys with another passphrase: both, or neither if the process is killed.
    ///
    /// # Errors
    /// [`Error::Io`], with the old passphrase still good.
    pub fn change_passphrase(&self, keys: &Keys, new: &Passphrase, cost: LockCost) -> Result<()> {
        let stored = new.normalized();
        let new = stored.as_ref().unwrap_or(new);
        self.renew(&[
            (ETHEREUM, keystore(&keys.account, new, cost)?),
            (OPENPGP, openpgp(keys, new, cost)?),
        ])
    }

    fn renew_light_locks(&self, keys: &Keys, passphrase: &Passphrase) -> Result<()> {
        let mut files = Vec::new();
        // Without the lock another process may be at it.
        if self.lock.is_none() {
            return Ok(());
        }
        if Account::is_lightly_locked(&self.read_secret(ETHEREUM)?) {
            files.push((
                ETHEREUM,
                keystore(&keys.account, passphrase, LockCost::FULL)?,
            ));
        }
        if self.openpgp()?.is_lightly_locked() {
            files.push((OPENPGP, openpgp(keys, passphrase, LockCost::FULL)?));
        }
        let is_clear = |found: std::fs::Metadata| found.len() == deid::BYTES as u64;
        if std::fs::metadata(self.dir.join(DEID)).is_ok_and(is_clear) {
            let key = self.deid_key(keys)?;
            let sealed = deid::seal(&key, &keys.openpgp).map_err(Error::OpenPgp)?;
            files.push((DEID, sealed));
        }
        match files.is_empty() {
            true => Ok(()),
            false => self.renew(&files),
        }
    }

    /// Puts files in the place of old ones: all of them or none.
    pub(super) fn renew(&self, files: &[(&str, Vec<u8>)]) -> Result<()> {
        renewal::commit(&self.dir, files)
            .and_then(|()| renewal::finish(&self.dir, &KEYS))
            .map_err(io_at(&self.dir))
    }

    /// Reads a file that only its owner may be able to read.
    pub(super) fn read_secret(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.dir.join(name);
        let file = std::fs::File::open(&path).map_err(io_at(&path))?;
        match private::mode_open_to_others(&file).map_err(io_at(&path))? {
            Some(mode) => Err(Error::OpenToOthers { path, mode }),
            None => private::read_up_to(file, MAX_FILE).map_err(io_at(&path)),
        }
    }
}

pub(super) fn keystore(
    account: &Account,
    passphrase: &Passphrase,
    cost: LockCost,
) -> Result<Vec<u8>> {
    let locked = account.to_keystore(passphrase, cost);
    locked.map_err(Error::Ethereum)
}

fn openpgp(keys: &Keys, passphrase: &Passphrase, cost: LockCost) -> Result<Vec<u8>> {
    let locked = keys.openpgp.lock(passphrase, cost);
    Ok(locked.map_err(Error::OpenPgp)?.to_armored())
}

fn is_wrong_passphrase(error: &Error) -> bool {
    matches!(
        error,
        Error::OpenPgp(pcim_seal::Error::WrongPassphrase { .. })
            | Error::Ethereum(pcim_ledger::Error::Passphrase)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use std::path::Path;

    use super::super::NewHome;
    use super::super::deid::{HEAD, seal};
    use super::super::renewal::{RENEWED, RENEWING, commit};
    use super::*;
    use crate::home::Config;
    use pcim_seal::{KeyKind, UnlockedKey};

    fn pass(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned())
    }

    fn make(dir: &Path, passphrase: &str, openpgp: KeyKind) -> Home {
        let new = NewHome {
            config: Config::default(),
            passphrase: &pass(passphrase),
            cost: LockCost::LIGHT,
            openpgp,
            user_id: None,
            account: None,
        };
        Home::init(dir, new).unwrap()
    }

    fn opens(dir: &Path, passphrase: &str) -> bool {
        Home::open(dir).unwrap().unlock(&pass(passphrase)).is_ok()
    }

    /// The fixture's passphrase.
    const FIRST: &str = "correct horse battery staple";

    /// The keys of the home that the first program made, and nothing else of it.
    fn first_home(dir: &Path) {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/home-v1/home");
        for name in ["config.toml", ETHEREUM, OPENPGP, DEID] {
            let content = fs::read(fixture.join(name)).unwrap();
            private::write_new(&dir.join(name), &content).unwrap();
        }
    }

    /// The real cost, once: 256 MiB, and about as many milliseconds as are printed.
    #[test]
    fn the_first_homes_are_locked_again_at_their_next_unlock() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        first_home(dir);
        let read = |name: &str| fs::read(dir.join(name)).unwrap();
        let clear = read(DEID);
        assert!(Account::is_lightly_locked(&read(ETHEREUM)));
        let home = Home::open(dir).unwrap();
        assert!(home.openpgp().unwrap().is_lightly_locked());
        let old = home.unlock(&pass(FIRST)).unwrap();
        drop(home);

        let keystore: serde_json::Value = serde_json::from_slice(&read(ETHEREUM)).unwrap();
        assert_eq!(keystore["crypto"]["kdfparams"]["n"], 1 << 18);
        assert!(!read(DEID).windows(32).any(|at| at == clear));
        let locked = [ETHEREUM, OPENPGP, DEID].map(read);
        assert!(!dir.join(RENEWED).exists() && !dir.join(RENEWING).exists());

        let home = Home::open(dir).unwrap();
        assert!(!home.openpgp().unwrap().is_lightly_locked());
        let clock = std::time::Instant::now();
        let keys = home.unlock(&pass(FIRST)).unwrap();
        println!("unlocking at full cost: {} ms", clock.elapsed().as_millis());
        assert_eq!(keys.account.address(), old.account.address());
        assert_eq!(
            keys.openpgp.certificate().fingerprint(),
            old.openpgp.certificate().fingerprint()
        );
        assert_eq!(home.deid_key(&keys).unwrap()[..], clear[..]);
        // Nothing is renewed twice.
        assert_eq!([ETHEREUM, OPENPGP, DEID].map(read), locked);
        assert!(home.unlock(&pass("wrong")).is_err());
    }

    #[test]
    fn a_full_disk_locks_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        first_home(dir.path());
        // A file stands where the folder of renewed files would.
        fs::write(dir.path().join(RENEWED), "in the way").unwrap();
        let home = Home {
            dir: dir.path().to_owned(),
            config: Default::default(),
            lock: Some(tempfile::tempfile().unwrap()),
        };
        assert!(home.unlock(&pass(FIRST)).is_ok());
        let keystore = fs::read(dir.path().join(ETHEREUM)).unwrap();
        assert!(Account::is_lightly_locked(&keystore));
    }

    #[test]
    fn a_changed_passphrase_holds_for_both_keys_wherever_the_process_is_killed() {
        for version in [KeyKind::V4, KeyKind::Hybrid] {
            let above = tempfile::tempdir().unwrap();
            let dir = above.path().join("home");
            let home = make(&dir, "old", version);
            let keys = home.unlock(&pass("old")).unwrap();
            let new = [
                (
                    ETHEREUM,
                    keystore(&keys.account, &pass("new"), LockCost::LIGHT).unwrap(),
                ),
                (
                    OPENPGP,
                    openpgp(&keys, &pass("new"), LockCost::LIGHT).unwrap(),
                ),
            ];
            drop(home);
            // Killed while it wrote: one file is there, and half of another.
            private::create_dir(&dir.join(RENEWING)).unwrap();
            fs::write(dir.join(RENEWING).join(ETHEREUM), &new[0].1).unwrap();
            fs::write(dir.join(RENEWING).join(OPENPGP), &new[1].1[..100]).unwrap();
            assert!(opens(&dir, "old") && !opens(&dir, "new"));
            assert!(!dir.join(RENEWING).exists());
            // Killed after it counted, with both files or one still to be moved.
            for moved in 0..=2 {
                commit(&dir, &new).unwrap();
                for (name, _) in &new[..moved] {
                    fs::rename(dir.join(RENEWED).join(name), dir.join(name)).unwrap();
                }
                assert!(opens(&dir, "new") && !opens(&dir, "old"), "{moved}");
                assert!(!dir.join(RENEWED).exists());
            }
            // And whole.
            let home = Home::open(&dir).unwrap();
            let keys = home.unlock(&pass("new")).unwrap();
            let deid = home.deid_key(&keys).unwrap();
            home.change_passphrase(&keys, &pass("third"), LockCost::LIGHT)
                .unwrap();
            let keys = home.unlock(&pass("third")).unwrap();
            assert!(home.unlock(&pass("new")).is_err());
            assert_eq!(home.deid_key(&keys).unwrap(), deid);
        }
    }

    /// The first form is what ethers derives its key from; the second is what a person types on one machine or another.
    #[test]
    fn passphrases_beyond_ascii_open_in_every_form() {
        let above = tempfile::tempdir().unwrap();
        for (number, [stored, typed]) in [["five m2", "five m²"], ["über", "u\u{308}ber"]]
            .into_iter()
            .enumerate()
        {
            let dir = above.path().join(number.to_string());
            let home = make(&dir, typed, KeyKind::Hybrid);
            let keystore = fs::read(dir.join(ETHEREUM)).unwrap();
            // As another wallet reads it.
            assert!(Account::from_keystore(&keystore, &pass(stored)).is_ok());
            assert!(Account::from_keystore(&keystore, &pass(typed)).is_err());
            assert!(home.unlock(&pass(typed)).is_ok() && home.unlock(&pass(stored)).is_ok());
            assert!(home.unlock(&pass("five m3")).is_err());

            // A home that was locked with the bytes as given opens with them.
            let keys = home.unlock(&pass(typed)).unwrap();
            let raw = [
                (
                    ETHEREUM,
                    super::keystore(&keys.account, &pass(typed), LockCost::LIGHT).unwrap(),
                ),
                (
                    OPENPGP,
                    openpgp(&keys, &pass(typed), LockCost::LIGHT).unwrap(),
                ),
            ];
            home.renew(&raw).unwrap();
            assert!(home.unlock(&pass(typed)).is_ok());
        }
    }

    #[test]
    fn keys_that_others_can_read_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("home");
        let home = make(&dir, "p", KeyKind::Hybrid);
        for name in [ETHEREUM, OPENPGP] {
            for mode in [0o644, 0o640, 0o604] {
                fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
                let refused = home.unlock(&pass("p"));
                assert!(
                    matches!(refused, Err(Error::OpenToOthers { mode: found, .. }) if found == mode),
                    "{name} {mode:o}"
                );
            }
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert!(home.unlock(&pass("p")).is_ok());
    }

    #[test]
    fn another_document_is_no_key_of_deidentification() {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("home");
        let home = make(&dir, "p", KeyKind::Hybrid);
        let keys = home.unlock(&pass("p")).unwrap();
        let own = keys.openpgp.certificate();
        let foreign = UnlockedKey::generate(KeyKind::Hybrid, None).unwrap();
        let documents = [
            pcim_seal::encrypt_document(&[7; 32], &keys.openpgp, &[&own]).unwrap(),
            seal(&[7; 32], &foreign).unwrap(),
            pcim_seal::encrypt_document(&[HEAD, &[7; 32]].concat(), &foreign, &[&own]).unwrap(),
            pcim_seal::encrypt_document(&[HEAD, &[7; 31]].concat(), &keys.openpgp, &[&own])
                .unwrap(),
            vec![7; 31],
            Vec::new(),
        ];
        for (number, document) in documents.iter().enumerate() {
            fs::write(dir.join(DEID), document).unwrap();
            let refused = home.deid_key(&keys);
            assert!(matches!(refused, Err(Error::DeidKey { .. })), "{number}");
        }
    }
}
