"""Fine-tune the packaged decoder on summaries with TRL's `SFTTrainer` and with `helpers`, in turn.

    python benchmarks/generation.py [--rows 48] [--prompt-words 210] [--repeats 3] [--precision auto]

Rows are articles and one-line summaries in chat form, with prompts of about 290 tokens and completions of about 30.
Each run is a process of its own, so that peak memory is its own; all train one epoch on the same tokens of the same
rows, eight a step, at the same learning rate. Which rows share a step, each decides for itself, but for "the steps of
helpers", where the trainer takes the rows in the order of `helpers`. The loss is the mean over the completions of all
rows after training, taken in fp32, with a mark where it differs from that of `helpers` by more than 1 %. Printed are
tokens per second, padding not counted, with the ratio to `helpers` (minimum, median, maximum over the repeats), the
loss, and the peak memory with its ratio. TRL comes with `pip install -e .[bench]`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

import torch

# What TRL 1.16 sets where a name says nothing: activations are computed twice to save memory, batches are random.
SYSTEMS = {
    "SFTTrainer": {},
    "SFTTrainer, by length": {"train_sampling_strategy": "group_by_length"},
    "SFTTrainer, the steps of helpers": {"train_sampling_strategy": "sequential"},
    "SFTTrainer, by length, activations kept": {
        "train_sampling_strategy": "group_by_length",
        "gradient_checkpointing": False,
    },
    "helpers, in one piece": {"piece_tokens": 10**9},
    "helpers": {},
}
LEARNING_RATE, BATCH_ROWS = 2e-5, 8


def main() -> None:
    """Run the systems in turn and print the table."""
    options = _options()
    if options.one:
        print(json.dumps(one(options.one, options)))
        return
    results = {name: [] for name in SYSTEMS}
    for repeat in range(options.repeats):
        for name in SYSTEMS:
            results[name].append(_in_a_process(name, options))
            print(f"repeat {repeat + 1}: {name}: {results[name][-1]}", file=sys.stderr, flush=True)
    ours = results["helpers"]
    print(
        f"{options.rows} rows, {ours[0]['tokens']:,} tokens, {ours[0]['precision']}, {torch.get_num_threads()} threads"
    )
    print(f"{'system':40} tokens/s  helpers is faster (min/median/max)  loss    GB  helpers takes")
    for name, runs in results.items():
        speeds, memory = ([run[key] for run in runs] for key in ("tokens_per_second", "peak_memory_gb"))
        ratios = sorted(h["tokens_per_second"] / speed for h, speed in zip(ours, speeds, strict=True))
        shown = "/".join(f"{value:.2f}" for value in (ratios[0], statistics.median(ratios), ratios[-1]))
        share = max(run["peak_memory_gb"] for run in ours) / max(memory)
        loss = statistics.mean(run["loss"] for run in runs)
        mark = "*" if abs(loss / statistics.mean(run["loss"] for run in ours) - 1) > 0.01 else " "
        print(f"{name:40} {statistics.median(speeds):8.0f}  {shown:34} {loss:.4f}{mark}{max(memory):5.1f}  {share:.2f}")


def one(name: str, options: argparse.Namespace) -> dict:
    """Train one system once; returns its figures."""
    from datasets import Dataset

    from helpers import Generation, Recipe, corpora, fit, models
    from helpers.training.device import native_bf16, peak_memory_gb

    rows = corpora.load("xsum").data["test"].select(range(options.rows))
    rows = [_chat(row, options.prompt_words) for row in rows]
    task, tokenizer = Generation(), models.tokenizer("decoder")
    data = Dataset.from_list(rows)
    encoded, model = task.encode(tokenizer, data), task.build(seed=0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = options.precision if options.precision != "auto" else "bf16" if native_bf16(device) else "fp32"
    if name.startswith("helpers"):
        recipe = Recipe(
            LEARNING_RATE,
            epochs=1,
            batch_rows=BATCH_ROWS,
            warmup=0.0,
            weight_decay=0.0,
            precision=precision,
            **SYSTEMS[name],
        )
        run = fit(task, model, tokenizer, data, None, recipe)
        model, seconds = run.model, run.seconds
    else:
        seconds = _trl(model, tokenizer, _in_our_order(task, encoded), precision, SYSTEMS[name])
    memory = peak_memory_gb(device)  # before the loss is computed over all rows
    tokens = sum(len(ids) for ids in encoded["input_ids"])
    likelihoods = task.predict(model, encoded)
    return {
        "tokens_per_second": tokens / seconds,
        "loss": -task.score(likelihoods, task.references(encoded))["log_likelihood"],
        "peak_memory_gb": memory,
        "tokens": tokens,
        "precision": precision,
    }


def _chat(row: dict, words: int) -> dict:
    article = " ".join(row["prompt"].split()[:words])
    asked = {"role": "user", "content": f"Summarise in one sentence.\n\n{article}"}
    return {"messages": [asked, {"role": "assistant", "content": row["completion"]}]}


def _in_our_order(task, encoded) -> list[dict]:
    """Ids and labels of the rows, in the order in which `helpers` takes them.

    With TRL's own encoding of the messages, the line break after the end of the answer would count in its loss too.
    """
    from helpers import Recipe
    from helpers.data.batching import length_batches

    lengths, recipe = [len(ids) for ids in encoded["input_ids"]], Recipe()
    order = length_batches(lengths, batch_rows=BATCH_ROWS, seed=recipe.seed)
    alone = [task.collate([encoded[i]]) for batch in order for i in batch]  # one row needs no padding
    return [{name: values[0].tolist() for name, values in row.items()} for row in alone]


def _trl(model, tokenizer, rows: list[dict], precision: str, settings: dict) -> float:
    """Seconds that `SFTTrainer` trains."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    with tempfile.TemporaryDirectory() as folder:
        common = {"per_device_train_batch_size": BATCH_ROWS, "learning_rate": LEARNING_RATE, "num_train_epochs": 1}
        quiet = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True}
        place = {"use_cpu": not torch.cuda.is_available(), "bf16": precision == "bf16"}
        arguments = SFTConfig(folder, **common, **quiet, **place, **settings)
        trainer = SFTTrainer(model, arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    # Off with the wrapper of autocast, or this model's loss is taken in bf16 and that of `helpers` in fp32.
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    return seconds


def _in_a_process(name: str, options: argparse.Namespace) -> dict:
    words = ["--one", name]
    for key in ("rows", "prompt_words", "precision"):
        words += ["--" + key.replace("_", "-"), str(getattr(options, key))]
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--prompt-words", type=int, default=210, help="words kept of an article")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--one", choices=SYSTEMS, help="run one system in this process and print its figures")
    options = parser.parse_args()
    if options.rows % BATCH_ROWS:
        parser.error(f"--rows {options.rows} is no multiple of {BATCH_ROWS}, so the systems would step differently")
    return options


if __name__ == "__main__":
    main()
