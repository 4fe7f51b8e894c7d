//! What is known of a change of tables while it lasts: how each step is taken back, and what is cleared away once it is
//! kept. See `building` for who reads and writes it when.
//!
//! A step is noted before it is done, and may be taken back more than once: what is not there any more, or there
//! already, is passed over.

use loggia_model::Scalar;

use super::connection::{Connection, Failure};
use super::failure;

/// Keeps the steps that are noted; run inside the transaction that they belong to.
pub(super) const KEEP: &str = "UPDATE loggia_ddl SET kept = 1";
/// What hidden tables begin with.
pub(super) const HIDDEN: &str = "loggia_hidden_";
/// Errors which say that a statement finds nothing to do: a table, column, key or constraint that is there already, or
/// not there.
const NOTHING_TO_DO: &[u16] = &[1050, 1051, 1054, 1060, 1061, 1068, 1091, 1146, 1826, 3822];

/// The statement that makes it.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS loggia_ddl (id bigint AUTO_INCREMENT PRIMARY KEY, \
     kept tinyint NOT NULL DEFAULT 0, back longtext CHARACTER SET utf8mb4 NOT NULL, \
     clean longtext CHARACTER SET utf8mb4 NOT NULL)";

/// The name of a table that nobody is shown.
pub(super) fn hidden(name: &str) -> String {
    format!("{HIDDEN}{name}")
}

/// Notes how a step that follows is taken back, and what is cleared away when it is kept.
pub(super) async fn note(builder: &mut Connection, undo: &[String], clean: &[String]) -> Result<(), Failure> {
    const NOTE: &str = "INSERT INTO loggia_ddl (back, clean) VALUES (?, ?)";
    let list = |texts: &[String]| Scalar::Text(serde_json::Value::from(texts.to_vec()).to_string());
    builder.ask(NOTE, &[list(undo), list(clean)]).await.map(drop)
}

/// The last step so far.
pub(super) async fn mark(builder: &mut Connection) -> Result<i64, Failure> {
    const LAST: &str = "SELECT COALESCE(MAX(id), 0) FROM loggia_ddl";
    let last = builder.ask(LAST, &[]).await?.count();
    Ok(i64::try_from(last).unwrap_or(i64::MAX))
}

/// Takes back the steps behind a mark that are not kept, the last of them first.
pub(super) async fn undo(builder: &mut Connection, mark: i64) -> Result<(), Failure> {
    const STEPS: &str = "SELECT id, back FROM loggia_ddl WHERE id > ? AND kept = 0 ORDER BY id DESC";
    run(builder, STEPS, &[Scalar::Int(mark)]).await
}

/// Takes back what is not kept, and clears away what is.
pub(super) async fn settle(builder: &mut Connection) -> Result<(), Failure> {
    const KEPT: &str = "SELECT id, clean FROM loggia_ddl WHERE kept = 1 ORDER BY id";
    undo(builder, 0).await?;
    run(builder, KEPT, &[]).await
}

/// Runs the statements of each step that is found, and forgets the step.
async fn run(builder: &mut Connection, steps: &str, values: &[Scalar]) -> Result<(), Failure> {
    const FORGET: &str = "DELETE FROM loggia_ddl WHERE id = ?";
    let steps = builder.ask(steps, values).await?;
    for step in steps.iter() {
        let [id, texts] = step else { continue };
        let texts = texts.as_text().unwrap_or("[]");
        let texts: Vec<String> = serde_json::from_str(texts).map_err(|error| {
            Failure::Other(format!("the journal of tables cannot be read: {error}").into())
        })?;
        for text in texts {
            run_once(builder, &text).await?;
        }
        builder.ask(FORGET, std::slice::from_ref(id)).await?;
    }
    Ok(())
}

async fn run_once(builder: &mut Connection, text: &str) -> Result<(), Failure> {
    match builder.command(text).await {
        Err(error) if has_nothing_to_do(&error) => {
            tracing::debug!(
                error = failure::words(&error),
                "a step of a change of tables has nothing to do"
            );
            Ok(())
        }
        done => done,
    }
}

fn has_nothing_to_do(error: &Failure) -> bool {
    match error {
        // MariaDB has no number for a foreign key that is there already.
        Failure::Server(said) if said.code == 1005 => said.message.contains("errno: 121"),
        error => failure::code(error).is_some_and(|code| NOTHING_TO_DO.contains(&code)),
    }
}
