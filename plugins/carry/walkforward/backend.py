"""Where tasks run: processes of this machine, or a Dask cluster, both through joblib.

Tasks are independent and their answers are keyed by name, so neither the backend nor the order of completion
nor a worker that dies (Dask sends its tasks to another) changes a byte of the result.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from joblib import Parallel, delayed, parallel_config

from carry.errors import UsageError
from carry.walkforward.choices import Backend
from carry.walkforward.folds import Record, Task
from carry.walkforward.store import Store

SCHEDULER_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Workers:
    """`jobs` processes here (1 = this process), or all workers of the Dask scheduler at `scheduler`."""

    backend: Backend = Backend.LOCAL
    jobs: int = 1
    scheduler: str = ""

    def __post_init__(self) -> None:
        """Refuse a cluster without an address, or less than one job."""
        if (self.backend is Backend.DASK) is not bool(self.scheduler):
            raise UsageError(
                "--backend dask and --scheduler ADDRESS go together: give both, such as tcp://127.0.0.1:8786"
            )
        if self.jobs < 1:
            raise UsageError(f"--jobs {self.jobs}: give at least 1")


def run_tasks(
    tasks: Sequence[Task], workers: Workers, store: Store, progress: Callable[[Task], None]
) -> dict[str, Record]:
    """Return the answers of all tasks by name; `progress` is told of each as it is there, kept ones first.

    Every answer is kept before `progress` hears of it, so an interrupted run loses only what was under way.
    """
    answers: dict[str, Record] = {}
    waiting: list[Task] = []
    for task in tasks:
        kept = store.load(task)
        if kept is None:
            waiting.append(task)
        else:
            answers[task.name] = kept
            progress(task)
    if not waiting:
        return answers
    by_name = {task.name: task for task in waiting}
    with _pool(workers) as parallel:
        for name, answer in parallel(delayed(_named)(task) for task in waiting):
            answers[name] = store.keep(by_name[name], answer)
            progress(by_name[name])
    return {task.name: answers[task.name] for task in tasks}


def _named(task: Task) -> tuple[str, Record]:
    return task.name, task.run()


@contextmanager
def _pool(workers: Workers) -> Iterator[Parallel]:
    """Yield joblib's pool; UsageError where the scheduler does not answer."""
    if workers.backend is Backend.LOCAL:
        with warnings.catch_warnings():
            # loky replaces a worker whose memory has grown; its tasks go on, so a user need not know
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            yield Parallel(
                n_jobs=workers.jobs, return_as="generator_unordered", pre_dispatch="all", batch_size=1
            )
        return
    try:
        from distributed import Client  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise UsageError('--backend dask needs Dask: pip install "freqtrade-hedged-carry[dask]"') from error
    try:
        client = Client(  # type: ignore[no-untyped-call]
            workers.scheduler, timeout=f"{SCHEDULER_TIMEOUT_S} s", set_as_default=True
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {workers.scheduler}: start one, or give another --scheduler"
        ) from error
    with client, parallel_config(backend="dask", wait_for_workers_timeout=30):
        yield Parallel(n_jobs=-1, return_as="generator_unordered", pre_dispatch="all", batch_size=1)
