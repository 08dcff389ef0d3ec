"""Write docs/configuration.md from the models that validate the configuration; with --check only compare.

Key, type, unit, default, limits and meaning stand in the models once: `hedge_leg.config` and its sections,
`carry.costs`, `carry.losses`. Exit status: 0 written or equal, 1 with --check: the file is another one.
"""

import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from carry.losses import CONFIG_KEY, LossTerms
from hedge_leg.config import HedgeLegConfig

TARGET = Path(__file__).parents[1] / "docs" / "configuration.md"
UNITS = {
    "sec": "s",
    "ms": "ms",
    "bps": "bps",
    "h": "h",
    "hours": "h",
    "min": "min",
    "days": "days",
    "candles": "candles",
}
LIMITS = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt")}
HEAD = """# Configuration

Written by `tools/config_reference.py` from the models that validate it: change those, then run `make docs`.

freqtrade's own keys are freqtrade's. The plugin reads two blocks more, both optional. An unknown key, a value
out of its limits or limits that contradict each other are refused at the start, in one line that names the key.
`hedge-leg check-config -c FILE` shows what a configuration means.

Units: *fraction* of 1 (0.02 is 2 %), *bps* 1/10,000 of the notional of one leg, *quote* the stake currency.
`FREQTRADE__HEDGE_LEG__LEVERAGE=2` sets `hedge_leg.leverage`; two underscores go one level down. Keys of the
exchange come from the environment only: `FREQTRADE__HEDGE_LEG__KEY`, `.._SECRET`, `.._PASSWORD`, and
freqtrade's own where these are not set.

`stake_amount` is the capital of one pair, **both legs**; `"unlimited"` splits all over `max_open_trades`.
"""  # noqa: E501 - a page, not code


class Undocumented(Exception):
    """A field has no description; the text names it."""


def page() -> str:
    """Return the whole page. Raises Undocumented."""
    parts = [HEAD, *_section("hedge_leg", HedgeLegConfig), *_section(CONFIG_KEY, LossTerms)]
    return "\n".join(parts).rstrip() + "\n"


def _section(path: str, model: type[Any]) -> Iterator[str]:
    """Yield the table of a block, then those of the blocks in it."""
    rows, below = [], []
    for name, kind, default, found, text in _fields(model):
        if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, BaseModel)):
            below.append((f"{path}.{name}", kind))
            continue
        if not text:
            raise Undocumented(f"{path}.{name} has no description")
        limits = ", ".join(_limit(one) for one in found if type(one) in LIMITS)
        cells = (f"`{name}`", _type(kind), _unit(name, kind, found), _default(default), limits, text)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    yield f"## `{path}`"
    yield (model.__doc__ or "").strip().partition("\n\n")[0].replace("\n    ", " ")
    yield "\n| key | type | unit | default | limits | |\n|---|---|---|---|---|---|"
    yield "\n".join(rows) + "\n"
    for inner, kind in below:
        yield from _section(inner, kind)


def _fields(model: type[Any]) -> Iterator[tuple[str, Any, Any, list[Any], str]]:
    """Yield (name, type, default, constraints and unit, description) of each field."""
    if issubclass(model, BaseModel):
        for name, info in model.model_fields.items():
            default = {} if info.default is PydanticUndefined else info.default  # `dict` is the only factory
            yield name, info.annotation, default, list(info.metadata), info.description or ""
        return
    for one in fields(model):
        told = [one.metadata["unit"]] if "unit" in one.metadata else []
        yield one.name, one.type, one.default, told, one.metadata.get("description", "")


def _parts(kind: Any) -> list[Any]:
    """Return what a union allows besides None; the type itself where it is none."""
    if get_origin(kind) in (Union, UnionType):
        return [part for part in get_args(kind) if part is not NoneType]
    return [kind]


def _type(kind: Any) -> str:
    [kind] = _parts(kind)
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{one.value}`" for one in kind)
    names = {float: "number", int: "integer", bool: "true/false", str: "text"}
    return names.get(kind, "object")


def _unit(name: str, kind: Any, found: list[Any]) -> str:
    """Return the unit: as annotated, else what the name ends with."""
    inside = [part for one in _parts(kind) for part in get_args(one) if get_origin(one) is Annotated]
    told = [one for one in [*found, *inside] if isinstance(one, str)]
    return told[0] if told else UNITS.get(name.rpartition("_")[2], "")


def _limit(one: Any) -> str:
    sign, name = LIMITS[type(one)]
    return f"{sign} {getattr(one, name):g}"


def _default(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if value is None or value in ("", {}):
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float | int) else f"`{value}`"


def main() -> None:
    """Write the page, or say that it is another one."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted:
            sys.exit(f"{TARGET.name} is not what the models say: run make docs")
        return
    TARGET.write_text(wanted, encoding="utf-8")
    print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
