"""Links and file names of the pages: where they lead, and which lead nowhere.

A link is checked as a code host resolves it: relative to its page, within the repository, an anchor against
the headings of its target. Fenced blocks have neither links nor headings. Other sites are not asked.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.ship.compose import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.M)
_HEADING = re.compile(r"^#+ (.*)$", re.M)
_FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
# a file of this repository, named in code from its root or from a package of plugins/
_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|json|md|toml|yml|html|example))`")
_MADE = (
    "user_data/data/",
    "user_data/hedge_leg.",
    "user_data/report/",
    "user_data/logs/",
    "docker/.env",
)  # by the user's commands


def pages(root: Path = ROOT) -> list[Path]:
    """Return every page that is read by people, in a fixed order."""
    docs = sorted((root / "docs").rglob("*.md"))
    return [root / "README.md", root / "CHANGELOG.md", *docs, root / "docker" / "README.md"]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them: repeated ones are numbered."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for head in _HEADING.findall(_prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head)
        name = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def broken(page: Path, root: Path = ROOT) -> list[str]:
    """Return "page: link: why" of each link that leads nowhere."""
    return [
        f"{page.relative_to(root)}: {link}: {why}"
        for link in _links(page)
        if (why := _fault(page, link, root))
    ]


def unknown_files(page: Path, root: Path = ROOT) -> list[str]:
    """Return the file names in code that are neither in the repository nor made by a user's command."""
    bases = (root, root / "plugins", root / "plugins" / "hedge_leg", root / "user_data", page.parent)
    named = (name for name in _FILE.findall(_prose(page)) if not name.startswith(_MADE))
    return [name for name in named if not any((base / name).exists() for base in bases)]


def _prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def _links(page: Path) -> Iterator[str]:
    for inline, reference in _LINK.findall(_prose(page)):
        yield inline or reference


def _fault(page: Path, link: str, root: Path) -> str:
    """Return why a link leads nowhere, "" for one that does not or that leaves the repository's site."""
    path, _, anchor = link.partition("#")
    if re.match(r"[a-z]+:", link):
        return ""
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(root.resolve()):
        return "outside of the repository"
    if not target.exists():
        return "no such file"
    return "" if not anchor or anchor in anchors(target) else "no such heading"
