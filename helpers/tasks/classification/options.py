"""The shell's options of classification."""

from helpers.tasks.options import FORMAT, GROUP, LORA_RANK, Option, column

INPUT = (column("text", "column of the texts"), FORMAT)
COLUMNS = (*INPUT, column("label", "column of the labels"), GROUP)
SPLITTING = (Option("min_rows", "leave labels with fewer rows out (default: none)", kind=int, metavar="N"),)
SETTINGS = (LORA_RANK,)
