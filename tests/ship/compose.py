"""docker/compose.yml without Docker: its command lines and health checks, run as processes of this machine.

A service becomes the same arguments in the same environment, in a copy of the repository's user_data. Only
this differs: the two ports are free ones, and the venue's addresses are the paper exchange's.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hedge_leg.config import layered

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PROGRAMS = Path(sys.executable).parent
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
# as in a container; what a shell runs in the background inherits that SIGINT is ignored
_INTERRUPTIBLE = ("env", "--default-signal=INT")
_STOP_S = 60  # the file's stop_grace_period
_STOPPED = (0, 130, -signal.SIGINT)  # 130: freqtrade's own status after SIGINT


def read_compose() -> dict[str, Any]:
    """Return compose.yml with its YAML anchors and merges resolved, nothing interpolated."""
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yml").read_text())
    return found


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Replace ${NAME} and ${NAME:-default} as compose does: the default also for an empty value."""
    return _VARIABLE.sub(lambda found: variables.get(found[1], "") or found[2] or "", text)


def image_entrypoint() -> list[str]:
    """Return what the image runs by itself."""
    [line] = [row for row in (DOCKER / "Dockerfile").read_text().splitlines() if row.startswith("ENTRYPOINT")]
    found: list[str] = json.loads(line.removeprefix("ENTRYPOINT"))
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that stands for /freqtrade, two free ports, and the shell's variables."""

    folder: Path
    api_port: int
    exchange_port: int
    variables: Mapping[str, str]

    def lay_out(self) -> None:
        """Copy what the mounted folder holds, with the venue at the paper exchange's addresses."""
        for name in ("config", "strategies", "hyperopts"):
            shutil.copytree(
                ROOT / "user_data" / name,
                self.folder / "user_data" / name,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        config = self.folder / "user_data" / "config"
        paper = (config / "paper.json").read_text().replace("8411", str(self.exchange_port))
        (config / "paper.json").write_text(paper)
        venue = config / "venue-binance.json"
        venue.write_text(json.dumps(layered(json.loads(venue.read_text()), json.loads(paper))))

    def _fitted(self, text: str) -> str:
        text = text.replace("8080", str(self.api_port)).replace("8411", str(self.exchange_port))
        return interpolated(text, self.variables)

    def command(self, service: Mapping[str, Any]) -> list[str]:
        """Return a service's arguments: its entry point or the image's, then its command."""
        given = service["command"]
        words = shlex.split(given) if isinstance(given, str) else given
        return [*service.get("entrypoint", image_entrypoint()), *map(self._fitted, words)]

    def check(self, service: Mapping[str, Any]) -> list[str]:
        """Return the arguments of a service's health check."""
        kind, *words = service["healthcheck"]["test"]
        assert kind == "CMD"
        return [self._fitted(word) for word in words]

    def environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        """Return what the container would see: the service's own variables and nothing of this shell's."""
        given = service.get("environment", {})
        passed = {name: self.variables.get(name) for name, value in given.items() if value is None}
        own = {name: self._fitted(str(value)) for name, value in given.items() if value is not None}
        path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        host = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        known = {name: value for name, value in passed.items() if value is not None}
        return {"PATH": path, "HOME": str(self.folder), **host, **known, **own}

    @contextmanager
    def running(self, name: str, service: Mapping[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service until its block ends, then stop it by its own signal; it must end in time."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*_INTERRUPTIBLE, *self.command(service)],
                cwd=self.folder,
                env=self.environment(service),
                stdout=out,
                stderr=out,
            )
        try:
            yield process
            assert process.poll() is None, log.read_text()[-3000:]
            process.send_signal(signal.Signals[service["stop_signal"]])
            assert process.wait(_STOP_S) in _STOPPED, log.read_text()[-3000:]
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def healthy(self, name: str, service: Mapping[str, Any], seconds: float = 300) -> None:
        """Wait until a service's health check is content; AssertionError with its log when it never is."""
        command, environment = self.check(service), self.environment(service)

        def content() -> bool:
            return not subprocess.run(command, env=environment, capture_output=True, check=False).returncode

        self._wait(name, content, seconds)

    def looped(self, name: str, seconds: float = 300) -> None:
        """Wait until a bot has done a whole loop."""
        self._wait(name, lambda: "Bot heartbeat" in self.log(name), seconds)

    def log(self, name: str) -> str:
        """Return what a service has said so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _wait(self, name: str, look: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < deadline, self.log(name)[-3000:]
            time.sleep(0.2)
