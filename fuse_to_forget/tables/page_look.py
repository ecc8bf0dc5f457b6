"""How a table's page looks, and what it does when it is clicked; all of it inside the page."""

# Verdicts in blue and vermilion of Okabe and Ito, darkened until dark text on light ground has a contrast over 5
STYLE = """
body { font: 13px/1.4 system-ui, sans-serif; margin: 1.5em 2em; color: #222; }
h1 { font-size: 1.5em; margin: 0 0 .6em; }
h2 { font-size: 1.15em; margin: 1.6em 0 .5em; }
p { margin: .5em 0; max-width: 60em; color: #555; }
table { border-collapse: separate; border-spacing: 0; }
th, td { padding: .3em .6em; text-align: left; vertical-align: top; border-bottom: 1px solid #e6e6e6; max-width: 30em; }
td { overflow-wrap: break-word; }
th { position: sticky; top: 0; background: #fff; border-bottom: 2px solid #333; vertical-align: bottom; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
th button { font: inherit; color: inherit; text-align: inherit; background: none; border: 0; padding: 0; }
button { cursor: pointer; }
th button::after { content: "\\a0\\2195"; color: #999; }
th[aria-sort=ascending] button::after { content: "\\a0\\2191"; color: #222; }
th[aria-sort=descending] button::after { content: "\\a0\\2193"; color: #222; }
tbody tr:hover { background: #f6f6f6; }
.interval { color: #666; white-space: nowrap; }
.verdict { display: inline-block; padding: 0 .6em; border: 1px solid; border-radius: 1em; font: inherit; }
.supported { color: #004b77; background: #e3f0f8; }
.contradicted { color: #8f3300; background: #fcebe0; }
.undecided { color: #4d4d4d; background: #f0f0f0; }
button.verdict { margin-right: .3em; }
button[aria-pressed=true] { outline: 2px solid; outline-offset: 1px; }
"""

# A header becomes a button: ascending, descending, as it was; blank cells stay last. A count becomes a
# filter: of claims by their verdict, of statements by how many claims have it.
SCRIPT = """
"use strict";
const texts = new Intl.Collator("en", {numeric: true});
const isNumber = cell => "value" in cell.dataset;
function compare(a, b) {
  return isNumber(a) && isNumber(b)
    ? Number(a.dataset.value) - Number(b.dataset.value) : texts.compare(a.textContent, b.textContent);
}
function button(place, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.append(...place.childNodes);
  made.addEventListener("click", action);
  return made;
}
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.setAttribute("aria-sort", "none");
    head.append(button(head, () => {
      const order = {none: "ascending", ascending: "descending", descending: "none"}[head.getAttribute("aria-sort")];
      heads.forEach(other => other.setAttribute("aria-sort", other === head ? order : "none"));
      const cell = row => row.cells[column], sign = order === "descending" ? -1 : 1;
      const filled = rows.filter(row => cell(row).textContent), blank = rows.filter(row => !cell(row).textContent);
      if (order !== "none") filled.sort((a, b) => sign * compare(cell(a), cell(b)));
      body.append(...(order === "none" ? rows : [...filled, ...blank]));
    }));
  });
}
const counts = [...document.querySelectorAll("[data-shows]")].map(count => {
  const made = button(count, () => {
    const pressed = made.getAttribute("aria-pressed") === "true";
    counts.forEach(other => other.setAttribute("aria-pressed", other === made && !pressed));
    for (const table of document.querySelectorAll("table")) {
      const column = [...table.tHead.rows[0].cells].findIndex(head => head.textContent === count.dataset.shows);
      for (const row of table.tBodies[0].rows) {
        const verdict = row.querySelector(".verdict")?.textContent, number = row.cells[column]?.dataset.value;
        row.hidden = !pressed && (verdict ? verdict !== count.dataset.shows : number === "0.0");
      }
    }
  });
  made.className = count.className;
  made.title = "show only these; again: show all";
  made.setAttribute("aria-pressed", "false");
  count.replaceWith(made);
  return made;
});
"""
