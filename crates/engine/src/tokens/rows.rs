//! The rows of `loggia_tokens`, and what is shown of them.

use std::sync::Arc;

use jiff::Timestamp;
use loggia_access::{Caller, Permit, TokenShape};
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, InsertPlan, Plan, UpdatePlan};
use loggia_model::{Collection, Field, Filter, Problem, Record, Scalar, Schema};
use serde_json::Value;

use crate::Error;
use crate::changes::Recorder;
use crate::query::plain_read;

/// What is shown of a token: everything but its fingerprint.
const SHOWN: [&str; 14] = [
    "id",
    "name",
    "user",
    "prefix",
    "policies",
    "expires",
    "ip_access",
    "requests_per_minute",
    "changed_rows_per_hour",
    "mode",
    "created_on",
    "rotated_on",
    "last_used_on",
    "last_used_ip",
];

/// `loggia_tokens` in a snapshot of the schema.
pub(super) struct Rows(pub(super) Arc<Collection>);

impl Rows {
    pub(super) fn of(schema: &Schema) -> Result<Self, Problem> {
        schema
            .collection("loggia_tokens")
            .cloned()
            .map(Self)
            .ok_or_else(Problem::forbidden)
    }

    fn field(&self, name: &str) -> Result<&Arc<Field>, Problem> {
        self.0.field(name).ok_or_else(Problem::forbidden)
    }

    /// The tokens of a user (`None`: of all), as they are shown.
    pub(super) fn of_user(&self, user: Option<&str>) -> Result<Permit<Plan>, Problem> {
        let filter = match user {
            Some(user) => Filter::field(self.field("user")?, Test::Equal(user.into())),
            None => Filter::All,
        };
        Ok(self.read(filter))
    }

    /// One token; `None` where no token can have this key.
    pub(super) fn one(&self, id: &str) -> Option<Permit<Plan>> {
        Some(self.read(self.keyed(id)?))
    }

    /// The token by which a caller asks.
    pub(super) fn holder(&self, caller: &Caller) -> Option<Permit<Plan>> {
        self.one(&caller.claims().token.as_ref()?.id)
    }

    fn read(&self, filter: Filter) -> Permit<Plan> {
        let fields: Vec<_> = SHOWN
            .iter()
            .filter_map(|name| self.0.field(name).cloned())
            .collect();
        permit(Plan::Read(plain_read(&self.0, &fields, filter)))
    }

    pub(super) async fn insert(
        &self,
        tx: &mut Recorder,
        row: Vec<(Arc<Field>, Scalar)>,
    ) -> Result<(), Error> {
        let plan = Plan::Insert(InsertPlan {
            collection: self.0.clone(),
            rows: vec![row],
        });
        tx.run(permit(plan)).await?;
        Ok(())
    }

    pub(super) async fn update(
        &self,
        tx: &mut Recorder,
        id: &str,
        assign: Vec<(Arc<Field>, Scalar)>,
    ) -> Result<(), Error> {
        let plan = Plan::Update(UpdatePlan {
            collection: self.0.clone(),
            filter: self.keyed(id).ok_or_else(Problem::forbidden)?,
            assign,
        });
        tx.run(permit(plan)).await?;
        Ok(())
    }

    pub(super) async fn delete(&self, tx: &mut Recorder, id: &str) -> Result<(), Error> {
        let plan = Plan::Delete(DeletePlan {
            collection: self.0.clone(),
            filter: self.keyed(id).ok_or_else(Problem::forbidden)?,
        });
        tx.run(permit(plan)).await?;
        Ok(())
    }

    /// The columns of what a token may do.
    pub(super) fn columns(&self, shape: &TokenShape) -> Result<Vec<(Arc<Field>, Scalar)>, Problem> {
        let texts = |texts: &[String]| Value::from(texts.to_vec());
        let list = Some(texts(&shape.ip_access)).filter(|_| !shape.ip_access.is_empty());
        [
            ("name", Value::from(shape.name.as_str())),
            ("policies", shape.policies.as_deref().map_or(Value::Null, texts)),
            ("expires", shape.expires.map_or(Value::Null, moment)),
            ("ip_access", list.unwrap_or(Value::Null)),
            ("requests_per_minute", shape.requests_per_minute.into()),
            ("changed_rows_per_hour", shape.changed_rows_per_hour.into()),
            ("mode", shape.mode.as_str().into()),
        ]
        .into_iter()
        .map(|(name, value)| self.column(name, &value))
        .collect()
    }

    /// One column and its value, in the form of its type.
    pub(super) fn column(&self, name: &str, value: &Value) -> Result<(Arc<Field>, Scalar), Problem> {
        let field = self.field(name)?;
        let column = field.column.as_ref().ok_or_else(Problem::forbidden)?;
        let scalar = match value {
            Value::Null => Scalar::Null,
            value => field
                .ty
                .parse(value, column)
                .map_err(|problem| problem.at(name))?,
        };
        Ok((field.clone(), scalar))
    }

    /// The row with this key; `None` where no row can have it.
    fn keyed(&self, id: &str) -> Option<Filter> {
        let primary = self.0.primary.as_ref()?;
        let key = primary.ty.parse(&id.into(), primary.column.as_ref()?).ok()?;
        Some(Filter::field(primary, Test::Equal(key)))
    }
}

/// The keys among these of rows that exist.
pub(super) async fn existing(
    tx: &mut Recorder,
    collection: &Arc<Collection>,
    keys: &[String],
) -> Result<Vec<String>, Error> {
    let Some(primary) = &collection.primary else {
        return Ok(Vec::new());
    };
    let key = |key: &String| {
        primary
            .ty
            .parse(&key.as_str().into(), primary.column.as_ref()?)
            .ok()
    };
    let wanted: Vec<_> = keys.iter().filter_map(key).collect();
    let filter = Filter::field(primary, Test::In(wanted));
    let plan = Plan::Read(plain_read(collection, std::slice::from_ref(primary), filter));
    let rows = tx.run(permit(plan)).await?.into_rows();
    let id = |row: &Record| row.get(&primary.name).and_then(Value::as_str).map(str::to_owned);
    Ok(rows.iter().filter_map(id).collect())
}

/// A token as it is shown: with its age, and the time that it has left.
pub(super) fn shown(mut row: Record, now: Timestamp) -> Record {
    let at = |name: &str| {
        row.get(name)
            .and_then(Value::as_str)
            .and_then(|at| at.parse::<Timestamp>().ok())
    };
    let days = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs().div_euclid(24 * 60 * 60);
    let left = at("expires").map(|end| days(now, end));
    let age = at("rotated_on").or(at("created_on")).map(|made| days(made, now));
    row.insert("expires_in_days".to_owned(), left.into());
    row.insert("age_days".to_owned(), age.into());
    row
}

/// A moment as values are written.
pub(super) fn moment(at: Timestamp) -> Value {
    at.to_string().into()
}

fn permit(plan: Plan) -> Permit<Plan> {
    Permit::system(
        "tokens are managed by their owners and by administrators, whatever permissions say",
        plan,
    )
}
