//! Which places a filter by a shape finds.

use loggia_engine::Engine;
use loggia_model::Query;
use serde_json::{Value, json};

use crate::fixture::{administrator, engine, insert, refused};

/// Two points, a path and an area around the first; a row without any.
async fn places() -> Engine {
    let engine = engine().await;
    let collection = json!({"collection": "places", "schema": {}, "meta": {}, "fields": [
        {"field": "name", "type": "string"},
        {"field": "spot", "type": "geometry.Point"},
        {"field": "area", "type": "geometry"},
    ]});
    engine
        .create_collections(&administrator(), vec![collection])
        .await
        .unwrap();
    let point = |x: i32, y: i32| json!({"type": "Point", "coordinates": [x, y]});
    let rows = [
        json!({"id": 1, "spot": point(1, 1), "area": square(0, 2)}),
        json!({"id": 2, "spot": point(5, 5), "area": {"type": "LineString", "coordinates": [[0, 9], [9, 0]]}}),
        json!({"id": 3, "name": "nowhere"}),
    ];
    insert(&engine, "places", &rows).await;
    engine
}

fn square(low: i32, high: i32) -> Value {
    json!({"type": "Polygon", "coordinates": [[[low, low], [high, low], [high, high], [low, high], [low, low]]]})
}

#[tokio::test]
async fn shapes_find_what_they_meet() {
    let engine = places().await;
    let check = async |filter: Value, expect: &[i64]| {
        let query = Query::from_json(&json!({"fields": ["id"], "sort": ["id"], "filter": filter})).unwrap();
        let page = engine
            .read_items(&administrator(), "places", query)
            .await
            .unwrap();
        let ids: Vec<_> = page.rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, expect, "{filter}");
    };
    check(json!({"spot": {"_intersects": square(0, 3)}}), &[1]).await;
    check(json!({"spot": {"_intersects": square(0, 3).to_string()}}), &[1]).await;
    check(json!({"spot": {"_nintersects": square(0, 3)}}), &[2]).await;
    check(json!({"spot": {"_intersects": square(1, 5)}}), &[1, 2]).await;
    check(json!({"area": {"_intersects": square(3, 4)}}), &[]).await;
    check(json!({"area": {"_intersects_bbox": square(3, 4)}}), &[2]).await;
    check(json!({"area": {"_nintersects_bbox": square(3, 4)}}), &[1]).await;
    check(json!({"area": {"_nintersects": square(3, 4)}}), &[1, 2]).await;
    let both = json!({"type": "GeometryCollection", "geometries": [square(3, 4), {"type": "Point", "coordinates": [1, 1]}]});
    check(json!({"area": {"_intersects": both}}), &[1]).await;
    check(
        json!({"_or": [{"area": {"_null": true}}, {"spot": {"_intersects": square(4, 6)}}]}),
        &[2, 3],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_shape_is_refused() {
    let engine = places().await;
    let check = async |filter: Value, expect: &[&str]| {
        let query = Query::from_json(&json!({"filter": filter})).unwrap();
        let answer = engine.read_items(&administrator(), "places", query).await;
        assert_eq!(refused(answer), expect, "{filter}");
    };
    let at = &["INVALID_QUERY filter.area._intersects"];
    check(json!({"area": {"_intersects": null}}), at).await;
    check(json!({"area": {"_intersects": "POINT(1 2)"}}), at).await;
    check(json!({"area": {"_intersects": [1, 2]}}), at).await;
    check(
        json!({"area": {"_intersects": {"type": "Circle", "coordinates": [1, 2]}}}),
        at,
    )
    .await;
    check(
        json!({"area": {"_intersects": {"type": "Point", "coordinates": [[1, 2]]}}}),
        at,
    )
    .await;
    let hollow = json!({"type": "GeometryCollection", "geometries": [{"type": "Point"}]});
    check(json!({"area": {"_intersects": hollow}}), at).await;
    let long: Vec<_> = (0..5_001).map(|x| json!([x, 0])).collect();
    check(
        json!({"area": {"_intersects": {"type": "LineString", "coordinates": long}}}),
        at,
    )
    .await;
    let elsewhere = json!({"name": {"_intersects": square(0, 1)}});
    check(elsewhere, &["INVALID_QUERY filter.name._intersects"]).await;
}
