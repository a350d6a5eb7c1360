"""Answer film reviews with a fine-tuned classifier in PyTorch and as an exported graph, in turn.

    python benchmarks/serving.py [--rows 800] [--train 500] [--repeats 3]

The packaged encoder is fine-tuned on `--train` reviews, saved, and exported to ONNX in fp32 and in 8 bits, which is
refused if it answers otherwise. Each way of answering runs in a process of its own, `--repeats` times in turn, so that
its memory is its own and the machine is the same for all. Printed are rows per second over all test rows, the
milliseconds that one row takes by itself (median), both as a ratio to PyTorch in fp32 (minimum, median, maximum over
the repeats), the peak of memory, the bytes on disk, and the accuracy with its interval.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

SYSTEMS = {"PyTorch, fp32": "model", "PyTorch, bf16": "model", "ONNX, fp32": "onnx", "ONNX, 8 bits": "onnx-int8"}
FIRST, SINGLE = next(iter(SYSTEMS)), 60  # rows that are asked for one by one


def main() -> None:
    """Run the systems in turn and print the table, or, as the processes that do it, make the model or answer once."""
    options = _options()
    if options.answer:
        print(json.dumps(answered(options.answer, Path(options.folder), options.rows)))
        return
    if options.folder:
        made(Path(options.folder), options.train)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, as a process that is started inherits the peak of memory of the one that starts it.
        make = [sys.executable, __file__, "--folder", folder, "--train", str(options.train)]
        subprocess.run(make, check=True)
        runs = {name: [] for name in SYSTEMS}
        for repeat in range(options.repeats):
            for name in sorted(SYSTEMS, reverse=bool(repeat % 2)):
                runs[name].append(_apart(name, folder, options.rows))
        sizes = {name: _bytes(Path(folder) / place) for name, place in SYSTEMS.items()}
    table(runs, sizes, options.rows)


def made(folder: Path, train: int) -> None:
    """A fine-tuned classifier, saved in `model`, and its graphs in `onnx` and `onnx-int8`."""
    from helpers import Classification, Recipe, corpora, fit, models, sample, saving
    from helpers.export.exporting import export

    corpus = corpora.load("reviews")
    task, rows = Classification(corpus.labels, max_length=96), sample(corpus.data["train"], train)
    run = fit(task, task.build(), models.tokenizer(), rows, recipe=Recipe(attention_dropout=0.0))
    run.save(folder / "model", corpus.card)
    for form in ("onnx", "onnx-int8"):
        place = {"model": folder / "model", "data": "validation"}
        told = export(saving.load(folder / "model"), form, corpus.data["validation"], folder / form, **place)
        print(f"{form}: {told.sentence()}", flush=True)


def answered(name: str, folder: Path, count: int) -> dict:
    """Rows per second, milliseconds for one row, peak memory in GB, and which rows are right."""
    import numpy as np
    import torch

    from helpers import corpora, sample
    from helpers.export.opening import opened
    from helpers.models.inference import half_precision
    from helpers.training.device import peak_memory_gb

    predictor, rows = opened(folder / SYSTEMS[name]), sample(corpora.load("reviews").data["test"], count)
    cpu = torch.device("cpu")
    with half_precision(cpu) if "bf16" in name else nullcontext():
        predictor.predict(rows.select(range(32)))  # what the first batch alone pays
        began = time.perf_counter()
        probabilities = predictor.predict(rows)
        speed = len(rows) / (time.perf_counter() - began)
        alone = []
        for i in range(min(SINGLE, len(rows))):
            began = time.perf_counter()
            predictor.predict(rows.select([i]))
            alone.append(1000 * (time.perf_counter() - began))
    right = probabilities.argmax(-1) == np.array(rows["label"])
    about = {"speed": speed, "alone": statistics.median(alone), "memory": peak_memory_gb(cpu)}
    return about | {"right": right.astype(int).tolist()}


def table(runs: dict[str, list[dict]], sizes: dict[str, int], rows: int) -> None:
    """Print one line a system."""
    from helpers import evaluation

    print(f"{rows} test rows")
    print(f"{'system':14} rows/s   faster than {FIRST}   one row, ms   faster   GB    MB   accuracy")
    for name, own in runs.items():
        speeds, alone = ([run[key] for run in own] for key in ("speed", "alone"))
        ratios = [one / other["speed"] for one, other in zip(speeds, runs[FIRST], strict=True)]
        single = [other["alone"] / one for one, other in zip(alone, runs[FIRST], strict=True)]
        accuracy = evaluation.interval(own[0]["right"])
        print(
            f"{name:14} {statistics.median(speeds):6.0f}   {_spread(ratios)}   {statistics.median(alone):6.1f}   "
            f"{_spread(single)}   {max(run['memory'] for run in own):.2f}   {sizes[name] / 1e6:.0f}   {accuracy}"
        )


def _spread(ratios: list[float]) -> str:
    return f"{min(ratios):.2f} / {statistics.median(ratios):.2f} / {max(ratios):.2f}"


def _apart(name: str, folder: str, rows: int) -> dict:
    """What a process of its own answers."""
    words = [sys.executable, __file__, "--answer", name, "--folder", folder, "--rows", str(rows)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _bytes(folder: Path) -> int:
    """Of the weights in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in (".safetensors", ".onnx"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=800, help="test rows")
    parser.add_argument("--train", type=int, default=500, help="training rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--answer", choices=SYSTEMS, help="answer once, with a model in --folder")
    parser.add_argument("--folder", help="where to make the model and its exports, or where --answer finds them")
    return parser.parse_args()


if __name__ == "__main__":
    main()
