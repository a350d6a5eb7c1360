"""`--config FILE`: the options of a command from a TOML file, such as the `run.toml` that every trained model holds.

    task = "classification"
    data = "mail.csv"
    label = "folder"
    learning_rate = 1e-4

Each key is an option of the command, with `_` or `-` between its words. What is written on the command line counts
more than what the file says.
"""

import argparse
import re
import tomllib
from pathlib import Path

from helpers.errors import InputError

FLAG = "--config"
FILES = ("--data", "--validation", "--test", "--model", "--output")  # options that are a path
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # what "C:\new" and "C:\file" in double quotes hold
_PATHS = r"write paths in single quotes, as in data = 'C:\new\file.csv'"


class Parser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one sentence, without the usage, and that reads `--config`."""

    def error(self, message: str):
        self.exit(2, f"helpers: {message}; see '{self.prog} --help'\n")

    def parse_known_args(self, args=None, namespace=None):
        """What argparse reads, with the options of a file put before those of the command line."""
        if (action := self._option_string_actions.get(FLAG)) is not None:
            first = argparse.ArgumentParser(add_help=False)
            first.error = self.error
            first.add_argument(FLAG, dest=action.dest)
            found, _ = first.parse_known_args(args)
            if (path := getattr(found, action.dest)) is not None:
                args = [*flags(path, self._option_string_actions), *args]
        return super().parse_known_args(args, namespace)


def flags(path: str | Path, known: dict[str, argparse.Action]) -> list[str]:
    """The options of a TOML file as they are written on a command line.

    Args:
        known: what the command takes, by the option as it is written.

    Raises InputError for a file that cannot be read, an unknown key, one that stands twice, a value that its option
    cannot hold, or a path with control characters.
    """
    written: dict[str, str] = {}
    for key, value in _read(path).items():
        flag = "--" + key.replace("_", "-")
        if (action := known.get(flag)) is None or flag == FLAG or isinstance(action, argparse._HelpAction):
            raise InputError(f"'{path}' has the key {key!r}, and the command has no option {flag!r}; leave it out")
        if flag in written:
            raise InputError(f"'{path}' gives {key}, which is {flag}, in two spellings; leave one of them out")
        if action.nargs == 0:
            written[flag] = flag if _switch(path, key, value) else ""
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            if flag in FILES and _CONTROL.search(str(value)):
                raise InputError(f"'{path}' gives {key} as {value!r}, which no file is called; {_PATHS}")
            _check(path, key, str(value), action)
            written[flag] = f"{flag}={value}"
        else:
            raise InputError(f"'{path}' gives {key} as {_named(value)}; write one text or number")
    return [option for option in written.values() if option]


def _read(path: str | Path) -> dict:
    text = ""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # editors of Windows begin it with a mark
        return tomllib.loads(text)
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read ({error.strerror}); give a TOML file, such as the run.toml in a model's folder"
        ) from error
    except ValueError as error:
        remedy = _PATHS if "\\" in text else "write lines such as epochs = 3"
        raise InputError(f"'{path}' cannot be read as TOML ({error}); {remedy}") from error


def _check(path: str | Path, key: str, value: str, action: argparse.Action) -> None:
    """InputError if an option does not take a value: argparse would name neither the file nor the key."""
    try:
        converted = action.type(value) if action.type else value
    except (TypeError, ValueError, argparse.ArgumentTypeError):
        kinds = {int: "a whole number", float: "a number"}
        raise InputError(
            f"'{path}' gives {key} as {value!r}; write {kinds.get(action.type, 'another value')}"
        ) from None
    if action.choices is not None and converted not in action.choices:
        raise InputError(f"'{path}' gives {key} as {value!r}; choose one of {', '.join(map(str, action.choices))}")


def _switch(path: str | Path, key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"'{path}' gives {key} as {_named(value)}; it is a switch, so write true or false")
    return value


def _named(value: object) -> str:
    kinds = {dict: "a table", list: "a list", bool: "true or false"}
    return kinds.get(type(value), repr(value))
