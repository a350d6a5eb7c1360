"""Let the packaged decoder write translations with transformers' `generate` and with `helpers`, in turn.

    python benchmarks/writing.py [--rows 96] [--batch 32] [--repeats 3]

Rows are strings of a user interface, which the decoder as it comes is asked in a chat to translate, greedily, in at
most 40 tokens; both sides write in batches of the same number of rows, padded on the left. `generate` takes the rows in
the order of the file, or sorted by length, with weights in fp32 or in bf16; `helpers` sorts them, drops those that have
ended from the batch, and writes in bf16 inside `half_precision` where the processor computes in it natively. Printed
are tokens per second, the ratio to `helpers` (minimum, median, maximum over the repeats), chrF, and the share of texts
that are those of plain `generate` in fp32.
"""

import argparse
import statistics
import time

import torch

ROWS, MOST = 96, 40
PLAIN, OURS = "generate, fp32", "helpers, half precision"


def main() -> None:
    """Run the systems in turn and print the table."""
    from helpers import Generation, corpora, metrics, models, sample
    from helpers.corpora.strings import INSTRUCTION

    options, results = _options(), {}
    task, tokenizer = Generation(system=INSTRUCTION, max_new_tokens=MOST), models.tokenizer("decoder")
    rows = sample(corpora.load("strings").data["test"], options.rows)
    writer = Writer(task, tokenizer, task.encode(tokenizer, rows.remove_columns("completion")), options.batch)
    writer.systems[PLAIN]()  # what the first run alone pays
    for repeat in range(options.repeats):
        for name in sorted(writer.systems, reverse=bool(repeat % 2)):
            results.setdefault(name, []).append(writer.systems[name]())
    first = {name: runs[0] for name, runs in results.items()}
    print(f"{len(rows)} rows, batches of {options.batch}, {torch.get_num_threads()} threads")
    print(f"{'system':32} tokens/s  helpers is faster (min/median/max)  chrF  as {PLAIN}")
    for name, runs in results.items():
        ratios = sorted(ours[1] / other[1] for ours, other in zip(results[OURS], runs, strict=True))
        shown = "/".join(f"{value:.2f}" for value in (ratios[0], statistics.median(ratios), ratios[-1]))
        texts, same = first[name][0], statistics.mean(map(str.__eq__, first[name][0], first[PLAIN][0]))
        chrf = metrics.Chrf().compute(predictions=texts, references=list(rows["completion"]))["chrf"]
        print(f"{name:32} {statistics.median(run[1] for run in runs):8.0f}  {shown:34} {chrf:5.1f}  {same:.0%}")


class Writer:
    """The systems by name, each a function to texts and tokens per second; weights in fp32 and in bf16 are kept."""

    def __init__(self, task, tokenizer, encoded, batch: int):
        self.task, self.tokenizer, self.encoded, self.batch = task, tokenizer, encoded, batch
        self.exact, self.rounded = task.build().eval(), task.build().bfloat16().eval()
        self.systems = {
            PLAIN: lambda: self.plain(self.exact),
            "generate, fp32, by length": lambda: self.plain(self.exact, by_length=True),
            "generate, bf16": lambda: self.plain(self.rounded),
            "generate, bf16, by length": lambda: self.plain(self.rounded, by_length=True),
            "helpers, fp32": lambda: self.ours(half=False),
            OURS: lambda: self.ours(half=True),
        }

    def ours(self, *, half: bool) -> tuple[list[str], float]:
        """By the package."""
        from contextlib import nullcontext

        from helpers.models.inference import half_precision

        with half_precision(self.exact.device) if half else nullcontext():
            found = self.task.generate(self.exact, self.tokenizer, self.encoded, batch_rows=self.batch)
        return found.texts, found.tokens_per_second

    @torch.inference_mode()
    def plain(self, model, *, by_length: bool = False) -> tuple[list[str], float]:
        """By transformers alone."""
        from helpers.tasks.generation.chat import ChatTemplate
        from helpers.tasks.writing import until_end

        prompts, ends = self.encoded["input_ids"][:], ChatTemplate(self.tokenizer, self.task.template).ends()
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i])) if by_length else [*range(len(prompts))]
        answers, began = {}, time.perf_counter()
        for start in range(0, len(prompts), self.batch):
            some = order[start : start + self.batch]
            batch = self.tokenizer.pad(
                {"input_ids": [prompts[i] for i in some]}, padding_side="left", return_tensors="pt"
            )
            settings = {"max_new_tokens": MOST, "do_sample": False, "eos_token_id": list(ends)}
            whole = model.generate(**batch, **settings, pad_token_id=self.tokenizer.pad_token_id)
            written = whole[:, batch["input_ids"].shape[1] :].tolist()
            answers |= {i: until_end(ids, ends) for i, ids in zip(some, written, strict=True)}
        seconds = time.perf_counter() - began
        texts = [self.tokenizer.decode(answers[i], skip_special_tokens=True) for i in range(len(prompts))]
        return texts, sum(map(len, answers.values())) / seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--batch", type=int, default=32, help="rows that are written together")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
