//! Every documented route, asked by somebody without rights and by nobody.

use loggia_testkit::{Client, TestApp};
use serde_json::{Value, json};

use crate::parrot::start;

/// Routes that answer everybody: what they give away is their own tests' business. This list may only shrink.
const OPEN: &[(&str, &str)] = &[
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/password/request"),
    ("POST", "/auth/password/reset"),
    ("GET", "/auth"),
    ("GET", "/server/ping"),
    ("GET", "/server/info"),
    ("GET", "/server/specs/oas"),
    ("GET", "/policies/me/globals"),
];

/// Routes that answer everybody who signed in: about themselves.
const OWN: &[(&str, &str)] = &[
    ("GET", "/server/health"),
    ("GET", "/users/me"),
    ("GET", "/roles/me"),
    ("GET", "/permissions/me"),
    ("GET", "/tokens"),
    ("POST", "/tokens"),
    ("GET", "/changes"),
    ("POST", "/changes/revert"),
    ("POST", "/users/me/tfa/generate"),
    ("POST", "/users/me/tfa/enable"),
    ("POST", "/users/me/tfa/disable"),
];

/// Every method and path of the administrator's document.
async fn routes(app: &TestApp) -> Vec<(String, String)> {
    let document = app.get("/server/specs/oas").await.body;
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, verbs)| {
            let verbs = verbs.as_object().unwrap().keys();
            verbs
                .map(|verb| verb.trim_start_matches("x-").to_uppercase())
                .filter(|verb| ["GET", "POST", "PATCH", "DELETE", "SEARCH", "PUT"].contains(&verb.as_str()))
                .map(|verb| (verb, path.clone()))
        })
        .collect()
}

async fn ask(client: &Client, verb: &str, path: &str) -> (u16, String) {
    let path: Vec<_> = path
        .split('/')
        .map(|step| if step.starts_with('{') { "x" } else { step })
        .collect();
    // One of the shapes is the one that the route takes, so that nothing but the caller stands against it.
    let shapes = match verb {
        "GET" => vec![None],
        "DELETE" => vec![Some(json!({"keys": ["x"]}))],
        _ => vec![
            Some(json!({"keys": ["x"], "data": {}})),
            Some(json!([{"collection": "x", "field": "x"}])),
            Some(json!({})),
        ],
    };
    let mut last = (0, String::new());
    for shape in shapes {
        let request = client.request(verb, &path.join("/"));
        let answer = match shape {
            Some(body) => client.send(request.json(&body)).await,
            None => client.send(request).await,
        };
        last = (answer.status, answer.text);
        if last.0 != 400 {
            break;
        }
    }
    last
}

fn listed(list: &[(&str, &str)], verb: &str, path: &str) -> bool {
    list.contains(&(verb, path))
}

#[tokio::test]
async fn whoever_has_no_rights_is_refused_on_every_route() {
    let app = start().await;
    let collection = json!({
        "collection": "articles",
        "schema": {},
        "meta": {},
        "fields": [{"field": "id", "type": "integer", "schema": {"is_primary_key": true, "has_auto_increment": true}}],
    });
    let made = app.post("/collections", collection).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let someone = app.user("someone@example.com", "someones-static-token").await;
    let nobody = app.anonymous();
    let mut wrong = Vec::new();
    let routes = routes(&app).await;
    assert!(
        routes.iter().any(|(_, path)| path == "/items/articles"),
        "{routes:?}"
    );
    for (verb, path) in &routes {
        let open = listed(OPEN, verb, path);
        for (who, client, allowed) in [
            ("nobody", &nobody, open),
            ("someone", &someone, open || listed(OWN, verb, path)),
        ] {
            let (status, text) = ask(client, verb, path).await;
            let refused = matches!(status, 401 | 403);
            let served = status < 400 || (status == 400 && verb != "GET");
            if (allowed && !served) || (!allowed && !refused) {
                wrong.push(format!("{verb} {path} as {who}: {status} {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_denied_and_what_does_not_exist_look_the_same() {
    let app = start().await;
    let made = app
        .post(
            "/collections",
            json!({"collection": "secrets", "schema": {}, "meta": {}}),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    let someone = app.user("someone@example.com", "someones-static-token").await;
    for client in [&someone, &app.anonymous()] {
        for (verb, there, not_there) in [
            ("GET", "/collections/secrets", "/collections/nothing"),
            ("DELETE", "/collections/secrets", "/collections/nothing"),
            ("GET", "/fields/secrets", "/fields/nothing"),
            ("GET", "/fields/secrets/id", "/fields/nothing/id"),
            ("GET", "/fields/secrets/id", "/fields/secrets/nothing"),
            ("GET", "/relations/secrets", "/relations/nothing"),
        ] {
            let (there, not_there) = (ask(client, verb, there).await, ask(client, verb, not_there).await);
            assert_eq!(there, not_there, "{verb}");
            assert_eq!(there.0, 403, "{verb} {}", there.1);
        }
        let document = client.get("/server/specs/oas").await;
        assert_eq!(document.status, 200);
        assert!(!document.text.contains("secrets"));
        let paths = document.body["paths"].as_object().map(serde_json::Map::len);
        assert_ne!(paths.map(Value::from), Some(Value::from(0)));
    }
}
