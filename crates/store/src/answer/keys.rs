//! Keys that rows point to each other by.

use std::collections::HashMap;

use loggia_model::Scalar;

/// The keys that the rows of a level point to.
pub(super) struct Keys {
    /// Each once, without NULL, in the order of first appearance.
    pub(super) keys: Vec<Scalar>,
    /// How often each appears.
    pub(super) uses: HashMap<Key, usize>,
}

pub(super) fn distinct<'r>(scalars: impl Iterator<Item = &'r Scalar>) -> Keys {
    let mut keys = Vec::new();
    let mut uses = HashMap::new();
    for scalar in scalars {
        let Some(key) = Key::of(scalar) else { continue };
        let count = uses.entry(key).or_insert(0);
        if *count == 0 {
            keys.push(scalar.clone());
        }
        *count += 1;
    }
    Keys { keys, uses }
}

/// A key as both ends of a relation write it, whatever their columns make of it: the text `7` and the number 7 are
/// the same key (an M2A column is text whatever the keys are that it holds).
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Key {
    pub(super) fn of(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Null => None,
            Scalar::Bool(truth) => Some(Self::Number((*truth).into())),
            Scalar::Int(number) => Some(Self::Number(*number)),
            Scalar::Real(number) => Some(Self::of_text(&number.to_string())),
            Scalar::Text(text) => Some(Self::of_text(text)),
            Scalar::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
        }
    }

    fn of_text(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(number) if text.len() <= 20 && number.to_string() == text => Self::Number(number),
            _ => Self::Text(text.to_owned()),
        }
    }
}
