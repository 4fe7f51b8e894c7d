//! Decimals as texts that order as the numbers do, however these are written: a sign, the place of the point, and the
//! digits without zeros at their end; of negative numbers, all turned around. In statements it is worked out from the
//! column; arguments are turned into the same here.

/// The expression of the key of a decimal in plain notation.
pub(super) fn expression(written: &str) -> String {
    let point = format!("LOCATE('.', CONCAT({written}, '.'))");
    let short =
        format!("TRIM(TRAILING '0' FROM IF(LOCATE('.', {written}) > 0, {written}, CONCAT({written}, '.')))");
    let mut turned = short.clone();
    for (digit, letter) in PAIRS {
        turned = format!("REPLACE({turned}, '{digit}', '{letter}')");
    }
    format!(
        "IF(LEFT({written}, 1) = '-', CONCAT('0', LPAD(9999 - {point}, 4, '0'), {turned}, '~'), \
         CONCAT('1', LPAD({point}, 4, '0'), {short}))"
    )
}

/// The key of a decimal in plain notation.
pub(super) fn of(written: &str) -> String {
    let point = written.find('.').unwrap_or(written.len()) + 1;
    let short = match written.contains('.') {
        true => written.trim_end_matches('0').to_owned(),
        false => format!("{written}."),
    };
    if written.starts_with('-') {
        format!("0{:04}{}~", 9_999 - point, turned(&short))
    } else {
        format!("1{point:04}{short}")
    }
}

/// Digits, and the letters that order the other way round.
const PAIRS: [(char, char); 10] = [
    ('0', 'j'),
    ('1', 'i'),
    ('2', 'h'),
    ('3', 'g'),
    ('4', 'f'),
    ('5', 'e'),
    ('6', 'd'),
    ('7', 'c'),
    ('8', 'b'),
    ('9', 'a'),
];

/// With each digit turned around.
pub(super) fn turned(digits: &str) -> String {
    let turn = |character| {
        PAIRS
            .iter()
            .find(|(digit, _)| *digit == character)
            .map_or(character, |(_, letter)| *letter)
    };
    digits.chars().map(turn).collect()
}

/// The digits again.
pub(super) fn turned_back(letters: &str) -> String {
    let turn = |character| {
        PAIRS
            .iter()
            .find(|(_, letter)| *letter == character)
            .map_or(character, |(digit, _)| *digit)
    };
    letters.chars().map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_numbers_do() {
        let numbers = [
            "-100.5",
            "-100.25",
            "-100",
            "-20",
            "-3",
            "-2.5",
            "-2",
            "-0.5",
            "-0.05",
            "0",
            "0.01",
            "0.1",
            "0.12",
            "1",
            "1.5",
            "2",
            "10",
            "10.5",
            "12345678901234567890.12345",
        ];
        for pair in numbers.windows(2) {
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
        assert_eq!(of("1.0"), of("1"));
        assert_eq!(of("1.500"), of("1.5"));
        assert_eq!(of("100"), of("100.00"));
        assert_ne!(of("100"), of("10"));
        assert_eq!(turned_back(&turned("-1029.5")), "-1029.5");
    }
}
