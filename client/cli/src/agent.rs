//! The agent: a process that holds a home's unlocked keys for a time, for the home's other commands.
//!
//! The keys lie in one piece of memory that is not swapped out, and nowhere on the disk. They are given to processes of the
//! same user over a socket that only he can open. The agent ends, and wipes them, when the time is over, when it is asked to,
//! when the login session ends in which it was started, and with its socket.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use pcim_client::home::{Home, Keys};
use pcim_core::socket;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use zeroize::{Zeroize, Zeroizing};

/// Most bytes of the keys: the Ethereum key, and the largest OpenPGP key that a home has.
const MAX_KEYS: usize = ETHEREUM + pcim_seal::KEY_MAX;
/// Bytes of the Ethereum key, which stands first.
const ETHEREUM: usize = 32;
/// How long a process at the socket is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the agent looks whether it is to end.
const LOOK: Duration = Duration::from_millis(500);
/// Asks for the keys.
const GIVE: u8 = b'K';
/// Asks the agent to forget them.
const FORGET: u8 = b'F';

/// Asks a home's agent for the keys; none if there is no agent, or if it is not one to be believed.
pub(crate) async fn keys(home: &Home) -> Option<Keys> {
    let answer = timeout(PATIENCE, ask(&home.agent_path(), GIVE))
        .await
        .ok()?;
    let keys = Keys::from_exposed(&answer.ok()?)?;
    (keys.account.address() == home.address()).then_some(keys)
}

/// Has a home's agent forget the keys; false if there is none.
pub(crate) async fn forget(home: &Home) -> bool {
    let answer = timeout(PATIENCE, ask(&home.agent_path(), FORGET)).await;
    answer.is_ok_and(|answer| answer.is_ok())
}

