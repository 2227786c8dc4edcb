//! Thirty-two secret bytes as 24 words: BIP-39's English list, eight bits of checksum.

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use pcim_core::Secret;

/// How many words.
pub const WORDS: usize = 24;
/// Most bytes of a text that is read.
pub const MAX_WORDS_BYTES: usize = 1024;
/// No word of the list is told from another one by later letters.
const DISTINCT: usize = 4;

/// Why a text is not 24 words. Never quotes them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Another number of words.
    #[error("{found} words; wanted {WORDS}")]
    Count {
        /// How many.
        found: usize,
    },
    /// A word that is not on the list.
    #[error("word {number} is not on the list")]
    Unknown {
        /// Which one, from 1.
        number: usize,
    },
    /// The last bits do not fit the rest.
    #[error("the words do not belong together: one is another word, or two changed places")]
    Checksum,
    /// A longer text.
    #[error("{found} bytes; at most {MAX_WORDS_BYTES} are read")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// A sheet of another kind.
    #[error("this is sheet {found}; wanted sheet {wanted}")]
    OtherSheet {
        /// The sheet that was asked for.
        wanted: char,
        /// The sheet that it says to be.
        found: char,
    },
}

/// Returns the words, joined by spaces.
#[must_use]
pub fn of(secret: &Secret) -> Zeroizing<String> {
    let words = mnemonic(secret);
    // No allocation but this one: the longest word has eight letters.
    let mut text = Zeroizing::new(String::with_capacity(9 * WORDS));
    for word in words.words() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

fn mnemonic(secret: &Secret) -> Zeroizing<Mnemonic> {
    let words = Mnemonic::from_entropy(secret.expose());
    Zeroizing::new(words.expect("32 bytes are 24 words"))
}

/// Reads 24 words, in any case, divided by white space; of each the first four letters are enough. The text of a QR code of a
/// sheet is read as well.
///
/// # Errors
/// [`Error`]
pub fn read(text: &str, sheet: char) -> Result<Secret, Error> {
    if text.len() > MAX_WORDS_BYTES {
        return Err(Error::TooLong { found: text.len() });
    }
    let text = Zeroizing::new(text.to_ascii_lowercase());
    let mut given = text.split_ascii_whitespace().peekable();
    if let Some(found) = given.peek().and_then(|first| first.strip_prefix(PREFIX)) {
        let found = found.chars().next().unwrap_or('?');
        if found != sheet.to_ascii_lowercase() {
            return Err(Error::OtherSheet {
                wanted: sheet,
                found: found.to_ascii_uppercase(),
            });
        }
        given.next();
    }
    let found = given.clone().count();
    if found != WORDS {
        return Err(Error::Count { found });
    }
    let mut whole = Zeroizing::new(String::with_capacity(9 * WORDS));
    for (at, word) in given.enumerate() {
        let unknown = Error::Unknown { number: at + 1 };
        let listed = listed(word).ok_or(unknown)?;
        if at > 0 {
            whole.push(' ');
        }
        whole.push_str(listed);
    }
    let words = Mnemonic::parse_in_normalized(Language::English, &whole);
    let words = Zeroizing::new(words.map_err(|_| Error::Checksum)?);
    let (entropy, length) = words.to_entropy_array();
    let entropy = Zeroizing::new(entropy);
    let secret = entropy[..length].try_into().map_err(|_| Error::Checksum)?;
    Ok(Secret::new(secret))
}

/// Stands before the words in a sheet's QR code.
pub(crate) const PREFIX: &str = "pcim-sheet-";

/// The word of the list that this is, whole or its first letters.
fn listed(word: &str) -> Option<&'static str> {
    let list = Language::English.word_list();
    if let Some(listed) = list.iter().find(|listed| **listed == word) {
        return Some(listed);
    }
    // A word that is longer must go on as the list's does.
    let mut alike = list.iter().filter(|listed| listed.starts_with(word));
    match (word.len() >= DISTINCT, alike.next()) {
        (true, Some(listed)) => Some(listed),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pcim_core::chance::{Numbers, mutations};

    /// Of BIP-39's own test vectors, those of 256 bits.
    const VECTORS: [(&str, &str); 3] = [
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
             abandon abandon abandon abandon abandon abandon abandon abandon abandon art",
        ),
        (
            "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner \
             thank year wave sausage worth title",
        ),
        (
            "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
            "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group \
             space point ten exist slush involve unfold",
        ),
    ];

    #[test]
    fn words_are_those_of_bip_39() {
        for (bytes, words) in VECTORS {
            let bytes: [u8; 32] = hex::decode(bytes).unwrap().try_into().unwrap();
            let secret = Secret::new(bytes);
            assert_eq!(*of(&secret), words);
            assert_eq!(read(words, 'A').unwrap().expose(), &bytes);
            let typed = words.to_uppercase().replace(' ', "\n  ");
            assert_eq!(read(&typed, 'B').unwrap().expose(), &bytes);
            let short: Vec<_> = words.split(' ').map(|it| &it[..it.len().min(4)]).collect();
            assert_eq!(read(&short.join(" "), 'A').unwrap().expose(), &bytes);
            let code = format!("pcim-sheet-a {words}");
            assert_eq!(read(&code, 'A').unwrap().expose(), &bytes);
            assert_eq!(
                read(&code, 'B').unwrap_err(),
                Error::OtherSheet {
                    wanted: 'B',
                    found: 'A'
                }
            );
        }
    }

    #[test]
    fn a_wrong_word_is_named_by_its_place_alone() {
        let (_, good) = VECTORS[2];
        let with = |number: usize, word: &str| {
            let mut words: Vec<_> = good.split(' ').collect();
            words[number - 1] = word;
            read(&words.join(" "), 'A').unwrap_err()
        };
        assert_eq!(with(7, "warier"), Error::Unknown { number: 7 });
        assert_eq!(with(7, "warriors"), Error::Unknown { number: 7 });
        assert_eq!(with(7, "wa"), Error::Unknown { number: 7 });
        assert_eq!(with(1, "come"), Error::Checksum);
        let swapped = good.replacen("void come", "come void", 1);
        assert_eq!(read(&swapped, 'A').unwrap_err(), Error::Checksum);
        assert_eq!(read("", 'A').unwrap_err(), Error::Count { found: 0 });
        let more = format!("{good} void");
        assert_eq!(read(&more, 'A').unwrap_err(), Error::Count { found: 25 });
        let long = "x".repeat(MAX_WORDS_BYTES + 1);
        assert!(matches!(read(&long, 'A'), Err(Error::TooLong { .. })));
    }

    #[test]
    fn mutated_words_are_refused_or_are_the_same() {
        let secret = Secret::new(std::array::from_fn(|at| 7 * at as u8));
        let good = of(&secret);
        let (mut numbers, mut same, mut other) = (Numbers(0x5eed_2040), 0, 0);
        for _ in 0..mutations() {
            let bytes = numbers.mutated(good.as_bytes());
            match read(&String::from_utf8_lossy(&bytes), 'A') {
                Ok(read) if read.expose() == secret.expose() => same += 1,
                Ok(_) => other += 1,
                Err(_) => {}
            }
        }
        println!("of {}: {same} the same, {other} other ones", mutations());
        // One of 256 changed words fits by chance, and few changes make a word of the list.
        assert!(other <= 1 + mutations() / 200);
    }
}
