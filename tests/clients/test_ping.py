"""The server as Python sees it, before any client library."""

import json
import urllib.request


def test_a_server_that_has_just_started_answers(loggia):
    with urllib.request.urlopen(f"{loggia.url}/server/ping", timeout=5) as answer:
        assert answer.status == 200
        assert answer.read() == b"pong"


def test_the_token_of_the_configuration_is_the_administrator(loggia):
    request = urllib.request.Request(
        f"{loggia.url}/users/me", headers={"authorization": f"Bearer {loggia.token}"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert json.load(answer)["data"]["email"] == loggia.email
