"""The container files: by schema, by hadolint, and every command line of compose.yml run here."""

import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import compose_spec
import pytest

from tests.hedge_leg.postgres import PostgresServer, postgres
from tests.ship.compose import DOCKER, PROGRAMS, ROOT, Place, image_entrypoint, interpolated, read_compose

__all__ = ["postgres"]

SERVICES: dict[str, Any] = read_compose()["services"]
BOTS = [name for name, service in SERVICES.items() if "trade" in str(service.get("command"))]
SECRET = re.compile(r"KEY|SECRET|PASSWORD|JOURNAL_URL")
PUBLISHED = {"paper-exchange-key", "paper-exchange-secret", "sqlite:///user_data/hedge_leg.paper.sqlite"}
# minutes on a busy machine: part of `make docs-test`
everything = pytest.mark.skipif(not os.environ.get("DOCS_TEST"), reason="run by make docs-test")
EXAMPLE = dict(
    line.split("=", 1)
    for line in (DOCKER / ".env.example").read_text().splitlines()
    if line and not line.startswith("#")
)
# a copied example: compose passes what is left empty on, as empty variables
SHELL = EXAMPLE | {
    "FREQTRADE__API_SERVER__PASSWORD": "pw-of-a-test",
    "FREQTRADE__API_SERVER__JWT_SECRET_KEY": "j" * 40,
}


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def schema_errors(content: Any) -> str:
    try:
        found = compose_spec.PyCompose.from_json(json.dumps(content))
        found.validate()
        found.to_spec()
    except ValueError as error:
        return str(error)
    return ""


def test_compose_file_is_one_by_the_compose_specification() -> None:
    assert schema_errors(read_compose()) == ""
    wrong = read_compose()
    wrong["services"]["live"]["comand"] = "trade"
    assert "comand" in schema_errors(wrong)


def test_dockerfile_is_clean_by_hadolint() -> None:
    command = [str(PROGRAMS / "hadolint"), str(DOCKER / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_profile_is_there_and_starts_something() -> None:
    profiles = {profile for service in SERVICES.values() for profile in service["profiles"]}
    assert profiles == {"dryrun", "observer", "live", "paper", "postgres"}
    assert set(BOTS) == {"dryrun", "observer", "live", "paper"}


def test_secrets_come_from_the_environment_only() -> None:
    assert not any(EXAMPLE.values())
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert value is None or value in PUBLISHED, f"{name}: {variable}"
                assert value is not None or variable in EXAMPLE, f"{variable} is not in .env.example"
    assert "docker/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_nothing_runs_as_root_or_is_open_to_the_network() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text()
    users = re.findall(r"^USER (.*)$", dockerfile, re.M)
    assert users == ["1000"]
    assert "FROM freqtradeorg/freqtrade:2026.9\n" in dockerfile
    for service in SERVICES.values():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_no_file_names_an_address_of_a_package_index() -> None:
    for path in DOCKER.iterdir():
        assert not re.search(r"index-url|pypi\.|simple/|registry\.", path.read_text()), path


def test_files_that_the_image_is_made_of_exist_and_are_not_ignored() -> None:
    kept = {
        line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied: set[str] = set()
    for line in re.findall(r"^COPY (.*)$", (DOCKER / "Dockerfile").read_text(), re.M):
        copied.update(word for word in line.split()[:-1] if not word.startswith("--"))
    assert copied == kept
    for name in copied:
        assert (ROOT / name).exists(), name


def test_variables_are_replaced_as_compose_does() -> None:
    text = "venue-${VENUE:-binance}.json ${STRATEGY:-A} ${NOTHING}"
    assert interpolated(text, {"VENUE": "okx", "STRATEGY": ""}) == "venue-okx.json A "


@pytest.fixture
def place(tmp_path: Path) -> Place:
    api_port, exchange_port = free_ports(2)
    found = Place(tmp_path, api_port, exchange_port, SHELL)
    found.lay_out()
    return found


@everything
def test_every_command_line_runs(place: Place, postgres: PostgresServer) -> None:
    """The exchange, then each bot: its health check is content, it does a whole loop, it ends when asked."""
    assert image_entrypoint() == ["freqtrade"]
    exchange = SERVICES["paper-exchange"]
    paper_keys = {
        name: value for name, value in SERVICES["paper"]["environment"].items() if "EXCHANGE__" in name
    }
    live = {**SHELL, **paper_keys, "FREQTRADE__HEDGE_LEG__JOURNAL_URL": postgres.fresh_url()}
    with place.running("paper-exchange", exchange):
        place.healthy("paper-exchange", exchange)
        for name in BOTS:
            there = Place(
                place.folder, place.api_port, place.exchange_port, live if name == "live" else SHELL
            )
            with there.running(name, SERVICES[name]):
                there.healthy(name, SERVICES[name])
                there.looped(name)
    made = {path.name for path in (place.folder / "user_data").iterdir()}
    assert {"hedge_leg.dryrun.sqlite", "hedge_leg.paper.sqlite", "tradesv3.sqlite"} <= made
    assert "hedge_leg.sqlite" not in made, "the live bot's journal is PostgreSQL's"


def test_the_rehearsal_runs(place: Place) -> None:
    """The profile paper: the exchange and its bot, whose journal is made."""
    exchange, bot = SERVICES["paper-exchange"], SERVICES["paper"]
    with place.running("paper-exchange", exchange):
        place.healthy("paper-exchange", exchange)
        with place.running("paper", bot):
            place.healthy("paper", bot)
            place.looped("paper")
    assert (place.folder / "user_data" / "hedge_leg.paper.sqlite").exists()


@everything
def test_live_without_keys_is_one_line_and_no_bot(place: Place) -> None:
    exchange, live = SERVICES["paper-exchange"], SERVICES["live"]
    with place.running("paper-exchange", exchange):
        place.healthy("paper-exchange", exchange)
        done = subprocess.run(
            place.command(live),
            cwd=place.folder,
            env=place.environment(live),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert len(errors) == 1, errors


def test_postgres_health_check_knows_a_server(postgres: PostgresServer) -> None:
    program, *arguments = SERVICES["postgres"]["healthcheck"]["test"][1:]
    found = shutil.which(program) or str(postgres.programs / program)
    ports = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.port)}
    done = subprocess.run([found, *arguments], env=ports, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    [closed] = free_ports(1)
    gone = subprocess.run(
        [found, *arguments], env=ports | {"PGPORT": str(closed)}, capture_output=True, check=False
    )
    assert gone.returncode != 0
