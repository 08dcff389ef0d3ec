"""The commands that the documentation gives: found in its fenced blocks, read by the programs' own parsers.

A fence says what it holds: in `bash` every line is a command (a backslash continues it, ` # ` begins a
remark); `csv NAME` and `json NAME` are files that the commands after it use; everything else is shown only.
In prose, `make TARGET` and a program of ours with options are commands, too, unless a word is a blank.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from freqtrade.commands import Arguments
from freqtrade.exceptions import FreqtradeException
from typer.core import TyperGroup
from typer.exceptions import TyperException

from carry.__main__ import app as carry
from hedge_leg.__main__ import app as hedge_leg
from paper_exchange.__main__ import app as paper_exchange
from tests.ship.compose import ROOT

SHOWN = ("text", "json", "csv", "python", "mermaid")
FREQTRADE = "freqtrade"
OURS = {"carry": carry, "hedge-leg": hedge_leg, "paper-exchange": paper_exchange}
WRAPPER = "tools/with-paper-exchange"  # DATADIR COMMAND...
# other programs that may be named; what they are given is theirs
PLAIN = ("cp", "mkdir", "pip", "export", "docker", ".venv/bin/python")
_FENCE = re.compile(r"^```(.*)$")
_SETS = re.compile(r"^[A-Z_]+=")
_INLINE = re.compile(r"`((?:make|hedge-leg|carry|paper-exchange) [a-z][^`]*|freqtrade [a-z-]+)`")
_BLANK = re.compile(r"\s[A-Z]+$|\s[A-Z]+\s")


class Unclear(Exception):
    """A fence or a command cannot be understood; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: `language`, the file `name` it stands for ("" for none), its lines, where it begins."""

    page: str
    line: int
    language: str
    name: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Return its commands, each on one line and without remarks."""
        joined = re.sub(r"\s*\\\n\s*", " ", self.text)
        lines = [re.split(r"\s+# ", line)[0].strip() for line in joined.splitlines()]
        return [line for line in lines if line and not line.startswith("#")]


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages that a user reads, in a fixed order."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md")), root / "docker" / "README.md"]


def fences(page: Path, root: Path = ROOT) -> list[Fence]:
    """Return the fenced blocks of a page. Raises Unclear for one that does not say what it holds."""
    found: list[Fence] = []
    opened: tuple[int, str] | None = None
    kept: list[str] = []
    where = str(page.relative_to(root))
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if fence is None or (opened is None and "`" in fence[1]):
            kept.append(line)
        elif opened is None:
            opened, kept = (number, fence[1].strip()), []
        else:
            language, _, name = opened[1].partition(" ")
            if language != "bash" and language not in SHOWN:
                raise Unclear(
                    f"{where}:{opened[0]}: a fence must say what it holds: bash or {', '.join(SHOWN)}"
                )
            found.append(Fence(where, opened[0], language, name, "\n".join(kept) + "\n"))
            opened = None
    if opened is not None:
        raise Unclear(f"{where}:{opened[0]}: the fence never ends")
    return found


def inline(page: Path) -> list[str]:
    """Return what a page names as commands in its prose, in order."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return _INLINE.findall(prose)


def complete(command: str) -> bool:
    """Return whether a command of the prose can be run as it stands: no mere name, nothing to fill in."""
    program, *rest = command.split()
    return not _BLANK.search(command) and (program == "make" or (program in OURS and len(rest) > 1))


def check(command: str) -> None:
    """Raise Unclear when a command's program would not understand its words. Nothing is run."""
    for part in re.split(r"\s+&&\s+", command.removesuffix("&")):
        words = shlex.split(part)
        while words and _SETS.match(words[0]):
            words.pop(0)
        _check(words, command)


def _check(words: list[str], command: str) -> None:
    program, *rest = words
    try:
        if program == WRAPPER:
            _check(rest[1:], command)
        elif program == "make":
            _check_make(rest)
        elif program == FREQTRADE:
            Arguments(rest).get_parsed_arg()
        elif program in OURS:
            _parse(typer.main.get_command(OURS[program]), program, rest, None)
        elif program not in PLAIN:
            raise Unclear("no such program")
    except SystemExit as error:  # argparse has told the reason on stderr
        raise Unclear(f"{command}: refused by {program}") from error
    except (TyperException, FreqtradeException, Unclear) as error:
        raise Unclear(f"{command}: {getattr(error, 'message', error)}") from error


def _parse(command: Any, name: str, words: list[str], parent: Any) -> None:
    try:
        context = command.make_context(name, list(words), parent=parent)
    except typer.Exit:  # --help
        return
    if isinstance(command, TyperGroup):
        inner, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        if below is not None:
            _parse(below, str(inner), rest, context)


def _check_make(words: list[str]) -> None:
    text = (ROOT / "Makefile").read_text()
    for word in words:
        name, is_variable, _ = word.partition("=")
        known = rf"^{name} \?=" if is_variable else rf"^{name}:.*"
        if not re.search(known, text, re.M):
            raise Unclear(f"the Makefile has no {'variable' if is_variable else 'target'} {name}")
