//! Days of the calendar as numbers, to tell by how many a date moved.

/// The number of a day written as `YYYYMMDD`; none if there is no such day.
pub(super) fn number(text: &str) -> Option<i64> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let field = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (field(0, 4)?, field(4, 6)?, field(6, 8)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [
        31,
        28 + i64::from(leap),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    if year == 0 || !(1..=*lengths.get(index)?).contains(&day) {
        return None;
    }
    let before: i64 = lengths[..index].iter().sum();
    let last = year - 1;
    Some(365 * last + last / 4 - last / 100 + last / 400 + before + day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::number;

    #[test]
    fn days_are_counted() {
        let between = |a, b| number(b).unwrap() - number(a).unwrap();
        assert_eq!(number("00010101"), Some(1));
        assert_eq!(between("19991231", "20000101"), 1);
        assert_eq!(between("20000228", "20000301"), 2);
        assert_eq!(between("19000228", "19000301"), 1);
        assert_eq!(between("19700101", "20261122"), 20_779);
        for bad in ["", "20010230", "20011301", "00000101", "2001-1-1", "200101"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
