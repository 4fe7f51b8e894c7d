//! Every route that is served, asked by somebody without rights and by nobody.

use loggia_http::ROUTES;
use loggia_testkit::Client;
use serde_json::json;

use crate::parrot::start;

/// Routes that answer everybody: what they give away is their own tests' business. This list may only shrink.
const OPEN: [(&str, &str); 10] = [
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
const OWN: [(&str, &str); 11] = [
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

/// Every method and path that is served, with the name of a collection that is there. `/mcp` refuses in the words of its
/// protocol, which has tests of its own.
fn routes() -> impl Iterator<Item = (&'static str, String)> {
    let routes = ROUTES.iter().filter(|route| route.path != "/mcp");
    routes.map(|route| {
        (
            route.method,
            route.path.replace("/items/{collection}", "/items/articles"),
        )
    })
}

async fn ask(client: &Client, verb: &str, path: &str) -> (u16, String) {
    let path: Vec<_> = path
        .split('/')
        .map(|step| if step.starts_with('{') { "x" } else { step })
        .collect();
    // One of the shapes is the one that the route takes, so that nothing but the caller stands against it.
    let shapes = match verb {
        "GET" => vec![None],
        "SEARCH" => vec![Some(json!({"query": {}}))],
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
    for (verb, path) in routes() {
        let path = &path;
        let open = listed(&OPEN, verb, path);
        for (who, client, allowed) in [
            ("nobody", &nobody, open),
            ("someone", &someone, open || listed(&OWN, verb, path)),
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

#[test]
fn what_is_open_is_there() {
    let routes: Vec<_> = ROUTES
        .iter()
        .map(|route| (route.method, route.path.as_str()))
        .collect();
    for open in OPEN.iter().chain(&OWN) {
        assert!(routes.contains(open), "{open:?}");
    }
}

/// Method and address, without the names of what differs.
fn nameless(method: &str, path: &str) -> String {
    let steps = path
        .split('/')
        .map(|step| if step.starts_with('{') { "{}" } else { step });
    format!("{method} {}", steps.collect::<Vec<_>>().join("/"))
}

#[tokio::test]
async fn what_is_served_is_documented_and_the_other_way_round() {
    let app = start().await;
    let made = app
        .post(
            "/collections",
            json!({"collection": "articles", "schema": {}, "meta": {}}),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    let document = app.get("/server/specs/oas").await.body;
    let mut documented: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, verbs)| {
            let verbs = verbs
                .as_object()
                .unwrap()
                .keys()
                .filter(|verb| *verb != "parameters");
            verbs
                .map(|verb| nameless(&verb.to_uppercase(), path))
                .collect::<Vec<_>>()
        })
        .collect();
    // OpenAPI 3.1 has no SEARCH.
    let mut served: Vec<_> = routes()
        .filter(|(method, _)| *method != "SEARCH")
        .map(|(method, path)| nameless(method, &path))
        .collect();
    documented.sort_unstable();
    served.sort_unstable();
    assert_eq!(documented, served);
    assert!(
        documented.is_sorted_by(|one, next| one < next),
        "nothing is there twice"
    );
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
        assert!(paths.is_some_and(|paths| paths > 0), "{}", document.text);
    }
}
