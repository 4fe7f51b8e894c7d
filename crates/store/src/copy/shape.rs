//! A table whose rows travel: its columns, and their values in canonical form.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_model::schema::{Column, Table};
use loggia_model::{Collection, Field, Record, Scalar, StorageKind, field_types};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A row, in the order of the columns.
pub(super) type Row = Vec<Scalar>;

/// A table whose rows travel.
pub(super) struct Shape {
    /// As the source has it.
    pub(super) table: Table,
    /// The same without what is shown in another way than it is stored.
    pub(super) collection: Arc<Collection>,
    /// The columns that travel: all.
    pub(super) fields: Vec<Arc<Field>>,
    /// Their kinds without limits: these are the target's to judge.
    columns: Vec<Column>,
    /// Where the key stands among them.
    key: usize,
}

impl Shape {
    /// `None`: the table has no key of one column, by which its rows could be told apart.
    pub(super) fn of(name: &str, table: &Table) -> Option<Self> {
        let key = table.columns.iter().position(|column| column.primary_key)?;
        let collection = collection(name, table);
        let fields: Vec<_> = collection.fields.values().cloned().collect();
        let columns = table.columns.iter().map(|column| Column {
            max_length: None,
            precision: None,
            scale: None,
            // A whole number of any size.
            auto_increment: true,
            ..column.clone()
        });
        Some(Self {
            table: table.clone(),
            columns: columns.collect(),
            collection,
            fields,
            key,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.collection.name
    }

    /// The column that tells rows apart.
    pub(super) fn key(&self) -> &Arc<Field> {
        &self.fields[self.key]
    }

    pub(super) fn key_of<'r>(&self, row: &'r Row) -> &'r Scalar {
        &row[self.key]
    }

    /// The key of a row that was read.
    pub(super) fn key_in(&self, record: &Record) -> Result<Scalar, String> {
        let value = record.get(&self.key().name).unwrap_or(&Value::Null);
        canonical(&self.columns[self.key], value)
    }

    /// The values of a row that was read, with the columns that they are of; else what is no value of its column.
    pub(super) fn values<'s>(
        &'s self,
        record: &'s Record,
    ) -> impl Iterator<Item = (&'s Field, Result<Scalar, String>)> + 's {
        self.fields.iter().zip(&self.columns).map(|(field, column)| {
            let value = record.get(&column.name).unwrap_or(&Value::Null);
            (field.as_ref(), canonical(column, value))
        })
    }

    /// A row that was read; else what is no value of its column, and of which.
    pub(super) fn row(&self, record: &Record) -> Result<Row, (String, String)> {
        self.values(record)
            .map(|(field, value)| value.map_err(|what| (field.name.clone(), what)))
            .collect()
    }
}

/// A table as it is stored: nothing masked, no lists made of texts.
fn collection(name: &str, table: &Table) -> Arc<Collection> {
    let fields: IndexMap<_, _> = table
        .columns
        .iter()
        .map(|column| {
            let field = Field {
                collection: name.to_owned(),
                name: column.name.clone(),
                ty: field_types::of_column(column.kind, &[]),
                column: Some(column.clone()),
                meta: None,
                system: false,
            };
            (column.name.clone(), Arc::new(field))
        })
        .collect();
    let primary = fields
        .values()
        .find(|field| field.column.as_ref().is_some_and(|column| column.primary_key));
    Arc::new(Collection {
        name: name.to_owned(),
        table: Some(table.clone()),
        meta: None,
        system: false,
        primary: primary.cloned(),
        fields,
    })
}

/// A value that was read, as it is stored.
fn canonical(column: &Column, value: &Value) -> Result<Scalar, String> {
    if value.is_null() {
        return Ok(Scalar::Null);
    }
    match (column.kind, value) {
        // U+0000 and all: whether the target keeps it is the target's to say.
        (StorageKind::String | StorageKind::Text, Value::String(text)) => Ok(Scalar::Text(text.clone())),
        (StorageKind::Json | StorageKind::Geometry, value) => Ok(Scalar::Text(value.to_string())),
        // Finer than we write ourselves: to the letter.
        (kind, Value::String(text)) if is_fine(kind, text) => Ok(Scalar::Text(text.clone())),
        (kind, value) => field_types::of_column(kind, &[])
            .parse(value, column)
            .map_err(|problem| problem.message),
    }
}

/// Whether a time has more digits behind the point than our own have.
fn is_fine(kind: StorageKind, text: &str) -> bool {
    let kept = match kind {
        StorageKind::Timestamp => 3,
        StorageKind::Time | StorageKind::DateTime => 6,
        _ => return false,
    };
    let digits = text.strip_suffix('Z').unwrap_or(text).split_once('.');
    digits
        .is_some_and(|(_, digits)| digits.len() > kept && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// How many bytes a row comes to, roughly.
pub(super) fn weight(row: &[Scalar]) -> u64 {
    let bytes = row.iter().map(|value| match value {
        Scalar::Null | Scalar::Bool(_) => 1,
        Scalar::Int(_) | Scalar::Real(_) => 8,
        Scalar::Text(text) => text.len(),
        Scalar::Bytes(bytes) => bytes.len(),
    });
    bytes.sum::<usize>() as u64
}

/// The hash of a row: of every value with its kind and its length, so that no two rows share a form.
pub(super) fn hash(row: &Row) -> [u128; 2] {
    let mut hash = Sha256::new();
    for value in row {
        let mut part = |kind: u8, bytes: &[u8]| {
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match value {
            Scalar::Null => part(b'n', b""),
            Scalar::Bool(truth) => part(b'b', &[u8::from(*truth)]),
            Scalar::Int(number) => part(b'i', &number.to_be_bytes()),
            // No sign of zero travels: not every database keeps it.
            Scalar::Real(number) if *number == 0.0 => part(b'r', &0_f64.to_be_bytes()),
            Scalar::Real(number) => part(b'r', &number.to_be_bytes()),
            Scalar::Text(text) => part(b't', text.as_bytes()),
            Scalar::Bytes(bytes) => part(b'x', bytes),
        }
    }
    let hash: [u8; 32] = hash.finalize().into();
    let half = |half: &[u8]| {
        half.iter()
            .fold(0, |number, byte| number << 8 | u128::from(*byte))
    };
    [half(&hash[..16]), half(&hash[16..])]
}

/// A key as it is shown to people, and by which rows are found again.
pub(super) fn shown(key: &Scalar) -> String {
    match key {
        Scalar::Null => "NULL".to_owned(),
        Scalar::Bool(truth) => truth.to_string(),
        Scalar::Int(number) => number.to_string(),
        Scalar::Real(number) => format!("{number:?}"),
        Scalar::Text(text) => text.clone(),
        Scalar::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
