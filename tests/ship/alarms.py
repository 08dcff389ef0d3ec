"""Every text that the spot leg can send to its operator, read from the source; variable parts become `..`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.ship.compose import ROOT

SOURCE = ROOT / "plugins" / "hedge_leg"
VARIABLE = ".."
# what is called -> which of its arguments is shown to the operator
SENT = {
    "notify": 0,
    "send_msg": 0,
    "alarm": 2,
    "Alarmed": 2,
    "Halted": 1,
    "RollbackStarted": 1,
    "ExitAbandoned": 1,
}
EXIT_GATES = ("request_exit", "_request_exit", "_exit_verdict")  # whose refusals are sent by `LiveLeg`
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def alarm_texts(folder: Path = SOURCE) -> dict[str, str]:
    """Return text -> "file:line" of the first place that sends it. Bare variables are left out."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        if "simulation" in path.parts:
            continue
        for text, line in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            if any(letter.isalpha() for letter in text):
                found.setdefault(text, f"{path.relative_to(folder)}:{line}")
    return found


def _texts(module: ast.Module) -> Iterator[tuple[str, int]]:
    for function in (node for node in ast.walk(module) if isinstance(node, _Function)):
        for node in _own(function):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            index = SENT.get(name)
            if name == "Verdict" and function.name in EXIT_GATES and _refuses(node):
                index = 1
            if index is not None and index < len(node.args):
                for text in _resolved(node.args[index], function):
                    yield text, node.lineno


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions in it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, _Function):
            yield node
            yield from _own(node)


def _refuses(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and first.value is False


def _resolved(node: ast.expr, function: _Function) -> Iterator[str]:
    """Yield what an argument may be: itself, or everything that its name is assigned in the function."""
    if not isinstance(node, ast.Name):
        yield template(node)
        return
    for one in _own(function):
        if isinstance(one, ast.Assign) and any(getattr(to, "id", "") == node.id for to in one.targets):
            yield template(one.value)
        if isinstance(one, ast.AugAssign) and getattr(one.target, "id", "") == node.id:
            yield template(one.value)


def template(node: ast.expr) -> str:
    """Return the literal parts of a text with `..` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            VARIABLE if isinstance(part, ast.FormattedValue) else template(part) for part in node.values
        )
    return VARIABLE
