"""The shell's options of multi-label classification."""

from helpers.tasks.options import FORMAT, GROUP, LORA_RANK, Option, column

INPUT = (column("text", "column of the texts"), FORMAT)
COLUMNS = (
    *INPUT,
    column("labels", "column of the labels: a list, or names with a separator between them"),
    Option("separator", "what stands between the labels of a cell (default: |)", "|", metavar="TEXT"),
    GROUP,
)
SETTINGS = (LORA_RANK,)
