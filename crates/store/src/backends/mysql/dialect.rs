//! SQL as MySQL and MariaDB speak it.

use std::borrow::Cow;
use std::marker::PhantomData;

use loggia_model::filter::{Function, Place};
use loggia_model::plan::Aggregate;
use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind};

use super::types::{self, is_text};
use super::{arguments, decimal_key, defaults, exact, json_key, pattern};
use crate::backends::remote::arguments::literally;
use crate::folding::fold;
use crate::lower::{Dialect, ShapeTest, Sql, Writer, reads};

/// The dialects of both servers.
pub(super) static MARIADB: Mysql<MariaDb> = Mysql(PhantomData);
pub(super) static MYSQL: Mysql<Oracle> = Mysql(PhantomData);

/// Longer names are refused by the server.
const LONGEST_NAME: usize = 64;
/// So many values are written one by one; more are handed over as one.
const LISTED: usize = 256;

/// What the servers disagree about.
pub(super) trait Flavour: Send + Sync + 'static {
    /// Texts are compared by their bytes, blanks at their end included.
    const COLLATION: &'static str;
    /// Whether every unique index finds rows by whole values, however long these are.
    const LONG_UNIQUE: bool;
    /// Whether a function can be replaced by one statement.
    const REPLACES: bool;
    /// The JSON of `value` without blanks, as far as the server can write it so.
    const COMPACT: &'static str;
    /// What makes a new table one of ours.
    const TABLE: &'static str;
}

/// MariaDB.
pub(super) struct MariaDb;

/// MySQL.
pub(super) struct Oracle;

impl Flavour for MariaDb {
    const COLLATION: &'static str = "utf8mb4_nopad_bin";
    const LONG_UNIQUE: bool = true;
    const REPLACES: bool = true;
    const COMPACT: &'static str = "JSON_COMPACT(value)";
    const TABLE: &'static str = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin";
}

impl Flavour for Oracle {
    const COLLATION: &'static str = "utf8mb4_0900_bin";
    const LONG_UNIQUE: bool = false;
    const REPLACES: bool = false;
    const COMPACT: &'static str = "value";
    const TABLE: &'static str = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin";
}

/// The SQL of one of them, with the functions of `functions`.
pub(super) struct Mysql<F>(PhantomData<F>);

impl<F: Flavour> Mysql<F> {
    /// A text of another collation as one of ours.
    fn collated<'p>(sql: &mut Sql<'p>, write: Writer<'_, 'p>) {
        sql.push("CONVERT(");
        write(sql);
        sql.push(" USING utf8mb4) COLLATE ").push(F::COLLATION);
    }

    /// The values of a list as rows of a table.
    fn rows<'p>(sql: &mut Sql<'p>, kind: Option<StorageKind>, values: Vec<Cow<'p, Scalar>>) {
        let (value, ty) = match kind {
            Some(StorageKind::Integer | StorageKind::BigInteger | StorageKind::Boolean) => {
                ("v", "BIGINT".to_owned())
            }
            Some(StorageKind::Float) => ("v", "DOUBLE".to_owned()),
            Some(StorageKind::Uuid) => ("v", "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin".to_owned()),
            Some(StorageKind::Decimal) => ("v", "TEXT CHARACTER SET ascii COLLATE ascii_bin".to_owned()),
            Some(StorageKind::Binary) => ("UNHEX(v)", "LONGTEXT".to_owned()),
            Some(StorageKind::Date) => ("CAST(v AS DATE)", "CHAR(40)".to_owned()),
            Some(StorageKind::Time) => ("CAST(v AS TIME(6))", "CHAR(40)".to_owned()),
            Some(StorageKind::DateTime | StorageKind::Timestamp) => {
                ("CAST(v AS DATETIME(6))", "CHAR(40)".to_owned())
            }
            _ => {
                // Long texts are compared one by one, shorter ones find each other.
                let short = |value: &Cow<'_, Scalar>| {
                    value
                        .as_text()
                        .is_none_or(|text| text.chars().count() <= types::LONGEST_KEY as usize)
                };
                let ty = if values.iter().all(short) {
                    format!("VARCHAR({})", types::LONGEST_KEY)
                } else {
                    "LONGTEXT".to_owned()
                };
                (
                    "v",
                    format!("{ty} CHARACTER SET utf8mb4 COLLATE {}", F::COLLATION),
                )
            }
        };
        let array = arguments::json_array(values.into_iter());
        sql.push("(SELECT ").push(value).push(" FROM JSON_TABLE(");
        sql.bind(Cow::Owned(Scalar::Text(array)));
        sql.push(", '$[*]' COLUMNS (v ")
            .push(&ty)
            .push(" PATH '$')) AS j)");
    }

    /// The text of an operand, for a search in it.
    fn searched<'p>(&self, sql: &mut Sql<'p>, kind: Option<StorageKind>, operand: Writer<'_, 'p>) {
        let before = std::mem::replace(&mut sql.as_text, true);
        match kind {
            Some(kind) if !is_text(Some(kind)) => self.text(sql, kind, operand),
            _ => operand(sql),
        }
        sql.as_text = before;
    }
}

