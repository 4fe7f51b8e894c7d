//! What callers may do: the permissions as they are stored, compiled for one caller at a time.

use std::sync::Arc;

use loggia_access::{Caller, Conditions, Grants, Rulebook};
use loggia_model::{Collection, Filter, Problem, Problems};
use serde_json::Value;

use crate::{Engine, Error};

impl Engine {
    /// What a caller may do now. Values that permissions take from the caller's user are read for it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn grants(&self, caller: &Caller) -> Result<Grants, Error> {
        Ok(self.outline(caller))
    }

    /// What a caller may do now, as far as can be said without reading the caller's user: good for what is shown and
    /// listed. A permission that needs more grants nothing.
    #[must_use]
    pub fn outline(&self, caller: &Caller) -> Grants {
        Grants::compile(caller, &self.schema(), &Rulebook::default(), &Nothing)
    }
}

struct Nothing;

impl Conditions for Nothing {
    fn condition(&self, _: &Arc<Collection>, _: &Value) -> Result<Filter, Problems> {
        Err(Problem::forbidden().into())
    }

    fn substituted(&self, value: &Value) -> Value {
        value.clone()
    }
}
