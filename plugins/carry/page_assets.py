"""Style sheet and script of the report's page. The script draws figures and sorts tables; no network."""

STYLE = """
:root { --ink: #25313c; --soft: #5f6d7a; --line: #dde3e8; --back: #f5f7f9; --brand: #0b3d5c; --gain: #1f7a49;
  --loss: #b23a22; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
header { background: var(--brand); color: #fff; padding: 26px 36px 22px; }
header h1 { margin: 0 0 4px; font-size: 25px; font-weight: 650; letter-spacing: -0.2px; }
header p { margin: 0; color: #c9dbe7; }
.facts { display: flex; flex-wrap: wrap; gap: 10px 34px; margin-top: 16px; }
.facts div { min-width: 90px; }
.facts dt { color: #9dbbcf; font-size: 11px; text-transform: uppercase; letter-spacing: 0.6px; }
.facts dd { margin: 0; font-size: 14px; }
.banner { padding: 12px 36px; font-weight: 650; }
.banner.sample { background: #ffd966; color: #5a4300; font-size: 16px; }
.banner.alarm { background: #f8d3cb; color: #7c1f0c; }
.banner.note { background: #e4edf4; color: #234a66; font-weight: 500; }
main { max-width: 1480px; margin: 0 auto; padding: 22px 28px 60px; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 16px 20px 14px;
  margin-bottom: 20px; overflow: hidden; }
.card h2 { margin: 0 0 10px; font-size: 17px; font-weight: 650; }
.card h3 { margin: 14px 0 6px; font-size: 13px; font-weight: 650; color: var(--soft); }
.card p.hint { margin: 6px 0 0; color: var(--soft); font-size: 12.5px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 20px; }
.pair > * { min-width: 0; }
.scroll { overflow: auto; max-height: 640px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 5px 7px; text-align: right; white-space: nowrap; border-bottom: 1px solid #eef1f4; }
th { position: sticky; top: 0; background: #f0f4f7; color: #3b4855; font-weight: 600; z-index: 1; }
th.text, td.text { text-align: left; }
.compact th { white-space: normal; vertical-align: bottom; }
.compact th, .compact td { padding: 6px 5px; }
.folds td:nth-child(4) { white-space: normal; min-width: 320px; }
tbody tr:hover { background: #f6f9fb; }
td.gain { color: var(--gain); } td.loss { color: var(--loss); }
td.none { color: var(--soft); text-align: left; font-style: italic; }
table.sortable th { cursor: pointer; user-select: none; }
table.sortable th::after { content: "\\00a0\\2195"; color: #6d7a86; font-weight: 400; }
table.sortable th[aria-sort=ascending]::after { content: "\\00a0\\2191"; color: var(--brand); }
table.sortable th[aria-sort=descending]::after { content: "\\00a0\\2193"; color: var(--brand); }
.tag { display: inline-block; margin-left: 6px; padding: 0 7px; border-radius: 9px; background: #e5e9ed;
  color: #56636f; font-size: 11px; }
.chooser { display: flex; align-items: center; gap: 12px; margin: 28px 0 12px; }
.chooser label { font-size: 17px; font-weight: 650; }
select { font: inherit; padding: 6px 10px; border: 1px solid #b9c4cd; border-radius: 7px; background: #fff; }
footer { color: var(--soft); font-size: 12.5px; }
@media (max-width: 980px) { .pair { grid-template-columns: 1fr; } main { padding: 16px 12px; } }
@media (max-width: 480px) { .compact td.text:not(.date) { white-space: normal; }
  .folds td:nth-child(4) { min-width: 220px; } }
@media print { .scroll { max-height: none; overflow: visible; } body { background: #fff; } }
"""

SCRIPT = """
(function () {
  "use strict";
  var page = JSON.parse(document.getElementById("page-data").textContent);
  var buttons = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"];
  var config = { displaylogo: false, responsive: true, modeBarButtons: [buttons] };
  function draw(box) {
    if (box.dataset.drawn || !window.Plotly) { return; }
    box.dataset.drawn = "yes";
    var figure = page.figures[box.dataset.figure];
    var extra = box.dataset.markers ? page.figures[box.dataset.markers] : null;
    var data = extra ? figure.data.concat(extra) : figure.data;
    var layout = JSON.parse(JSON.stringify(figure.layout));
    if (box.clientWidth < 480 && layout.showlegend !== false) {  // a legend that is one column there
      var named = data.filter(function (one) { return one.name && one.showlegend !== false; }).length;
      layout.height += 20 * Math.max(named - 2, 0);
    }
    Plotly.newPlot(box, data, layout, config);
  }
  function drawWithin(node) {
    Array.prototype.forEach.call(node.querySelectorAll("[data-figure]"), draw);
  }
  function show(name) {
    Array.prototype.forEach.call(document.querySelectorAll("section[data-strategy]"), function (section) {
      section.hidden = section.dataset.strategy !== name;
      if (!section.hidden) { drawWithin(section); }
    });
  }
  function value(cell) {
    var text = cell ? cell.textContent.trim() : "";
    var number = Number(text.replace(/,/g, "").replace(/ %$/, ""));
    return text !== "" && !isNaN(number) ? number : text;
  }
  function compare(a, b, up) {
    var x = typeof a === "number", y = typeof b === "number";
    if (x !== y) { return x ? -1 : 1; }  // what is no number stays last either way
    return (up ? 1 : -1) * (x ? a - b : a < b ? -1 : a > b ? 1 : 0);
  }
  function sortBy(header) {
    var table = header.closest("table"), body = table.tBodies[0];
    var column = header.cellIndex, up = header.getAttribute("aria-sort") !== "ascending";
    var rows = Array.prototype.map.call(body.rows, function (row, place) {
      return { row: row, key: value(row.cells[column]), place: place };
    });
    rows.sort(function (a, b) { return compare(a.key, b.key, up) || a.place - b.place; });
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) {
      cell.removeAttribute("aria-sort");
    });
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.forEach(function (entry) { body.appendChild(entry.row); });
  }
  document.addEventListener("click", function (event) {
    var header = event.target.closest("table.sortable th");
    if (header) { sortBy(header); }
  });
  drawWithin(document.getElementById("overview"));
  var chooser = document.getElementById("strategy");
  if (chooser) {
    chooser.addEventListener("change", function () { show(chooser.value); });
    show(chooser.value);
  }
})();
"""
