//! Values: dummies, shifted dates, and whether bytes are what their VR says.

use dicom_core::VR;
use dicom_core::dictionary::VirtualVr;
use dicom_encoding::Endianness;

use crate::tree::is_text;

/// A value that means nothing and is valid for the VR (PS3.5 §6.2): 1 January 1900 at midnight, zero, `ANONYMIZED`.
/// None for sequences and UIDs, which have rules of their own.
pub(super) fn dummy(vr: VR) -> Option<Vec<u8>> {
    let text = match vr {
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT => {
            "ANONYMIZED"
        }
        VR::UR => "about:blank",
        VR::AS => "000Y",
        VR::DA => "19000101",
        VR::DT => "19000101000000",
        VR::TM => "000000",
        VR::DS | VR::IS => "0",
        vr => return Some(vec![0; width(vr)?.max(2)]),
    };
    Some(text.as_bytes().to_vec())
}

/// Bytes of one number of a VR; of one byte for bytes without structure. None for text, UIDs and sequences.
fn width(vr: VR) -> Option<usize> {
    Some(match vr {
        VR::OB | VR::UN => 1,
        VR::OW | VR::SS | VR::US => 2,
        VR::AT | VR::FL | VR::OF | VR::OL | VR::SL | VR::UL => 4,
        VR::FD | VR::OD | VR::OV | VR::SV | VR::UV => 8,
        _ => return None,
    })
}

/// The VR to write an element with, whose VR in the file is `found` and in the dictionary `listed`: the file's where it is
/// one of those listed or another of its kind (numbers; bulk data), the dictionary's for unknown (UN) values and for text
/// under another text's VR. None where neither fits.
pub(super) fn agreed_vr(found: VR, listed: VirtualVr, order: Endianness) -> Option<VR> {
    let relaxed = listed.relaxed();
    let number = |vr| {
        matches!(
            vr,
            VR::AT | VR::FL | VR::FD | VR::SL | VR::SS | VR::UL | VR::US | VR::SV | VR::UV
        )
    };
    let bulk = |vr| {
        matches!(
            vr,
            VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN
        )
    };
    if found == relaxed {
        return Some(found);
    }
    match listed {
        VirtualVr::Xs if matches!(found, VR::US | VR::SS) => return Some(found),
        VirtualVr::Lt if matches!(found, VR::US | VR::SS | VR::OW) => return Some(found),
        VirtualVr::Ox | VirtualVr::Px if matches!(found, VR::OB | VR::OW) => return Some(found),
        _ => {}
    }
    match found {
        VR::SQ => None,
        // The numbers in unknown values are little endian (PS3.5 §6.2.2).
        VR::UN if relaxed == VR::SQ => None,
        VR::UN if number(relaxed) || bulk(relaxed) => {
            (order == Endianness::Little).then_some(relaxed)
        }
        VR::UN => Some(relaxed),
        found if is_text(found) || found == VR::UI => {
            (is_text(relaxed) || relaxed == VR::UI).then_some(relaxed)
        }
        found if number(found) && number(relaxed) => Some(found),
        found if bulk(found) && bulk(relaxed) => Some(found),
        _ => None,
    }
}

/// Checks whether bytes are a value of this VR (PS3.5 §6.2), so that nothing else hides in them. Lengths are not checked.
pub(super) fn conforms(vr: VR, bytes: &[u8]) -> bool {
    if let Some(width) = width(vr) {
        return bytes.len().is_multiple_of(width) || vr == VR::OW || width == 1;
    }
    let trimmed = trim(bytes);
    let each = |valid: &dyn Fn(&[u8]) -> bool| {
        trimmed
            .split(|b| *b == b'\\')
            .all(|value| value.trim_ascii().is_empty() || valid(value.trim_ascii()))
    };
    let all = |valid: fn(&u8) -> bool| each(&|value: &[u8]| value.iter().all(valid));
    match vr {
        VR::UI => all(|b| b.is_ascii_digit() || *b == b'.'),
        VR::DS => all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')),
        // Whole numbers are often written as decimals.
        VR::IS => all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.')),
        VR::AS => each(&|value: &[u8]| {
            value.len() == 4
                && value[..3].iter().all(u8::is_ascii_digit)
                && matches!(value[3], b'D' | b'W' | b'M' | b'Y')
        }),
        VR::CS => {
            all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-' | b'.' | b'/'))
        }
        VR::DA => each(&|value: &[u8]| date(value).is_some()),
        VR::TM => each(&is_time),
        VR::DT => each(&is_date_time),
        // Line ends in long texts, escapes to other character sets.
        VR::LT | VR::ST | VR::UT => trimmed
            .iter()
            .all(|b| *b >= b' ' || matches!(b, b'\t' | b'\n' | 0x0c | b'\r' | 0x1b)),
        _ => trimmed.iter().all(|b| *b >= b' ' || *b == 0x1b),
    }
}

