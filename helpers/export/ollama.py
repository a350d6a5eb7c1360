"""A Modelfile, by which Ollama runs an exported decoder: the turn frames in Go's template language, and where to stop.

Ollama reads the weights and the vocabulary out of the GGUF file and takes the frames from here. It was not run to test
this: what is tested is that the frames are those of the chat template.
"""

from jinja2 import TemplateError

from helpers.errors import InputError
from helpers.export.gguf_file import INSTEAD, stop_tokens
from helpers.tasks.generation.chat import ChatTemplate
from helpers.tasks.generation.task import Generation

_SYSTEM, _USER = "\ue000", "\ue001"  # private characters, which no template writes
_QUOTES = '"""'
_FORM = """\
# ollama create NAME -f Modelfile
FROM ./{file}
TEMPLATE \"\"\"{template}\"\"\"
{system}PARAMETER temperature 0
PARAMETER num_predict {limit}
{stops}"""


def modelfile(task: Generation, template: ChatTemplate, file: str) -> str:
    """The text of the Modelfile for a GGUF file beside it.

    Raises InputError for a text that it would end early, or take for its own: it knows no way to escape quotes.
    """
    tokens = template.tokenizer.convert_ids_to_tokens(stop_tokens(template))
    framed = frames(template)
    _check("the system turn", task.system or "", _QUOTES)
    _check("the chat template", framed, _QUOTES)
    for token in tokens:
        _check(f"the stop token {token!r}", token, '"')
    return _FORM.format(
        file=file,
        template=framed,
        system=f'SYSTEM """{task.system}"""\n' if task.system is not None else "",
        limit=task.max_new_tokens,
        stops="".join(f'PARAMETER stop "{token}"\n' for token in tokens),
    )


def frames(template: ChatTemplate) -> str:
    """What stands around a prompt, and around a system turn where the template has one, as Ollama writes it.

    Raises InputError for a template whose own text Ollama would take for a place to fill.
    """
    if template.template == "plain":
        return "{{ .Prompt }}"
    user = {"role": "user", "content": _USER}
    before, after = _framed(template, [user]).split(_USER)
    try:
        whole = _framed(template, [{"role": "system", "content": _SYSTEM}, user])
    except (TemplateError, TypeError, ValueError):
        whole = ""
    for text in (before, after, whole):
        _check("the chat template", text, "{{")
    if _SYSTEM not in whole or not whole.endswith(_USER + after):
        return f"{before}{{{{ .Prompt }}}}{after}"
    first, between = whole.removesuffix(_USER + after).split(_SYSTEM)
    head = f"{{{{ if .System }}}}{first}{{{{ .System }}}}{between}{{{{ else }}}}{before}{{{{ end }}}}"
    return f"{head}{{{{ .Prompt }}}}{after}"


def _framed(template: ChatTemplate, turns: list[dict]) -> str:
    return template.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


def _check(name: str, text: str, mark: str) -> None:
    if mark in text:
        raise InputError(
            f"{name} holds {mark}, which the Modelfile of Ollama that belongs to a GGUF cannot hold; train without it, "
            f"or {INSTEAD}"
        )
