//! Reads: a page, an item, a singleton.

use std::sync::Arc;

use loggia_access::{Action, Caller, Grants, decide};
use loggia_model::plan::{Plan, ReadPlan, Source};
use loggia_model::schema::Default as ColumnDefault;
use loggia_model::tag::ABSENT;
use loggia_model::{Collection, Filter, Link, Problem, Query, Record, Schema};
use loggia_store::Outcome;
use serde_json::Value;

use super::{Page, keys};
use crate::changes::veil::Veil;
use crate::query::{Resolver, Sight, count};
use crate::{Engine, Error};

impl Engine {
    /// A page of items, or the figures that the query asks for.
    ///
    /// # Errors
    /// Everything that is wrong with the query; the one answer for a collection that is denied or does not exist.
    pub async fn read_items(&self, caller: &Caller, collection: &str, query: Query) -> Result<Page, Error> {
        let schema = self.schema();
        let read = self.page(&schema, caller, collection, &query).await;
        match self.unless_outdated(&schema, read).await? {
            Some(page) => Ok(page),
            None => self.page(&self.schema(), caller, collection, &query).await,
        }
    }

    async fn page(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        collection: &str,
        query: &Query,
    ) -> Result<Page, Error> {
        let grants = self.grants_under(schema, caller).await?;
        let on = self.resolver(schema, &grants);
        let collection = on.collection(collection, Action::Read)?.clone();
        let (plan, veil, filter) = if query.aggregate.is_empty() && query.group_by.is_empty() {
            let (plan, veil) = on.read(&collection, query)?;
            let filter = plan.filter.clone();
            (Plan::Read(plan), veil, filter)
        } else {
            let plan = on.aggregate(&collection, query)?;
            let filter = plan.filter.clone();
            (Plan::Aggregate(plan), Veil::default(), filter)
        };
        let mut permits = vec![decide(&grants, plan)?];
        if query.meta.total_count {
            permits.push(decide(&grants, count(&collection, Filter::All))?);
        }
        if query.meta.filter_count {
            permits.push(decide(&grants, count(&collection, filter))?);
        }
        let mut outcomes = self.parts().store.run_all(permits).await?.into_iter();
        let mut rows = outcomes.next().map(Outcome::into_rows).unwrap_or_default();
        veil.draw(schema, &mut rows);
        let mut counted = |asked: bool| asked.then(|| outcomes.next().map(counted)).flatten();
        Ok(Page {
            rows,
            total_count: counted(query.meta.total_count),
            filter_count: counted(query.meta.filter_count),
        })
    }

    /// One item by its primary key. Of the query, everything counts but sort, limit and page.
    ///
    /// # Errors
    /// As [`Engine::read_items`]; the one answer for an item that does not exist.
    pub async fn read_item(
        &self,
        caller: &Caller,
        collection: &str,
        key: &Value,
        query: Query,
    ) -> Result<Record, Error> {
        let schema = self.schema();
        let read = self.item(&schema, caller, collection, key, &query).await;
        match self.unless_outdated(&schema, read).await? {
            Some(item) => Ok(item),
            None => self.item(&self.schema(), caller, collection, key, &query).await,
        }
    }

    async fn item(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        collection: &str,
        key: &Value,
        query: &Query,
    ) -> Result<Record, Error> {
        let grants = self.grants_under(schema, caller).await?;
        let on = self.resolver(schema, &grants);
        let collection = on.collection(collection, Action::Read)?.clone();
        let primary = keys::primary(&collection)?;
        let (plan, veil) = on.read(&collection, query)?;
        let key = keys::scalar(primary, key).ok_or_else(Problem::forbidden)?;
        let plan = ReadPlan {
            filter: keys::among(primary, vec![key]).and(plan.filter),
            sort: Vec::new(),
            limit: None,
            offset: 0,
            ..plan
        };
        let outcome = self.parts().store.run(decide(&grants, Plan::Read(plan))?).await?;
        let mut rows = outcome.into_rows();
        veil.draw(schema, &mut rows);
        let row = rows.into_iter().next();
        row.ok_or_else(|| Problem::forbidden().into())
    }

    /// The one item of a singleton; where it was never written, the defaults of its fields.
    ///
    /// # Errors
    /// As [`Engine::read_items`].
    pub async fn read_singleton(
        &self,
        caller: &Caller,
        collection: &str,
        query: Query,
    ) -> Result<Record, Error> {
        let schema = self.schema();
        let read = self.singleton(&schema, caller, collection, &query).await;
        match self.unless_outdated(&schema, read).await? {
            Some(item) => Ok(item),
            None => self.singleton(&self.schema(), caller, collection, &query).await,
        }
    }

    async fn singleton(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        collection: &str,
        query: &Query,
    ) -> Result<Record, Error> {
        let grants = self.grants_under(schema, caller).await?;
        let on = self.resolver(schema, &grants);
        let collection = on.collection(collection, Action::Read)?.clone();
        let (plan, veil) = on.read(&collection, query)?;
        let plan = ReadPlan {
            limit: Some(1),
            offset: 0,
            ..plan
        };
        let outcome = self
            .parts()
            .store
            .run(decide(&grants, Plan::Read(plan.clone()))?)
            .await?;
        let row = outcome.into_rows().into_iter().next();
        let mut row = row.unwrap_or_else(|| defaults(&plan));
        veil.draw(schema, std::slice::from_mut(&mut row));
        Ok(row)
    }

    /// `None`: the read failed because the schema changed under it, and the new one is in place now.
    pub(super) async fn unless_outdated<T>(
        &self,
        schema: &Schema,
        read: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match read {
            Err(Error::Store(_)) if self.parts().store.versions().await?.schema != schema.version => {
                self.catch_up().await?;
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Looks names up for a caller, now.
    pub(crate) fn resolver<'a>(&'a self, schema: &'a Arc<Schema>, grants: &'a Grants) -> Resolver<'a> {
        Resolver {
            schema,
            grants,
            sight: Sight::Granted,
            facts: None,
            limits: &self.parts().limits,
            now: self.parts().clock.now(),
        }
    }
}

/// The one number of a counting plan.
pub(super) fn counted(outcome: Outcome) -> u64 {
    let row = outcome.into_rows().into_iter().next().unwrap_or_default();
    let count = row.get("count");
    count
        .and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()))
        .unwrap_or(0)
}

/// What a row would hold that nothing was written to.
fn defaults(plan: &ReadPlan) -> Record {
    let members = plan.select.iter().map(|selected| {
        let value = match &selected.source {
            Source::Field(field) | Source::Secret(field) => default_of(&plan.collection, &field.name),
            Source::Related(related) if matches!(related.link, Link::ToMany { .. }) => {
                Value::Array(Vec::new())
            }
            Source::Count(_) => 0.into(),
            Source::Tag(_) => ABSENT.into(),
            Source::Related(_) | Source::Function { .. } | Source::Json { .. } => Value::Null,
        };
        (selected.alias.clone(), value)
    });
    members.collect()
}

fn default_of(collection: &Collection, field: &str) -> Value {
    let Some(field) = collection.field(field) else {
        return Value::Null;
    };
    match field.column.as_ref().map(|column| &column.default) {
        Some(ColumnDefault::Value(scalar)) => field.ty.print(scalar.clone()),
        _ => Value::Null,
    }
}
