"""Which parameter sets a sweep evaluates: the full grid, a grid from a file, or random draws."""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from carry.errors import UsageError
from carry.sweep.signals import Space, Value

MAX_SETS = 1_000_000


def full_grid(space: Space) -> list[dict[str, Value]]:
    """Return every combination of the values that the strategy's class states; UsageError if too many.

    A continuous parameter has no grid: draw at random or give a file.
    """
    _require_parameters(space)
    continuous = [one.name for one in space.ranges if one.values is None]
    if continuous:
        raise UsageError(f"parameter {continuous[0]} is continuous: use --random N or --grid FILE")
    if space.size > MAX_SETS:
        raise UsageError(
            f"the full grid has {space.size:,.0f} sets, more than {MAX_SETS:,}: use --random N or --grid FILE"
        )
    return _combinations({one.name: one.values for one in space.ranges})


def grid_from_file(path: Path, space: Space) -> list[dict[str, Value]]:
    """Return every combination of a JSON object {parameter: [values]}; the others keep their defaults."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"grid {path} cannot be read ({type(error).__name__}): give a JSON file") from error
    except ValueError as error:
        raise UsageError(f"grid {path} is not valid JSON: give an object of lists") from error
    if not isinstance(content, dict) or not all(isinstance(one, list) and one for one in content.values()):
        raise UsageError(f'grid {path} is not an object of lists: give {{"parameter": [1, 2]}}')
    space.complete(dict.fromkeys(content, 0))
    size = float(np.prod([float(len(one)) for one in content.values()])) if content else 0.0
    if not size:
        raise UsageError(f"grid {path} is empty: name a parameter and its values")
    if size > MAX_SETS:
        raise UsageError(f"grid {path} has {size:,.0f} sets, more than {MAX_SETS:,}: give fewer values")
    return _combinations(content)


def random_sets(space: Space, count: int, seed: int) -> list[dict[str, Value]]:
    """Return `count` sets drawn uniformly, equal ones once, in the order of drawing."""
    _require_parameters(space)
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[Value, ...], dict[str, Value]] = {}
    for _ in range(count):
        one = {name.name: name.draw(rng) for name in space.ranges}
        drawn.setdefault(tuple(one.values()), one)
    return list(drawn.values())


def _combinations(values: Mapping[str, Any]) -> list[dict[str, Value]]:
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


def _require_parameters(space: Space) -> None:
    if not any(one.values is None or len(one.values) > 1 for one in space.ranges):
        raise UsageError("the strategy has no parameter to sweep: its space is empty")
