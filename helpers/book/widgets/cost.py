"""A widget that counts what a fine-tuning takes: bytes by what holds them, operations, and time."""

from dataclasses import asdict

from IPython.display import HTML

from helpers.book.widgets.base import widget
from helpers.errors import InputError
from helpers.maths.cost import PRECISIONS, Body

# BERT-base and Llama 2 are what transformers takes a configuration without settings to be.
BODIES = {
    "packaged encoder": Body(6, 384, 384, 1536, gated=False, embedded=30522 + 512 + 2, vocabulary=0),
    "BERT-base": Body(12, 768, 768, 3072, gated=False, embedded=30522 + 512 + 2, vocabulary=0),
    "packaged decoder": Body(30, 576, 192, 1536, gated=True, embedded=49152, vocabulary=49152),
    "Llama 2, 7 billion": Body(32, 4096, 4096, 11008, gated=True, embedded=2 * 32000, vocabulary=32000),
}
_FINE_TUNING = """
  const names = Object.keys(data.bodies);
  const two = value => Number(value.toPrecision(2)).toLocaleString("en");
  const bytes = value => value < 1e9 ? two(value / 1e6) + " MB" : two(value / 1e9) + " GB";
  const words = value => {
    const [size, name] = [[1e12, " trillion"], [1e9, " billion"], [1e6, " million"], [1, ""]].find(([n]) => value >= n);
    return two(value / size) + name;
  };
  const power = base => v => Math.round(base ** v).toLocaleString("en");
  choose("body", "model", names);
  slider("rows", "rows times epochs", 2, 6, 0.1, 3, power(10));
  slider("tokens", "tokens of a row", 4, 12, 1, 6, power(2));
  slider("piece", "tokens at once", 4, 15, 1, 10, power(2));
  choose("precision", "precision", data.precisions);
  slider("rank", "rank of LoRA", 0, 64, 4, 0, v => v ? String(v) : "none");
  slider("speed", "speed", 9, 15, 0.1, Math.log10(data.speed), v => words(10 ** v) + "/s");
  const sum = values => values.reduce((a, b) => a + b, 0);
  // The same as `helpers.maths.cost.fine_tuning`, which a test compares with it.
  const cost = (body, rows, rowTokens, pieceTokens, precision, rank) => {
    const [D, G, I] = [body.width, body.keys, body.inner];
    const sides = [[D, D], [D, D], [D, G], [D, G], ...(body.gated ? [[D, I]] : []), [D, I], [I, D]];
    const inLayers = body.layers * sum(sides.map(([one, other]) => one * other));
    const weights = inLayers + body.embedded * D;
    const beside = body.layers * rank * sum(sides.flat());
    const trained = rank ? beside : weights;
    const rounded = rank && precision > 1, size = precision ? 2 : 4;
    const stored = !rounded ? 4 * weights : precision === 2 ? 2 * weights :
      Math.floor(inLayers * 9 / 16) + 2 * body.embedded * D;
    const tokens = Math.max(pieceTokens, rowTokens);
    const kept = ((precision ? 3 + (body.gated ? 2 : 1) : 2) + (body.gated ? 0 : 2) + 2) * D + 2 * G +
      (rank && body.gated ? 4 : 2) * I;
    const used = inLayers + body.vocabulary * D, squared = body.layers * 4 * rowTokens * D;
    return {
      trained, weights: stored + 4 * beside, copies: size === 2 && !rounded ? 2 * used : 0,
      optimizer: 12 * trained, activations: tokens * body.layers * (size * kept + 8 * D),
      scores: 12 * tokens * body.vocabulary,
      operations: rows * rowTokens * ((rank ? 4 : 6) * used + 3 * squared + 6 * beside)};
  };
  const held = {
    weights: "weights", copies: "copies in bf16", optimizer: "gradients, AdamW", activations: "kept for backward",
    scores: "scores of words"};
  const clock = seconds => {
    const [size, name] = [[86400, "days"], [3600, "hours"], [60, "minutes"], [0, "seconds"]].find(
      ([n]) => seconds >= 2 * n);
    return two(seconds / (size || 1)) + " " + name;
  };
  const paint = () => {
    const rows = Math.round(10 ** state.rows), found = cost(data.bodies[names[state.body]], rows, 2 ** state.tokens,
      2 ** state.piece, state.precision, state.rank);
    const memory = sum(Object.keys(held).map(key => found[key])), seconds = found.operations / 10 ** state.speed;
    const parts = Object.entries(held).filter(([key]) => found[key] > 0);
    bars(body, parts.map(([key, name]) => (
      {name, to: found[key] / memory, text: bytes(found[key]), kind: key === "weights" ? "" : "warm"})));
    show({...found, memory, seconds}, "At most " + bytes(memory) + " are held at once, and " + words(found.trained) +
      " weights train. The run takes " + words(found.operations) + " operations, which is " + clock(seconds) +
      " at this speed.");
  };
"""


def fine_tuning(speed: float) -> HTML:
    """Model, rows, tokens, precision and rank of LoRA: bytes by what holds them, operations, and time.

    Args:
        speed: operations a second that are shown first.
    """
    if not 1e9 <= speed <= 1e15:
        raise InputError(f"a speed of {speed:g} operations a second lies outside the slider; give 1e9 to 1e15")
    bodies = {name: asdict(body) for name, body in BODIES.items()}
    data = {"bodies": bodies, "precisions": PRECISIONS, "speed": float(speed)}
    return widget("costs", "What a fine-tuning takes", data, _FINE_TUNING)
