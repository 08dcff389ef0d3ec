"""A newcomer: a clean environment with freqtrade, a clean user directory, the README's commands, a backtest.

Part of `make docs-test`: it installs freqtrade from the package index that pip knows, one or two minutes.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.ship.commands import fences
from tests.ship.compose import ROOT
from tests.ship.docs_place import TRACES, free_port

HEADING = "## Adding the plugin to an existing freqtrade"
pytestmark = pytest.mark.skipif(not os.environ.get("DOCS_TEST"), reason="run by make docs-test")


def section_commands() -> list[str]:
    """Return the commands of the README's section, in order."""
    page = ROOT / "README.md"
    lines = page.read_text().splitlines()
    first = lines.index(HEADING) + 1
    last = next(number for number in range(first, len(lines)) if lines[number].startswith("## ")) + 1
    blocks = [one for one in fences(page) if one.language == "bash" and first < one.line < last]
    return [command for one in blocks for command in one.commands]


def run(command: str, folder: Path, path: Path) -> str:
    """Run a command as its shell would; AssertionError with its words when it fails."""
    kept = {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "http", "SSL"))
    }
    environment = {**kept, "PATH": f"{path}:/usr/local/bin:/usr/bin:/bin", "HOME": os.environ["HOME"]}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_a_newcomer_adds_the_plugin_by_the_readme_and_backtests(tmp_path: Path) -> None:
    environment, clone, theirs = tmp_path / "env", tmp_path / "clone", tmp_path / "theirs"
    programs = environment / "bin"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    run("pip install -q --disable-pip-version-check freqtrade==2026.9", tmp_path, programs)
    run(f"freqtrade create-userdir --userdir {theirs}", tmp_path, programs)
    shutil.copytree(ROOT, clone, ignore=TRACES)
    port = str(free_port())  # others may use the usual one on this machine
    overlay = clone / "user_data" / "config" / "paper.json"
    overlay.write_text(overlay.read_text().replace("8411", port))

    commands = section_commands()
    assert any("pip install" in one for one in commands)
    assert [one.split()[0] for one in commands[-2:]] == ["freqtrade", "carry"]
    script = ["trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for command in commands:
        script.append(command.replace("YOUR_USER_DATA", str(theirs)).replace("serve", f"serve --port {port}"))
        if command.endswith("&"):
            script.append(
                f"until curl -s -o /dev/null http://127.0.0.1:{port}/api/v3/ping; do sleep 0.2; done"
            )
    said = run("\n".join(script), clone, programs)

    assert "FundingSpreadCarry" in said
    [result] = (theirs / "backtest_results").glob("*.zip")
    with zipfile.ZipFile(result) as packed:
        [name] = [one for one in packed.namelist() if one == result.with_suffix(".json").name]
        trades = json.loads(packed.read(name))["strategy"]["FundingSpreadCarry"]["trades"]
    assert trades
    assert any(abs(one["funding_fees"]) > 0 for one in trades), (
        "the spot leg's cash is in freqtrade's own slot"
    )