/// So many bytes of a piece of text are looked for by an expression, which servers bound.
const LONGEST_PATTERN: usize = 1_000;
/// So many steps of a path inside JSON a server takes at once.
const LONGEST_PATH: usize = 30;

impl<F: Flavour> Dialect for Mysql<F> {
    fn identifier(&self, text: &mut String, name: &str) {
        text.push('`');
        for character in name.chars() {
            if character == '`' {
                text.push('`');
            }
            text.push(character);
        }
        text.push('`');
    }

    fn placeholder(&self, text: &mut String, _: usize) {
        text.push('?');
    }

    fn argument<'p>(&self, sql: &mut Sql<'p>, kind: Option<StorageKind>, value: Cow<'p, Scalar>) {
        let (before, after) = match kind {
            Some(StorageKind::Date) => ("CAST(", " AS DATE)"),
            Some(StorageKind::Time) => ("CAST(", " AS TIME(6))"),
            Some(StorageKind::DateTime | StorageKind::Timestamp) => ("CAST(", " AS DATETIME(6))"),
            _ => ("", ""),
        };
        sql.push(before).bind(arguments::fitting(kind, value)).push(after);
    }

    fn stored<'v>(&self, kind: StorageKind, value: Cow<'v, Scalar>) -> Cow<'v, Scalar> {
        match (kind, value.as_ref()) {
            (StorageKind::Timestamp, Scalar::Text(text)) => match text.strip_suffix('Z') {
                Some(bare) => Cow::Owned(Scalar::from(bare)),
                None => value,
            },
            _ => value,
        }
    }

    fn output<'p>(&self, sql: &mut Sql<'p>, column: &Column, write: Writer<'_, 'p>) {
        let (before, after) = match column.data_type.as_str() {
            // As it is shown: of 32 bits, 0.1 is another number than of 64.
            "float" => ("(CAST(", " AS CHAR) + 0E0)"),
            "bit" | "year" => ("(", " + 0)"),
            "set" | "enum" | "inet4" | "inet6" => ("CAST(", " AS CHAR)"),
            "json" => ("CAST(", " AS CHAR)"),
            _ if is_native_shape(column) => ("ST_AsGeoJSON(", ")"),
            _ => ("", ""),
        };
        sql.push(before);
        write(sql);
        sql.push(after);
    }

    fn value<'p>(&self, sql: &mut Sql<'p>, column: &Column, write: Writer<'_, 'p>) {
        let output = |sql: &mut Sql<'p>| self.output(sql, column, write);
        match column.kind {
            StorageKind::Decimal if !sql.as_text => {
                let mut own = Sql::new(sql.dialect);
                write(&mut own);
                sql.push(&decimal_key::expression(&own.text));
            }
            StorageKind::String | StorageKind::Text if column.collation.is_some() => {
                Self::collated(sql, &output);
            }
            _ => output(sql),
        }
    }

    fn text<'p>(&self, sql: &mut Sql<'p>, kind: StorageKind, column: Writer<'_, 'p>) {
        let (before, after) = match kind {
            StorageKind::Timestamp => ("CONCAT(LEFT(DATE_FORMAT(", ", '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')"),
            StorageKind::DateTime => (
                "TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM DATE_FORMAT(",
                ", '%Y-%m-%dT%H:%i:%s.%f')))",
            ),
            StorageKind::Time => (
                "TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM TIME_FORMAT(",
                ", '%H:%i:%s.%f')))",
            ),
            _ => ("CAST(", " AS CHAR)"),
        };
        sql.push(before);
        column(sql);
        sql.push(after);
    }

    fn same_key<'p>(
        &self,
        sql: &mut Sql<'p>,
        (one, write_one): (&Column, Writer<'_, 'p>),
        (many, write_many): (&Column, Writer<'_, 'p>),
    ) {
        let whole = |kind| matches!(kind, StorageKind::Integer | StorageKind::BigInteger);
        let both_text = one.kind.is_textual() && many.kind.is_textual();
        if both_text && one.collation == many.collation {
            // As foreign keys compare them, and for their indexes.
            write_one(sql);
            sql.push(" = ");
            write_many(sql);
            return;
        }
        if one.kind == many.kind || (whole(one.kind) && whole(many.kind)) || both_text {
            self.value(sql, one, write_one);
            sql.push(" = ");
            self.value(sql, many, write_many);
            return;
        }
        // Text that is no key of the other kind points nowhere. The comparison stays one of that kind, for its index.
        let (pattern, before, after) = match one.kind {
            kind if whole(kind) => ("^(0|-?[1-9][0-9]{0,17})$", "CAST(", " AS SIGNED)"),
            StorageKind::Uuid => (
                "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
                "CONVERT(",
                " USING ascii)",
            ),
            _ => ("", "", ""),
        };
        if many.kind.is_textual() && !pattern.is_empty() {
            self.value(sql, one, write_one);
            sql.push(" = CASE WHEN ");
            self.value(sql, many, write_many);
            sql.push(&format!(" REGEXP '{pattern}' THEN {before}"));
            write_many(sql);
            sql.push(after).push(" END");
            return;
        }
        self.text(sql, one.kind, write_one);
        sql.push(" = ");
        self.text(sql, many.kind, write_many);
    }

    /// So many placeholders that there are few different texts: the last value stands again in those that are left.
    fn is_one_of<'p>(
        &self,
        sql: &mut Sql<'p>,
        kind: Option<StorageKind>,
        operand: Writer<'_, 'p>,
        values: &[Scalar],
    ) {
        let mut fitting: Vec<_> = values
            .iter()
            .map(|value| Cow::Owned(arguments::fitting(kind, Cow::Borrowed(value)).into_owned()))
            .filter(|value: &Cow<'_, Scalar>| !value.is_null())
            .collect();
        operand(sql);
        let Some(last) = fitting.last().cloned() else {
            // Like a list without values: false, but for NULL.
            sql.push(" <> ");
            return operand(sql);
        };
        if fitting.len() > LISTED {
            sql.push(" IN ");
            return Self::rows(sql, kind, fitting);
        }
        fitting.resize(fitting.len().next_power_of_two(), last);
        let single = fitting.len() == 1;
        sql.push(if single { " = " } else { " IN (" });
        let (before, after) = match kind {
            Some(StorageKind::Date) => ("CAST(", " AS DATE)"),
            Some(StorageKind::Time) => ("CAST(", " AS TIME(6))"),
            Some(StorageKind::DateTime | StorageKind::Timestamp) => ("CAST(", " AS DATETIME(6))"),
            _ => ("", ""),
        };
        sql.join(", ", fitting, |sql, value| {
            sql.push(before).bind(value).push(after);
        });
        sql.push(if single { "" } else { ")" });
    }

    fn empties(&self, kind: Option<StorageKind>) -> &'static str {
        match kind {
            Some(StorageKind::String | StorageKind::Text) => "('')",
            Some(StorageKind::Json) => "('', '\"\"', '[]', '{}')",
            None => "('t', 't\"\"', 't[]', 't{}')",
            Some(_) => "",
        }
    }

    fn matches<'p>(
        &self,
        sql: &mut Sql<'p>,
        kind: Option<StorageKind>,
        operand: Writer<'_, 'p>,
        at: Place,
        piece: &'p str,
        ignore_case: bool,
    ) {
        let bind = |sql: &mut Sql<'p>, text: String| {
            sql.bind(Cow::Owned(Scalar::Text(text)));
        };
        let is_long = piece.len() > LONGEST_PATTERN;
        if ignore_case && !piece.is_empty() && !is_long {
            let pattern = pattern::of(piece, at);
            sql.push(&"REPLACE(".repeat(pattern.replaced.len()));
            self.searched(sql, kind, operand);
            for (character, by) in &pattern.replaced {
                sql.push(&format!(", '{character}', '{by}')"));
            }
            sql.push(" REGEXP ");
            return bind(sql, pattern.expression);
        }
        // What is too long for an expression is looked for in small letters.
        let lower = ignore_case && is_long;
        let piece = if lower { fold(piece) } else { Cow::Borrowed(piece) };
        let searched = |sql: &mut Sql<'p>| {
            sql.push(if lower { "LOWER(" } else { "" });
            self.searched(sql, kind, operand);
            sql.push(if lower { ")" } else { "" });
        };
        if at == Place::Anywhere {
            sql.push("LOCATE(");
            bind(sql, piece.into_owned());
            sql.push(", ");
            searched(sql);
            sql.push(") > 0");
            return;
        }
        searched(sql);
        if at == Place::Whole {
            sql.push(" = ");
            return bind(sql, piece.into_owned());
        }
        // A pattern can be found in an index by what it begins with.
        let piece = literally(&piece, '|');
        sql.push(" LIKE ");
        bind(
            sql,
            match at {
                Place::Start => format!("{piece}%"),
                _ => format!("%{piece}"),
            },
        );
        sql.push(" ESCAPE '|'");
    }

    /// Shapes are compared before statements are written (see `answer::shapes`): what is left could not be compared.
    fn count_from(&self, table: &str, _: &str, last: i64) -> Option<String> {
        let mut text = "ALTER TABLE ".to_owned();
        self.identifier(&mut text, table);
        text.push_str(&format!(" AUTO_INCREMENT = {}", last.saturating_add(1)));
        Some(text)
    }

    fn no_values(&self) -> &'static str {
        " () VALUES ()"
    }

    fn deletion(&self) -> &'static str {
        "DELETE t0 FROM "
    }

    fn returns_keys(&self) -> bool {
        false
    }

    /// By digests of the shapes that do, see `shapes`.
    fn meets<'p>(&self, sql: &mut Sql<'p>, operand: Writer<'_, 'p>, test: ShapeTest<'p>) {
        sql.push("SHA2(");
        operand(sql);
        sql.push(", 256) IN (SELECT v FROM JSON_TABLE(")
            .bind_later(test)
            .push(", '$[*]' COLUMNS (v CHAR(64) CHARACTER SET utf8mb4 COLLATE ")
            .push(F::COLLATION)
            .push(" PATH '$')) AS j)");
    }

    fn part<'p>(&self, sql: &mut Sql<'p>, function: Function, kind: StorageKind, column: Writer<'_, 'p>) {
        let (before, after) = match function {
            Function::Count => {
                sql.push("CASE JSON_TYPE(");
                column(sql);
                sql.push(") WHEN 'ARRAY' THEN JSON_LENGTH(");
                column(sql);
                sql.push(") END");
                return;
            }
            Function::Year => ("YEAR(", ")"),
            Function::Month => ("MONTH(", ")"),
            Function::Week => ("WEEK(", ", 3)"),
            Function::Day => ("DAY(", ")"),
            Function::Weekday => ("DAYOFWEEK(", ") - 1"),
            Function::Hour => ("HOUR(", ")"),
            Function::Minute => ("MINUTE(", ")"),
            Function::Second => ("SECOND(", ")"),
        };
        let of_day = matches!(function, Function::Hour | Function::Minute | Function::Second);
        if (of_day && !kind.has_time()) || (!of_day && !kind.has_date()) {
            sql.push("CAST(NULL AS SIGNED)");
            return;
        }
        sql.push(before);
        column(sql);
        sql.push(after);
    }

    fn json_value<'p>(&self, sql: &mut Sql<'p>, column: Writer<'_, 'p>, path: &[String]) {
        let unclear = |step: &String| {
            step.starts_with('-')
                || step
                    .trim_start_matches('+')
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
        };
        let steps: Vec<_> = path
            .iter()
            .map(|step| serde_json::Value::from(step.as_str()).to_string())
            .collect();
        // What may be a position or a name is looked up step by step, and what has no path.
        let (at, path) = if path.len() > LONGEST_PATH || path.iter().any(unclear) {
            ("loggia_json_at(", steps.join("\n"))
        } else {
            ("JSON_EXTRACT(", format!("$.{}", steps.join(".")))
        };
        sql.push(if sql.as_text {
            "loggia_json_text("
        } else {
            "loggia_json_key("
        });
        sql.push(at);
        column(sql);
        sql.push(", ").bind(Cow::Owned(Scalar::Text(path)));
        sql.push("))");
    }

    fn figure<'p>(&self, sql: &mut Sql<'p>, function: Aggregate, kind: StorageKind, column: Writer<'_, 'p>) {
        let of = |sql: &mut Sql<'p>, before: &str, after: &str| {
            sql.push(before);
            column(sql);
            sql.push(after);
        };
        let whole = matches!(kind, StorageKind::Integer | StorageKind::BigInteger);
        match function {
            Aggregate::Count | Aggregate::CountAll => of(sql, "COUNT(", ")"),
            Aggregate::CountDistinct => of(sql, "COUNT(DISTINCT ", ")"),
            Aggregate::Sum if whole => of(sql, "SUM(", ")"),
            Aggregate::SumDistinct if whole => of(sql, "SUM(DISTINCT ", ")"),
            Aggregate::Min | Aggregate::Max => {
                let name = if function == Aggregate::Min {
                    "MIN("
                } else {
                    "MAX("
                };
                if kind != StorageKind::Decimal {
                    return of(sql, name, ")");
                }
                // What is the least by its key, as it is written.
                sql.push("SUBSTRING_INDEX(");
                exact::keyed(sql, name, column);
                sql.push(", ' ', -1)");
            }
            Aggregate::Sum | Aggregate::SumDistinct | Aggregate::Avg | Aggregate::AvgDistinct => {
                exact::figure(sql, function, kind, column);
            }
        }
    }

    fn figure_answered(&self, function: Aggregate, kind: StorageKind, answered: Scalar) -> Scalar {
        exact::read(function, kind, answered)
    }

    /// What is added outside the server cannot be ordered by it.
    fn orders_figure(&self, function: Aggregate, kind: StorageKind) -> bool {
        use Aggregate as A;
        let sum = matches!(function, A::Sum | A::SumDistinct | A::Avg | A::AvgDistinct);
        !(sum && matches!(kind, StorageKind::Float | StorageKind::Decimal))
    }

    fn figure_ordered<'p>(
        &self,
        sql: &mut Sql<'p>,
        function: Aggregate,
        kind: StorageKind,
        column: Writer<'_, 'p>,
    ) -> bool {
        exact::ordered(sql, function, kind, column)
    }

    /// MariaDB makes several groups of one where a subquery tells them apart.
    fn aggregates_apart(&self) -> bool {
        true
    }

    fn groups_as_written(&self, kind: Option<StorageKind>) -> bool {
        kind == Some(StorageKind::Decimal)
    }

    fn comparison(&self, _: Option<StorageKind>, _: bool) -> &'static str {
        ""
    }

    fn json_scalar(&self, answered: Scalar) -> Scalar {
        json_key::read(answered)
    }

    fn window(&self, sql: &mut Sql<'_>, limit: Option<u64>, offset: u64) {
        match (limit, offset) {
            (None, 0) => return,
            (None, _) => sql.push(" LIMIT 9223372036854775807"),
            (Some(limit), _) => sql.push(" LIMIT ").bind(reads::number(limit)),
        };
        if offset > 0 {
            sql.push(" OFFSET ").bind(reads::number(offset));
        }
    }

    fn longest_name(&self) -> Option<usize> {
        Some(LONGEST_NAME)
    }

    fn index_name(&self, table: &str, column: &str, ending: &str) -> String {
        crate::lower::ddl::short_name(table, column, ending, LONGEST_NAME)
    }

    fn index_key(&self, column: &Column) -> String {
        let mut name = String::new();
        self.identifier(&mut name, &column.name);
        let declared = self.column_type(column);
        let length = types::LONGEST_KEY;
        match (
            column.unique,
            declared.contains("text") || declared.contains("blob"),
        ) {
            (_, false) => name,
            (true, true) if F::LONG_UNIQUE => name,
            (true, true) => format!("(SHA2({name}, 256))"),
            (false, true) => format!("{name}({length})"),
        }
    }

    fn column_type(&self, column: &Column) -> String {
        types::declare(column, F::COLLATION)
    }

    fn key_type(&self, column: &Column) -> String {
        types::declare_key(column, F::COLLATION)
    }

    fn column_rule(&self, column: &Column) -> String {
        let mut quoted = String::new();
        self.identifier(&mut quoted, &column.name);
        types::rule(&quoted, column).map_or_else(String::new, |rule| format!(" CHECK ({rule})"))
    }

    fn table_end(&self) -> &'static str {
        F::TABLE
    }

    /// MySQL knows no such words here; that an index is there already is no failure (see `change`).
    fn if_not_exists(&self) -> &'static str {
        ""
    }

    fn primary_key(&self, column: &Column) -> &'static str {
        if column.auto_increment {
            " AUTO_INCREMENT PRIMARY KEY"
        } else {
            " PRIMARY KEY"
        }
    }

    fn now(&self, kind: StorageKind) -> &'static str {
        defaults::now(kind)
    }

    /// In brackets, texts of any length may be defaults.
    fn literal(&self, scalar: &Scalar) -> String {
        match scalar {
            Scalar::Null => "NULL".to_owned(),
            Scalar::Bool(truth) => i64::from(*truth).to_string(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Real(number) => format!("{number:?}"),
            // The catalogue of MariaDB does not know characters of four bytes.
            Scalar::Text(text) if text.contains(|character| character > '\u{FFFF}') => {
                let bytes = arguments::hexadecimal(text.as_bytes());
                format!("(CONVERT(x'{bytes}' USING utf8mb4))")
            }
            Scalar::Text(text) => format!("('{}')", text.replace('\'', "''")),
            Scalar::Bytes(bytes) => format!("(x'{}')", arguments::hexadecimal(bytes)),
        }
    }
}

/// Whether a column holds shapes of the server's own.
fn is_native_shape(column: &Column) -> bool {
    column.kind == StorageKind::Geometry
        && !column.data_type.is_empty()
        && !column.data_type.ends_with("text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_servers_index_and_collate_in_their_own_way() {
        let data = |unique| Column {
            name: "data".to_owned(),
            kind: StorageKind::Json,
            unique,
            ..Column::default()
        };
        assert_eq!(MARIADB.index_key(&data(true)), "`data`");
        assert_eq!(MYSQL.index_key(&data(true)), "(SHA2(`data`, 256))");
        assert_eq!(MYSQL.index_key(&data(false)), "`data`(768)");
        let name = Column {
            kind: StorageKind::String,
            ..data(false)
        };
        assert_eq!(MARIADB.column_type(&name), "mediumtext COLLATE utf8mb4_nopad_bin");
        assert_eq!(MYSQL.key_type(&name), "varchar(768) COLLATE utf8mb4_0900_bin");
    }
}
