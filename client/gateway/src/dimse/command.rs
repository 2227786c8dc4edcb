//! Command sets (PS3.7 §6.3.1): group 0000, Implicit VR Little Endian, written and read here.

use std::collections::BTreeMap;

/// Most bytes of a command set; those of the services that are offered stay below one kibibyte.
pub(crate) const COMMAND_MAX: usize = 16 * 1024;

/// Says that no data set follows.
const NO_DATA_SET: u16 = 0x0101;
/// Marks the command of a response.
const RESPONSE: u16 = 0x8000;

/// Elements of group 0000 (PS3.7 §E.1).
mod element {
    pub(super) const GROUP_LENGTH: u16 = 0x0000;
    pub(super) const AFFECTED_CLASS: u16 = 0x0002;
    pub(super) const REQUESTED_CLASS: u16 = 0x0003;
    pub(super) const COMMAND: u16 = 0x0100;
    pub(super) const MESSAGE: u16 = 0x0110;
    pub(super) const ANSWERED: u16 = 0x0120;
    pub(super) const DESTINATION: u16 = 0x0600;
    pub(super) const PRIORITY: u16 = 0x0700;
    pub(super) const DATA_SET: u16 = 0x0800;
    pub(super) const STATUS: u16 = 0x0900;
    pub(super) const COMMENT: u16 = 0x0902;
    pub(super) const AFFECTED_INSTANCE: u16 = 0x1000;
    pub(super) const REQUESTED_INSTANCE: u16 = 0x1001;
    pub(super) const EVENT: u16 = 0x1002;
    pub(super) const ACTION: u16 = 0x1008;
    pub(super) const REMAINING: u16 = 0x1020;
    pub(super) const COMPLETED: u16 = 0x1021;
    pub(super) const FAILED: u16 = 0x1022;
    pub(super) const WARNED: u16 = 0x1023;
    pub(super) const ORIGINATOR: u16 = 0x1030;
    pub(super) const ORIGINATOR_MESSAGE: u16 = 0x1031;
}

/// Commands (PS3.7 §E.1).
pub(crate) mod field {
    pub(crate) const C_STORE: u16 = 0x0001;
    pub(crate) const C_GET: u16 = 0x0010;
    pub(crate) const C_FIND: u16 = 0x0020;
    pub(crate) const C_MOVE: u16 = 0x0021;
    pub(crate) const C_ECHO: u16 = 0x0030;
    pub(crate) const N_EVENT_REPORT: u16 = 0x0100;
    pub(crate) const N_ACTION: u16 = 0x0130;
    pub(crate) const C_CANCEL: u16 = 0x0fff;
}

/// The operations of a C-MOVE or a C-GET, each of one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) remaining: u16,
    pub(crate) completed: u16,
    pub(crate) failed: u16,
    pub(crate) warned: u16,
}

