//! Conditions that many plans have in common are written once.

use std::any::TypeId;
use std::borrow::Cow;

use loggia_model::Scalar;
use loggia_model::filter::Shared;

use super::{Scope, Sql, filters};

/// A condition as it was written: the text between its placeholders, and what is bound to them.
struct Written {
    dialect: TypeId,
    depth: u32,
    /// One more than there are values.
    pieces: Vec<String>,
    values: Vec<Scalar>,
}

/// Appends a shared condition on the rows of `scope`: as it was written before, unless that was for another dialect or
/// another depth.
pub(super) fn shared<'p>(sql: &mut Sql<'p>, scope: Scope<'p>, condition: &'p Shared) {
    let (dialect, depth) = (sql.dialect, scope.depth);
    let written = condition.made(|filter| {
        let mut own = Sql::new(dialect);
        filters::filter(&mut own, scope, filter);
        // A test of shapes is worked out for each statement.
        own.shapes.is_empty().then(|| Written::of(own, depth))
    });
    match written
        .and_then(Option::as_ref)
        .filter(|written| written.dialect == dialect.kind() && written.depth == depth)
    {
        Some(written) => written.append(sql),
        None => filters::filter(sql, scope, condition.filter()),
    }
}

impl Written {
    fn of(sql: Sql<'_>, depth: u32) -> Self {
        let mut pieces = Vec::with_capacity(sql.placeholders.len() + 1);
        let mut from = 0;
        for (begin, end) in sql.placeholders {
            pieces.push(sql.text[from..begin].to_owned());
            from = end;
        }
        pieces.push(sql.text[from..].to_owned());
        Self {
            dialect: sql.dialect.kind(),
            depth,
            pieces,
            values: sql.binds.into_iter().map(Cow::into_owned).collect(),
        }
    }

    fn append<'p>(&'p self, sql: &mut Sql<'p>) {
        let mut values = self.values.iter();
        for piece in &self.pieces {
            sql.push(piece);
            if let Some(value) = values.next() {
                sql.bind(Cow::Borrowed(value));
            }
        }
    }
}
