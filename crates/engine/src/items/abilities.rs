//! What a caller may do with one item, asked without doing it.

use std::sync::Arc;

use loggia_access::{Abilities, AbilitiesQuestion, Caller};
use loggia_model::error::INVALID_QUERY;
use loggia_model::{Collection, Filter, Problem, Schema};
use serde_json::Value;

use super::keys;
use crate::{Engine, Error};

impl Engine {
    /// What the caller may do with an item, decided by what it holds. With an item that is not there nothing may be done,
    /// as with one that is denied. `key`: which item; of a singleton none has to be named.
    ///
    /// # Errors
    /// The one answer for a collection that is denied or does not exist; a missing key.
    pub async fn abilities(
        &self,
        caller: &Caller,
        collection: &str,
        key: Option<&Value>,
    ) -> Result<Abilities, Error> {
        let schema = self.schema();
        let asked = self.asked(&schema, caller, collection, key).await;
        match self.unless_outdated(&schema, asked).await? {
            Some(abilities) => Ok(abilities),
            None => self.asked(&self.schema(), caller, collection, key).await,
        }
    }

    async fn asked(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        collection: &str,
        key: Option<&Value>,
    ) -> Result<Abilities, Error> {
        let grants = self.grants_under(schema, caller).await?;
        let collection = self.resolver(schema, &grants).seen(collection)?.clone();
        let question = AbilitiesQuestion::new(&grants, &collection);
        let primary = keys::primary(&collection)?;
        let singleton = key.is_none();
        let item = match key {
            None if !is_singleton(&collection) => return Err(unnamed(&collection).into()),
            None => Filter::All,
            Some(key) => match keys::scalar(primary, key) {
                Some(key) => keys::among(primary, vec![key]),
                None => return Ok(question.answer(None)),
            },
        };
        let outcome = self.parts().store.run(question.permit(item)).await?;
        let row = outcome.into_rows().into_iter().next();
        Ok(match row {
            None if singleton => question.unwritten(),
            row => question.answer(row.as_ref()),
        })
    }
}

fn is_singleton(collection: &Collection) -> bool {
    collection.meta.as_ref().is_some_and(|meta| meta.singleton)
}

fn unnamed(collection: &Collection) -> Problem {
    let name = &collection.name;
    let message = format!("Which item of \"{name}\" is meant is missing.");
    let hint = format!("Name its key: /permissions/me/{name}/{{key}}. Only a singleton needs none.");
    Problem::new(&INVALID_QUERY, message.clone())
        .with("reason", message.trim_end_matches('.'))
        .hint(hint)
}