/// Without padding.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let padding = |b: &u8| matches!(b, b' ' | 0);
    let end = bytes
        .iter()
        .rposition(|b| !padding(b))
        .map_or(0, |at| at + 1);
    let start = bytes[..end].iter().position(|b| *b != b' ').unwrap_or(end);
    &bytes[start..end]
}

/// Dates moved by a number of days, times as they are; several values are moved one by one. None if one of them is not a
/// date or time of the VR to the letter: then nothing of it may stay.
pub(super) fn shifted(vr: VR, bytes: &[u8], days: i64) -> Option<Vec<u8>> {
    let values = trim(bytes).split(|b| *b == b'\\');
    let moved: Vec<Vec<u8>> = values
        .map(|value| match value.trim_ascii() {
            [] => Some(Vec::new()),
            value => shift(vr, value, days),
        })
        .collect::<Option<_>>()?;
    Some(moved.join(&b'\\'))
}

fn shift(vr: VR, value: &[u8], days: i64) -> Option<Vec<u8>> {
    match vr {
        VR::DA => Some(number_to_date(date(value)? + days)?.into_bytes()),
        VR::TM => is_time(value).then(|| value.to_vec()),
        VR::DT => {
            let (day, rest) = value.split_at_checked(8)?;
            let zone = rest.iter().position(|b| matches!(b, b'+' | b'-'));
            let (time, zone) = rest.split_at(zone.unwrap_or(rest.len()));
            let zone_fits = match zone {
                [] => true,
                [_, digits @ ..] => digits.len() == 4 && digits.iter().all(u8::is_ascii_digit),
            };
            if !(zone_fits && (time.is_empty() || is_time(time))) {
                return None;
            }
            let mut moved = number_to_date(date(day)? + days)?.into_bytes();
            moved.extend_from_slice(rest);
            Some(moved)
        }
        _ => None,
    }
}

/// A date and time of which any part from the right may be missing (PS3.5 §6.2), with a time zone.
fn is_date_time(value: &[u8]) -> bool {
    let zone = value.iter().skip(4).position(|b| matches!(b, b'+' | b'-'));
    let (moment, zone) = value.split_at(zone.map_or(value.len(), |at| at + 4));
    let zone_fits = match zone {
        [] => true,
        [_, digits @ ..] => digits.len() == 4 && digits.iter().all(u8::is_ascii_digit),
    };
    let (day, time) = moment.split_at(moment.len().min(8));
    let whole: Vec<u8> = match day.len() {
        4 => [day, b"0101"].concat(),
        6 => [day, b"01"].concat(),
        _ => day.to_vec(),
    };
    zone_fits && date(&whole).is_some() && (time.is_empty() || is_time(time))
}

