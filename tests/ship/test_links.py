"""Links and anchors of all pages lead somewhere; the files that they name are there."""

from pathlib import Path

import pytest

from tests.ship.compose import ROOT
from tests.ship.links import anchors, broken, pages, unknown_files


def written(folder: Path, text: str) -> Path:
    """Write a page `docs/page.md` that other.md lies beside; return it."""
    (folder / "docs").mkdir()
    (folder / "docs" / "other.md").write_text(
        "# Other\n## A `key` and: more\n```bash\n# a remark\n```\n## A key\n## A key\n"
    )
    page = folder / "docs" / "page.md"
    page.write_text(text)
    return page


def test_links_lead_to_files_and_headings() -> None:
    assert [one for page in pages() for one in broken(page)] == []


def test_files_that_are_named_are_there() -> None:
    assert [f"{page.name}: {name}" for page in pages() for name in unknown_files(page)] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        name = str(page.relative_to(ROOT / "docs"))
        assert name == "README.md" or name.startswith("adr/") or f"({name})" in index, name


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("gone.md", "no such file"),
        ("other.md#gone", "no such heading"),
        ("other.md#a-remark", "no such heading"),
        ("#gone", "no such heading"),
        ("../../elsewhere.md", "outside of the repository"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, link: str, why: str) -> None:
    page = written(tmp_path, f"# Page\nSee [this]({link}).\n")
    assert broken(page, tmp_path) == [f"docs/page.md: {link}: {why}"]


@pytest.mark.parametrize(
    "link",
    ["other.md", "other.md#a-key-and-more", "other.md#a-key-1", "#page", "https://example.invalid/x#y", "."],
)
def test_a_link_that_leads_somewhere_is_none(tmp_path: Path, link: str) -> None:
    assert broken(written(tmp_path, f"# Page\nSee [this]({link}).\n"), tmp_path) == []


def test_links_in_fences_are_shown_only(tmp_path: Path) -> None:
    page = written(tmp_path, "```text\n[this](gone.md)\n```\n[that](gone.md)\n")
    assert len(broken(page, tmp_path)) == 1


def test_repeated_headings_are_numbered(tmp_path: Path) -> None:
    page = written(tmp_path, "")
    assert anchors(page.with_name("other.md")) == {"other", "a-key-and-more", "a-key", "a-key-1"}


def test_a_file_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = written(tmp_path, "`docs/other.md`, `docs/gone.md`, `user_data/report/carry.html`, `x.md`\n")
    assert unknown_files(page, tmp_path) == ["docs/gone.md"]
