//! Two sheets of paper: A stands for all guardians, B for all followers. One alone opens nothing.
//!
//! Sheet A is a seed. From it follow the backup's secret, an Ethereum key that can be named as the account's only guardian,
//! and the salt of that commitment. Sheet B is the backup's other key. Each is 24 words and a QR code of the same words.

use std::fmt::Write;

use hkdf::Hkdf;
use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::papers::words;
use pcim_core::{Address, Hex, Secret};
use pcim_ledger::Account;

/// Which sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// The seed: in the place of guardians.
    A,
    /// The key: in the place of followers.
    B,
}

/// How a sheet is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page for a browser, with nothing from elsewhere.
    Html,
    /// Text, the QR code of block characters.
    Text,
}

/// The part of a sheet that can be read without harm.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The patient whose it is.
    pub patient: Address,
    /// The backup's set.
    pub set: Hex<16>,
}

/// The values that follow from the seed of sheet A.
pub struct FromSeed {
    /// The secret that guardians would hold shares of.
    pub secret: Secret,
    /// The only guardian of an account that has paper for one.
    pub guardian: Account,
    /// The salt of that guardian's commitment on the chain.
    pub salt: Secret,
}

/// Derives what follows from the seed of sheet A.
///
/// # Errors
/// [`pcim_ledger::Error::Key`] for one seed in 2¹²⁷, which gives no key.
pub fn from_seed(seed: &Secret) -> pcim_ledger::Result<FromSeed> {
    let derive = |info: &str| {
        let mut out = Zeroizing::new([0; 32]);
        let hkdf = Hkdf::<Sha256>::new(None, seed.expose());
        hkdf.expand(info.as_bytes(), out.as_mut())
            .expect("32 bytes are less than HKDF gives");
        out
    };
    Ok(FromSeed {
        secret: Secret::new(*derive("pcim sheet a secret")),
        guardian: Account::from_private_key(&derive("pcim sheet a guardian"))?,
        salt: Secret::new(*derive("pcim sheet a salt")),
    })
}

impl Sheet {
    fn letter(self) -> char {
        match self {
            Self::A => 'A',
            Self::B => 'B',
        }
    }

    fn other(self) -> char {
        match self {
            Self::A => 'B',
            Self::B => 'A',
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::A => {
                "It stands for your guardians: with it your account moves to a new key, and with sheet B, or with a key \
                 from one of your followers, your backup opens."
            }
            Self::B => {
                "It stands for your followers: with it and your guardians' shares, or with sheet A, your backup opens."
            }
        }
    }

    /// Reads a sheet's words, or what its QR code holds.
    ///
    /// # Errors
    /// [`words::Error`]
    pub fn read(self, text: &str) -> Result<Secret, words::Error> {
        words::read(text, self.letter())
    }

    /// Returns the text of the sheet's QR code.
    #[must_use]
    pub fn code(self, secret: &Secret) -> Zeroizing<String> {
        let words = words::of(secret);
        let mut text = Zeroizing::new(String::with_capacity(words.len() + 16));
        text.push_str(words::PREFIX);
        text.push(self.letter().to_ascii_lowercase());
        text.push(' ');
        text.push_str(&words);
        text
    }

    /// Prints the sheet.
    #[must_use]
    pub fn print(self, secret: &Secret, label: &Label, form: Form) -> Zeroizing<String> {
        let words = words::of(secret);
        let words: Vec<&str> = words.split(' ').collect();
        match form {
            Form::Html => self.html(secret, &words, label),
            Form::Text => self.text(secret, &words, label),
        }
    }

    fn qr(self, secret: &Secret) -> QrCode {
        let code = QrCode::with_error_correction_level(self.code(secret).as_bytes(), EcLevel::M);
        code.expect("24 words fit a QR code")
    }

