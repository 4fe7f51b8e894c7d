//! Conditions on shapes. What the servers know of geometry is not what shapes are elsewhere, so shapes are compared
//! here: before a statement runs, the shapes of the column are read, and the statement is told by their digests which
//! of them are meant. What is written meanwhile has a digest that the statement was not told.

use std::borrow::Cow;
use std::collections::BTreeSet;

use loggia_model::Scalar;
use sha2::{Digest as _, Sha256};

use super::arguments::hexadecimal;
use super::connection::{Connection, Failure};
use crate::change::quoted;
use crate::geometry::Shape;
use crate::lower::{ShapeTest, Statement};

/// Binds the digests that a statement's tests of shapes wait for.
pub(super) async fn look_up(
    connection: &mut Connection,
    statement: &mut Statement<'_>,
) -> Result<(), Failure> {
    for (position, test) in std::mem::take(&mut statement.shapes) {
        let mut digests = meant(connection, &test).await?;
        // Never without any: NULL is not in an empty list, and would count as a shape that does not meet.
        digests.insert(String::new());
        let list = serde_json::Value::from_iter(digests);
        statement.binds[position] = Cow::Owned(Scalar::Text(list.to_string()));
    }
    Ok(())
}

/// The digests of the shapes in a column that meet another.
async fn meant(connection: &mut Connection, test: &ShapeTest<'_>) -> Result<BTreeSet<String>, Failure> {
    let Some(wanted) = Shape::parse(test.shape) else {
        return Ok(BTreeSet::new());
    };
    let dialect = connection.dialect();
    let column = quoted(dialect, &test.field.name);
    let text = format!(
        "SELECT {column} FROM {} WHERE {column} IS NOT NULL",
        quoted(dialect, &test.field.collection)
    );
    let rows = connection.ask(&text, &[]).await?;
    let texts = rows.cells.iter().filter_map(Scalar::as_text);
    let meets = |text: &&str| {
        Shape::parse(text).is_some_and(|shape| match test.boxes {
            true => shape.bounds_meet(&wanted),
            false => shape.meets(&wanted),
        })
    };
    Ok(texts.filter(meets).map(digest).collect())
}

/// As the server's `SHA2`.
fn digest(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}
