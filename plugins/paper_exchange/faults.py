"""The fault plan: which requests go wrong, and how. Pure: parse, match, count.

A plan is a JSON list of rules, or {"rules": [..]}:

    [{"match": {"method": "POST", "path": "/api/v3/order", "side": "BUY", "calls": [2]},
      "fault": {"kind": "lose_answer"}},
     {"match": {"path": ["/api/v3/order", "/api/v3/openOrders"], "method": "GET", "times": 3},
      "fault": "not_found"}]

`match` narrows by `method`, `path` (a glob or several), `symbol`, `side`, `reduce_only`, `client_id` (a glob;
the request's newClientOrderId or origClientOrderId) and by the exchange's clock (`after_ms` <= now <
`until_ms`). The requests that are left are numbered 1, 2, ..: the rule fires at the `calls` given, or else
from `from_call` (1) on at every `every`-th (1), `times` times (1; null: always).

Every rule counts the requests it matches. Of the rules due at one request all `clock_skew` and `halt` are
carried out, and of the others the first. `fault` is a kind (see `fault_kinds`) with its parameters, or just
its name. `/_control` is never touched.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from paper_exchange.errors import RefusedRequestError, UsageError
from paper_exchange.fault_kinds import Fault, State, Strict
from paper_exchange.rows import JsonObject

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule looks at: a request's method, path and parameters (query and body together)."""

    method: str
    path: str
    params: Mapping[str, str]

    @property
    def symbol(self) -> str | None:
        """Return the symbol, if one is named."""
        return self.params.get("symbol")

    @property
    def client_id(self) -> str | None:
        """Return the client id of the order that is meant: one to find, or one to place."""
        return self.params.get("origClientOrderId") or self.params.get("newClientOrderId")


class Match(Strict):
    """Which requests a rule is about, and at which of them it fires."""

    method: Literal["GET", "POST", "PUT", "DELETE"] | None = None
    path: str | list[str] = "*"
    symbol: str | None = None
    side: Literal["BUY", "SELL"] | None = None
    reduce_only: bool | None = None
    client_id: str | None = None
    after_ms: int | None = None
    until_ms: int | None = None
    calls: list[PositiveInt] | None = Field(default=None, min_length=1)
    from_call: PositiveInt = 1
    every: PositiveInt = 1
    times: PositiveInt | None = 1

    @model_validator(mode="after")
    def _check(self) -> "Match":
        others = {"from_call", "every", "times"} & self.model_fields_set
        if self.calls is not None and others:
            raise ValueError(f"give calls, or {' and '.join(sorted(others))}, not both")
        return self

    def concerns(self, method: str, path: str) -> bool:
        """Return whether a request's first line is of the kind meant."""
        globs = [self.path] if isinstance(self.path, str) else self.path
        return self.method in {None, method} and any(fnmatchcase(path, glob) for glob in globs)

    def admits(self, asked: Asked, now_ms: int) -> bool:
        """Return whether a request at `now_ms` (exchange's clock) is one of those meant."""
        params = asked.params
        reduce_only = params.get("reduceOnly", "").lower() == "true"
        return (
            self.concerns(asked.method, asked.path)
            and self.symbol in {None, asked.symbol}
            and self.side in {None, params.get("side")}
            and self.reduce_only in {None, reduce_only}
            and (self.client_id is None or fnmatchcase(asked.client_id or "", self.client_id))
            and (self.after_ms is None or now_ms >= self.after_ms)
            and (self.until_ms is None or now_ms < self.until_ms)
        )

    def due(self, number: int, fired: int) -> bool:
        """Return whether the rule fires at the request of this number, having fired `fired` times."""
        if self.calls is not None:
            return number in self.calls
        late = number - self.from_call
        return late >= 0 and late % self.every == 0 and (self.times is None or fired < self.times)


class Rule(Strict):
    """One rule of the plan."""

    match: Match = Match()
    fault: Fault

    @field_validator("fault", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    def concerns(self, method: str, path: str) -> bool:
        """Return whether the rule may fire at such a request, by its first line."""
        return self.fault.acts_on(method, path) and self.match.concerns(method, path)


class RuleOrder(Strict):
    """What is posted: rules to add, or to have instead of the present ones."""

    rules: list[Rule]
    replace: bool = False


@dataclass(slots=True)
class _Counted:
    rule: Rule
    matched: int = 0
    fired: int = 0


class FaultPlan:
    """The rules in force, and how often each matched and fired."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Start with `rules`, nothing counted."""
        self._counted = [_Counted(rule) for rule in rules]

    def add(self, rules: Iterable[Rule]) -> None:
        """Append rules; those in force keep their counts."""
        self._counted += [_Counted(rule) for rule in rules]

    def clear(self) -> None:
        """Remove every rule."""
        self._counted = []

    def concerns(self, method: str, path: str) -> bool:
        """Return whether any rule may fire at such a request; cheap, and False without rules."""
        return any(counted.rule.concerns(method, path) for counted in self._counted)

    def due(self, asked: Asked, now_ms: int) -> list[tuple[int, Fault]]:
        """Count a request and return the faults to carry out, with their rules' indices (from 0).

        Faults that outlast the request come first; at most one other follows.
        """
        lasting: list[tuple[int, Fault]] = []
        single: list[tuple[int, Fault]] = []
        for index, counted in enumerate(self._counted):
            rule = counted.rule
            if not (rule.concerns(asked.method, asked.path) and rule.match.admits(asked, now_ms)):
                continue
            counted.matched += 1
            if not rule.match.due(counted.matched, counted.fired):
                continue
            if isinstance(rule.fault, State):
                lasting.append((index, rule.fault))
            elif single:
                continue
            else:
                single.append((index, rule.fault))
            counted.fired += 1
        return lasting + single

    def rows(self) -> list[JsonObject]:
        """Return each rule with its index and counts."""
        return [
            {
                "index": index,
                "matched": counted.matched,
                "fired": counted.fired,
                "match": counted.rule.match.model_dump(mode="json", exclude_unset=True),
                "fault": counted.rule.fault.model_dump(mode="json", exclude_none=True),
            }
            for index, counted in enumerate(self._counted)
        ]


def load_rules(path: Path) -> list[Rule]:
    """Read a plan from a file; UsageError, in one line, when it is unreadable or not a plan."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read --faults {path}: {error.strerror}") from error
    try:
        return TypeAdapter(list[Rule]).validate_json(text) if _is_list(text) else _whole(text)
    except ValidationError as error:
        raise UsageError(f"--faults {path}: {one_line(error)}") from None


def posted(model: type[_Model], body: bytes) -> _Model:
    """Read a posted JSON object; RefusedRequestError (HTTP 422, one line) when it is not of the model."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RefusedRequestError(-1130, one_line(error), 422) from None


def one_line(error: ValidationError) -> str:
    """Return the first mistake of a model: where it is, what is wrong, and how many more there are."""
    first, more = error.errors()[0], error.error_count() - 1
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said = "this field is not known: remove or correct it"
    rest = f" (and {more} more)" if more else ""
    return f"{where.lstrip('.') or 'the whole'}: {said}{rest}".replace("\n", " ")


def _is_list(text: bytes) -> bool:
    return text.lstrip().startswith(b"[")


def _whole(text: bytes) -> list[Rule]:
    return RuleOrder.model_validate_json(text).rules
