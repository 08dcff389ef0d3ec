"""The module table of docs/architecture.md names every module, and nothing that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ship.compose import ROOT

PAGE = ROOT / "docs" / "architecture.md"
PLUGINS = ROOT / "plugins"
_ROW = re.compile(r"^\| (`\w+/[^|]+) \|", re.M)
_FREQTRADE = re.compile(r"^\s*(?:from|import) freqtrade\b", re.M)


class NoSuchModule(Exception):
    """A row of the table names what is not there."""


def modules(folder: Path = PLUGINS) -> set[str]:
    """Return the modules that must be named, relative to `folder`."""
    found = (path for path in folder.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
    return {path.relative_to(folder).as_posix() for path in found}


def named(page: str, folder: Path = PLUGINS) -> set[str]:
    """Return the files that the table's first column names. Raises NoSuchModule for a name without a file."""
    return {one.relative_to(folder).as_posix() for row in _ROW.findall(page) for one in _files(row, folder)}


def _files(row: str, folder: Path) -> Iterator[Path]:
    names = re.findall(r"`([^`]+)`", row)
    beside = Path(names[0]).parent
    for name in names:
        base = folder if (folder / name.split("/")[0]).is_dir() else folder / beside
        found = list(base.glob(f"{name}**/*.py" if name.endswith("/") else name))
        if not found:
            raise NoSuchModule(f"{name} in {row}")
        yield from found


def test_every_module_is_named_by_a_row() -> None:
    missing = modules() - named(PAGE.read_text())
    assert not missing, "write a row of docs/architecture.md for each"


def test_freqtrade_is_imported_where_the_page_says() -> None:
    [sentence] = re.findall(r"freqtrade is imported by\s(.*?); by nothing else", PAGE.read_text(), re.S)
    told = {name.rsplit("/", 1)[-1] for name in re.findall(r"`([\w/]+)`", sentence)}
    importers = {Path(one).stem for one in modules() if _FREQTRADE.search((PLUGINS / one).read_text())}
    assert importers == told - {"hedge_leg", "carry"}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write a package of four modules in two folders."""
    for name in ("a/one.py", "a/b/two.py", "a/b/three.py", "a/__init__.py", "a/other.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_a_module_that_no_row_names_is_found(small: Path) -> None:
    page = "| `a/b/two.py`, `three.py` | both |\n| `a/on*.py` | it |\n\nAlso `a/other.py`, in prose only.\n"
    assert modules(small) - named(page, small) == {"a/other.py"}


def test_a_folder_stands_for_everything_in_it(small: Path) -> None:
    assert named("| `a/b/` | all |\n", small) == {"a/b/two.py", "a/b/three.py"}


def test_a_row_for_what_is_not_there_is_refused(small: Path) -> None:
    with pytest.raises(NoSuchModule, match=r"gone\.py"):
        named("| `a/one.py`, `gone.py` | it was |\n", small)
