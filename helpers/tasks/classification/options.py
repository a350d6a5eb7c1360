"""The shell's options of classification."""

from helpers.tasks.options import GROUP, column

INPUT = (column("text", "column of the texts"),)
COLUMNS = (*INPUT, column("label", "column of the labels"), GROUP)
SETTINGS = ()