    fn text(self, secret: &Secret, words: &[&str], label: &Label) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(16 * 1024));
        let mut code = self.qr(secret).render::<unicode::Dense1x2>().build();
        let _ = write!(
            out,
            "PCIM SHEET {}\n\npatient  {}\nset      {}\n\n",
            self.letter(),
            label.patient,
            label.set
        );
        for (row, four) in words.chunks(4).enumerate() {
            for (column, word) in four.iter().enumerate() {
                let _ = write!(out, "{:>2} {word:<10}", 4 * row + column + 1);
            }
            out.push('\n');
        }
        let _ = write!(out, "\n{code}\n\n{}\n{}\n", self.purpose(), self.care());
        code.zeroize();
        out
    }

    fn html(self, secret: &Secret, words: &[&str], label: &Label) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(256 * 1024));
        let mut code = self
            .qr(secret)
            .render::<svg::Color<'_>>()
            .min_dimensions(320, 320)
            .build();
        let letter = self.letter();
        let _ = write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>PCIM sheet {letter}</title>\n\
             <style>body{{font:12pt sans-serif;margin:2cm;max-width:16cm}}ol{{columns:3;font:14pt monospace}}\
             .label{{font:9pt monospace}}</style>\n</head>\n<body>\n<h1>PCIM sheet {letter}</h1>\n\
             <p class=\"label\">patient {}<br>set {}</p>\n<ol>\n",
            label.patient, label.set
        );
        for word in words {
            let _ = writeln!(out, "<li>{word}</li>");
        }
        let svg = code.find("<svg").map_or(code.as_str(), |at| &code[at..]);
        let _ = write!(
            out,
            "</ol>\n{svg}\n<p>{}</p>\n<p>{}</p>\n</body>\n</html>\n",
            self.purpose(),
            self.care()
        );
        code.zeroize();
        out
    }

    fn care(self) -> String {
        format!(
            "Keep it apart from sheet {}: the holder of both opens your backup. It helps against loss, not against a thief \
             who has your key. Print it, do not photograph it, and delete the file that it was printed from.",
            self.other()
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LABEL: Label = Label {
        patient: Address::repeat_byte(0xb0),
        set: Hex([7; 16]),
    };

    fn seed() -> Secret {
        Secret::new(std::array::from_fn(|at| 7 * at as u8))
    }

    /// Reads a QR code back that was drawn with this many pixels for each module.
    fn scanned(dark: impl Fn(usize, usize) -> bool, size: usize) -> String {
        let (scale, quiet) = (4, 4);
        let side = (size + 2 * quiet) * scale;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            let module = |at: usize| (at / scale).checked_sub(quiet).filter(|at| *at < size);
            match (module(x), module(y)) {
                (Some(x), Some(y)) if dark(x, y) => 0,
                _ => 255,
            }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_scanner_reads_the_sheet() {
        for sheet in [Sheet::A, Sheet::B] {
            let code = sheet.qr(&seed());
            let text = scanned(|x, y| code[(x, y)] == qrcode::Color::Dark, code.width());
            assert_eq!(text, *sheet.code(&seed()));
            assert_eq!(sheet.read(&text).unwrap().expose(), seed().expose());
            println!("{sheet:?}: {} modules a side", code.width());
        }
    }

    /// As it stands on the page: the squares of the SVG's path, scanned.
    #[test]
    fn the_page_has_the_words_and_the_code() {
        for sheet in [Sheet::A, Sheet::B] {
            let page = sheet.print(&seed(), &LABEL, Form::Html);
            let listed: Vec<_> = page
                .split("<li>")
                .skip(1)
                .map(|item| item.split("</li>").next().unwrap())
                .collect();
            let read = sheet.read(&listed.join(" ")).unwrap();
            assert_eq!(read.expose(), seed().expose());
            assert!(page.contains("07070707070707070707070707070707"));
            for outside in ["http://", "https://", "src=", "@import", "url("] {
                let found = page.replace("http://www.w3.org/2000/svg", "");
                assert!(!found.contains(outside), "{outside}");
            }
            assert!(page.contains("<svg") && !page.contains("<?xml"));
        }
    }

    #[test]
    fn the_text_has_the_words_and_the_code() {
        let text = Sheet::A.print(&seed(), &LABEL, Form::Text);
        let listed = text.lines().filter(|line| {
            let mut parts = line.split_whitespace();
            parts.next().is_some_and(|it| it.parse::<u8>().is_ok()) && parts.count() == 7
        });
        let listed: Vec<_> = listed
            .flat_map(|line| line.split_whitespace().skip(1).step_by(2))
            .collect();
        let read = Sheet::A.read(&listed.join(" ")).unwrap();
        assert_eq!(read.expose(), seed().expose());

        // Two modules stand in each character, one above the other.
        let rows: Vec<Vec<char>> = text
            .lines()
            .filter(|line| line.contains(['█', '▀', '▄']))
            .map(|line| line.chars().collect())
            .collect();
        let whole = rows.iter().map(Vec::len).max().unwrap();
        let dark = |x: usize, y: usize| {
            let drawn = rows.get(y / 2).and_then(|row| row.get(x)).copied();
            matches!(
                (drawn, y % 2),
                (Some('█'), _) | (Some('▀'), 0) | (Some('▄'), 1)
            )
        };
        assert_eq!(scanned(dark, whole), *Sheet::A.code(&seed()));
    }

    #[test]
    fn what_follows_from_a_seed_is_always_the_same() {
        let (one, two) = (from_seed(&seed()).unwrap(), from_seed(&seed()).unwrap());
        assert_eq!(one.secret.expose(), two.secret.expose());
        assert_eq!(one.guardian.address(), two.guardian.address());
        let other = from_seed(&Secret::new([1; 32])).unwrap();
        assert_ne!(one.secret.expose(), other.secret.expose());
        let parts = [*one.secret.expose(), *one.salt.expose(), *seed().expose()];
        assert!(parts[0] != parts[1] && parts[1] != parts[2] && parts[0] != parts[2]);
    }
}
