"""The shell's options of classification."""

from helpers.tasks.options import FORMAT, GROUP, Option, column

INPUT = (column("text", "column of the texts"), FORMAT)
COLUMNS = (*INPUT, column("label", "column of the labels"), GROUP)
SPLITTING = (Option("min_rows", "leave labels with fewer rows out (default: none)", kind=int, metavar="N"),)
SETTINGS = ()
