"""The walk-forward as one HTML page that needs nothing else: folds, equity, parameter paths, heat map."""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

from carry.losses import REJECTED
from carry.page import document
from carry.page_figures import CONTROL_COLOURS, PALETTE, Figure, figure_axis, figure_layout
from carry.page_tables import html_table
from carry.report_tables import SAMPLE_NOTE, percent
from carry.walkforward.tables import (
    FIGURES,
    UNCONFIRMED,
    evidence_rows,
    series_rows,
    setting_text,
)

_THRESHOLDS = ("funding_threshold_bps", "spread_threshold")
_RETURN_SCALE = [[0.0, "#c0492f"], [0.5, "#f4f1e4"], [1.0, "#2f8f5b"]]


def walk_page(result: Mapping[str, Any]) -> str:
    """Return the page of a result of `walk`."""
    figures: dict[str, Figure] = {"equity": equity_figure(result)}
    sections = [_section(one, place, figures) for place, one in enumerate(result["strategies"])]
    options = "".join(
        f'<option value="s{place}">{escape(one["strategy"])}</option>'
        for place, one in enumerate(result["strategies"])
    )
    chooser = (
        '<div class="chooser"><label for="strategy">Strategy</label>'
        f'<select id="strategy">{options}</select></div>'
    )
    table = html_table(("series", *FIGURES), series_rows(result))
    overview = (
        '<div class="card" id="overview"><h2>Out of sample, all folds joined</h2>'
        f'<div class="scroll compact">{table}</div><div data-figure="equity"></div>'
        '<p class="hint">Every test window starts flat on the same balance and ends flat; profits are added. '
        "A control is shown twice: cut at the borders of the candidates, and held through, paying only for "
        "what it trades.</p></div>"
    )
    title = "Walk-forward" + (f" - {SAMPLE_NOTE}" if result["sample_market"] else "")
    footer = "<footer>Received is positive; returns on the capital of both legs.</footer></main>"
    return document(title, [_header(result), "<main>", overview, chooser, *sections, footer], figures)


def equity_figure(result: Mapping[str, Any]) -> Figure:
    """Return the stitched curves, percent gained; controls grey, held through dotted."""
    curves = [
        (one["strategy"], one["equity"], PALETTE[place % len(PALETTE)], "solid")
        for place, one in enumerate(result["strategies"])
    ]
    for place, one in enumerate(result["controls"]):
        colour = CONTROL_COLOURS[place % len(CONTROL_COLOURS)]
        curves.append((f"{one['strategy']}, same windows", one["equity"], colour, "solid"))
        curves.append((f"{one['strategy']}, held through", one["continuous_equity"], colour, "dot"))
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": escape(name),
            "x": curve["days"],
            "y": [round((value - 1.0) * 100.0, 4) for value in curve["equity"]],
            "line": {"color": colour, "dash": dash, "width": 1.8},
        }
        for name, curve, colour, dash in curves
    ]
    axes = {"xaxis": figure_axis(type="date"), "yaxis": figure_axis("gained, %")}
    return {"data": traces, "layout": figure_layout(460, hovermode="x unified", **axes)}


def fold_figure(strategy: Mapping[str, Any]) -> Figure:
    """Return in-sample and out-of-sample yearly returns side by side, fold by fold."""
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": [fold["window"]["test"][:10] for fold in strategy["folds"]],
            "y": [round(fold[part]["yearly"] * 100.0, 4) for fold in strategy["folds"]],
            "marker": {"color": colour},
        }
        for name, part, colour in (
            ("in sample", "in_sample", "#b7c4ce"),
            ("out of sample", "out_of_sample", PALETTE[0]),
        )
    ]
    axes = {"xaxis": figure_axis("test from", type="category"), "yaxis": figure_axis("% a year")}
    return {"data": traces, "layout": figure_layout(340, barmode="group", **axes)}


def path_figure(strategy: Mapping[str, Any]) -> Figure:
    """Return each parameter's winner by fold, as its place among the values tried (0 lowest, 1 highest)."""
    folds = [fold["window"]["test"][:10] for fold in strategy["folds"]]
    traces = []
    for place, one in enumerate(strategy["stability"]):
        known = sorted({value for value in one["values"] if value is not None})
        spread = max(len(known) - 1, 1)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": escape(one["name"]),
                "x": folds,
                "y": [None if value is None else known.index(value) / spread for value in one["values"]],
                "text": [str(value) for value in one["values"]],
                "hovertemplate": "%{text}",
                "line": {
                    **{"color": PALETTE[place % len(PALETTE)], "shape": "hv"},
                    "dash": "dash" if place >= len(PALETTE) else "solid",
                },
            }
        )
    axes = {"xaxis": figure_axis(type="category"), "yaxis": figure_axis("lowest to highest winner")}
    return {"data": traces, "layout": figure_layout(420, **axes)}


