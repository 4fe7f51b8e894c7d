//! What is worked out here and on the server alike, tried on a server.

use std::borrow::Cow;

use loggia_model::Scalar;
use loggia_model::filter::Place;
use loggia_servers::{Database, Kind};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, Params, Value};

use super::dialect::{MARIADB, MariaDb};
use super::{decimal_key, exact, functions, json_key, pattern};
use crate::folding::fold;
use crate::lower::{Dialect as _, Sql};
use loggia_model::StorageKind;
use loggia_model::plan::Aggregate;
use loggia_model::schema::Column;

/// A connection to a database of its own, with the functions; `None` where the server is not installed.
async fn connected() -> Option<(Conn, Database)> {
    let database = Database::empty(Kind::Mariadb).await?;
    let url = database.url.split('?').next().unwrap();
    let mut connection = Conn::new(Opts::from_url(url).unwrap()).await.unwrap();
    connection
        .query_drop(
            "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin, time_zone = '+00:00', \
             sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES'",
        )
        .await
        .unwrap();
    for text in functions::statements::<MariaDb>() {
        connection.query_drop(&text).await.unwrap();
    }
    Some((connection, database))
}

fn bound(values: &[&str]) -> Params {
    Params::Positional(values.iter().map(|value| Value::from(*value)).collect())
}

async fn one(connection: &mut Conn, text: &str, values: &[&str]) -> Option<String> {
    connection
        .exec_first::<Option<String>, _, _>(text, bound(values))
        .await
        .unwrap()
        .flatten()
}

#[tokio::test]
async fn values_inside_json_have_the_same_keys() {
    let Some((mut connection, _database)) = connected().await else {
        return;
    };
    let document = r#"{"a":{"b":[1,"x\u0000",true,null,{"c": [1, 2]}],"0":"zero"},"n":2.50,"big":1e400,"i":9223372036854775807,"s":"Äpfel","t":-1.5e-3,"z":-0.0,"":1,"x":{"-y":2,"-1":{"-":7}},"q\"":"quoted"}"#;
    let mut check = async |path: &[&str], expect: Option<Scalar>, text: Option<&str>| {
        let path: Vec<_> = path.iter().map(|step| (*step).to_owned()).collect();
        for (as_text, expect) in [
            (false, expect.as_ref().and_then(json_key::of)),
            (true, text.map(str::to_owned)),
        ] {
            let mut sql = Sql::new(&MARIADB);
            sql.push("SELECT ");
            sql.as_text = as_text;
            MARIADB.json_value(
                &mut sql,
                &|sql| {
                    sql.bind(Cow::Owned(Scalar::from(document)));
                },
                &path,
            );
            let values: Vec<_> = sql
                .binds
                .iter()
                .map(|bind| bind.as_text().unwrap().to_owned())
                .collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            assert_eq!(one(&mut connection, &sql.text, &values).await, expect, "{path:?}");
        }
    };
    check(&["a", "b", "0"], Some(Scalar::Int(1)), Some("1")).await;
    check(&["a", "b", "1"], Some("x\u{fffd}".into()), Some("x\u{fffd}")).await;
    check(&["a", "b", "2"], Some(true.into()), Some("1")).await;
    check(&["a", "b", "3"], None, None).await;
    check(&["a", "b", "4", "c"], Some("[1,2]".into()), Some("[1,2]")).await;
    check(&["a", "b", "9"], None, None).await;
    check(&["a", "b", "-1"], None, None).await;
    check(&["a", "b", "c"], None, None).await;
    check(&["a", "0"], Some("zero".into()), Some("zero")).await;
    check(&["n", "0"], None, None).await;
    check(&["n"], Some(Scalar::Real(2.5)), Some("2.5")).await;
    check(&["big"], Some("1e400".into()), Some("1e400")).await;
    check(&["i"], Some(Scalar::Int(i64::MAX)), Some("9223372036854775807")).await;
    check(&["s"], Some("Äpfel".into()), Some("Äpfel")).await;
    check(&["t"], Some(Scalar::Real(-0.0015)), Some("-0.0015")).await;
    check(&["z"], Some(Scalar::Int(0)), Some("0")).await;
    check(&[""], Some(Scalar::Int(1)), Some("1")).await;
    check(&["q\""], Some("quoted".into()), Some("quoted")).await;
    check(&["x", "-1", "-"], Some(Scalar::Int(7)), Some("7")).await;
    check(&["x", "-2"], None, None).await;
    check(&["nothing"], None, None).await;
    for number in [
        0.1,
        -0.1,
        1e300,
        5e-324,
        f64::MAX,
        f64::MIN,
        123_456.789,
        -3e20,
        1e15,
        0.000_001,
    ] {
        let key = one(
            &mut connection,
            "SELECT loggia_json_key(?)",
            &[&format!("{number:?}")],
        )
        .await;
        assert_eq!(key, json_key::of(&Scalar::Real(number)), "{number}");
    }
    for number in [0, 1, -1, 10, -120, i64::MAX, i64::MIN, 9_007_199_254_740_993] {
        let key = one(
            &mut connection,
            "SELECT loggia_json_key(?)",
            &[&number.to_string()],
        )
        .await;
        assert_eq!(key, json_key::of(&Scalar::Int(number)), "{number}");
    }
}

