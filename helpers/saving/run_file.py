"""`run.toml` of a saved model: the options that `helpers train --config` repeats its run with."""

import json
from collections.abc import Mapping
from pathlib import Path

NAME = "run.toml"
_HEADER = """\
# helpers train --config {name} --output OUTPUT
# makes this model again from the same rows. Paths are seen from the folder in which it is started.
"""


def write(folder: str | Path, settings: Mapping[str, str | int | float | bool | None]) -> Path:
    """Write the settings into the folder of a model; those that are None are left to their defaults."""
    lines = [f"{name} = {_value(value)}\n" for name, value in settings.items() if value is not None]
    path, scratch = Path(folder) / NAME, Path(folder) / f"{NAME}.writing"
    scratch.write_text(_HEADER.format(name=NAME) + "".join(lines), encoding="utf-8", newline="\n")
    scratch.replace(path)
    return path


def _value(value: str | int | float | bool) -> str:
    """A value in TOML: texts as JSON has them, but for the one character that TOML wants escaped and JSON does not."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)
