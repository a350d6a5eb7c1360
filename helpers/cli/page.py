"""The page of `helpers serve`: a form for the fields of a task, and its answer as a person reads it, beside the JSON.

Whatever a user or a model wrote reaches the page as text nodes. Positions in an answer count characters, while a
browser's strings count UTF-16 units, so that texts are cut as arrays of characters.
"""

from html import escape


def html(name: str, task: str, fields: tuple[str, ...]) -> str:
    """The page for a model of a task, whole in itself."""
    boxes = "".join(
        f'<label>{escape(field)}<textarea name="{escape(field)}" rows="{6 if field != "question" else 2}" dir="auto" '
        "required></textarea></label>"
        for field in fields
    )
    return PAGE.replace("{name}", escape(name)).replace("{task}", escape(task)).replace("{boxes}", boxes)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>
html { color-scheme: light dark; --line: light-dark(#c4c4c4, #555); --bar: light-dark(#0064a0, #5aa9e6) }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { overflow-wrap: anywhere; line-height: 1.2 }
h2 { font-size: 1.1rem }
label { display: block; margin-bottom: 1rem }
textarea { display: block; width: 100%; font: inherit; box-sizing: border-box }
button { font: inherit; padding: .3rem 1rem }
.text, pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 }
pre { padding: 1rem; border: 1px solid var(--line) }
.bars { list-style: none; padding: 0 }
.bars li { display: grid; grid-template-columns: minmax(4rem, 30%) 1fr 4rem; gap: .7rem; align-items: center }
.bars .name { overflow-wrap: anywhere }
.bars .track { border: 1px solid var(--line); height: .9rem }
.bars .track div { background: var(--bar); height: 100% }
.bars .share { text-align: end; font-variant-numeric: tabular-nums }
.chosen { font-weight: 700 }
mark { padding: .1rem .2rem; border-radius: .2rem; color: light-dark(#111, #fff) }
mark small { font-weight: 700; margin-inline-start: .4rem }
.kind0 { background: light-dark(#cfe8ff, #0b4a75) } .kind1 { background: light-dark(#ffe3b3, #6b4700) }
.kind2 { background: light-dark(#c9f0dd, #00573f) } .kind3 { background: light-dark(#ffd1c2, #7a2f00) }
.kind4 { background: light-dark(#f3d1ea, #6d2a56) } .kind5 { background: light-dark(#e4e4a8, #55520a) }
</style></head><body>
<main>
<h1>{name}</h1><p>A model for {task}. It runs on this computer, and what you type stays here.</p>
<form>{boxes}<button>Predict</button></form>
<section aria-live="polite" hidden><h2>Answer</h2><div id="shown"></div>
<details><summary>JSON</summary><pre tabindex="0"></pre></details></section>
</main>
<script>
const [form, section, shown, json, button] =
  ["form", "section", "#shown", "pre", "button"].map(name => document.querySelector(name));

function element(kind, name, ...children) {
  const made = document.createElement(kind);
  made.className = name;
  made.append(...children);  // strings become text nodes
  return made;
}

function bars(answer) {  // the likeliest label first; those that are given are marked
  const given = answer.labels ?? [answer.label];
  const rows = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]).map(([label, p]) => {
    const bar = element("div", "");
    bar.style.width = 100 * p + "%";
    const track = element("div", "track", bar);
    track.setAttribute("aria-hidden", "true");
    const name = element("span", "name", given.includes(label) ? "\\u2713 " + label : label);
    name.dir = "auto";
    return element("li", given.includes(label) ? "chosen" : "", name, track,
      element("span", "share", (100 * p).toFixed(1) + " %"));
  });
  return [element("p", "", given.length ? "Given: " + given.join(", ") : "No label is given."),
    element("ul", "bars", ...rows)];
}

function marked(text, spans) {  // spans in order, none in two; start and end count characters
  const letters = Array.from(text), kinds = [...new Set(spans.map(span => span.kind))], parts = [];
  let done = 0;
  for (const { start, end, kind } of spans) {
    const mark = element("mark", "kind" + kinds.indexOf(kind) % 6, letters.slice(start, end).join(""));
    if (kind) mark.append(element("small", "", kind));
    parts.push(letters.slice(done, start).join(""), mark);
    done = end;
  }
  const whole = element("p", "text", ...parts, letters.slice(done).join(""));
  whole.dir = "auto";
  return [whole];
}

function readable(answer, sent) {
  if (answer.error) return [element("p", "", answer.error)];
  if (answer.probabilities) return bars(answer);
  if (answer.spans) return [...marked(answer.text, answer.spans),
    element("p", "", answer.spans.length ? answer.spans.length + " found" : "Nothing is found in this text.")];
  if (answer.tags) return marked(answer.tokens.join(" "), words(answer));
  if (answer.completion !== undefined) return marked(answer.completion, []);
  if (answer.answer) return [element("p", "chosen", answer.answer),
    ...marked(sent.context, [{ start: answer.start, end: answer.end, kind: "" }])];
  return [element("p", "", "No answer stands in this context.")];
}

function words({ tokens, tags }) {  // each word as a span of the words with blanks between them
  let start = 0;
  return tokens.map((token, place) => {
    const end = start + Array.from(token).length, span = { start, end, kind: tags[place] };
    start = end + 1;
    return span;
  });
}

form.addEventListener("submit", async event => {
  event.preventDefault();
  button.disabled = true;
  const sent = Object.fromEntries(new FormData(form));
  // A form spells line ends as two characters, in which a text would be cut at the wrong places.
  for (const name in sent) sent[name] = sent[name].replaceAll("\\r\\n", "\\n");
  let answer;
  try {
    const response = await fetch("/predict", { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify(sent) });
    answer = await response.json();
  } catch (error) { answer = { error: "The server does not answer: " + error }; }
  shown.replaceChildren(...readable(answer, sent));
  json.textContent = JSON.stringify(answer, null, 2);
  section.hidden = button.disabled = false;
});
</script></body></html>
"""
