"""The shell on files in the shapes in which others publish rows: what is printed is kept, for chapters to show.

Each file holds rows of one of the book's corpora, written as the shape says; the commands are those of a reader who has
such a file, with no setting but what the file needs.
"""

import csv
import gzip
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from datasets import Dataset

from helpers import corpora, sample

CORPUS = {
    "shell-dotted": "reviews",
    "shell-doccano": "brown",
    "shell-squad": "questions",
    "shell-sharegpt": "parameters",
    "shell-onnx": "reviews",
    "shell-gguf": "parameters",
    "shell-tune": "reviews",
}
MODEL = {name: "decoder" if name in ("shell-sharegpt", "shell-gguf") else "encoder" for name in CORPUS}
ROWS = {"shell-dotted": 600, "shell-doccano": 600, "shell-squad": 400, "shell-sharegpt": 100}
ROWS |= {"shell-onnx": 600, "shell-gguf": 100, "shell-tune": 2000}
TRIED = {"shell-onnx": 1000, "shell-gguf": 100}  # test rows that an export is tried on
# What the models of two shapes are asked at the end; the second question has no answer in its context.
LIBRARY = "The library opens at nine. On Fridays Ms Ito reads to children in the garden, if it does not rain."
ASKED = [
    {"question": "Who reads to the children?", "context": LIBRARY},
    {"question": "What does a ticket cost?", "context": LIBRARY},
]
UNSEEN = "max_rows (`int`, default `100`): How many rows of a table are shown."
_CLOCK = re.compile(r"(?<=about )\d+ (?:s|min|minutes)\b|[\d.,]+ (?:rows|tokens)/s|\d+ s\b")  # other on every machine
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def transcripts(name: str) -> Iterator[tuple[dict, Callable[[], dict]]]:
    """What the commands of one shape print, in the order in which a reader runs them."""
    yield {"seed": 0}, lambda: _printed(name)


EXPERIMENTS = {name: lambda name=name: transcripts(name) for name in CORPUS}


def dotted(folder: Path, rows: Dataset) -> list[str]:
    """Reviews as an export of a labelling tool nests them, with integers for labels and their names beside the file."""
    names = rows.features["label"].names
    lines = [
        {"id": f"r{place}", "data": {"review": row["text"]}, "verdict": row["label"]} for place, row in enumerate(rows)
    ]
    _lines(folder / "reviews.jsonl", lines)
    information = {"features": {"verdict": {"names": names, "_type": "ClassLabel"}}}
    (folder / "dataset_info.json").write_text(json.dumps(information), encoding="utf-8")
    columns = "--text data.review --label verdict"
    return [
        f"helpers check reviews.jsonl --task classification {columns}",
        f"helpers train --task classification --data reviews.jsonl {columns} --output critic/",
        "echo 'A slick, engrossing melodrama.' | helpers predict critic/",
    ]


def doccano(folder: Path, rows: Dataset) -> list[str]:
    """Sentences with the characters at which names begin and end."""
    names = rows.features["tags"].feature.names
    lines = []
    for row in rows:
        text, spans = "", []
        for word, tag in zip(row["tokens"], (names[tag] for tag in row["tags"]), strict=True):
            begin = len(text) + bool(text)
            text = f"{text} {word}" if text else word
            if tag.startswith("I-") and spans:
                spans[-1][1] = len(text)
            elif tag != "O":
                spans.append([begin, len(text), tag[2:]])
        lines.append({"text": text, "label": spans})
    _lines(folder / "names.jsonl", lines)
    return [
        "helpers check names.jsonl --task tagging",
        "helpers train --task tagging --data names.jsonl --output names/",
        "echo 'Yesterday Mary Cassatt wrote to Mr. Degas in Paris.' | helpers predict names/",
    ]


def squad(folder: Path, rows: Dataset) -> list[str]:
    """Questions in the nested form of SQuAD's own files, several on one paragraph."""
    paragraphs: dict[str, list[dict]] = {}
    for place, row in enumerate(rows):
        pairs = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
        answers = [{"text": text, "answer_start": start} for text, start in pairs]
        paragraphs.setdefault(row["context"], []).append(
            {"id": f"q{place}", "question": row["question"], "answers": answers, "is_impossible": not answers}
        )
    held = [{"context": context, "qas": asked} for context, asked in paragraphs.items()]
    articles = [{"title": f"part {place}", "paragraphs": [part]} for place, part in enumerate(held)]
    text = json.dumps({"version": "v2.0", "data": articles}, ensure_ascii=False)
    (folder / "train-v2.0.json").write_text(text, encoding="utf-8")
    _lines(folder / "asked.jsonl", ASKED)
    return [
        "helpers check train-v2.0.json --task extraction",
        "helpers train --task extraction --data train-v2.0.json --output finder/",
        "helpers predict finder/ --data asked.jsonl",
    ]


