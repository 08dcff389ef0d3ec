"""Where the journal lies by default, whatever the folder is called."""

from pathlib import Path

import pytest

from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.bootstrap import journal_url
from hedge_leg.config import HedgeLegConfig


@pytest.mark.parametrize("name", ["plain", "100%25 mine", "what?", "a b#c", "Füße"])
def test_the_default_journal_is_created_in_the_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    open_journal(journal_url(HedgeLegConfig(), folder, dry_run=False)).close()
    assert (folder / "hedge_leg.sqlite").is_file()
