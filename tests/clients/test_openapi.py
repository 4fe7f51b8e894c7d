"""The OpenAPI document is one, whoever asks for it."""

import json
import urllib.error
import urllib.request

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

POLICY = "policy of a test"


def _ask(loggia, method, path, body=None, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(loggia.url + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{method} {path}: {refused.read().decode()}") from refused


@pytest.fixture(scope="module")
def editors_token(loggia):
    """A model with every kind of field and relation, and somebody who may do some things in it."""

    def make(path, body):
        return _ask(loggia, "POST", path, body, loggia.token)["data"]

    types = "string text integer bigInteger float decimal boolean uuid date time dateTime timestamp json csv hash"
    fields = [{"field": f"a_{kind}", "type": kind, "schema": {}, "meta": {}} for kind in types.split()]
    fields.append({"field": "homes", "type": "alias", "meta": {"special": ["o2m"]}})
    make("/collections", {"collection": "kinds", "schema": {}, "meta": {}, "fields": fields})
    make("/collections", {"collection": "größen 2", "schema": {}, "meta": {}})
    make("/collections", {"collection": "home", "schema": {}, "meta": {"singleton": True}})
    make("/collections", {"collection": "group", "schema": None, "meta": {}})
    for name, kind in [("kind", "integer"), ("item", "string"), ("collection", "string")]:
        make("/fields/home", {"field": name, "type": kind, "schema": {}, "meta": {}})
    meta = {"one_field": "homes"}
    make("/relations", {"collection": "home", "field": "kind", "related_collection": "kinds", "schema": {}, "meta": meta})
    meta = {"one_collection_field": "collection", "one_allowed_collections": ["kinds"]}
    make("/relations", {"collection": "home", "field": "item", "related_collection": None, "meta": meta})
    policy = make("/policies", {"name": POLICY})["id"]
    permissions = [
        {"policy": policy, "collection": collection, "action": action, "fields": fields}
        for collection, action, fields in [
            ("kinds", "read", ["a_string", "a_json", "homes"]),
            ("kinds", "create", ["a_string"]),
            ("home", "update", ["*"]),
            ("größen 2", "delete", ["*"]),
            ("directus_users", "update", ["title"]),
        ]
    ]
    make("/permissions", permissions)
    token = "the token of an editor, which is long enough"
    user = make("/users", {"email": "editor@example.com", "token": token})["id"]
    make("/access", {"policy": policy, "user": user})
    return token


@pytest.mark.parametrize("who", ["administrator", "editor", "nobody"])
def test_the_document_is_valid(loggia, editors_token, who):
    token = {"administrator": loggia.token, "editor": editors_token, "nobody": None}[who]
    document = _ask(loggia, "GET", "/server/specs/oas", token=token)
    errors = list(OpenAPIV31SpecValidator(document).iter_errors())
    assert not errors, "\n".join(str(error) for error in errors)
    has = {path: set(verbs) - {"parameters"} for path, verbs in document["paths"].items()}
    assert ("/items/kinds" in has) == (who != "nobody")
    if who == "editor":
        assert has["/items/kinds"] == {"get", "post"} and has["/items/home"] == {"patch"}
