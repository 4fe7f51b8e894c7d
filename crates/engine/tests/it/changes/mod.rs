//! Changes: recorded with what they changed, chained, taken back.

mod administrators;
mod chain;
mod expecting;
mod judged;
mod reading;
mod recording;
mod retention;
mod reverting;
mod today;
mod veiled;

use loggia_access::{Caller, Permit};
use loggia_engine::Engine;
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions, Written};
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{DeletePlan, Plan, ReadPlan, Selected, Sort, Source, UpdatePlan};
use loggia_model::{Filter, Record, Scalar};
use serde_json::{Value, json};

use crate::fixture::{administrator, engine};

/// A shop: makers, and products of theirs with every kind of value.
pub(super) struct Shop {
    pub(super) engine: Engine,
    pub(super) admin: Caller,
}

pub(super) async fn shop() -> Shop {
    let (engine, admin) = (engine().await, administrator());
    let collections = json!([
        {"collection": "makers", "schema": {}, "meta": {}, "fields": [
            {"field": "name", "type": "string", "schema": {"is_unique": true}},
        ]},
        {"collection": "products", "schema": {}, "meta": {}, "fields": [
            {"field": "name", "type": "string"},
            {"field": "big", "type": "bigInteger"},
            {"field": "price", "type": "decimal", "schema": {"numeric_precision": 30, "numeric_scale": 20}},
            {"field": "weight", "type": "float"},
            {"field": "photo", "type": "binary"},
            {"field": "facts", "type": "json"},
            {"field": "labels", "type": "csv"},
            {"field": "code", "type": "hash", "meta": {"special": ["hash", "conceal"]}},
            {"field": "maker", "type": "integer"},
            {"field": "successor", "type": "integer"},
        ]},
        {"collection": "parts", "schema": {}, "meta": {}, "fields": [
            {"field": "name", "type": "string"},
            {"field": "product", "type": "integer"},
        ]},
    ]);
    let collections = collections.as_array().unwrap().clone();
    engine.create_collections(&admin, collections).await.unwrap();
    for (field, collection, to, alias, on_delete) in [
        ("maker", "products", "makers", "products", "CASCADE"),
        ("successor", "products", "products", "predecessors", "SET NULL"),
        ("product", "parts", "products", "parts", "CASCADE"),
    ] {
        let body = json!({"collection": collection, "field": field, "related_collection": to,
            "meta": {"one_field": alias}, "schema": {"on_delete": on_delete}});
        engine.create_complete_relation(&admin, body).await.unwrap();
    }
    Shop { engine, admin }
}

pub(super) fn record(value: Value) -> Record {
    match value {
        Value::Object(record) => record,
        other => panic!("{other} is no object"),
    }
}

impl Shop {
    pub(super) async fn create(&self, collection: &str, rows: Value) -> Written {
        self.create_as(&self.admin, collection, rows).await
    }

    pub(super) async fn create_as(&self, caller: &Caller, collection: &str, rows: Value) -> Written {
        let rows = match rows {
            Value::Array(rows) => rows.into_iter().map(record).collect(),
            row => vec![record(row)],
        };
        let written = self
            .engine
            .create_items(caller, collection, rows, &WriteOptions::default())
            .await;
        written.unwrap()
    }

    pub(super) async fn update(&self, collection: &str, keys: Value, data: Value) -> Written {
        let target = Target::Keys {
            keys: keys.as_array().unwrap().clone(),
            data: record(data),
        };
        let options = WriteOptions::default();
        let written = self
            .engine
            .update_items(&self.admin, collection, target, &options)
            .await;
        written.unwrap()
    }

    pub(super) async fn delete(&self, collection: &str, keys: Value) -> Written {
        let selection = Selection::Keys(keys.as_array().unwrap().clone());
        let options = WriteOptions {
            deletes: Deletes::Allowed,
            ..WriteOptions::default()
        };
        let written = self
            .engine
            .delete_items(&self.admin, collection, selection, &options)
            .await;
        written.unwrap()
    }

    /// Every row of a table with every column as it is stored, below the use cases.
    pub(super) async fn rows(&self, collection: &str) -> Vec<Record> {
        let schema = self.engine.schema();
        let collection = schema.collection(collection).unwrap().clone();
        let columns = collection.fields.values().filter(|field| !field.is_alias());
        let plan = Plan::Read(ReadPlan {
            select: columns
                .map(|field| Selected::new(field.name.as_str(), Source::Secret(field.clone())))
                .collect(),
            sort: vec![Sort {
                operand: Operand::Field(collection.primary.clone().unwrap()),
                descending: false,
            }],
            collection: collection.clone(),
            filter: Filter::All,
            limit: None,
            offset: 0,
        });
        let outcome = self
            .engine
            .parts()
            .store
            .run(Permit::system("a test", plan))
            .await;
        outcome.unwrap().into_rows()
    }

    /// Every change in its order.
    pub(super) async fn changes(&self) -> Vec<Record> {
        let mut changes = self.rows("loggia_changes").await;
        changes.sort_by_key(|row| row["number"].as_i64().unwrap());
        changes
    }

    /// The last change.
    pub(super) async fn last(&self) -> Record {
        self.changes().await.pop().unwrap()
    }

    pub(super) async fn revisions_of(&self, change: &str) -> Vec<Record> {
        let rows = self.rows("directus_revisions").await;
        rows.into_iter().filter(|row| row["change"] == change).collect()
    }

    /// Writes to a system table as somebody with the file would.
    pub(super) async fn tamper(&self, table: &str, id: &Value, column: &str, value: Scalar) {
        let schema = self.engine.schema();
        let collection = schema.collection(table).unwrap().clone();
        let plan = Plan::Update(UpdatePlan {
            filter: by_key(&collection, id),
            assign: vec![(collection.field(column).unwrap().clone(), value)],
            collection,
        });
        self.below(plan).await;
    }

    pub(super) async fn remove(&self, table: &str, id: &Value) {
        let collection = self.engine.schema().collection(table).unwrap().clone();
        let plan = Plan::Delete(DeletePlan {
            filter: by_key(&collection, id),
            collection,
        });
        self.below(plan).await;
    }

    async fn below(&self, plan: Plan) {
        let mut tx = self.engine.parts().store.begin().await.unwrap();
        tx.run(Permit::system("a test", plan)).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn by_key(collection: &loggia_model::Collection, id: &Value) -> Filter {
    let primary = collection.primary.as_ref().unwrap();
    let key = primary.ty.parse(id, primary.column.as_ref().unwrap()).unwrap();
    Filter::field(primary, Test::Equal(key))
}