#[tokio::test]
async fn decimals_have_the_same_keys() {
    let Some((mut connection, _database)) = connected().await else {
        return;
    };
    connection
        .query_drop(
            "CREATE TABLE numbers (price text CHARACTER SET ascii COLLATE ascii_bin, native decimal(10,3))",
        )
        .await
        .unwrap();
    let text = format!("SELECT {} FROM numbers", decimal_key::expression("price"));
    let native = format!("SELECT {} FROM numbers", decimal_key::expression("native"));
    for number in [
        "0",
        "0.00",
        "10",
        "100",
        "100.50",
        "-2",
        "-0.5",
        "-10.250",
        "12345678901234567890.12345",
    ] {
        connection.query_drop("DELETE FROM numbers").await.unwrap();
        let insert = "INSERT INTO numbers (price) VALUES (?)";
        connection.exec_drop(insert, bound(&[number])).await.unwrap();
        let key = decimal_key::of(number);
        assert_eq!(
            one(&mut connection, &text, &[]).await.as_deref(),
            Some(key.as_str())
        );
        let same = format!("{text} WHERE {} = ?", decimal_key::expression("price"));
        assert_eq!(one(&mut connection, &same, &[&key]).await, Some(key.clone()));
        if number.len() < 10 {
            connection
                .query_drop("UPDATE numbers SET native = price")
                .await
                .unwrap();
            assert_eq!(one(&mut connection, &native, &[]).await, Some(key), "{number}");
        }
    }
}

#[tokio::test]
async fn patterns_match_what_folds_alike() {
    let Some((mut connection, _database)) = connected().await else {
        return;
    };
    let texts = [
        "Straße",
        "STRASSE",
        "ΟΔΟΣ",
        "οδος",
        "İstanbul",
        "i",
        "ﬃ",
        "a.b",
        "a\nb\n",
        "",
        "10%",
        "ŉ",
        "ᾳ",
        "\0x",
    ];
    let pieces = [
        "ss", "ß", "ΟΔΟς", "i", "fi", "a.", "A\nB", "s", "%", "ı", "ʼn", "αι", "\0X",
    ];
    for text in texts {
        for piece in pieces {
            for at in [Place::Anywhere, Place::Start, Place::End, Place::Whole] {
                let mut sql = Sql::new(&MARIADB);
                sql.push("SELECT IF(");
                let write = |sql: &mut Sql<'_>| {
                    sql.bind(Cow::Owned(Scalar::from(text)));
                };
                MARIADB.matches(&mut sql, Some(StorageKind::Text), &write, at, piece, true);
                sql.push(", 'yes', 'no')");
                let binds: Vec<_> = sql
                    .binds
                    .iter()
                    .map(|bind| bind.as_text().unwrap().to_owned())
                    .collect();
                let binds: Vec<&str> = binds.iter().map(String::as_str).collect();
                let (text, piece) = (fold(text), fold(piece));
                let expect = match at {
                    Place::Anywhere => text.contains(&*piece),
                    Place::Start => text.starts_with(&*piece),
                    Place::End => text.ends_with(&*piece),
                    Place::Whole => text == piece,
                };
                let expect = if expect { "yes" } else { "no" };
                let got = one(&mut connection, &sql.text, &binds).await;
                assert_eq!(
                    got.as_deref(),
                    Some(expect),
                    "{text:?} {at:?} {piece:?} {}",
                    pattern::of(&piece, at).expression
                );
            }
        }
    }
}

#[tokio::test]
async fn sums_and_means_are_exact() {
    let Some((mut connection, _database)) = connected().await else {
        return;
    };
    connection
        .query_drop(
            "CREATE TABLE numbers (price text CHARACTER SET ascii COLLATE ascii_bin, `real` double, whole int); \
             INSERT INTO numbers VALUES ('10.50', 0.1, 1), ('10.500', 0.2, 2), ('-3', 0.1, 4), (NULL, NULL, NULL), \
             ('123456789012345678901234567890.1234567890123456789012345678901234567890', 1e23, 4)",
        )
        .await
        .unwrap();
    let mut check = async |name: &str, kind: StorageKind, function: Aggregate, expect: &str| {
        let column = Column {
            name: name.to_owned(),
            kind,
            ..Column::default()
        };
        let mut sql = Sql::new(&MARIADB);
        sql.push("SELECT ");
        MARIADB.figure(&mut sql, function, kind, &|sql| {
            MARIADB.value(sql, &column, &|sql| {
                sql.identifier(name);
            });
        });
        sql.push(" FROM numbers");
        let answered = one(&mut connection, &sql.text, &[]).await;
        let read = exact::read(function, kind, answered.into());
        assert_eq!(read.as_text(), Some(expect), "{name} {function:?}");
    };
    use StorageKind as K;
    check(
        "price",
        K::Decimal,
        Aggregate::Sum,
        "123456789012345678901234567908.1234567890123456789012345678901234567890",
    )
    .await;
    check("price", K::Decimal, Aggregate::Min, "-3").await;
    check(
        "price",
        K::Decimal,
        Aggregate::Avg,
        "30864197253086419725308641977.03086",
    )
    .await;
    check("real", K::Float, Aggregate::Sum, "99999999999999991611392.4").await;
    check(
        "real",
        K::Float,
        Aggregate::SumDistinct,
        "99999999999999991611392.3",
    )
    .await;
    check("whole", K::Integer, Aggregate::Sum, "11").await;
    check("whole", K::Integer, Aggregate::Avg, "2.75").await;
    check(
        "whole",
        K::Integer,
        Aggregate::AvgDistinct,
        "2.333333333333333333333333333333333",
    )
    .await;
}