/// One question: the answer is read to its end.
async fn ask(path: &Path, question: u8) -> io::Result<Zeroizing<Vec<u8>>> {
    use std::os::unix::fs::MetadataExt;
    let owner = path.parent().unwrap_or(path).metadata()?.uid();
    let mut stream = socket::connect(path).await?;
    if stream.peer_cred()?.uid() != owner {
        let text = "another user's process listens there";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    stream.write_all(&[question]).await?;
    read_keys(&mut stream).await
}

/// Reads keys to their end, into memory that is wiped and that they do not outgrow.
async fn read_keys(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; MAX_KEYS + 1]);
    let mut length = 0;
    loop {
        match from.read(&mut bytes[length..]).await? {
            0 => break,
            read => length += read,
        }
        if length > MAX_KEYS {
            let text = format!("more than {MAX_KEYS} bytes of keys");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Keys in memory that is not swapped out; wiped when this is dropped.
struct Held {
    bytes: Vec<u8>,
    /// None if the system did not allow it.
    pinned: Option<region::LockGuard>,
}

impl Held {
    /// Reads the keys into memory that is locked before the first byte comes.
    fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut held = Self {
            bytes: vec![0; MAX_KEYS],
            pinned: None,
        };
        held.pinned = region::lock(held.bytes.as_ptr(), held.bytes.len()).ok();
        let mut length = 0;
        while length < MAX_KEYS {
            match from.read(&mut held.bytes[length..])? {
                0 => break,
                read => length += read,
            }
        }
        // The memory stays where it is.
        held.bytes.truncate(length);
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// An agent's socket; it goes away with this.
struct Socket {
    path: PathBuf,
    number: u64,
}

impl Socket {
    /// Says whether the name is still that of this agent's socket.
    fn is_there(&self) -> bool {
        number(&self.path).is_some_and(|found| found == self.number)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn number(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|found| {
        use std::os::unix::fs::MetadataExt;
        found.ino()
    })
}

/// Runs the agent of the home in `dir`: takes the keys from `from`, calls `ready` with whether their memory is locked, and
/// serves until it is to end.
pub(crate) async fn run(
    dir: &Path,
    lasts: Duration,
    mut from: impl Read,
    ready: impl FnOnce(bool) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let path = Home::agent_path_in(dir);
    let held = Held::read(&mut from).context("no keys came")?;
    let (listener, owner) = socket::bind(&path).with_context(|| path.display().to_string())?;
    let number = number(&path).context("the socket is gone")?;
    let socket = Socket { path, number };
    ready(held.pinned.is_some())?;
    let ending = async {
        let session = Session::of_this_process();
        let (clock, until) = (
            tokio::time::Instant::now() + lasts,
            SystemTime::now() + lasts,
        );
        // The wall clock runs on while the machine sleeps.
        while tokio::time::Instant::now() < clock
            && SystemTime::now() < until
            && socket.is_there()
            && !session.has_ended()
        {
            sleep(LOOK).await;
        }
    };
    let serving = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(LOOK).await;
                continue;
            };
            if !stream.peer_cred().is_ok_and(|peer| peer.uid() == owner) {
                continue;
            }
            // One after the other: whoever hangs is let go of soon.
            match timeout(PATIENCE, answer(stream, &held.bytes)).await {
                Ok(Ok(true)) => break,
                _ => continue,
            }
        }
    };
    tokio::select! {
        () = ending => {}
        () = serving => {}
    }
    Ok(())
}

/// Answers one process; true if it asks to forget the keys.
async fn answer(mut stream: UnixStream, keys: &[u8]) -> io::Result<bool> {
    match stream.read_u8().await? {
        GIVE => stream.write_all(keys).await.map(|()| false),
        FORGET => Ok(true),
        _ => Ok(false),
    }
}

/// The login session of a process: it lasts as long as the process that leads it.
struct Session(Option<(PathBuf, String)>);

impl Session {
    /// None is watched if the leader has ended already, as under a service manager.
    fn of_this_process() -> Self {
        let leader = nix::unistd::getsid(None).ok();
        let leader =
            leader.filter(|leader| leader.as_raw() > 1 && *leader != nix::unistd::getpid());
        Self(leader.and_then(|leader| {
            let path = PathBuf::from(format!("/proc/{leader}/stat"));
            Some((path.clone(), started(&path)?))
        }))
    }

    fn has_ended(&self) -> bool {
        let ended = |(path, at): &(PathBuf, String)| started(path).is_none_or(|now| now != *at);
        self.0.as_ref().is_some_and(ended)
    }
}

/// The time at which a process started, as the system counts it; none if it has ended.
fn started(stat: &Path) -> Option<String> {
    let text = std::fs::read_to_string(stat).ok()?;
    // Field 22 (proc(5)); the name in parentheses may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let at = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| at.to_owned())
}

/// The wall clock's second after so long.
pub(crate) fn end_of(lasts: Duration) -> u64 {
    let end = (SystemTime::now() + lasts).duration_since(UNIX_EPOCH);
    end.map_or(0, |end| end.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pcim_core::chance::{Numbers, mutations};
    use pcim_ledger::Account;
    use pcim_seal::{KeyKind, UnlockedKey};

    use super::*;

    #[test]
    fn keys_come_back_and_damaged_ones_do_not_pass_for_others() {
        let keys = Keys {
            account: Account::generate(),
            openpgp: UnlockedKey::generate(KeyKind::Hybrid, None).unwrap().into(),
        };
        let bytes = keys.expose().unwrap();
        let again = Keys::from_exposed(&bytes).unwrap();
        assert_eq!(again.account.address(), keys.account.address());
        assert_eq!(again.openpgp.certificate(), keys.openpgp.certificate());
        for length in [0, 31, 32, 33, bytes.len() - 1] {
            assert!(Keys::from_exposed(&bytes[..length]).is_none(), "{length}");
        }
        let mut numbers = Numbers(7);
        let mut same = 0;
        for _ in 0..mutations() {
            // Nothing panics, and what is read is a key of its own.
            if let Some(read) = Keys::from_exposed(&numbers.mutated(&bytes)) {
                same += usize::from(read.account.address() == keys.account.address());
            }
        }
        println!(
            "{same} of {} mutated keys have the same account",
            mutations()
        );
    }

    #[tokio::test]
    async fn more_than_keys_is_not_read() {
        let long = vec![7; MAX_KEYS + 10];
        assert!(read_keys(&mut &long[..]).await.is_err());
        let held = Held::read(&mut &long[..]).unwrap();
        assert_eq!(held.bytes.len(), MAX_KEYS);
    }

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = PathBuf::from("/proc/self/stat");
        let at = started(&own).unwrap();
        assert_eq!(started(&own), Some(at.clone()));
        assert!(!Session(Some((own.clone(), at))).has_ended());
        assert!(Session(Some((own, "0".to_owned()))).has_ended());
        assert!(Session(Some(("/proc/0/stat".into(), "1".to_owned()))).has_ended());
        assert!(!Session(None).has_ended());
    }
}
