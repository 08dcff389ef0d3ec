"""A Dask cluster on loopback gives the same bytes as this process, even when a worker is killed half-way."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from carry.errors import UsageError
from carry.walkforward.backend import Workers
from carry.walkforward.choices import Backend
from carry.walkforward.folds import Task
from carry.walkforward.walk import walk

from . import fake, walks

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


class Cluster:
    """A scheduler and two workers, each a process of its own."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        paths = [str(ROOT / "plugins"), str(ROOT), os.environ.get("PYTHONPATH", "")]
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._stack, self._folder = stack, folder
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        worker = ("dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard")
        self.workers = [self._start(*worker, "--local-directory", str(folder / name)) for name in "ab"]
        self._wait_for_two()

    def _start(self, module: str, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words]
        nowhere = subprocess.DEVNULL
        process = subprocess.Popen(
            command, env=self._environment, cwd=self._folder, stdout=nowhere, stderr=nowhere
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def _wait_for_two(self) -> None:
        from distributed import Client

        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with Client(self.address, timeout="1s") as client:  # type: ignore[no-untyped-call]
                    client.wait_for_workers(2, timeout=PATIENCE_S)
                return
            except OSError:
                assert time.monotonic() < deadline, "no scheduler"
                time.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path)


def test_same_bytes_from_a_cluster_even_when_a_worker_dies(cluster: Cluster, tmp_path: Path) -> None:
    source = fake.source(0.05)
    here = walks.text(walks.run(tmp_path / "here"))
    workers = Workers(Backend.DASK, scheduler=cluster.address)
    there = walks.text(walks.run(tmp_path / "there", workers, source))
    assert there == here
    heard: list[str] = []

    def kill_one(task: Task) -> None:
        heard.append(task.name)
        if len(heard) == 4:
            cluster.workers[0].send_signal(signal.SIGKILL)
            cluster.workers[0].wait()

    plan = walks.plan()
    result = walk(plan, walks.means(tmp_path / "killed", workers, source, kill_one))
    assert cluster.workers[0].returncode == -signal.SIGKILL
    assert len(heard) > 10
    assert walks.text(result) == here


def test_scheduler_that_does_not_answer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carry.walkforward.backend.SCHEDULER_TIMEOUT_S", 1)
    nobody = Workers(Backend.DASK, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match="no Dask scheduler answers at"):
        walks.run(tmp_path, nobody)


def test_cluster_needs_an_address_and_an_address_a_cluster() -> None:
    with pytest.raises(UsageError, match="go together"):
        Workers(Backend.DASK)
    with pytest.raises(UsageError, match="go together"):
        Workers(scheduler="tcp://127.0.0.1:8786")
