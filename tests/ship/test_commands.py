"""Every page: fences say what they hold, commands are understood by their programs."""

from pathlib import Path

import pytest

from tests.ship.commands import OURS, Unclear, check, complete, fences, inline, pages


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


def test_every_command_that_prose_names_is_understood() -> None:
    found = {command for page in pages() for command in inline(page)}
    assert len(found) > 30
    for command in found:
        check(f"{command} --help" if command.split()[0] in OURS else command)


def test_a_name_or_a_form_in_prose_is_no_complete_command(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`make x`, `carry sweep --out y`, `carry sweep`, `carry x -c FILE`, `made y`\n```bash\nmake z\n```\n"
    )
    assert [one for one in inline(page) if complete(one)] == ["make x", "carry sweep --out y"]


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
