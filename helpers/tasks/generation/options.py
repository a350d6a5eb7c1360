"""The shell's options of generation."""

from helpers.tasks.options import FORMAT, GROUP, Option, column

INPUT = (column("prompt", "column of the prompts"), column("messages", "column of chats, without prompts"), FORMAT)
COLUMNS = (*INPUT, column("completion", "column of the completions"), GROUP)
SETTINGS = (
    Option("template", "how turns are framed (default: chat)", choices=("chat", "plain")),
    Option("system", "system turn of each prompt (default: the template's)", metavar="TEXT"),
    Option("supervise", "what counts (default: completion)", choices=("completion", "all")),
    Option("max_new_tokens", "of an answer (default: 64)", kind=int, metavar="N"),
    Option("lora_rank", "train LoRA matrices only, merged at the end", kind=int, metavar="N"),
)
