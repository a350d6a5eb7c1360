"""The shell's options of extraction; a row belongs to its context, so there are no other groups."""

from helpers.tasks.options import FORMAT, column

INPUT = (column("question", "column of the questions"), column("context", "column of the contexts"), FORMAT)
COLUMNS = (
    *INPUT,
    column("answer", "column of the answers: a piece of the context, empty for none, or as in SQuAD", "answers"),
)
SETTINGS = ()
