"""A fine-tuned classifier that answers in the reader's browser: tokens, probability, and which words carry it.

The page holds the script; the model, its vocabulary and the runtime lie in a folder beside the pages (`FILES`), where
`tools.page_model` puts them, and nothing is loaded before a click. A page that is opened from a disk may not read
files, so there the same comes as one script (`OFFLINE`).
"""

import json

from IPython.display import HTML
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from helpers.book.widgets.base import widget

FOLDER = "model"  # below the folder `_static` of the built pages
ABOUT, GRAPH, VOCABULARY, RUNTIME, BINARY = "about.json", "model.onnx", "vocab.txt", "runtime.mjs", "runtime.wasm"
FILES = (ABOUT, GRAPH, VOCABULARY, RUNTIME, BINARY)
OFFLINE = "offline.js"
MOST_WORDS = 60  # that are left out one at a time

# The tokenizer of BERT, as the library `tokenizers` has it: cleaned, Chinese characters apart, no accents, lower case;
# cut at blanks and punctuation; then the longest pieces that the vocabulary has. Of what kind a character is, the
# library was asked (`kinds`), as browsers know other versions of Unicode.
KINDS = ("other", "accent", "punctuation", "white", "apart")
WORDPIECE = r"""
  const kindsOf = ranges => {
    const table = new Uint8Array(0x110000);
    data.kinds.forEach((kind, i) => ranges[kind].forEach(([first, last]) => table.fill(i + 1, first, last + 1)));
    return letter => data.kinds[table[letter.codePointAt(0)] - 1];
  };
  const cleaned = text => {
    let clean = "";
    for (const letter of text) {
      const kind = known.kind(letter);
      if (kind !== "other") clean += kind === "white" ? " " : kind === "apart" ? " " + letter + " " : letter;
    }
    const plain = [...clean.normalize("NFD")].filter(letter => known.kind(letter) !== "accent");
    return plain.map(letter => letter.toLowerCase()).join("");
  };
  const cutUp = text => {
    const words = [""];
    for (const letter of cleaned(text)) {
      const kind = known.kind(letter);
      if (kind === "white") words.push("");
      else if (kind === "punctuation") words.push(letter, "");
      else words[words.length - 1] += letter;
    }
    return words.filter(word => word);
  };
  const pieces = word => {
    const letters = [...word], found = [];
    if (letters.length > 100) return ["[UNK]"];
    for (let start = 0, end; start < letters.length; start = end) {
      const at = stop => (start ? "##" : "") + letters.slice(start, stop).join("");
      for (end = letters.length; end > start && !known.ids.has(at(end)); end--);
      if (end === start) return ["[UNK]"];
      found.push(at(end));
    }
    return found;
  };
  const tokens = text =>
    ["[CLS]", ...cutUp(text).flatMap(pieces).slice(0, known.about.max_length - 2), "[SEP]"];
"""
_LOAD = r"""
  const known = {};
  const folder = document.documentElement.dataset.contentRoot ?? document.documentElement.dataset.content_root;
  const from = name => new URL((folder ?? "") + "_static/" + data.folder + "/" + name, document.baseURI).href;
  const held = () => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = from(data.offline);
    script.onload = () => resolve(globalThis.MODEL_IN_THE_PAGE);
    script.onerror = () => reject(new Error(data.offline + " is not beside this page"));
    document.head.append(script);
  });
  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const fetched = async (name, ...how) => {
    const answer = await fetch(from(name), ...how);
    if (!answer.ok) throw new Error(name + " is not beside this page");
    return answer;
  };
  const files = async () => {
    const {about, graph, vocabulary, runtime, binary} = data.files;
    if (location.protocol !== "file:") { // a browser keeps files, so it is asked for those of these hashes
      const stated = await (await fetched(about, {cache: "no-cache"})).json();
      const of = name => name + "?" + stated.hashes[name];
      return {about: stated, vocabulary: await (await fetched(of(vocabulary))).text(), runtime: from(of(runtime)),
        graph: await (await fetched(of(graph))).arrayBuffer(), binary: await (await fetched(of(binary))).arrayBuffer()};
    }
    const all = await held(), text = name => new TextDecoder().decode(bytes(all[name]));
    const script = new Blob([text(runtime)], {type: "text/javascript"});
    return {about: JSON.parse(text(about)), vocabulary: text(vocabulary), graph: bytes(all[graph]),
      binary: bytes(all[binary]).buffer, runtime: URL.createObjectURL(script)};
  };
  const load = async () => {
    const {about, vocabulary, graph, binary, runtime} = await files();
    const ort = await import(runtime);
    Object.assign(ort.env.wasm, {numThreads: 1, wasmBinary: binary, proxy: false});
    ort.env.logLevel = "error";
    const session = await ort.InferenceSession.create(graph, {executionProviders: ["wasm"]});
    const ids = new Map(vocabulary.split(/\r?\n/).map((piece, id) => [piece, id]));
    Object.assign(known, {about, ort, session, ids, kind: kindsOf(about.kinds)});
  };
  const logits = async numbers => {
    const tensor = value => new known.ort.Tensor("int64", BigInt64Array.from(numbers, value), [1, numbers.length]);
    const inputs = {input_ids: tensor(BigInt), attention_mask: tensor(() => 1n), token_type_ids: tensor(() => 0n)};
    const given = Object.fromEntries(known.session.inputNames.map(name => [name, inputs[name]]));
    return Array.from((await known.session.run(given)).logits.data);
  };
  const numbers = found => found.map(piece => known.ids.get(piece));
  const chances = async text => softmax(await logits(numbers(tokens(text))));
"""
_PAGE = r"""
  const box = make("div", body);
  const label = make("label", box, "A review of a film, in English");
  const field = make("textarea", label);
  Object.assign(field, {value: data.start, rows: 3, maxLength: 2000});
  field.style.cssText = "font:inherit;width:100%;box-sizing:border-box;color:var(--ink);background:var(--paper)";
  const marks = make("p", box), legend = make("p", box, data.legend), answer = make("div", box), cut = make("p", box);
  const proof = make("p", root);
  for (const small of [legend, cut, proof]) small.style.cssText = "font-size:14px;color:var(--soft)";
  box.hidden = true;
  root.reader = {load, tokens, numbers, logits};
  let turn = 0, begun = false;
  const press = button(data.press, async () => {
    if (begun) return;
    begun = press.disabled = true;
    said.textContent = "The model is being loaded.";
    try {
      await load();
      press.remove();
      box.hidden = false;
      proof.textContent = "Beside PyTorch: " + known.about.certificate + ".";
      await judge();
    } catch (error) {
      begun = press.disabled = false;
      said.textContent = "The model could not be started: " + error.message + ".";
    }
  });
  let waiting;
  field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(judge, 300); });
  const pause = () => new Promise(done => setTimeout(done)); // so that the page answers between two runs of the model
  const judge = async () => {
    const mine = ++turn, text = field.value;
    if (!text.trim()) return show({}, "Type a review; an empty one says nothing.");
    const found = tokens(text), began = performance.now();
    const scores = await logits(numbers(found)), milliseconds = performance.now() - began;
    if (mine !== turn) return;
    const probabilities = softmax(scores), best = probabilities.indexOf(Math.max(...probabilities));
    const name = known.about.labels[best];
    bars(answer, known.about.labels.map((each, i) => ({name: each, to: probabilities[i],
      text: (100 * probabilities[i]).toFixed(1) + " %", kind: i === best ? "right" : ""})));
    cut.textContent = found.length + " tokens: " + found.join(" · ");
    const words = text.split(/\s+/u).filter(word => word), carried = [];
    for (let i = 0; i < Math.min(words.length, data.most); i++) {
      await pause();
      if (mine !== turn) return;
      const rest = await chances(words.filter((_, j) => j !== i).join(" "));
      if (mine !== turn) return;
      carried.push(probabilities[best] - rest[best]);
    }
    paintWords(words, carried);
    const first = carried.indexOf(Math.max(...carried));
    const most = words.length > 1 && carried[first] > 0 ? " The word that carries it most is “" + words[first] +
      "”: without it " + (100 * (probabilities[best] - carried[first])).toFixed(1) + " %." : "";
    show({tokens: found, logits: scores, probabilities, milliseconds, carried}, "The model says " + name + ", with " +
      (100 * probabilities[best]).toFixed(1) + " %, after " + milliseconds.toFixed(0) + " ms on your machine." + most);
  };
  const paintWords = (words, carried) => {
    const most = Math.max(0.02, ...carried.map(Math.abs));
    marks.replaceChildren();
    words.forEach((word, i) => {
      const share = (carried[i] ?? 0) / most, mark = make("span", marks, word);
      const side = share > 0 ? "solid var(--good)" : "dotted var(--warm)";
      const line = Math.abs(share) < 0.05 ? "solid transparent" : side;
      mark.style.cssText = "border-bottom:" + (1 + Math.round(5 * Math.abs(share))) + "px " + line;
      mark.title = ((carried[i] ?? 0) * 100).toFixed(1) + " points";
      make("span", marks, " ");
    });
  };
  const paint = () => {
    if (typeof WebAssembly === "undefined") { press.disabled = true; said.textContent = data.none; }
    else if (folder === undefined) { press.disabled = true; said.textContent = data.elsewhere; }
    else if (!begun && !said.textContent) said.textContent = data.before;
  };
"""


