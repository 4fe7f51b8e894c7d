//! SQL as PostgreSQL speaks it.

use std::borrow::Cow;

use loggia_model::filter::{Function, Place};
use loggia_model::plan::Aggregate;
use loggia_model::schema::Column;
use loggia_model::{Scalar, StorageKind};

use super::types::{self, is_text};
use super::values::hexadecimal;
use super::{arguments, defaults, json_key};
use crate::backends::remote::arguments::literally;
use crate::folding::fold;
use crate::lower::{Dialect, ShapeTest, Sql, Statement, Writer, ddl, reads};

/// The dialect.
pub(super) static POSTGRES: Postgres = Postgres;

/// Longer names are cut off by the server.
const LONGEST_NAME: usize = 63;

/// PostgreSQL's SQL, with the functions of `functions`.
pub(super) struct Postgres;

impl Dialect for Postgres {
    fn identifier(&self, text: &mut String, name: &str) {
        text.push('"');
        for character in name.chars() {
            if character == '"' {
                text.push('"');
            }
            text.push(character);
        }
        text.push('"');
    }

    fn placeholder(&self, text: &mut String, position: usize) {
        text.push('$');
        text.push_str(&position.to_string());
    }

    fn argument<'p>(&self, sql: &mut Sql<'p>, kind: Option<StorageKind>, value: Cow<'p, Scalar>) {
        sql.bind(arguments::fitting(kind, value));
        sql.push("::").push(types::of_argument(kind));
    }

    fn output<'p>(&self, sql: &mut Sql<'p>, column: &Column, write: Writer<'_, 'p>) {
        write(sql);
        sql.push(types::cast(column));
    }

    fn value<'p>(&self, sql: &mut Sql<'p>, column: &Column, write: Writer<'_, 'p>) {
        write(sql);
        sql.push(match column.kind {
            StorageKind::Json | StorageKind::Geometry => "::text",
            // As it is shown: of 32 bits, 0.1 is another number than of 64.
            _ if column.data_type == "real" => "::text::double precision",
            _ => types::cast(column),
        });
    }

    fn text<'p>(&self, sql: &mut Sql<'p>, kind: StorageKind, column: Writer<'_, 'p>) {
        let (before, after) = match kind {
            StorageKind::Timestamp => (
                "to_char(",
                " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
            ),
            StorageKind::DateTime => (
                "rtrim(rtrim(to_char(",
                ", 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '0'), '.')",
            ),
            StorageKind::Boolean => ("CAST(CAST(", " AS integer) AS text)"),
            _ => ("CAST(", " AS text)"),
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
        if one.kind == many.kind || (whole(one.kind) && whole(many.kind)) || both_text {
            self.value(sql, one, write_one);
            sql.push(" = ");
            self.value(sql, many, write_many);
            if both_text && one.collation != many.collation {
                // That of the column whose index is to be taken.
                sql.push(" COLLATE ")
                    .identifier(one.collation.as_deref().unwrap_or("C"));
            }
            return;
        }
        // Text that is no key of the other kind points nowhere. The comparison stays one of that kind, for its index.
        let pattern = match one.kind {
            kind if whole(kind) => "^(0|-?[1-9][0-9]{0,17})$",
            StorageKind::Uuid => "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
            _ => "",
        };
        if many.kind.is_textual() && !pattern.is_empty() {
            self.value(sql, one, write_one);
            sql.push(" = CASE WHEN ");
            self.value(sql, many, write_many);
            sql.push(&format!(" ~ '{pattern}' THEN "));
            self.value(sql, many, write_many);
            sql.push("::")
                .push(types::of_argument(Some(one.kind)))
                .push(" END");
            return;
        }
        self.text(sql, one.kind, write_one);
        sql.push(" = ");
        self.text(sql, many.kind, write_many);
    }

    /// One value: an array, so that the text does not depend on how many there are.
    fn is_one_of<'p>(
        &self,
        sql: &mut Sql<'p>,
        kind: Option<StorageKind>,
        operand: Writer<'_, 'p>,
        values: &[Scalar],
    ) {
        operand(sql);
        sql.push(" = ANY(")
            .bind(Cow::Owned(Scalar::Text(arguments::array(kind, values))));
        sql.push("::").push(types::of_argument(kind)).push("[])");
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
        let write = |sql: &mut Sql<'p>| {
            let before = std::mem::replace(&mut sql.as_text, true);
            match kind {
                Some(kind) if !is_text(Some(kind)) => self.text(sql, kind, operand),
                _ => operand(sql),
            }
            sql.as_text = before;
        };
        let text = |sql: &mut Sql<'p>| {
            if ignore_case {
                sql.push("loggia_fold(");
            }
            write(sql);
            if ignore_case {
                sql.push(")");
            }
        };
        let piece = if ignore_case { fold(piece) } else { piece.into() };
        let (before, between, after, bound) = match at {
            Place::Anywhere => ("strpos(", ", ", ") > 0", piece.into_owned()),
            Place::Whole => ("", " = ", "", piece.into_owned()),
            // A pattern can be found in an index by what it begins with.
            Place::Start => ("", " LIKE ", "", format!("{}%", literally(&piece, '\\'))),
            Place::End => ("", " LIKE ", "", format!("%{}", literally(&piece, '\\'))),
        };
        sql.push(before);
        text(sql);
        sql.push(between);
        let bound = Cow::Owned(Scalar::Text(bound));
        self.argument(sql, Some(StorageKind::Text), bound);
        sql.push(after);
    }

    fn meets<'p>(&self, sql: &mut Sql<'p>, operand: Writer<'_, 'p>, test: ShapeTest<'p>) {
        sql.push(if test.boxes {
            "loggia_boxes_meet(loggia_segments("
        } else {
            "loggia_shapes_meet(loggia_segments("
        });
        operand(sql);
        sql.push("), loggia_segments(");
        let shape = Cow::Owned(Scalar::from(test.shape));
        self.argument(sql, Some(StorageKind::Text), shape);
        sql.push("))");
    }

    fn part<'p>(&self, sql: &mut Sql<'p>, function: Function, kind: StorageKind, column: Writer<'_, 'p>) {
        let name = match function {
            Function::Count => {
                sql.push("CASE json_typeof(");
                column(sql);
                sql.push("::json) WHEN 'array' THEN json_array_length(");
                column(sql);
                sql.push("::json) END");
                return;
            }
            Function::Year => "YEAR",
            Function::Month => "MONTH",
            Function::Week => "WEEK",
            Function::Day => "DAY",
            Function::Weekday => "DOW",
            Function::Hour => "HOUR",
            Function::Minute => "MINUTE",
            Function::Second => "SECOND",
        };
        let of_day = matches!(function, Function::Hour | Function::Minute | Function::Second);
        if (of_day && !kind.has_time()) || (!of_day && !kind.has_date()) {
            sql.push("CAST(NULL AS integer)");
            return;
        }
        let zone = if kind == StorageKind::Timestamp {
            " AT TIME ZONE 'UTC'"
        } else {
            ""
        };
        let extract = |sql: &mut Sql<'p>| {
            sql.push("CAST(FLOOR(EXTRACT(").push(name).push(" FROM ");
            column(sql);
            sql.push(zone).push(")) AS integer)");
        };
        if kind == StorageKind::Time {
            extract(sql);
            return;
        }
        // Other programs may have written `infinity`, which has no parts.
        sql.push("CASE WHEN isfinite(");
        column(sql);
        sql.push(") THEN ");
        extract(sql);
        sql.push(" END");
    }

    fn json_value<'p>(&self, sql: &mut Sql<'p>, column: Writer<'_, 'p>, path: &[String]) {
        sql.push(if sql.as_text {
            "loggia_json_text("
        } else {
            "loggia_json_key("
        });
        column(sql);
        let path: Vec<_> = path.iter().map(|step| Scalar::from(step.as_str())).collect();
        let path = arguments::array(Some(StorageKind::Text), &path);
        sql.push("::text, ").bind(Cow::Owned(Scalar::Text(path)));
        sql.push("::text[])");
    }

    fn figure<'p>(&self, sql: &mut Sql<'p>, function: Aggregate, kind: StorageKind, column: Writer<'_, 'p>) {
        let of = |sql: &mut Sql<'p>, name: &str, distinct: bool, cast: &str| {
            sql.push(name).push(if distinct { "(DISTINCT " } else { "(" });
            // A binary number is added as the decimal that it is written as, like everywhere.
            let exact = name == "SUM" && kind == StorageKind::Float;
            sql.push(if exact { "loggia_decimal(" } else { "" });
            column(sql);
            sql.push(if exact { "))" } else { cast });
            sql.push(if exact { "" } else { ")" });
        };
        let ordered = match kind {
            StorageKind::Boolean => "::integer",
            StorageKind::Uuid => "::text COLLATE \"C\"",
            _ if is_text(Some(kind)) => " COLLATE \"C\"",
            _ => "",
        };
        match function {
            Aggregate::Count | Aggregate::CountAll => of(sql, "COUNT", false, ""),
            Aggregate::CountDistinct => of(sql, "COUNT", true, ""),
            Aggregate::Sum => of(sql, "SUM", false, ""),
            Aggregate::SumDistinct => of(sql, "SUM", true, ""),
            Aggregate::Avg | Aggregate::AvgDistinct => {
                let distinct = function == Aggregate::AvgDistinct;
                sql.push("loggia_mean(");
                of(sql, "SUM", distinct, "");
                sql.push("::numeric, ");
                of(sql, "COUNT", distinct, "");
                sql.push(")");
            }
            Aggregate::Min | Aggregate::Max => {
                let name = if function == Aggregate::Min { "MIN" } else { "MAX" };
                if kind == StorageKind::Binary {
                    sql.push("decode(").push(name).push("(encode(");
                    column(sql);
                    sql.push(", 'hex') COLLATE \"C\"), 'hex')");
                } else {
                    of(sql, name, false, ordered);
                }
            }
        }
    }

    /// Equality is that of bytes in every collation that other programs use but for rare ones.
    fn comparison(&self, kind: Option<StorageKind>, ordered: bool) -> &'static str {
        if ordered && is_text(kind) {
            " COLLATE \"C\""
        } else {
            ""
        }
    }

    /// A figure has the collation of what it was worked out of.
    fn comparison_of_figure(&self, _: StorageKind) -> &'static str {
        ""
    }

    fn nulls(&self, descending: bool) -> &'static str {
        if descending { " NULLS LAST" } else { " NULLS FIRST" }
    }

    fn json_scalar(&self, answered: Scalar) -> Scalar {
        json_key::read(answered)
    }

    fn window(&self, sql: &mut Sql<'_>, limit: Option<u64>, offset: u64) {
        if let Some(limit) = limit {
            sql.push(" LIMIT ").bind(reads::number(limit));
        }
        if offset > 0 {
            sql.push(" OFFSET ").bind(reads::number(offset));
        }
    }

    fn longest_name(&self) -> Option<usize> {
        Some(LONGEST_NAME)
    }

    fn index_name(&self, table: &str, column: &str, ending: &str) -> String {
        ddl::short_name(table, column, ending, LONGEST_NAME)
    }

    /// NULL comes first, as in the orders that are asked for. JSON has no order of its own, and may be longer than an
    /// index allows.
    fn index_key(&self, column: &Column) -> String {
        let mut text = String::new();
        match column.kind {
            StorageKind::Json | StorageKind::Geometry => {
                text.push_str("md5(");
                self.identifier(&mut text, &column.name);
                text.push_str(" #>> '{}')");
            }
            _ => {
                self.identifier(&mut text, &column.name);
                if column.nullable {
                    text.push_str(self.nulls(false));
                }
            }
        }
        text
    }

    fn count_on(&self, table: &str, column: &str, key: i64) -> Option<Statement<'static>> {
        let mut sql = Sql::new(&POSTGRES);
        let mut quoted = String::new();
        self.identifier(&mut quoted, table);
        sql.push("SELECT setval(s.name, ")
            .argument(Some(StorageKind::BigInteger), Cow::Owned(Scalar::Int(key)))
            .push(") FROM (SELECT pg_get_serial_sequence(")
            .argument(Some(StorageKind::Text), Cow::Owned(Scalar::Text(quoted)))
            .push(", ")
            .argument(Some(StorageKind::Text), Cow::Owned(Scalar::from(column)))
            .push(")::regclass AS name) AS s WHERE COALESCE(pg_sequence_last_value(s.name), 0) < ")
            .argument(Some(StorageKind::BigInteger), Cow::Owned(Scalar::Int(key)));
        Some(sql.finish())
    }

    fn count_from(&self, table: &str, column: &str, last: i64) -> Option<String> {
        let mut quoted = String::new();
        self.identifier(&mut quoted, table);
        let (table, column) = (
            self.literal(&Scalar::Text(quoted)),
            self.literal(&Scalar::from(column)),
        );
        Some(format!(
            "SELECT setval(s.name, {last}) FROM (SELECT pg_get_serial_sequence({table}, {column})::regclass AS name) AS s \
             WHERE COALESCE(pg_sequence_last_value(s.name), 0) < {last}"
        ))
    }

    fn column_type(&self, column: &Column) -> String {
        types::declare(column)
    }

    fn column_rule(&self, column: &Column) -> String {
        let mut quoted = String::new();
        self.identifier(&mut quoted, &column.name);
        types::rule(&quoted, column).map_or_else(String::new, |rule| format!(" CHECK ({rule})"))
    }

    fn primary_key(&self, column: &Column) -> &'static str {
        if column.auto_increment {
            " GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
        } else {
            " PRIMARY KEY"
        }
    }

    fn now(&self, kind: StorageKind) -> &'static str {
        defaults::now(kind)
    }

    fn literal(&self, scalar: &Scalar) -> String {
        match scalar {
            Scalar::Null => "NULL".to_owned(),
            Scalar::Bool(truth) => truth.to_string(),
            Scalar::Int(number) => number.to_string(),
            Scalar::Real(number) => format!("'{number:?}'"),
            Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Scalar::Bytes(bytes) => format!("'{}'", hexadecimal(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_indexes_fit_and_stay_apart() {
        assert_eq!(
            POSTGRES.index_name("posts", "slug", ".unique"),
            "posts.slug.unique"
        );
        let long = "ä".repeat(31);
        let one = POSTGRES.index_name(&long, "a", ".foreign_key");
        let other = POSTGRES.index_name(&long, "b", ".foreign_key");
        assert!(
            one.len() <= LONGEST_NAME && one.ends_with(".foreign_key"),
            "{one}"
        );
        assert_ne!(one, other);
    }
}
