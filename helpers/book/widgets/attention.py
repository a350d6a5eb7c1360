"""An interactive picture of attention for a page or a notebook: our own markup and script, nothing from the network."""

import json
from collections.abc import Sequence
from hashlib import sha256

from IPython.display import HTML
from torch import Tensor

from helpers.errors import InputError

_PAGE = """\
<div class="attention-picture" id="ID" role="group" aria-label="Attention of a model, token by token">
<p class="ap-off">This picture needs JavaScript.</p>
<style>
.attention-picture {--paper:#fff;--ink:#111;--line:#888;--fill:0,114,178;--most:.75;background:var(--paper);
 color:var(--ink);border:1px solid var(--line);border-radius:6px;padding:.8em;font:16px/1.4 sans-serif;max-width:46em}
html[data-theme=dark] .attention-picture, html[theme=dark] .attention-picture,
body[data-jp-theme-light=false] .attention-picture {--paper:#1b1b1b;--ink:#f2f2f2;--line:#999;--fill:86,180,233;
 --most:.5}
.attention-picture .ap-controls {display:flex;flex-wrap:wrap;gap:.4em 1.2em;margin-bottom:.6em}
.attention-picture select {font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);
 border-radius:4px;max-width:100%}
.attention-picture .ap-tokens {display:flex;flex-wrap:wrap;gap:.3em}
.attention-picture button {font:inherit;color:inherit;border:2px solid transparent;border-radius:4px;
 padding:.15em .35em;cursor:pointer;text-align:center;background:rgba(var(--fill),calc(var(--share,0)*var(--most)))}
.attention-picture button[aria-pressed=true] {border-color:var(--ink)}
.attention-picture button:focus-visible, .attention-picture select:focus-visible {outline:3px solid #d55e00}
.attention-picture small {display:block;font-size:.75em}
.attention-picture .ap-said {margin:.6em 0 0}
</style>
<script type="application/json">DATA</script>
<script>
(() => {
  const root = document.getElementById("ID");
  const sentences = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const make = (tag, parent, text) => {
    const node = parent.appendChild(document.createElement(tag));
    if (text !== undefined) node.textContent = text;
    return node;
  };
  root.querySelector(".ap-off").remove();
  const controls = make("div", root);
  controls.className = "ap-controls";
  const choose = (name, options, start, change) => {
    const label = make("label", controls, name + " ");
    const select = make("select", label);
    options.forEach(text => make("option", select, text));
    select.selectedIndex = start;
    select.addEventListener("change", () => { state[name] = select.selectedIndex; change(); });
  };
  const state = START;
  const row = make("div", root);
  row.className = "ap-tokens";
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "Tokens: arrow keys move");
  const said = make("p", root);
  said.className = "ap-said";
  said.setAttribute("aria-live", "polite");
  const number = (count) => Array.from({length: count}, (_, i) => String(i + 1));
  let buttons = [];
  const paint = () => {
    const {tokens, weights} = sentences[state.sentence];
    const shares = weights[state.layer][state.head][state.token];
    buttons.forEach((button, i) => {
      button.style.setProperty("--share", shares[i] / 100);
      button.lastChild.textContent = shares[i] + "%";
      button.setAttribute("aria-pressed", i === state.token);
    });
    const order = tokens.map((_, i) => i).sort((a, b) => shares[b] - shares[a]).slice(0, 3);
    said.textContent = "“" + tokens[state.token] + "” takes " +
      order.map(i => shares[i] + "% from “" + tokens[i] + "”").join(", ") + ".";
  };
  const write = () => {
    const {tokens} = sentences[state.sentence];
    row.replaceChildren();
    state.token = Math.min(state.token, tokens.length - 1);
    buttons = tokens.map((token, i) => {
      const button = make("button", row, token);
      button.type = "button";
      make("small", button);
      const look = () => { state.token = i; paint(); };
      ["mouseenter", "focus", "click"].forEach(event => button.addEventListener(event, look));
      button.addEventListener("keydown", event => {
        const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
        if (step === undefined) return;
        event.preventDefault();
        buttons[(i + step + tokens.length) % tokens.length].focus();
      });
      return button;
    });
    paint();
  };
  const layers = sentences[0].weights;
  choose("sentence", sentences.map(each => each.tokens.slice(1, 6).join(" ") + " …"), state.sentence, write);
  choose("layer", number(layers.length), state.layer, paint);
  choose("head", number(layers[0].length), state.head, paint);
  write();
})();
</script>
</div>"""


def attention_picture(
    sentences: Sequence[tuple[Sequence[str], Tensor]], layer: int = 0, head: int = 0, token: int = 0
) -> HTML:
    """A picture in which hovering or focusing a token shows what it takes from each other token.

    Args:
        sentences: tokens (T) and attention weights (layers, H, T, T) of each, rows that sum to one.
        layer, head, token: what is shown first, of the first sentence.

    Layers, heads and tokens count from 0 here, layers and heads from 1 on the page. Raises InputError where tokens and
    weights do not fit each other.
    """
    for tokens, weights in sentences:
        if weights.shape[-2:] != (len(tokens), len(tokens)):
            raise InputError(
                f"weights of shape {tuple(weights.shape)} do not fit {len(tokens)} tokens; pass both alike"
            )
    # Whole percent are what the eye can tell, and a sixth of the bytes.
    rows = [
        {"tokens": list(tokens), "weights": (weights * 100).round().int().tolist()} for tokens, weights in sentences
    ]
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    start = json.dumps({"sentence": 0, "layer": layer, "head": head, "token": token})
    name = "attention-" + sha256(data.encode()).hexdigest()[:8]
    return HTML(_PAGE.replace("ID", name).replace("START", start).replace("DATA", data))
