"""schemathesis reads the OpenAPI document and tries to prove it wrong, with every check it has.

Valid and invalid data, one operation at a time and in sequences. CI and `make test` use one seed,
so that a run can be repeated; to look further:

    KINGPOST_FUZZ_SEED=random KINGPOST_FUZZ_EXAMPLES=2000 pytest tests/app/hostile/test_fuzz.py

The seed of a run is in the message of its failure; KINGPOST_FUZZ_SEED takes it as a number.
`schemathesis.toml` has the configuration, `fuzz_hooks.py` what only the service can make up.
"""

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from kingpost.testing.process import ServerProcess

HERE = Path(__file__).parent
SEED = 20261122
# Per operation and kind of data, and how many requests come of it at the least: all of it with
# one driver; the other needs to show only that it does not matter which one it is.
EXAMPLES = {"asyncpg": (60, 2000), "psycopg": (10, 600)}


def seed() -> int:
    given = os.environ.get("KINGPOST_FUZZ_SEED", str(SEED))
    return random.SystemRandom().getrandbits(32) if given == "random" else int(given)


def fuzz(program: str, server: ServerProcess, folder: Path, examples: int) -> tuple[str, Any]:
    """Runs schemathesis; returns what it printed and its report."""
    report = folder / "report.json"
    done = subprocess.run(
        [
            program, "--config-file", str(HERE / "schemathesis.toml"),
            "run", f"{server.url}/openapi.json", "--checks", "all",
            "--header", f"Authorization: Bearer {server.key}",
            "--max-examples", str(examples), "--seed", str(seed()), "--mode", "all",
            "--continue-on-failure", "--no-color", "--generation-database", "none",
            "--report", "json", "--report-json-path", str(report),
        ],
        cwd=folder,
        env=environment(server),
        capture_output=True,
        check=False,
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode()
    assert report.exists(), said
    return said, json.loads(report.read_bytes())


def environment(server: ServerProcess) -> dict[str, str]:
    return os.environ | {
        "FUZZ_URL": server.url,
        "FUZZ_KEY": str(server.key),
        "FUZZ_KEY_ID": key_id(server),
        "SCHEMATHESIS_HOOKS": "fuzz_hooks",
        "PYTHONPATH": str(HERE),
    }


def key_id(server: ServerProcess) -> str:
    keys = httpx.get(
        f"{server.url}/api/v1/keys", headers=server.headers, trust_env=False, timeout=60
    )
    (key,) = keys.raise_for_status().json()["items"]
    return str(UUID(key["id"]))


def test_schemathesis_finds_nothing(
    start_server: Callable[..., ServerProcess],
    program: Callable[[str], str],
    driver: str,
    tmp_path: Path,
) -> None:
    examples, requests = EXAMPLES[driver]
    # the document is another one with a limit, and has to be true as well
    server = start_server(APP_RATE_LIMIT=1_000_000_000 if driver == "psycopg" else None)
    more = int(os.environ.get("KINGPOST_FUZZ_EXAMPLES", "0"))

    said, report = fuzz(program("schemathesis"), server, tmp_path, max(examples, more))

    assert report["exit_code"] == 0, said
    assert (report["failures"], report["errors"], report["complete"]) == ([], [], True), said
    assert report["test_cases"]["generated"] >= requests
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}
    assert reached(report) == operations(server)
    assert not {name: found for name, found in report["warnings"].items() if found}, said
    assert httpx.get(
        f"{server.url}/api/v1/keys", headers=server.headers, trust_env=False, timeout=60
    ).is_success, "the key was lost on the way, so that most of it was a 401"
    assert "unhandled error" not in server.log.read_text()


def reached(report: Any) -> set[str]:
    """The operations that have accepted something: the others were not tested, only refused."""
    return {
        operation
        for operation, phases in report["valid_rates"].items()
        if any(phase["accepted"] for phase in phases.values())
    }


def operations(server: ServerProcess) -> set[str]:
    document = httpx.get(f"{server.url}/openapi.json", trust_env=False, timeout=60).json()
    return {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }
