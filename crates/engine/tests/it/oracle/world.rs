//! A world of a test, as plain data: what exists, and who may do what with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The members of an item that have columns.
pub(super) type Row = Map<String, Value>;

/// What values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ty {
    Integer,
    BigInteger,
    Decimal,
    Float,
    String,
    Text,
    Boolean,
    Date,
    Time,
    DateTime,
    Timestamp,
    Json,
    Uuid,
    /// No column: a list of items that point here.
    Alias,
}

impl Ty {
    pub(super) const SCALAR: [Self; 13] = [
        Self::Integer,
        Self::BigInteger,
        Self::Decimal,
        Self::Float,
        Self::String,
        Self::Text,
        Self::Boolean,
        Self::Date,
        Self::Time,
        Self::DateTime,
        Self::Timestamp,
        Self::Json,
        Self::Uuid,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::BigInteger => "bigInteger",
            Self::Decimal => "decimal",
            Self::Float => "float",
            Self::String => "string",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Time => "time",
            Self::DateTime => "dateTime",
            Self::Timestamp => "timestamp",
            Self::Json => "json",
            Self::Uuid => "uuid",
            Self::Alias => "alias",
        }
    }

    pub(super) fn is_textual(self) -> bool {
        matches!(self, Self::String | Self::Text)
    }

    pub(super) fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Integer | Self::BigInteger | Self::Decimal | Self::Float
        )
    }

    pub(super) fn has_date(self) -> bool {
        matches!(self, Self::Date | Self::DateTime | Self::Timestamp)
    }

    pub(super) fn has_time(self) -> bool {
        matches!(self, Self::Time | Self::DateTime | Self::Timestamp)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Ty,
}

/// A collection; its key is the field `id`.
#[derive(Clone, Debug)]
pub(super) struct Collection {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) sort_field: Option<String>,
}

/// A relation, by its pointing column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Relation {
    pub(super) many: String,
    pub(super) field: String,
    /// What is pointed to; `None`: any of several.
    pub(super) one: Option<String>,
    /// The list of pointing items on the other side.
    pub(super) alias: Option<String>,
    /// The column that says which collection is pointed to, and which it may be.
    pub(super) any: Option<(String, Vec<String>)>,
    pub(super) sort_field: Option<String>,
    /// Whether what is taken off the list is deleted.
    pub(super) deletes: bool,
}

/// A row of `directus_permissions`.
#[derive(Clone, Debug)]
pub(super) struct Permission {
    pub(super) policy: usize,
    pub(super) collection: String,
    pub(super) action: &'static str,
    pub(super) fields: Vec<String>,
    pub(super) items: Value,
    pub(super) validation: Value,
    pub(super) presets: Value,
    pub(super) locales: Option<Vec<String>>,
    pub(super) statuses: Option<Vec<String>>,
}

impl Permission {
    /// Whether it speaks of an action on a collection, to somebody with these policies.
    pub(super) fn is_for(&self, action: &str, collection: &str, policies: &[usize]) -> bool {
        self.action == action
            && policies.contains(&self.policy)
            && (self.collection == "*" || self.collection == collection)
    }

    pub(super) fn grants(&self, field: &str) -> bool {
        field == "id"
            || self
                .fields
                .iter()
                .any(|granted| granted == "*" || granted == field)
    }

    /// The fields whose values it limits, and to what.
    pub(super) fn limits(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        let limits = [("locale", &self.locales), ("status", &self.statuses)];
        limits
            .into_iter()
            .filter_map(|(field, values)| Some((field, values.as_ref()?)))
    }

    /// Whether its limits let an item as it is.
    pub(super) fn limits_let(&self, row: &Row) -> bool {
        self.limits().all(|(field, values)| {
            let value = row.get(field).and_then(Value::as_str);
            value.is_some_and(|value| values.iter().any(|allowed| allowed == value))
        })
    }
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) name: String,
    /// The position in [`World::users`].
    pub(super) user: Option<usize>,
    /// Positions in [`ROLES`], nearest first.
    pub(super) roles: Vec<usize>,
    /// Policies whose permissions add up; all layers must agree. `None`: an administrator's layer.
    pub(super) layers: Vec<Option<Vec<usize>>>,
}

/// Keys of `directus_roles`; the second is the parent of the first.
pub(super) const ROLES: [&str; 2] = [
    "22222222-2222-4222-8222-000000000000",
    "22222222-2222-4222-8222-000000000001",
];

/// Keys of `directus_users`.
pub(super) const USERS: [&str; 3] = [
    "33333333-3333-4333-8333-000000000000",
    "33333333-3333-4333-8333-000000000001",
    "33333333-3333-4333-8333-000000000002",
];

/// `$NOW`: where the clock of the tests stands.
pub(super) const NOW: &str = "2026-11-21T12:00:00.000Z";

#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) collections: Vec<Collection>,
    pub(super) relations: Vec<Relation>,
    pub(super) rows: BTreeMap<String, Vec<Row>>,
    pub(super) policies: usize,
    pub(super) permissions: Vec<Permission>,
    pub(super) callers: Vec<Who>,
    /// The largest key that there ever was, by collection.
    pub(super) counted: BTreeMap<String, i64>,
}