/// A command set that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command set is malformed: {0}")]
pub(crate) struct MalformedCommand(&'static str);

/// A command set, its elements as they are encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command(BTreeMap<u16, Vec<u8>>);

impl Command {
    /// Reads a whole command set.
    pub(crate) fn read(mut bytes: &[u8]) -> Result<Self, MalformedCommand> {
        if bytes.len() > COMMAND_MAX {
            return Err(MalformedCommand("it is too long"));
        }
        let mut elements = BTreeMap::new();
        while !bytes.is_empty() {
            let Some((&[0, 0, a, b, c, d, e, f], rest)) = bytes.split_first_chunk() else {
                return Err(MalformedCommand("an element is cut or not of group 0000"));
            };
            let length = u32::from_le_bytes([c, d, e, f]) as usize;
            let Some((value, rest)) = rest.split_at_checked(length) else {
                return Err(MalformedCommand("a value is longer than the set"));
            };
            if elements
                .insert(u16::from_le_bytes([a, b]), value.to_vec())
                .is_some()
            {
                return Err(MalformedCommand("an element is there twice"));
            }
            bytes = rest;
        }
        let command = Self(elements);
        let wanted = [element::COMMAND, element::DATA_SET];
        match wanted.into_iter().all(|tag| command.short(tag).is_some()) {
            true => Ok(command),
            false => Err(MalformedCommand("it names no command")),
        }
    }

    /// Encodes it, with its length in front.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let put = |out: &mut Vec<u8>, tag: u16, value: &[u8]| {
            out.extend([0, 0]);
            out.extend(tag.to_le_bytes());
            out.extend((value.len() as u32).to_le_bytes());
            out.extend(value);
        };
        let elements = self
            .0
            .iter()
            .filter(|(tag, _)| **tag != element::GROUP_LENGTH);
        let mut rest = Vec::new();
        elements.for_each(|(tag, value)| put(&mut rest, *tag, value));
        put(
            &mut out,
            element::GROUP_LENGTH,
            &(rest.len() as u32).to_le_bytes(),
        );
        out.extend(rest);
        out
    }

    fn short(&self, tag: u16) -> Option<u16> {
        let value = self.0.get(&tag)?.as_slice();
        Some(u16::from_le_bytes(value.try_into().ok()?))
    }

    fn uid(&self, tag: u16) -> Option<&str> {
        let text = std::str::from_utf8(self.0.get(&tag)?).ok()?;
        let text = text.trim_end_matches(['\0', ' ']);
        is_uid(text).then_some(text)
    }

    fn set_short(&mut self, tag: u16, value: u16) {
        self.0.insert(tag, value.to_le_bytes().to_vec());
    }

    fn set_text(&mut self, tag: u16, text: &str, pad: u8) {
        let mut value = text.as_bytes().to_vec();
        value.extend([pad].iter().take(text.len() % 2));
        self.0.insert(tag, value);
    }

    /// The command.
    pub(crate) fn field(&self) -> u16 {
        self.short(element::COMMAND).unwrap_or_default()
    }

    /// Says whether it answers another.
    pub(crate) fn is_response(&self) -> bool {
        self.field() & RESPONSE != 0
    }

    /// Says whether it answers a command of this kind.
    pub(crate) fn answers(&self, field: u16) -> bool {
        self.field() == field | RESPONSE
    }

    /// Says whether a data set follows.
    pub(crate) fn has_data_set(&self) -> bool {
        self.short(element::DATA_SET) != Some(NO_DATA_SET)
    }

    /// The class that it is about.
    pub(crate) fn class(&self) -> Option<&str> {
        let requested = || self.uid(element::REQUESTED_CLASS);
        self.uid(element::AFFECTED_CLASS).or_else(requested)
    }

    /// The instance that it is about.
    pub(crate) fn instance(&self) -> Option<&str> {
        let requested = || self.uid(element::REQUESTED_INSTANCE);
        self.uid(element::AFFECTED_INSTANCE).or_else(requested)
    }

    /// The kind of an action.
    pub(crate) fn action(&self) -> Option<u16> {
        self.short(element::ACTION)
    }

    /// The response to this command; a comment of at most 64 characters says why it was refused.
    pub(crate) fn response(&self, status: u16, comment: &str) -> Self {
        let mut answer = Self::default();
        if let Some(class) = self.class() {
            answer.set_text(element::AFFECTED_CLASS, class, 0);
        }
        answer.set_short(element::COMMAND, self.field() | RESPONSE);
        let message = self.short(element::MESSAGE).unwrap_or_default();
        answer.set_short(element::ANSWERED, message);
        answer.set_short(element::DATA_SET, NO_DATA_SET);
        answer.set_short(element::STATUS, status);
        if !comment.is_empty() {
            let comment: String = comment.chars().filter(char::is_ascii).take(64).collect();
            answer.set_text(element::COMMENT, &comment, b' ');
        }
        if let Some(instance) = self.instance() {
            answer.set_text(element::AFFECTED_INSTANCE, instance, 0);
        }
        if let Some(action) = self.action() {
            answer.set_short(element::ACTION, action);
        }
        answer
    }

    /// The number of the message.
    pub(crate) fn message(&self) -> u16 {
        self.short(element::MESSAGE).unwrap_or_default()
    }

    /// Says whether it cancels the operation of a message.
    pub(crate) fn cancels(&self, message: u16) -> bool {
        self.field() == field::C_CANCEL && self.short(element::ANSWERED) == Some(message)
    }

    /// The application to which a C-MOVE is to send.
    pub(crate) fn destination(&self) -> Option<&str> {
        let text = std::str::from_utf8(self.0.get(&element::DESTINATION)?).ok()?;
        Some(text.trim_matches([' ', '\0'])).filter(|it| (1..=16).contains(&it.len()))
    }

    /// Says that a data set follows.
    pub(crate) fn with_data_set(mut self) -> Self {
        self.set_short(element::DATA_SET, 0);
        self
    }

    /// Adds how many operations are done; those that remain stand in answers that are not the last alone.
    pub(crate) fn with_counts(mut self, counts: Counts, is_last: bool) -> Self {
        let of_all = [
            (element::COMPLETED, counts.completed),
            (element::FAILED, counts.failed),
            (element::WARNED, counts.warned),
        ];
        of_all
            .into_iter()
            .for_each(|(tag, value)| self.set_short(tag, value));
        if !is_last {
            self.set_short(element::REMAINING, counts.remaining);
        }
        self
    }

    /// A request to store an instance, which a data set follows; `moved` names the application that asked for it by C-MOVE, and
    /// its message.
    pub(crate) fn store(
        class: &str,
        instance: &str,
        message: u16,
        moved: Option<(&str, u16)>,
    ) -> Self {
        let mut command = Self::default();
        command.set_text(element::AFFECTED_CLASS, class, 0);
        command.set_short(element::COMMAND, field::C_STORE);
        command.set_short(element::MESSAGE, message);
        command.set_short(element::PRIORITY, 0);
        command.set_short(element::DATA_SET, 0);
        command.set_text(element::AFFECTED_INSTANCE, instance, 0);
        if let Some((originator, message)) = moved {
            command.set_text(element::ORIGINATOR, originator, b' ');
            command.set_short(element::ORIGINATOR_MESSAGE, message);
        }
        command
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.short(element::STATUS)
    }

    /// A report of an event, which a data set follows.
    pub(crate) fn event(class: &str, instance: &str, message: u16, event: u16) -> Self {
        let mut command = Self::default();
        command.set_text(element::AFFECTED_CLASS, class, 0);
        command.set_short(element::COMMAND, field::N_EVENT_REPORT);
        command.set_short(element::MESSAGE, message);
        command.set_short(element::DATA_SET, 0);
        command.set_text(element::AFFECTED_INSTANCE, instance, 0);
        command.set_short(element::EVENT, event);
        command
    }
}

