"""The shell's options of tagging."""

from helpers.tasks.options import FORMAT, GROUP, Option, column

INPUT = (column("tokens", "field of the words"), FORMAT)
COLUMNS = (*INPUT, column("tags", "field of the tags"), GROUP)
SETTINGS = (Option("head", "how tags are decided (default: softmax)", choices=("softmax", "crf")),)
