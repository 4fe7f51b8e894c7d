//! The settings: the one row of `directus_settings`, read once and kept until it changes.

use std::sync::Arc;

use loggia_access::Permit;
use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::schema::Default as ColumnDefault;
use loggia_model::{Filter, Record, system};
use loggia_store::{Outcome, Store};
use serde_json::Value;

use crate::Error;

/// The settings as they are now, defaults included.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    record: Record,
}

impl Settings {
    /// Reads the row; where there is none, the defaults of the columns.
    pub(crate) async fn read(store: &Store) -> Result<Self, Error> {
        let Some(definition) = system::collection("directus_settings") else {
            return Ok(Self::default());
        };
        let collection = Arc::new(definition.collection());
        let columns = || collection.fields.values().filter(|field| !field.is_alias());
        let plan = Plan::Read(ReadPlan {
            collection: collection.clone(),
            select: columns()
                .map(|field| Selected {
                    when: None,
                    alias: field.name.clone(),
                    source: Source::Field(field.clone()),
                })
                .collect(),
            filter: Filter::All,
            sort: Vec::new(),
            limit: Some(1),
            offset: 0,
        });
        let outcome = store
            .run(Permit::system(
                "the settings decide how every request is answered",
                plan,
            ))
            .await?;
        if let Outcome::Rows(rows) = outcome
            && let Some(record) = rows.into_iter().next()
        {
            return Ok(Self { record });
        }
        let default = |field: &loggia_model::Field| match field.column.as_ref().map(|column| &column.default)
        {
            Some(ColumnDefault::Value(scalar)) => field.ty.print(scalar.clone()),
            _ => Value::Null,
        };
        let record = columns()
            .map(|field| (field.name.clone(), default(field)))
            .collect();
        Ok(Self { record })
    }

    /// Every setting by name; secrets are masked.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whether assistants may connect.
    #[must_use]
    pub fn mcp_enabled(&self) -> bool {
        self.flag("mcp_enabled")
    }

    /// Whether assistants may delete, at any depth.
    #[must_use]
    pub fn mcp_allow_deletes(&self) -> bool {
        self.flag("mcp_allow_deletes")
    }

    /// Whether assistants are offered guidance.
    #[must_use]
    pub fn mcp_system_prompt_enabled(&self) -> bool {
        self.flag("mcp_system_prompt_enabled")
    }

    /// The project's own guidance for assistants, if it has any.
    #[must_use]
    pub fn mcp_system_prompt(&self) -> Option<&str> {
        self.text("mcp_system_prompt")
    }

    /// Rows in one result for assistants, at most; at least one.
    #[must_use]
    pub fn mcp_max_rows(&self) -> u64 {
        self.number("mcp_max_rows", 100)
    }

    /// Tokens in one result for assistants, at most; at least one.
    #[must_use]
    pub fn mcp_max_tokens(&self) -> u64 {
        self.number("mcp_max_tokens", 20_000)
    }

    /// Days for which activity is kept; `None`: for ever.
    #[must_use]
    pub fn activity_retention(&self) -> Option<u32> {
        self.days("activity_retention")
    }

    /// Days for which revisions are kept; `None`: for ever.
    #[must_use]
    pub fn revisions_retention(&self) -> Option<u32> {
        self.days("revisions_retention")
    }

    /// What is no number of days keeps everything.
    fn days(&self, name: &str) -> Option<u32> {
        let days = self.record.get(name)?.as_u64()?;
        u32::try_from(days).ok().filter(|days| *days > 0)
    }

    fn flag(&self, name: &str) -> bool {
        self.record.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.record
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    }

    fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.record
            .get(name)
            .and_then(Value::as_u64)
            .filter(|number| *number > 0)
            .unwrap_or(otherwise)
    }
}
