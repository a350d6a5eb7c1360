"""The shell's options of generation."""

from helpers.tasks.options import FORMAT, GROUP, LORA_RANK, Option, column

INPUT = (column("prompt", "column of the prompts"), column("messages", "column of chats, without prompts"), FORMAT)
COLUMNS = (*INPUT, column("completion", "column of the completions"), GROUP)
SETTINGS = (
    Option("template", "how turns are framed (default: chat)", choices=("chat", "plain")),
    Option("system", "system turn of each prompt (default: the template's)", metavar="TEXT"),
    Option("supervise", "what counts (default: completion)", choices=("completion", "all")),
    Option("max_new_tokens", "of an answer (default: 64)", kind=int, metavar="N"),
    LORA_RANK,
    Option("base_dtype", "of the weights beside LoRA (default: what fits)", choices=("fp32", "bf16", "nf4")),
    Option("lora_saved", "how LoRA is saved (default: merged)", choices=("merged", "merged-bf16", "adapter")),
)
