//! Text as files write it: decoded by the file's character set, and written again in every one that could hide it.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

/// Specific Character Set.
const CHARACTER_SET: u32 = 0x0008_0005;

/// The character sets (PS3.3 §C.12.1.1.2) in which a text is looked for besides its own, UTF-8 and UTF-16.
const OTHERS: [&str; 13] = [
    "ISO_IR 100",
    "ISO_IR 101",
    "ISO_IR 109",
    "ISO_IR 110",
    "ISO_IR 144",
    "ISO_IR 127",
    "ISO_IR 126",
    "ISO_IR 138",
    "ISO_IR 166",
    "ISO_IR 13",
    "ISO_IR 149",
    "GB18030",
    "ISO 2022 IR 87",
];

/// The character set of a file.
pub(super) struct Decoder(SpecificCharacterSet);

impl Decoder {
    /// The character set that a file names; of several the last is the one that escapes lead to.
    pub(super) fn of(walked: &super::walk::Walked<'_>) -> Self {
        let codes = walked.text(CHARACTER_SET);
        let set = codes
            .rsplit('\\')
            .find_map(|code| SpecificCharacterSet::from_code(code.trim()));
        Self(set.unwrap_or_default())
    }

    /// The text of bytes, without padding.
    pub(super) fn text(&self, bytes: &[u8]) -> String {
        let bytes = trimmed(bytes);
        let decoded = match std::str::from_utf8(bytes) {
            // Escapes are ASCII and mean something else.
            Ok(text) if !bytes.contains(&0x1b) => Ok(text.to_owned()),
            _ => self.0.decode(bytes).map_err(drop),
        };
        decoded.unwrap_or_else(|()| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Without the padding of every VR.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let padding = |b: &u8| matches!(b, b' ' | 0);
    let start = bytes.iter().position(|b| !padding(b));
    let end = bytes.iter().rposition(|b| !padding(b));
    match (start, end) {
        (Some(start), Some(end)) => &bytes[start..=end],
        _ => &[],
    }
}

/// The text of bytes that should be ASCII, without padding.
pub(super) fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(trimmed(bytes)).into_owned()
}

/// How many bytes a character takes at least in the encoding, so that its neighbours can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Width {
    /// One byte.
    One,
    /// Two, the less significant first.
    Little,
    /// Two, the more significant first.
    Big,
}

/// Every way in which a text is written.
pub(super) fn encodings(text: &str) -> Vec<(Width, Vec<u8>)> {
    let mut found = vec![
        (Width::One, text.as_bytes().to_vec()),
        (
            Width::Little,
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            Width::Big,
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    ];
    if text.is_ascii() {
        return found;
    }
    for code in OTHERS {
        let set = SpecificCharacterSet::from_code(code);
        let encoded = set.and_then(|set| set.encode(text).ok());
        // A character that a set does not have becomes `?` or a reference.
        let whole = |bytes: &Vec<u8>| {
            let marks = |bytes: &[u8]| bytes.iter().filter(|b| matches!(b, b'?' | b'&')).count();
            marks(bytes) <= marks(text.as_bytes()) && !bytes.is_empty()
        };
        found.extend(encoded.filter(whole).map(|bytes| (Width::One, bytes)));
    }
    found.sort();
    found.dedup();
    found
}

/// A Latin text without its accents, in the two ways that are common; none if it has none.
pub(super) fn folded(text: &str) -> Vec<String> {
    if text.is_ascii() {
        return Vec::new();
    }
    let fold = |german: bool| {
        let mut out = String::new();
        for character in text.chars() {
            let plain = match (character, german) {
                ('ä' | 'æ', true) => "ae",
                ('ö' | 'ø' | 'œ', true) => "oe",
                ('ü', true) => "ue",
                ('Ä' | 'Æ', true) => "AE",
                ('Ö' | 'Ø' | 'Œ', true) => "OE",
                ('Ü', true) => "UE",
                ('å', true) => "aa",
                ('ß', _) => "ss",
                ('à'..='å' | 'ā' | 'ă' | 'ą', _) => "a",
                ('À'..='Å' | 'Ā' | 'Ă' | 'Ą', _) => "A",
                ('ç' | 'ć' | 'č', _) => "c",
                ('Ç' | 'Ć' | 'Č', _) => "C",
                ('ď' | 'đ', _) => "d",
                ('Ď' | 'Đ', _) => "D",
                ('è'..='ë' | 'ē' | 'ę' | 'ě', _) => "e",
                ('È'..='Ë' | 'Ē' | 'Ę' | 'Ě', _) => "E",
                ('ğ', _) => "g",
                ('ì'..='ï' | 'ī' | 'ı', _) => "i",
                ('Ì'..='Ï' | 'Ī' | 'İ', _) => "I",
                ('ł', _) => "l",
                ('Ł', _) => "L",
                ('ñ' | 'ń' | 'ň', _) => "n",
                ('Ñ' | 'Ń' | 'Ň', _) => "N",
                ('ò'..='ö' | 'ø' | 'ő', _) => "o",
                ('Ò'..='Ö' | 'Ø' | 'Ő', _) => "O",
                ('ř', _) => "r",
                ('Ř', _) => "R",
                ('ś' | 'š' | 'ş', _) => "s",
                ('Ś' | 'Š' | 'Ş', _) => "S",
                ('ť', _) => "t",
                ('ù'..='ü' | 'ū' | 'ů' | 'ű', _) => "u",
                ('Ù'..='Ü' | 'Ū' | 'Ů' | 'Ű', _) => "U",
                ('ý' | 'ÿ', _) => "y",
                ('Ý', _) => "Y",
                ('ź' | 'ž' | 'ż', _) => "z",
                ('Ź' | 'Ž' | 'Ż', _) => "Z",
                (character, _) => {
                    out.push(character);
                    continue;
                }
            };
            out.push_str(plain);
        }
        out
    };
    let mut ways = vec![fold(false), fold(true)];
    ways.retain(|way| way.is_ascii());
    ways.dedup();
    ways
}
