//! The DIMSE door: verification, storage, query and retrieve, storage commitment (PS3.4 Annexes A, B, C, J).

mod association;
mod classes;
mod command;
mod message;
mod negotiate;
mod outgoing;
mod report;
mod retrieve;
mod search;
mod serve;

pub(crate) use command::is_uid;
pub(crate) use serve::Door;

/// Reads a command set; one that reads is the same when it is written and read again, and makes an answer.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_command(bytes: &[u8]) {
    if let Ok(command) = command::Command::read(bytes) {
        let again = command::Command::read(&command.to_bytes());
        assert_eq!(again.map(|it| it.field()), Ok(command.field()));
        assert!(command.response(0, "why").is_response());
    }
}

#[cfg(test)]
mod tests;
