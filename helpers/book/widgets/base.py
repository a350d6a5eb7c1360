"""What all widgets share: a frame for markup, style and data, and a few controls that keyboard and screen reader reach.

The script of a widget runs with `root`, `data` and the functions of the frame: `slider`, `choose`, `bars`, `button`,
`make`, `show`. `show(values, sentence)` writes the sentence for all readers and keeps the numbers in `root.dataset`,
where a test compares them with Python's.
"""

import json
from hashlib import sha256
from typing import Any

from IPython.display import HTML

_STYLE = """\
.widget{--paper:#fff;--ink:#1f2937;--soft:#52606f;--line:#8593a3;--bar:#0064a0;--good:#047857;--warm:#c2410c;
--track:#e2e8f0;background:var(--paper);color:var(--ink);border:1px solid var(--line);border-radius:8px;
padding:.8em 1em;font:15px/1.45 system-ui,sans-serif;margin:1rem 0;max-width:46em}
html[data-theme=dark] .widget,html[theme=dark] .widget,body[data-jp-theme-light=false] .widget{--paper:#14181e;
--ink:#e5e7eb;--soft:#aab4c0;--line:#748296;--bar:#5aa9e6;--good:#34d399;--warm:#fdba74;--track:#334155}
.widget .controls{display:grid;grid-template-columns:repeat(auto-fit,minmax(13em,1fr));gap:.4em 1.2em;
margin-bottom:.7em}
.widget label{display:flex;flex-direction:column;color:var(--soft);font-size:14px}
.widget label .at{color:var(--ink);font-weight:600;margin-left:.4em}
.widget input[type=range]{width:100%;accent-color:var(--bar);margin:.2em 0}
.widget select,.widget .press{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--line);
border-radius:5px;padding:.2em .6em}.widget .press{cursor:pointer;margin-right:.5em;
align-self:end}
.widget .press:disabled{opacity:.45;cursor:default}
.widget :focus-visible{outline:3px solid var(--warm);outline-offset:1px}
.widget .bars{display:grid;grid-template-columns:minmax(5em,10em) minmax(4em,1fr) minmax(4.5em,max-content);
gap:.25em .6em;align-items:center}
.widget .row{display:contents}.widget .row>*{width:auto;margin:0;padding:0}
.widget .track{background:var(--track);border-radius:4px;height:1em;position:relative}
.widget .fill{background:var(--bar);border-radius:4px;height:100%;position:absolute;top:0}
.widget .row.right .fill{background:var(--good)}.widget .row.warm .fill{background:var(--warm)}
.widget .row .value{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.widget .said{margin:.7em 0 0}.widget h4{margin:.8em 0 .2em;font-size:15px}
.widget table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
.widget td,.widget th{border:1px solid var(--line);padding:.25em .6em;text-align:right;background:none;color:var(--ink);
white-space:nowrap}
.widget td.lit{outline:2px solid var(--warm);outline-offset:-2px;font-weight:600}
"""
_FRAME = """\
<div class="widget KIND" id="ID" role="group" aria-label="LABEL">
<p class="off">This part of the page needs JavaScript.</p>
<style>STYLE</style>
<script type="application/json">DATA</script>
<script>
(() => {
  const root = document.getElementById("ID");
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  root.querySelector(".off").remove();
  const make = (tag, parent, text, kind) => {
    const node = parent.appendChild(document.createElement(tag));
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const controls = make("div", root, undefined, "controls");
  const state = {};
  const slider = (key, name, low, high, step, value, format = String) => {
    const label = make("label", controls);
    const head = make("span", label, name);
    const output = make("span", head, undefined, "at"); // an <output> would take the label from the input
    const input = make("input", label);
    Object.assign(input, {type: "range", min: low, max: high, step, value});
    const take = () => {
      state[key] = Number(input.value);
      output.textContent = format(state[key]);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => { take(); paint(); });
    take();
  };
  const choose = (key, name, options, value = 0) => {
    const label = make("label", controls, name);
    const select = make("select", label);
    options.forEach(text => make("option", select, text));
    select.selectedIndex = state[key] = value;
    select.addEventListener("change", () => { state[key] = select.selectedIndex; paint(); });
  };
  const button = (text, press) => {
    const node = make("button", controls, text, "press");
    node.type = "button";
    node.addEventListener("click", () => { press(); paint(); });
    return node;
  };
  const bars = (place, rows) => {
    place.replaceChildren();
    place.classList.add("bars");
    rows.forEach(({name, from = 0, to, text, kind = ""}) => {
      const row = make("div", place, undefined, "row " + kind);
      make("span", row, name);
      const fill = make("span", make("span", row, undefined, "track"), undefined, "fill");
      const clip = share => 100 * Math.min(1, Math.max(0, share));
      fill.style.left = clip(Math.min(from, to)) + "%";
      fill.style.width = Math.max(0.6, clip(Math.max(from, to)) - clip(Math.min(from, to))) + "%";
      make("span", row, text, "value");
    });
  };
  const body = make("div", root);
  const said = make("p", root, undefined, "said");
  said.setAttribute("aria-live", "polite");
  const show = (values, sentence) => {
    root.dataset.values = JSON.stringify(values);
    said.textContent = sentence;
  };
  const softmax = scores => {
    const top = Math.max(...scores);
    const powers = scores.map(score => Math.exp(score - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map(power => power / sum);
  };
SCRIPT
  paint();
})();
</script>
</div>"""


def widget(kind: str, label: str, data: Any, script: str) -> HTML:
    """A widget: self-contained, no request to anybody.

    Args:
        kind: its class, a plain word.
        label: what it is, for those who hear it.
        data: ready for JSON; the script sees it as `data`.
        script: makes its controls and defines `paint()`, which is called after every change.
    """
    # "<" would let a text end the script.
    held = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    name = f"{kind}-{sha256((held + script).encode()).hexdigest()[:8]}"
    parts = {"KIND": kind, "ID": name, "LABEL": label, "STYLE": _STYLE, "SCRIPT": script.strip("\n")}
    page = _FRAME
    for key, value in parts.items():
        page = page.replace(key, value)
    return HTML(page.replace("DATA", held))