impl World {
    pub(super) fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }

    /// Counts on from the rows that are there.
    pub(super) fn count(&mut self) {
        self.counted.clear();
        for (name, rows) in &self.rows {
            let largest = rows.iter().filter_map(|row| row["id"].as_i64()).max();
            self.counted.insert(name.clone(), largest.unwrap_or(0));
        }
    }

    /// The key that the database gives next.
    pub(super) fn next_key(&self, collection: &str) -> Value {
        (self.counted.get(collection).copied().unwrap_or(0) + 1).into()
    }

    pub(super) fn add(&mut self, collection: &str, row: Row) {
        if let Some(key) = row["id"].as_i64() {
            let largest = self.counted.entry(collection.to_owned()).or_default();
            *largest = key.max(*largest);
        }
        self.rows.entry(collection.to_owned()).or_default().push(row);
    }

    pub(super) fn change(&mut self, collection: &str, key: &Value, values: &Row) {
        let rows = self.rows.get_mut(collection).into_iter().flatten();
        for row in rows.filter(|row| row["id"] == *key) {
            row.extend(values.clone());
        }
    }

    /// Rows go, and what points to them points nowhere.
    pub(super) fn remove(&mut self, collection: &str, keys: &[Value]) {
        if let Some(rows) = self.rows.get_mut(collection) {
            rows.retain(|row| !keys.contains(&row["id"]));
        }
        for relation in self
            .relations
            .iter()
            .filter(|relation| relation.one.as_deref() == Some(collection))
        {
            for row in self.rows.get_mut(&relation.many).into_iter().flatten() {
                if keys.contains(&row[&relation.field]) {
                    row.insert(relation.field.clone(), Value::Null);
                }
            }
        }
    }

    /// The rows of `directus_users`.
    pub(super) fn users() -> Vec<Value> {
        let names = [json!("red"), json!("Ab"), Value::Null];
        let tags = [json!(["a", "Ab"]), json!([]), Value::Null];
        let user = |(i, key): (usize, &&str)| {
            json!({
                "id": key, "email": format!("user{i}@example.com"), "status": "active",
                "first_name": names[i], "tags": tags[i], "role": ROLES[i % 2],
            })
        };
        USERS.iter().enumerate().map(user).collect()
    }

    /// The key of a policy.
    pub(super) fn policy(i: usize) -> String {
        format!("44444444-4444-4444-8444-{i:012}")
    }
}

/// A few values of a field.
pub(super) fn values_of(field: &Field) -> Vec<Value> {
    match field.name.as_str() {
        "locale" => LOCALES.map(Value::from).to_vec(),
        "status" => STATUSES.map(Value::from).to_vec(),
        _ => values(field.ty),
    }
}

pub(super) const LOCALES: [&str; 3] = ["en", "de", "fr"];
pub(super) const STATUSES: [&str; 3] = ["draft", "review", "public"];

/// A few values of a type, in the notation in which they are answered.
pub(super) fn values(ty: Ty) -> Vec<Value> {
    match ty {
        Ty::Integer => [-1, 0, 1, 2, 3, 20].map(Value::from).to_vec(),
        Ty::BigInteger => vec![json!(1), json!(2), json!("9007199254740993"), json!(-4)],
        Ty::Decimal => ["1.5", "2.25", "10", "-3", "0"]
            .map(|text| serde_json::from_str(text).unwrap())
            .to_vec(),
        Ty::Float => vec![json!(0.5), json!(2), json!(-1.5), json!(10)],
        Ty::String => ["", "a", "Ab", "aB", "äß", "ÄSS", "b_%", "zz a"]
            .map(Value::from)
            .to_vec(),
        Ty::Text => ["red fish", "blue", "Red", "", "one 2 three"]
            .map(Value::from)
            .to_vec(),
        Ty::Boolean => vec![json!(true), json!(false)],
        Ty::Date => [
            "2024-02-29",
            "2025-01-31",
            "2026-11-20",
            "2026-11-21",
            "2026-11-22",
        ]
        .map(Value::from)
        .to_vec(),
        Ty::Time => ["00:00:00", "10:20:30", "23:59:59"].map(Value::from).to_vec(),
        Ty::DateTime => [
            "2025-03-04T10:20:30",
            "2026-01-01T00:00:00",
            "2027-01-01T08:00:00",
        ]
        .map(Value::from)
        .to_vec(),
        Ty::Timestamp => [
            "2025-03-04T10:20:30.000Z",
            "2026-11-21T11:59:59.000Z",
            NOW,
            "2026-11-21T12:00:01.000Z",
            "2027-01-03T00:00:00.500Z",
        ]
        .map(Value::from)
        .to_vec(),
        Ty::Json => vec![
            json!({"a": 1, "b": {"c": "x"}}),
            json!({"a": "x", "b": [1, 2]}),
            json!({"a": true}),
            json!([1, 2, 3]),
            json!([]),
            json!({}),
            json!("a"),
            json!(5),
        ],
        Ty::Uuid => USERS.map(Value::from).to_vec(),
        Ty::Alias => Vec::new(),
    }
}
