"""The three ways in which a run can fail for a reason that its user can mend.

Each message is one sentence that names the thing, the value and the remedy; the shell prints it without a traceback.
"""


class InputError(ValueError):
    """The data or an argument is wrong; the shell exits with 2."""


class ColumnError(InputError):
    """A file lacks a column, so that none of its rows can be read."""


class AssetError(RuntimeError):
    """A model or a text could not be fetched or verified; the shell exits with 1."""


class TrainingError(RuntimeError):
    """A run could not go on, for example after a loss that is not finite; the shell exits with 1."""