def sharegpt(folder: Path, rows: Dataset) -> list[str]:
    """Chats of a person and an assistant, packed."""
    chats = [
        {"conversations": [{"from": "human", "value": row["prompt"]}, {"from": "gpt", "value": row["completion"]}]}
        for row in rows
    ]
    with gzip.open(folder / "chats.json.gz", "wt", encoding="utf-8") as stream:
        json.dump(chats, stream, ensure_ascii=False)
    return [
        "helpers check chats.json.gz --task generation",
        "helpers train --task generation --data chats.json.gz --lora-rank 8 --output assistant/",
        f"echo {shlex.quote(UNSEEN)} | helpers predict assistant/",
    ]


def onnx(folder: Path, rows: Dataset) -> list[str]:
    """Reviews as a table, and as many others as an export is tried on."""
    names = rows.features["label"].names
    others = sample(corpora.load(CORPUS["shell-onnx"]).data["test"], TRIED["shell-onnx"], 0)
    for name, part in (("reviews", rows), ("others", others)):
        labels = [names[label] for label in part["label"]]
        _lines(folder / f"{name}.jsonl", [{"text": t, "label": y} for t, y in zip(part["text"], labels, strict=True)])
    return [
        "helpers train --data reviews.jsonl --output critic/",
        "helpers export critic/ --to onnx --data others.jsonl --output critic-onnx/",
        "helpers export critic/ --to onnx-int8 --data others.jsonl --output critic-int8/",
        "echo 'A slick, engrossing melodrama.' | helpers predict critic-int8/",
    ]


def gguf(folder: Path, rows: Dataset) -> list[str]:
    """Prompts and completions, and as many others as an export is tried on."""
    others = sample(corpora.load(CORPUS["shell-gguf"]).data["test"], TRIED["shell-gguf"], 0)
    for name, part in (("entries", rows), ("others", others)):
        _lines(folder / f"{name}.jsonl", part.select_columns(["prompt", "completion"]).to_list())
    return [
        "helpers train --task generation --data entries.jsonl --lora-rank 8 --output assistant/",
        "helpers export assistant/ --to gguf --data others.jsonl --output assistant-gguf/",
        "helpers export assistant/ --to gguf-q8 --data others.jsonl --output assistant-q8/",
    ]


def tune(folder: Path, rows: Dataset) -> list[str]:
    """Reviews with semicolons between columns, blanks in their names, and films that stay in one split."""
    names = rows.features["label"].names
    with (folder / "critics.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter=";")
        table.writerow(["film", "what the critic wrote", "verdict"])
        table.writerows([row["group"], row["text"], names[row["label"]]] for row in rows)
    columns = "--text 'what the critic wrote' --label verdict --group film"
    return [f"helpers tune --data critics.csv {columns} --output search/"]


WRITERS = {
    "shell-dotted": dotted,
    "shell-doccano": doccano,
    "shell-squad": squad,
    "shell-sharegpt": sharegpt,
    "shell-onnx": onnx,
    "shell-gguf": gguf,
    "shell-tune": tune,
}


def _printed(name: str) -> dict:
    """Each command with what it printed; raises CalledProcessError if one fails."""
    rows = sample(corpora.load(CORPUS[name]).data["train"], ROWS[name], 0)
    with tempfile.TemporaryDirectory() as folder:
        commands = WRITERS[name](Path(folder), rows)
        return {"n": len(rows), "texts": [text for command in commands for text in (command, run(command, folder))]}


def run(command: str, folder: str | Path) -> str:
    """What a command of the shell prints in a folder, warnings and all, without what depends on the clock."""
    said, _, command = command.rpartition(" | ")
    words = [sys.executable, "-m", *shlex.split(command)]
    given = f"{shlex.split(said)[1]}\n" if said else ""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "input": given, "encoding": "utf-8"}
    done = subprocess.run(words, cwd=folder, check=True, **streams)
    return _CLOCK.sub("...", _COLOUR.sub("", done.stdout)).strip()


def _lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
