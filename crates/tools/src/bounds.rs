//! How long a result may be, and how rows are made to fit.

use std::io;

use loggia_model::Record;
use serde::Serialize;
use serde_json::{Value, json};

/// How long one result may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows at most.
    pub rows: u64,
    /// Tokens at most, as [`tokens`] estimates them.
    pub tokens: usize,
}

/// The most tokens that a call may ask for; more than any known client takes.
pub(crate) const MOST_TOKENS: u64 = 100_000;

/// The fewest tokens that a call may ask for: room for the envelope and a small row.
pub(crate) const FEWEST_TOKENS: u64 = 100;

/// Tokens kept back for what stands around the rows.
const ENVELOPE: usize = 60;

impl Bounds {
    /// The same bounds for a call that asks for a length of its own.
    #[must_use]
    pub(crate) fn asked(self, tokens: Option<u64>) -> Self {
        let asked = tokens.map(|tokens| tokens.clamp(FEWEST_TOKENS, MOST_TOKENS));
        Self {
            tokens: asked
                .and_then(|tokens| usize::try_from(tokens).ok())
                .unwrap_or(self.tokens),
            ..self
        }
    }

    /// Takes rows from the front while they fit. A first row that is too long alone loses its longest members
    /// whole: a value is never cut, so that nobody writes half of one back.
    pub(crate) fn fit(self, rows: Vec<Record>) -> Fitted {
        let room = self.tokens.saturating_sub(ENVELOPE);
        let mut fitted = Fitted {
            rows: Vec::with_capacity(rows.len()),
            omitted: Vec::new(),
            cut: false,
        };
        let mut used = 0;
        for mut row in rows {
            let mut cost = tokens(&row);
            if used + cost > room {
                fitted.cut = true;
                if !fitted.rows.is_empty() {
                    break;
                }
                fitted.omitted = shorten(&mut row, &mut cost, room);
                fitted.rows.push(row);
                break;
            }
            used += cost;
            fitted.rows.push(row);
        }
        fitted
    }
}

/// Rows that fit.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// From the front.
    pub(crate) rows: Vec<Record>,
    /// Members that the first row lost.
    pub(crate) omitted: Vec<Omitted>,
    /// Whether anything is missing.
    pub(crate) cut: bool,
}

/// A member that was too long to show.
#[derive(Debug, PartialEq)]
pub(crate) struct Omitted {
    field: String,
    tokens: usize,
}

impl Omitted {
    /// As it is shown.
    pub(crate) fn to_json(&self) -> Value {
        json!({"field": self.field, "tokens": self.tokens})
    }
}

/// Takes the longest members out until the rest fits.
fn shorten(row: &mut Record, cost: &mut usize, room: usize) -> Vec<Omitted> {
    let mut sizes: Vec<(String, usize)> = row
        .iter()
        .map(|(name, value)| (name.clone(), tokens(value)))
        .collect();
    sizes.sort_by_key(|(_, size)| *size);
    let mut omitted = Vec::new();
    while *cost > room
        && let Some((field, size)) = sizes.pop()
    {
        row.shift_remove(&field);
        *cost = tokens(row);
        omitted.push(Omitted { field, tokens: size });
    }
    omitted
}

/// About how many tokens the JSON of a value costs: a quarter of its bytes.
pub(crate) fn tokens(value: &(impl Serialize + ?Sized)) -> usize {
    let mut counter = Counter(0);
    // A counter takes everything, and values of JSON always serialise.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0.div_ceil(4)
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, characters: usize) -> Record {
        let Value::Object(row) = json!({"id": id, "body": "x".repeat(characters)}) else {
            panic!("an object")
        };
        row
    }

    #[test]
    fn rows_are_taken_while_they_fit() {
        let check = |rows: Vec<Record>, room: usize, expect: usize, cut: bool| {
            let fitted = Bounds {
                rows: 100,
                tokens: room + ENVELOPE,
            }
            .fit(rows);
            assert_eq!((fitted.rows.len(), fitted.cut), (expect, cut));
            assert!(fitted.omitted.is_empty());
            assert!(fitted.rows.iter().map(tokens).sum::<usize>() <= room);
        };
        check(vec![], 100, 0, false);
        check((0..10).map(|id| row(id, 100)).collect(), 10_000, 10, false);
        check((0..10).map(|id| row(id, 100)).collect(), 100, 3, true);
    }

    #[test]
    fn a_row_that_is_too_long_loses_whole_members_and_says_so() {
        let fitted = Bounds {
            rows: 100,
            tokens: 100,
        }
        .fit(vec![row(1, 5_000), row(2, 5)]);
        assert_eq!(fitted.rows, [Record::from_iter([("id".to_owned(), json!(1))])]);
        assert_eq!(
            fitted.omitted,
            [Omitted {
                field: "body".to_owned(),
                tokens: 1_251
            }]
        );
        assert!(fitted.cut);
    }

    #[test]
    fn a_call_can_ask_for_a_length_of_its_own_within_reason() {
        let check = |asked: Option<u64>, expect: usize| {
            assert_eq!(
                Bounds {
                    rows: 100,
                    tokens: 20_000
                }
                .asked(asked)
                .tokens,
                expect
            );
        };
        check(None, 20_000);
        check(Some(500), 500);
        check(Some(1), 100);
        check(Some(u64::MAX), 100_000);
    }
}
