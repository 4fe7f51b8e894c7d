"""A Loggia of one's own for a test module: a free port, an empty data folder, a known administrator.

A test asks for the fixture `loggia` and gets its `url`, `mcp`, `token`, `email` and `password`.
"""

import json
import os
import secrets
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest

START_WITHIN = 30.0
"""The longest that a start may take, in seconds."""

POLL_EVERY = 0.025
"""Between two questions whether the server answers, in seconds."""

BINARY = os.environ.get(
    "CLIENT_TESTS_BINARY", str(Path(__file__).resolve().parents[2] / "target" / "debug" / "loggia")
)
"""The binary under test. `cargo xtask test` says where it is."""


@dataclass
class Loggia:
    """A running server and how to reach it as its administrator."""

    url: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(24))
    email: str = "admin@example.com"
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    log: list[str] = field(default_factory=list)

    @property
    def mcp(self) -> str:
        """The address of the MCP endpoint."""
        return f"{self.url}/mcp"


@pytest.fixture(scope="module")
def loggia(tmp_path_factory):
    """Starts a server on an empty folder, waits until it answers, and stops it after the module's tests."""
    folder = tmp_path_factory.mktemp("loggia")
    server = Loggia()
    settings = {
        "admin.email": server.email,
        "admin.password": server.password,
        "admin.token": server.token,
        "mcp.enabled": "true",
        "log.format": "json",
    }
    command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--data", str(folder / "data")]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOGGIA_")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        server.url = _listening(process, server.log)
        _answering(server.url)
        yield server
    finally:
        process.terminate()
        process.wait()


def _listening(process: subprocess.Popen, log: list[str]) -> str:
    """Waits for the log line that says where the server listens, and keeps reading the log after it."""
    found = threading.Event()
    address: list[str] = []

    def read() -> None:
        for line in process.stderr:
            log.append(line.rstrip())
            where = _address(line)
            if where:
                address.append(where)
                found.set()
        found.set()

    threading.Thread(target=read, daemon=True).start()
    found.wait(START_WITHIN)
    if not address:
        raise RuntimeError("the server did not listen\n" + "\n".join(log))
    return f"http://{address[0]}"


def _address(line: str) -> str | None:
    try:
        fields = json.loads(line).get("fields", {})
    except ValueError:
        return None
    return fields.get("address") if fields.get("message") == "listening" else None


def _answering(url: str) -> None:
    until = time.monotonic() + START_WITHIN
    while True:
        try:
            with urllib.request.urlopen(f"{url}/server/ping", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        if time.monotonic() > until:
            raise RuntimeError(f"{url}/server/ping did not answer in time")
        time.sleep(POLL_EVERY)
