"""The model card, for each task: one of the Hub's, with the scores, the data and the limits of a model."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny
import tiny_decoder
import tiny_extraction
from datasets import ClassLabel
from huggingface_hub import ModelCard

from helpers import Classification, saving
from helpers.cli.main import main
from helpers.data.corpus import DataCard
from helpers.evaluation import Difference
from helpers.saving import model_card
from helpers.tasks import registry
from helpers.training import loop

FAST = ["--epochs", "1", "--learning-rate", "1e-2"]
# For each task: what makes a small model, rows, what the shell needs besides, and what the card must tell.
TASKS = {
    "classification": (
        tiny,
        [{"text": f"{row['text']} w{row['label']}", "label": f"label {row['label']}"} for row in tiny.rows(48)],
        ["--max-length", "32"],
        ("text-classification", "AutoModelForSequenceClassification"),
        ["majority", "tf-idf", "label 1", "the first 32 tokens are read", "(over\nthe rows)"],
    ),
    "extraction": (
        tiny_extraction,
        tiny_extraction.rows(30).to_list(),
        ["--max-length", "48"],
        ("question-answering", "AutoModelForQuestionAnswering"),
        ["random span", "by context", "threshold", "windows of 48 tokens", "(over\ntheir "],
    ),
    "generation": (
        tiny_decoder,
        tiny_decoder.rows(40).to_list(),
        ["--template", "plain", "--max-new-tokens", "4"],
        ("text-generation", "AutoModelForCausalLM"),
        ["nearest prompt", "supervise", "It writes at most 4 tokens"],
    ),
    "multilabel": (
        tiny,
        [{"text": row["text"], "labels": ["a", "b"][: 2 * row["label"]]} for row in tiny.rows(48)],
        ["--max-length", "32"],
        ("text-classification", "AutoModelForSequenceClassification"),
        ["most frequent", "tf-idf", "thresholds", "Each label is decided for itself"],
    ),
    "tagging": (
        tiny,
        [{"tokens": row["text"].split(), "tags": ["B-x"] + ["O"] * row["text"].count(" ")} for row in tiny.rows(48)],
        ["--max-length", "32"],
        ("token-classification", "AutoModelForTokenClassification"),
        ["most frequent", "classical crf", "B-x", "windows of 32 tokens"],
    ),
}


def test_every_task_of_the_shell_is_here():
    assert set(TASKS) == set(registry.WINGS)
    for task in map(registry.task_class, registry.TASKS):
        assert task.pipeline_tag and task.auto_class.__name__.startswith("AutoModelFor")


@pytest.fixture(scope="module", params=TASKS)
def trained(request, tmp_path_factory) -> tuple[str, Path]:
    """A task, and the folder of a model that the shell has trained for it."""
    folder, (small, rows, more, *_) = tmp_path_factory.mktemp(request.param), TASKS[request.param]
    small.model().save_pretrained(folder / "body")
    small.tokenizer().save_pretrained(folder / "body")
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    places = ["--data", str(data), "--model", str(folder / "body"), "--output", str(folder / "model")]
    assert main(["train", "--task", request.param, *places, *more, *FAST]) == 0
    return request.param, folder / "model"


def test_the_card_is_one_of_the_hub_and_tells_scores_data_and_limits(trained, capsys):
    task, folder = trained
    (pipeline, loads_with), told = TASKS[task][-2:]
    assert main(["card", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "README.md")
    card = ModelCard.load(folder / "README.md")
    assert (card.data.pipeline_tag, card.data.library_name) == (pipeline, "transformers")
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    numbers = {name: round(value, 4) for name, value in scores.items() if isinstance(value, float)}
    assert {result.metric_type: result.metric_value for result in card.data.eval_results} == numbers
    last = scores["ladder"][-1]
    assert numbers and last["system"] == "fine-tuned"
    everywhere = [f"{loads_with}.from_pretrained", f"On {scores['n']} test rows", "rows.jsonl", "sha256", "Limits"]
    for words in [*everywhere, "learning_rate | 0.01", f"{last['low']:.3f} | {last['high']:.3f}", *told]:
        assert words in card.text
    assert f"| the base model | {scores['base']['name']} |" in card.text and scores["base"]["licence"] == "not stated"
    assert all(f"| {row['n']} |" in card.text for row in scores["classes"])
    assert ("No check of the training warned." in card.text) == (not scores["signs"])
    assert ("groups" in scores) == (f"their {scores.get('groups')} groups" in card.text)
    assert main(["card", str(folder)]) == 2
    assert "README.md' exists already" in capsys.readouterr().err


def test_the_error_analysis_holds_each_test_row_and_the_model_still_loads(trained):
    task, folder = trained
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == scores["n"] and {"row", "gold", "prediction", "probability", "loss"} <= set(rows[0])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 2 and "://" not in page.replace("http://www.w3.org", "")
    assert (folder / "confusion.csv").exists() == (task != "generation")
    assert saving.load(folder).task.name == task


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("task.json", {"name": "classification", "labels": ["a", "b"], "colour": 1}),
        ("task.json", ["a"]),
        ("data_card.json", {}),
        ("scores.json", {"ladder": [{"system": "a", "accuracy": 0.5, "gain": 0.1}] * 2}),
    ],
)
def test_a_card_of_another_version_s_folder_is_one_sentence(tmp_path, capsys, file, content):
    run = loop.fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(8), None, tiny.recipe(epochs=1))
    run.save(tmp_path / "model", DataCard("made", "here", "none", "one row", "none", {"train": 8}, {}))
    (tmp_path / "model" / "scores.json").write_text("{}", encoding="utf-8")
    text = model_card.build(tmp_path / "model").text  # of what older versions saved
    assert "| licence | not stated |" in text and "No checks of the training were saved" in text
    (tmp_path / "model" / file).write_text(json.dumps(content), encoding="utf-8")
    assert main(["card", str(tmp_path / "model")]) == 2
    assert "settings that this version of helpers does not read" in capsys.readouterr().err


def test_a_card_of_something_else_is_refused(tmp_path, capsys):
    assert main(["card", str(tmp_path)]) == 2
    assert "is not a model that helpers has saved" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("low", "high", "p", "says"),
    [(0.1, 0.3, 0.01, "0.200 [0.100, 0.300] more"), (-0.3, -0.1, 0.01, "less than"), (-0.1, 0.1, 0.9, "cannot tell")],
)
def test_the_verdict_is_of_one_run_each_and_says_what_the_interval_says(low, high, p, says):
    gain = asdict(Difference((low + high) / 2, low, high, 9, p, 1))
    ladder = [{"system": name, "f1": value, "c minus this": gain} for name, value in (("a", 0.1), ("b|<", 0.4))]
    ladder += [{"system": "c", "f1": 0.5, "c minus this": ""}]
    sentence = model_card.verdict(ladder)
    assert says in sentence and "*b\\|&lt;*" in sentence and sentence.startswith("One run each")
    assert "better" not in sentence and "worse" not in sentence
    assert "No baseline" in model_card.verdict(ladder[-1:])


def test_a_run_that_was_scored_before_it_was_saved_keeps_its_ladder(tmp_path):
    run = loop.fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(8), None, tiny.recipe(epochs=1))
    gain = Difference(0.4, 0.2, 0.6, 8, 0.01, 1)
    columns = {"accuracy": [0.5, 0.9], "fine-tuned minus this": [gain, ""]}
    ladder = pd.DataFrame(columns, index=pd.Index(["majority", "fine-tuned"], name="system"))
    card = DataCard("made", "here", "none", "one row", "none", {"train": 8}, {})
    replace(run, ladder=ladder, scores={"accuracy": 0.9, "n": 8}).save(tmp_path / "model", card)
    text = model_card.build(tmp_path / "model").text
    assert "it scores 0.400 [0.200, 0.600] more than *majority*" in text
    assert "| majority | 0.500 | 0.400 [0.200, 0.600] |" in text and "| fine-tuned | 0.900 |  |" in text


def test_names_of_systems_and_labels_stay_in_their_cells(tmp_path):
    task = Classification(("a|b", "<script>"))
    rows = tiny.rows(6).cast_column("label", ClassLabel(names=list(task.labels)))
    run = loop.fit(task, tiny.model(labels=task.labels), tiny.tokenizer(), rows, None, tiny.recipe(epochs=1))
    ladder = pd.DataFrame({"accuracy": [0.5]}, index=pd.Index(["x|<b>\ny"], name="system"))
    card = DataCard("made", "here", "none", "one row", "none", {"train": 8}, {"train": {"a|b": 3, "<script>": 5}})
    replace(run, ladder=ladder, scores={"n": 8}).save(tmp_path / "model", card)
    text = model_card.build(tmp_path / "model").text
    assert "<script>" not in text and "<b>" not in text
    for line in (line for line in text.splitlines() if line.startswith("|")):
        assert line.replace("\\|", "").count("|") in (3, 4), line  # two or three cells, and one of a table of two


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_saved_is_strict_json(tmp_path, value):
    run = loop.fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(8), None, tiny.recipe(epochs=1, clip=np.inf))
    gain = Difference(0.4, -np.inf, np.inf, 1, 1.0, 1)
    ladder = pd.DataFrame({"f1": [value, 0.9], "c minus this": [gain, ""]}, index=pd.Index(["a", "c"], name="system"))
    card = DataCard("made", "here", "none", "one row", "none", {"train": 8}, {})
    replace(run, ladder=ladder, scores={"f1": value, "n": 1}).save(tmp_path / "model", card)

    def refuse(name: str):
        raise AssertionError(f"{name} is no JSON")

    for file in (tmp_path / "model").glob("*.json"):
        json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
    assert json.loads((tmp_path / "model" / "recipe.json").read_text(encoding="utf-8"))["clip"] == "inf"
    assert "0.400 [-inf, inf]" in model_card.build(tmp_path / "model").text