def heat_names(strategy: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the two parameters of the heat map: both thresholds, else the first two searched, else None."""
    names = [dimension["name"] for dimension in strategy["space"]]
    if all(name in names for name in _THRESHOLDS):
        return _THRESHOLDS
    return (names[0], names[1]) if len(names) > 1 else None


def heat_figure(strategy: Mapping[str, Any], names: tuple[str, str]) -> Figure:
    """Return the median in-sample yearly return, after the turnover penalty, of all sets tried per cell."""
    cells: dict[tuple[Any, Any], list[float]] = {}
    for trials in strategy["trials"]:
        for trial in trials:
            if trial["loss"] < REJECTED:
                key = trial["parameters"][names[0]], trial["parameters"][names[1]]
                cells.setdefault(key, []).append(-trial["loss"] * 100.0)
    across = sorted({key[0] for key in cells})
    down = sorted({key[1] for key in cells})
    grid = [[median(cells[x, y]) if (x, y) in cells else None for x in across] for y in down]
    counts = [[len(cells.get((x, y), ())) for x in across] for y in down]
    trace = {
        "type": "heatmap",
        "x": [str(value) for value in across],
        "y": [str(value) for value in down],
        "z": grid,
        "customdata": counts,
        "hovertemplate": "%{x}, %{y}: %{z:.2f} % a year, %{customdata} sets",
        "colorscale": _RETURN_SCALE,
        "zmid": 0.0,
        "colorbar": {"title": {"text": "% a year"}, "thickness": 12},
    }
    axes = {"xaxis": figure_axis(escape(names[0]), type="category")}
    axes["yaxis"] = figure_axis(escape(names[1]), type="category")
    return {"data": [trace], "layout": figure_layout(380, **axes)}


def _section(strategy: Mapping[str, Any], place: int, figures: dict[str, Figure]) -> str:
    key, name = f"s{place}", escape(strategy["strategy"])
    figures[f"{key}-folds"], figures[f"{key}-paths"] = fold_figure(strategy), path_figure(strategy)
    cards = [
        f'<div class="pair">{_card(f"{name}: return by fold", f"{key}-folds")}'
        f"{_table_card('Evidence', _evidence(strategy))}</div>",
        _table_card("Folds", _folds(strategy), "folds"),
    ]
    paths = _card("Winners' parameters by fold", f"{key}-paths")
    stability = _table_card("Stability", _stability(strategy))
    names = heat_names(strategy)
    heat = ""
    if names is not None:
        figures[f"{key}-heat"] = heat_figure(strategy, names)
        heat = _card("All sets tried in training: median return, penalty included", f"{key}-heat")
    cards.append(f'<div class="pair">{paths}{heat}</div>{stability}')
    return f'<section data-strategy="{key}" hidden>{"".join(cards)}</section>'


def _card(title: str, figure: str) -> str:
    return f'<div class="card"><h2>{title}</h2><div data-figure="{figure}"></div></div>'


def _table_card(title: str, table: str, kind: str = "") -> str:
    return f'<div class="card"><h2>{title}</h2><div class="scroll compact {kind}">{table}</div></div>'


def _evidence(strategy: Mapping[str, Any]) -> str:
    return html_table(("figure", "value"), evidence_rows(strategy))


def _folds(strategy: Mapping[str, Any]) -> str:
    rows: list[Sequence[str]] = []
    for fold in strategy["folds"]:
        window, inside, outside = fold["window"], fold["in_sample"], fold["out_of_sample"]
        train = f"{window['train'][:10]} to {window['train_end'][:10]}"
        test = f"{window['test'][:10]} to {window['test_end'][:10]}"
        cells = [str(fold["fold"]), train, test, setting_text(fold["winner"]), percent(inside["yearly"])]
        rows.append(
            [*cells, percent(outside["yearly"]), str(outside["trades"]), str(outside["forced_exits"])]
        )
    columns = (
        "fold",
        "train",
        "test",
        "winner",
        "in sample /y",
        "out of sample /y",
        "trades",
        "forced exits",
    )
    return html_table(columns, rows, text=4, sortable=True)


def _stability(strategy: Mapping[str, Any]) -> str:
    rows = [
        [
            one["name"],
            ", ".join(str(value) for value in one["values"]),
            str(one["commonest"]),
            percent(one["commonest_share"], 0),
            str(one["distinct"]),
            str(one["changes"]),
        ]
        for one in strategy["stability"]
    ]
    columns = ("parameter", "winners in order", "commonest", "in folds", "distinct", "changes")
    return html_table(columns, rows, text=2)


def _header(result: Mapping[str, Any]) -> str:
    plan = result["plan"]
    first, last = result["strategies"][0]["folds"][0], result["strategies"][0]["folds"][-1]
    facts = {
        "out of sample": f"{first['window']['test'][:10]} to {last['window']['test_end'][:10]} (UTC)",
        "folds": f"{plan['windows']}, {'anchored' if plan['anchored'] else 'rolling'}",
        "train, test": f"{plan['train']}, {plan['test']}",
        "purge, embargo": f"{plan['purge']}, {plan['embargo']}",
        "search": f"{plan['trials']} sets per fold ({plan['sampler']}), seed {plan['seed']}",
        "pairs": ", ".join(result["pairs"]),
    }
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items()
    )
    banners = ""
    if result["sample_market"]:
        banners += (
            f'<div class="banner sample">{SAMPLE_NOTE}: generated prices, no statement about any market</div>'
        )
    if not result["confirmed"]:
        banners += f'<div class="banner note">{escape(UNCONFIRMED)}</div>'
    return (
        "<header><h1>Walk-forward: chosen on one stretch, judged on the next</h1><p>Parameters are searched "
        f'on the training window of each fold only</p><dl class="facts">{items}</dl></header>{banners}'
    )
