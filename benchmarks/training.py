"""Fine-tune the packaged encoder on film reviews with `transformers.Trainer` and with `helpers`, in turn.

    python benchmarks/training.py [--rows 1000] [--epochs 1] [--repeats 3]

Each run is a process of its own, so that peak memory is its own. All see the same rows for the same number of epochs.
The loss is the mean over all training rows after training, without dropout, in fp32. Printed are rows per second; how
much faster `helpers` is with its own batches (minimum, median, maximum over the repeats), and with the batch and the
learning rate of the line (median); the loss, with a mark where it differs from that of `helpers` with its own batches
by more than 1 %; the peak memory; and the model's floating point operations per second as a share of what a large
matrix product reaches on this machine in the precision that `helpers` trains in.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

# With it 1,000 rows, 32 a step, end at the loss of the Trainer's 8 a step at 5e-5; speed does not depend on it.
LARGER_STEPS = 1.5e-4

# Batch size, learning rate and data order are the Trainer's defaults except where a name says otherwise.
SYSTEMS = {
    "Trainer": {},
    "Trainer, 32 rows": {"per_device_train_batch_size": 32, "learning_rate": LARGER_STEPS},
    "Trainer, by length": {"train_sampling_strategy": "group_by_length"},
    "Trainer, bf16, by length": {"bf16": True, "train_sampling_strategy": "group_by_length"},
    "helpers, 8 rows": {"batch_rows": 8, "learning_rate": 5e-5},
    "helpers": {"learning_rate": LARGER_STEPS},
    "helpers, in one piece": {"learning_rate": LARGER_STEPS, "piece_tokens": 10**9},
    "helpers, no attention dropout": {"learning_rate": LARGER_STEPS, "attention_dropout": 0.0},
    "helpers, that and 128 rows": {"learning_rate": LARGER_STEPS, "attention_dropout": 0.0, "batch_rows": 128},
}


def _same_batches(name: str) -> str:
    """The run of `helpers` with the batch and the learning rate of a line."""
    return "helpers, 8 rows" if SYSTEMS[name].get("learning_rate", 5e-5) == 5e-5 else "helpers"


def main() -> None:
    """Run the systems in turn and print the table."""
    options = _options()
    if options.one:
        print(json.dumps(one(options.one, options.rows, options.epochs)))
        return
    systems = [name for name in SYSTEMS if options.emulated or "bf16" not in name or _native()]
    results = {name: [] for name in systems}
    for repeat in range(options.repeats):
        for name in systems:
            results[name].append(_in_a_process(name, options))
            print(f"repeat {repeat + 1}: {name}: {results[name][-1]}", file=sys.stderr, flush=True)
    rate = matrix_rate()
    print(f"{options.rows} rows, {options.epochs} epochs; a matrix product reaches {rate / 1e9:.0f} GFLOP/s")
    print(f"{'system':30} rows/s  helpers is faster (min/median/max)  same batches  loss    GB   of matrix rate")
    for name, runs in results.items():
        speeds = [run["rows_per_second"] for run in runs]
        ratios = sorted(h["rows_per_second"] / s for h, s in zip(results["helpers"], speeds, strict=True))
        shown = "/".join(f"{value:.2f}" for value in (ratios[0], statistics.median(ratios), ratios[-1]))
        share = statistics.median(run["flops_per_second"] for run in runs) / rate
        same = results[_same_batches(name)]
        fair = statistics.median(h["rows_per_second"] / s for h, s in zip(same, speeds, strict=True))
        loss, peer = (statistics.mean(run["loss"] for run in found) for found in (runs, results["helpers"]))
        mark, memory = "*" if abs(loss / peer - 1) > 0.01 else " ", max(run["peak_memory_gb"] for run in runs)
        line = f"{name:30} {statistics.median(speeds):6.1f}  {shown:34}  {fair:12.2f}  {loss:.4f}{mark}"
        print(f"{line} {memory:4.1f} {share:8.0%}")


def _native() -> bool:
    from helpers.training.device import native_bf16

    return native_bf16(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def one(name: str, rows: int, epochs: int) -> dict:
    """Train one system once; returns its figures."""
    from helpers import Classification, Recipe, corpora, fit, models
    from helpers.training.device import peak_memory_gb

    corpus = corpora.load("reviews")
    task, tokenizer = Classification(corpus.labels), models.tokenizer()
    train = corpus.data["train"].shuffle(seed=0).select(range(rows))
    encoded, model = task.encode(tokenizer, train), task.build(seed=0)
    settings = SYSTEMS[name]
    if name.startswith("helpers"):
        seconds = fit(task, model, tokenizer, train, None, Recipe(epochs=epochs, **settings)).seconds
    else:
        seconds = _trainer(model, tokenizer, encoded, epochs, settings)
    probabilities = task.predict(model, encoded)
    tokens = sum(len(ids) for ids in encoded["input_ids"])
    # Two operations forward and four backward for each weight that is multiplied, for each token that is not padding.
    weights = sum(p.numel() for p in model.parameters()) - model.get_input_embeddings().weight.numel()
    return {
        "rows_per_second": rows * epochs / seconds,
        "loss": task.score(probabilities, task.references(encoded))["log_loss"],
        "peak_memory_gb": peak_memory_gb(torch.device("cpu")),
        "flops_per_second": 6 * weights * tokens * epochs / seconds,
    }


def _trainer(model, tokenizer, encoded, epochs: int, settings: dict) -> float:
    """Seconds that `transformers.Trainer` trains."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    with tempfile.TemporaryDirectory() as folder:
        settings = settings | {"use_cpu": not torch.cuda.is_available()}  # bf16 on a processor must be asked for so
        arguments = TrainingArguments(
            folder, num_train_epochs=epochs, report_to="none", save_strategy="no", disable_tqdm=True, **settings
        )
        collator = DataCollatorWithPadding(tokenizer)
        trainer = Trainer(model, arguments, train_dataset=encoded, data_collator=collator, processing_class=tokenizer)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    # Off with the wrapper of autocast, or this model's loss is taken in bf16 and that of `helpers` in fp32.
    trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    return seconds


def matrix_rate(size: int = 1024) -> float:
    """Operations per second of a product of two square matrices on the processor, best of ten."""
    kind = torch.bfloat16 if _native() else torch.float32
    a, b, seconds = torch.rand(size, size).to(kind), torch.rand(size, size).to(kind), []
    for _ in range(10):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / np.min(seconds)


def _in_a_process(name: str, options: argparse.Namespace) -> dict:
    words = ["--one", name, "--rows", str(options.rows), "--epochs", str(options.epochs)]
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--emulated", action="store_true", help="measure bf16 also where it is emulated, ten times slower"
    )
    parser.add_argument("--one", choices=SYSTEMS, help="run one system in this process and print its figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
