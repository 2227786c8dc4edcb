//! The home itself: keys, passphrase, backup, room on the disk.

use pcim_client::home::Home;

use super::finding::Finding;
use crate::context::{Context, WANTED_GUESSES, guesses, passphrase_path};

/// Below this a node that fetches an image is likely to fail.
const LITTLE_BYTES: u64 = 1 << 30;
/// Below this nothing is written safely any more.
const LEAST_BYTES: u64 = 64 << 20;

/// The keys, and the passphrase if a file has it: nobody is asked.
pub(super) fn keys(context: &Context, home: &Home) -> Vec<Finding> {
    let key = match home.openpgp() {
        Ok(key) if key.certificate().is_post_quantum() => {
            Finding::good("keys", format!("account {}", home.address()))
        }
        Ok(_) => Finding::note(
            "keys",
            format!(
                "account {}; the OpenPGP key is not post-quantum",
                home.address()
            ),
            "pcim patient rekey --pq",
        ),
        Err(error) => Finding::bad("keys", error.to_string(), "restore the home: pcim restore"),
    };
    let Some(path) = passphrase_path() else {
        let why = "not looked at: PCIM_PASSPHRASE_FILE names no file";
        return vec![key, Finding::skipped("passphrase", why)];
    };
    let passphrase = match context.passphrase("") {
        Ok(passphrase) => passphrase,
        Err(error) => {
            let remedy = format!("chmod 600 {}", path.display());
            return vec![
                key,
                Finding::bad("passphrase", format!("{error:#}"), &remedy),
            ];
        }
    };
    let strength = guesses(&passphrase, &[]);
    let finding = match home.unlock(&passphrase) {
        Err(error) => {
            let remedy = "check the file that PCIM_PASSPHRASE_FILE names";
            Finding::bad("passphrase", error.to_string(), remedy)
        }
        Ok(_) if strength < WANTED_GUESSES => Finding::note(
            "passphrase",
            format!("weak: about 10^{strength:.0} guesses find it"),
            "pcim passphrase change",
        ),
        Ok(_) => Finding::good(
            "passphrase",
            format!("opens the keys; about 10^{strength:.0} guesses"),
        ),
    };
    vec![key, finding]
}

/// Backup and disk.
pub(super) fn safety(home: &Home) -> Vec<Finding> {
    let backup = match home.backup_path().is_file() {
        true => Finding::good("backup", "its keys are here; give followers each new one"),
        false => Finding::note(
            "backup",
            "none: a lost disk loses the keys",
            "pcim backup --guardian CARD …, or pcim backup paper",
        ),
    };
    vec![backup, disk(home)]
}

fn disk(home: &Home) -> Finding {
    let what = "disk";
    let remedy = "make room on the disk";
    match home.free_bytes() {
        Ok(Some(free)) => {
            let found = format!("{} MiB free", free >> 20);
            match free {
                0..LEAST_BYTES => Finding::bad(what, found, remedy),
                LEAST_BYTES..LITTLE_BYTES => Finding::note(what, found, remedy),
                _ => Finding::good(what, found),
            }
        }
        Ok(None) => Finding::skipped(what, "this system does not tell"),
        Err(error) => Finding::bad(what, error.to_string(), remedy),
    }
}
