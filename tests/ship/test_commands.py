"""Every page: fences say what they hold, commands are understood by their programs, links lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.ship.commands import Unclear, check, fences, pages
from tests.ship.compose import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.replace("`", "").lower()).replace(" ", "-") for head in heads}


def test_every_command_is_understood_by_its_program() -> None:
    found = [
        command
        for page in pages()
        for one in fences(page)
        if one.language == "bash"
        for command in one.commands
    ]
    assert len(found) > 50
    for command in found:
        check(command)


@pytest.mark.parametrize(
    "command",
    [
        "make nothing",
        "make backtest NOTHING=1",
        "carry sweep --nothing",
        "hedge-leg no-such-command",
        "freqtrade backtesting --no-such-option",
        "tools/with-paper-exchange D carry no-such-command",
        "freqtrdae trade",
    ],
)
def test_a_wrong_command_is_not_understood(command: str) -> None:
    with pytest.raises(Unclear):
        check(command)


def test_a_fence_that_does_not_say_what_it_holds_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```\nmake test\n```\n")
    with pytest.raises(Unclear, match=r"page\.md:1"):
        fences(page, tmp_path)


def test_continued_lines_are_one_command_and_remarks_are_none(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```bash\ncarry sweep \\\n    --out x   # a remark\n# all remark\n```\n")
    assert fences(page, tmp_path)[0].commands == ["carry sweep --out x"]


def test_links_lead_to_files_and_headings() -> None:
    for page in pages():
        for link in _LINK.findall(page.read_text()):
            path, _, anchor = link.partition("#")
            if link.startswith("http"):
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        name = str(page.relative_to(ROOT / "docs"))
        assert name == "README.md" or name.startswith("adr/") or f"({name})" in index, name
