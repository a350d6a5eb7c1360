"""Code on a page that is read line by line: two scripts side by side with numbers in the margin, and a quiz."""

import re
from collections.abc import Mapping, Sequence
from html import escape

from IPython.display import HTML
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from helpers.errors import InputError

_MARK = re.compile(r"\s*# bugs? ([\d, ]+)$")
_STYLE = """\
.code-pair,.code-quiz{--bad:#b91c1c;--badfill:#fee2e2;--good:#047857;--goodfill:#d1fae5;--edge:#8593a3;
container:code/inline-size;margin:1rem 0;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
html[data-theme=dark] :is(.code-pair,.code-quiz),html[theme=dark] :is(.code-pair,.code-quiz),
body[data-jp-theme-light=false] :is(.code-pair,.code-quiz){--bad:#fca5a5;--badfill:#5b1a1a66;--good:#6ee7b7;
--goodfill:#064e3b66;--edge:#748296}
.code-pair .sides{display:grid;grid-template-columns:minmax(0,auto) minmax(0,1fr);border:1px solid var(--edge);
border-radius:8px;overflow-x:auto}
.code-pair .part{padding:0 .3em;min-width:0}.code-pair .part.right{border-left:1px solid var(--edge)}
.code-pair .head{font:600 14px system-ui,sans-serif;padding:.4em .6em;border-bottom:1px solid var(--edge)}
.code-pair .line{display:grid;grid-template-columns:2.2em max-content;white-space:pre;min-height:1.5em}
.code-pair .line.marked{background:var(--badfill)}.code-pair .right .line.marked{background:var(--goodfill)}
.code-pair .bug{color:var(--bad);font-weight:700;text-align:right;padding-right:.6em;user-select:none}
.code-pair .right .bug{color:var(--good)}
@container code (max-width:600px){.code-pair .sides{grid-template-columns:minmax(100%,max-content)}
.code-pair .part{order:1}.code-pair .part.right{order:2;border-left:0}.code-pair .part.empty{display:none}}
.code-quiz{border:1px solid var(--edge);border-radius:8px;padding:.3em .6em}
.code-quiz summary{cursor:pointer;white-space:pre;overflow-x:auto;padding:.1em 0}
.code-quiz p{font:15px/1.45 system-ui,sans-serif;margin:.2em 0 .6em 1.4em}
"""


def pair(titles: tuple[str, str], parts: Sequence[tuple[str, str]]) -> HTML:
    """Two scripts side by side, part by part, on a phone one below the other; `# bug 3` at the end of a line is a mark.

    Args:
        titles: of the left and of the right one.
        parts: code of the left and of the right one; what belongs together stands at one height.
    """
    cells = "".join(
        f'<div class="part head{side}">{escape(title)}</div>'
        for title, side in zip(titles, ("", " right"), strict=True)
    )
    for both in parts:
        for code, side in zip(both, ("", " right"), strict=True):
            lines = "".join(map(_line, code.splitlines()))
            cells += f'<div class="part{side}{"" if code else " empty"}">{lines}</div>'
    return HTML(
        f'<div class="code-pair"><style>{_STYLE}</style><div class="sides highlight" role="region" tabindex="0" '
        f'aria-label="{escape(" and ".join(titles))}">{cells}</div></div>'
    )


def spot(code: str, bugs: Mapping[int, str], why: Mapping[int, str]) -> HTML:
    """A script whose lines open to say whether there is a bug.

    Args:
        bugs: by number of a line, from 1, what is wrong with it.
        why: by number of a line, why it is right.

    Raises InputError if a line has no answer, or two.
    """
    lines = code.strip("\n").splitlines()
    if sorted([*bugs, *why]) != list(range(1, len(lines) + 1)):
        raise InputError(f"{len(lines)} lines need one answer each; there are answers for {sorted([*bugs, *why])}")
    shown = "".join(
        f"<details><summary>{_coloured(line)}</summary><p><strong>{'A bug' if number in bugs else 'Right'}.</strong> "
        f"{escape(bugs.get(number) or why[number])}</p></details>"
        for number, line in enumerate(lines, 1)
    )
    return HTML(f'<div class="code-quiz highlight"><style>{_STYLE}</style>{shown}</div>')


def _line(text: str) -> str:
    found = _MARK.search(text)
    number = found[1].replace(" ", "") if found else ""
    said = f' aria-label="bug {number}"' if found else ""
    return (
        f'<div class="line{" marked" if found else ""}"><span class="bug"{said}>{number}</span>'
        f"<span>{_coloured(_MARK.sub('', text))}</span></div>"
    )


def _coloured(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return indent + highlight(line.strip(), PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n")