/// Says whether a text is a UID (PS3.5 §9.1): it stands in answers and errors only then.
pub(crate) fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
impl Command {
    /// The comment of a response.
    pub(crate) fn comment(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.0.get(&element::COMMENT)?);
        Some(text.trim_end().to_owned())
    }

    /// A request as a sender makes it.
    pub(crate) fn request(field: u16, message: u16, class: &str, instance: Option<&str>) -> Self {
        let mut command = Self::default();
        command.set_text(element::AFFECTED_CLASS, class, 0);
        command.set_short(element::COMMAND, field);
        command.set_short(element::MESSAGE, message);
        let data_set = match instance {
            Some(_) => 0,
            None => NO_DATA_SET,
        };
        command.set_short(element::DATA_SET, data_set);
        if let Some(instance) = instance {
            command.set_text(element::AFFECTED_INSTANCE, instance, 0);
        }
        command
    }

    /// A request for an action.
    pub(crate) fn action_request(message: u16, class: &str, instance: &str, action: u16) -> Self {
        let mut command = Self::default();
        command.set_text(element::REQUESTED_CLASS, class, 0);
        command.set_short(element::COMMAND, field::N_ACTION);
        command.set_short(element::MESSAGE, message);
        command.set_short(element::DATA_SET, 0);
        command.set_text(element::REQUESTED_INSTANCE, instance, 0);
        command.set_short(element::ACTION, action);
        command
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::status;

    /// C-ECHO-RQ as dcmtk's echoscu 3.6.7 sends it.
    const ECHO: &[u8] = b"\0\0\0\0\x04\0\0\0\x38\0\0\0\
        \0\0\x02\0\x12\0\0\x001.2.840.10008.1.1\0\
        \0\0\0\x01\x02\0\0\0\x30\0\0\0\x10\x01\x02\0\0\0\x01\0\0\0\0\x08\x02\0\0\0\x01\x01";

    #[test]
    fn a_command_of_another_program_is_read_and_answered() {
        let echo = Command::read(ECHO).unwrap();
        assert_eq!(echo.field(), field::C_ECHO);
        assert_eq!(echo.class(), Some("1.2.840.10008.1.1"));
        assert!(!echo.has_data_set() && !echo.is_response());
        assert_eq!(echo.to_bytes(), ECHO);
        let answer = echo.response(status::SUCCESS, "");
        assert!(answer.is_response() && !answer.has_data_set());
        assert_eq!(answer.status(), Some(0));
        assert_eq!(answer.short(element::ANSWERED), Some(1));
        assert_eq!(
            Command::read(&answer.to_bytes()),
            Ok(without_length(&answer))
        );
    }

    fn without_length(command: &Command) -> Command {
        let mut whole = command.clone();
        let length = command.to_bytes().len() as u32 - 12;
        let length = length.to_le_bytes().to_vec();
        whole.0.insert(element::GROUP_LENGTH, length);
        whole
    }

    #[test]
    fn malformed_sets_are_refused() {
        for end in 1..ECHO.len() {
            assert!(Command::read(&ECHO[..end]).is_err(), "{end}");
        }
        let twice = [ECHO, &ECHO[ECHO.len() - 10..]].concat();
        let error = Command::read(&twice).unwrap_err();
        assert_eq!(error, MalformedCommand("an element is there twice"));
        let other = [b"\x02\0\0\0\0\0\0\0", ECHO].concat();
        assert!(Command::read(&other).is_err());
        let long = [&b"\0\0\xff\xff\0\x40\0\0"[..], &[0; 0x4000], ECHO].concat();
        let error = Command::read(&long).unwrap_err();
        assert_eq!(error, MalformedCommand("it is too long"));
        assert!(Command::read(b"\0\0\xff\xff\xff\xff\xff\xff").is_err());
    }

    #[test]
    fn nothing_but_a_uid_is_taken_for_one() {
        let command = Command::request(field::C_STORE, 1, "1.2\n3", Some("Meier^Anna"));
        assert_eq!(command.class(), None);
        assert_eq!(command.instance(), None);
        let answer = command.response(status::CANNOT_UNDERSTAND, "no \u{e4} UID");
        assert!(!answer.to_bytes().windows(5).any(|at| at == b"Meier"));
        assert_eq!(answer.0[&element::COMMENT], b"no  UID ");
    }
}