/// `HH`, `HHMM`, `HHMMSS` or `HHMMSS.F` with up to six digits.
fn is_time(value: &[u8]) -> bool {
    let (clock, fraction) = match value.iter().position(|b| *b == b'.') {
        Some(at) => (&value[..at], Some(&value[at + 1..])),
        None => (value, None),
    };
    let fraction_fits = fraction.is_none_or(|digits| {
        clock.len() == 6 && (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
    });
    let limits = [23, 59, 60];
    let fields: Vec<_> = clock.chunks(2).map(digits).collect();
    matches!(clock.len(), 2 | 4 | 6)
        && fraction_fits
        && fields
            .iter()
            .zip(limits)
            .all(|(field, limit)| field.is_some_and(|n| n <= limit))
}

fn digits(text: &[u8]) -> Option<i64> {
    let valid = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    valid.then(|| text.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
}

/// The day of a `YYYYMMDD`, counted from 1 March of year 0 of the Gregorian calendar.
fn date(value: &[u8]) -> Option<i64> {
    if value.len() != 8 {
        return None;
    }
    let (year, month, day) = (
        digits(&value[..4])?,
        digits(&value[4..6])?,
        digits(&value[6..])?,
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year == 0 || !(1..=last).contains(&day) {
        return None;
    }
    // Years begin in March, so that leap days end them.
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let years = 365 * year + year / 4 - year / 100 + year / 400;
    Some(years + (153 * month + 2) / 5 + day - 1)
}

fn number_to_date(number: i64) -> Option<String> {
    // 146,097 days are 400 years.
    let (cycle, day) = (number.div_euclid(146_097), number.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        10.. => (cycle * 400 + year + 1, month - 9),
        _ => (cycle * 400 + year, month + 3),
    };
    (1..=9999)
        .contains(&year)
        .then(|| format!("{year:04}{month:02}{day:02}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let first = date(b"00010101").unwrap();
        assert_eq!(number_to_date(first - 1), None);
        let mut last = String::new();
        // Some 400 years, day by day: each date follows the one before and is read back.
        for number in first..first + 150_000 {
            let day = number_to_date(number).unwrap();
            assert!(day > last, "{last} {day}");
            assert_eq!(date(day.as_bytes()), Some(number), "{day}");
            last = day;
        }
        let between = |a: &[u8], b: &[u8]| date(b).unwrap() - date(a).unwrap();
        assert_eq!(between(b"20000228", b"20000301"), 2);
        assert_eq!(between(b"19000228", b"19000301"), 1);
        assert_eq!(between(b"19700101", b"20261122"), 20_779);
    }

    #[test]
    fn only_dates_to_the_letter_are_moved() {
        let text = |vr, value: &[u8]| {
            shifted(vr, value, -1).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        for (vr, value, moved) in [
            (VR::DA, b"20000301".as_slice(), "20000229"),
            (VR::DA, b"20010301 ", "20010228"),
            (VR::DA, b"20010301\\20010101", "20010228\\20001231"),
            (VR::DT, b"20010301", "20010228"),
            (
                VR::DT,
                b"20010301235959.123456+0100",
                "20010228235959.123456+0100",
            ),
            (VR::TM, b"235960", "235960"),
            (VR::TM, b"2359", "2359"),
        ] {
            assert_eq!(text(vr, value).as_deref(), Some(moved));
        }
        for (vr, value) in [
            (VR::DA, b"2001.03.01".as_slice()),
            (VR::DA, b"20010230"),
            (VR::DA, b"Smith"),
            (VR::DA, b"20010301-20010401"),
            (VR::DA, b"20010301\\Smith"),
            (VR::DA, b"00010101"),
            (VR::DT, b"2001"),
            (VR::DT, b"20010301Smith"),
            (VR::DT, b"20010301+01"),
            (VR::TM, b"23:59"),
            (VR::TM, b"2460"),
            (VR::TM, b"1200.5"),
            (VR::LO, b"20010301"),
        ] {
            assert_eq!(text(vr, value), None, "{value:?}");
        }
    }

    #[test]
    fn nothing_hides_under_another_vr() {
        for (vr, value) in [
            (VR::DS, b"Smith".as_slice()),
            (VR::IS, b"1e5"),
            (VR::AS, b"45YX"),
            (VR::CS, b"SMITH^JOHN"),
            (VR::UI, b"1.2.Smith"),
            (VR::DA, b"Smith"),
            (VR::DT, b"20013"),
            (VR::DT, b"200113"),
            (VR::DT, b"2001Smith"),
            (VR::DT, b"2001+1"),
            (VR::LO, b"CHEST\0Smith"),
            (VR::UL, b"Smith!"),
        ] {
            assert!(!conforms(vr, value), "{vr:?} {value:?}");
        }
        for (vr, value) in [
            (VR::DT, b"2001".as_slice()),
            (VR::DT, b"200103"),
            (VR::DT, b"2001031412"),
            (VR::DT, b"2001+0100"),
            (VR::DS, b"1.5\\-2e3 "),
            (VR::CS, b"ISO 2022 IR 87\\"),
            (VR::UI, b"1.2.3\0"),
            (VR::AS, b"045Y"),
            (VR::LT, b"a\r\nb"),
            (VR::PN, b"\x1b$B;3ED\x1b(B"),
            (VR::DS, b""),
        ] {
            assert!(conforms(vr, value), "{vr:?} {value:?}");
        }
    }

    #[test]
    fn dummies_conform() {
        for vr in [
            VR::AE,
            VR::AS,
            VR::AT,
            VR::CS,
            VR::DA,
            VR::DS,
            VR::DT,
            VR::FD,
            VR::FL,
            VR::IS,
            VR::LO,
            VR::LT,
            VR::OB,
            VR::OD,
            VR::OF,
            VR::OL,
            VR::OV,
            VR::OW,
            VR::PN,
            VR::SH,
            VR::SL,
            VR::SS,
            VR::ST,
            VR::SV,
            VR::TM,
            VR::UC,
            VR::UL,
            VR::UN,
            VR::UR,
            VR::US,
            VR::UT,
            VR::UV,
        ] {
            let value = dummy(vr).unwrap();
            assert!(!value.is_empty() && conforms(vr, &value), "{vr:?}");
        }
        assert_eq!((dummy(VR::SQ), dummy(VR::UI)), (None, None));
    }
}
