//! What is granted, items apart, as a number: equal for equal grants, whatever order they came in.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::Action;
use crate::table::Table;

/// Everything that one table says of actions, fields and presets.
pub(crate) fn of_table(collection: &str, action: Action, table: &Table) -> u64 {
    let of = |kind: u8, name: &str| hash((collection, action, kind, name));
    let fields = match table.fields() {
        None => of(0, "*"),
        Some(names) => sum(names.iter().map(|name| of(1, name))),
    };
    let presets = sum(table.presets.keys().map(|name| of(2, name)));
    of(3, "").wrapping_add(fields).wrapping_add(presets)
}

/// Several layers, in order.
pub(crate) fn of_layers(layers: impl IntoIterator<Item = u64>) -> u64 {
    hash(layers.into_iter().collect::<Vec<_>>())
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::wrapping_add)
}

/// The hasher's keys are fixed: the same value gives the same number.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