def model_in_the_page(start: str, megabytes: float) -> HTML:
    """A field for a text, and what the classifier beside the pages says of it.

    Args:
        start: the text that is judged first.
        megabytes: that a click loads.
    """
    names = {"about": ABOUT, "graph": GRAPH, "vocabulary": VOCABULARY, "runtime": RUNTIME, "binary": BINARY}
    data = {
        "folder": FOLDER,
        "files": names,
        "offline": OFFLINE,
        "start": start,
        "kinds": KINDS,
        "most": MOST_WORDS,
        "press": f"Start the model ({megabytes:.0f} MB)",
        "legend": "Underlined is what speaks for the answer, dotted what speaks against it; the thicker, the more.",
        "before": "Nothing is loaded before you press the button; then all that you type stays on your machine.",
        "none": "This browser has no WebAssembly, in which the model is computed.",
        "elsewhere": "The model runs on the pages of the book, which keep it beside them, and not in a notebook.",
    }
    return widget("reader", "A classifier that answers in this page", data, WORDPIECE + _LOAD + _PAGE)


def kinds() -> dict[str, list[list[int]]]:
    """Of each of `KINDS` the characters that the tokenizer of BERT takes for such, as ranges of code points."""
    clean = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    bare = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    apart = BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    found = {kind: [] for kind in KINDS}
    for code in (*range(0xD800), *range(0xE000, 0x110000)):  # without surrogates, which are no characters
        text = f"a{chr(code)}b"
        parts = len(BertPreTokenizer().pre_tokenize_str(text))
        kind = (
            "other"
            if clean.normalize_str(text) == "ab"
            else "accent"
            if bare.normalize_str(text) == "ab"
            else "apart"
            if apart.normalize_str(text) != text
            else {1: None, 2: "white", 3: "punctuation"}[parts]
        )
        if kind:
            _extend(found[kind], code)
    return found


def _extend(ranges: list[list[int]], code: int) -> None:
    if ranges and ranges[-1][1] == code - 1:
        ranges[-1][1] = code
    else:
        ranges.append([code, code])


def offline(contents: dict[str, str]) -> str:
    """The script that holds the files of `FILES`, each in base64, for pages that are opened from a disk."""
    return f"globalThis.MODEL_IN_THE_PAGE = {json.dumps(contents)};\n"
