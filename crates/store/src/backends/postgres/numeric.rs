//! `numeric` as PostgreSQL sends it: digits to the base 10,000, and how many decimal digits are shown.

const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// The number in plain notation, with as many digits behind the point as were written; `None`: not what was announced.
pub(super) fn plain(raw: &[u8]) -> Option<String> {
    let mut halves = raw
        .chunks_exact(2)
        .map(|half| u16::from_be_bytes([half[0], half[1]]));
    let count = usize::from(halves.next()?);
    // How many groups stand before the point, less one.
    let weight = i32::from(halves.next()? as i16);
    let sign = halves.next()?;
    let shown = usize::from(halves.next()?);
    let groups: Vec<u16> = halves.take(count).collect();
    if groups.len() != count {
        return None;
    }
    match sign {
        NOT_A_NUMBER => return Some("NaN".to_owned()),
        INFINITY => return Some("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let group = |position: i32| -> u16 {
        let at = usize::try_from(position).ok();
        at.and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    if weight < 0 {
        text.push('0');
    }
    for position in 0..=weight {
        let digits = group(position);
        if position == 0 {
            text.push_str(&digits.to_string());
        } else {
            text.push_str(&format!("{digits:04}"));
        }
    }
    if shown > 0 {
        text.push('.');
        let mut fraction = String::new();
        let mut position = weight + 1;
        while fraction.len() < shown {
            fraction.push_str(&format!("{:04}", group(position)));
            position += 1;
        }
        fraction.truncate(shown);
        text.push_str(&fraction);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let check = |halves: &[u16], expect: Option<&str>| {
            let raw: Vec<u8> = halves.iter().flat_map(|half| half.to_be_bytes()).collect();
            assert_eq!(plain(&raw).as_deref(), expect, "{halves:?}");
        };
        check(&[0, 0, 0, 0], Some("0"));
        check(&[0, 0, 0, 2], Some("0.00"));
        check(&[2, 0, 0, 2, 19, 9000], Some("19.90"));
        check(&[2, 0, NEGATIVE, 1, 3, 5000], Some("-3.5"));
        check(&[1, 1, 0, 0, 12], Some("120000"));
        check(&[2, 1, 0, 0, 1, 23], Some("10023"));
        check(&[1, 0xFFFF, 0, 4, 5], Some("0.0005"));
        check(&[1, 0xFFFE, 0, 8, 5], Some("0.00000005"));
        check(&[2, 0xFFFF, 0, 6, 1234, 5600], Some("0.123456"));
        check(&[0, 0, NOT_A_NUMBER, 0], Some("NaN"));
        check(&[2, 0, 0, 0, 1], None);
        check(&[0, 0], None);
    }
}
