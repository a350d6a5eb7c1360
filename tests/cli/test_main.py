"""The shell: the main path on a reader's file, and one sentence with the right exit code for each mistake."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import tiny

from helpers import Classification, saving
from helpers.cli.main import main, parser
from helpers.tasks.classification import baselines
from helpers.training import checkpoints


def table(path, count: int = 160, **columns: str) -> str:
    data = tiny.rows(count).to_pandas()
    data["label"] = data["label"].map({0: "ham", 1: "spam"})
    data["sender"] = [str(i // 3) for i in range(count)]
    data.rename(columns=columns).to_csv(path, index=False)
    return str(path)


def train(body, data, output, *more: str) -> int:
    fast = ["--learning-rate", "3e-3", "--epochs", "4", "--max-length", "32"]
    return main(["train", "--data", data, "--model", body, "--output", str(output), *fast, *more])


def names_in(folder) -> list[str]:
    """What lies in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def trained(body, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    data = table(folder / "mail.csv", text="body", label="folder")
    assert train(body, data, folder / "model", "--text", "body", "--label", "folder", "--group", "sender") == 0
    return folder


def test_training_prints_the_baselines_beside_the_score(body, tmp_path, capsys):
    assert train(body, table(tmp_path / "mail.csv"), tmp_path / "model") == 0
    printed = capsys.readouterr()
    for system in ("majority", "tf-idf", "fine-tuned"):
        assert system in printed.out
    assert re.search(r"rows: \d+ train \+ \d+ validation", printed.err) and "rows/s" in printed.err
    assert "it/s]" not in printed.err, "no bar where no terminal is"
    ladder = json.loads((tmp_path / "model" / "scores.json").read_text(encoding="utf-8"))["ladder"]
    assert [row["system"] for row in ladder] == ["majority", "tf-idf", "fine-tuned"]
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in ladder)


def test_a_trained_model_is_scored_on_other_rows(trained, capsys):
    data = table(trained / "new.csv", 30, text="body", label="folder")
    assert main(["evaluate", str(trained / "model"), "--data", data, "--text", "body", "--label", "folder"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("accuracy 0.") or printed.startswith("accuracy 1.")
    assert "n=30" in printed and "macro_f1" in printed


def test_options_of_another_task_than_the_model_s_are_refused(trained, capsys):
    data = table(trained / "new.csv", 30, text="body", label="folder")
    for verb, option in (("evaluate", "--answer"), ("predict", "--tokens")):
        assert main([verb, str(trained / "model"), "--data", data, "--text", "body", option, "x"]) == 2
        assert f"{option} is an option of" in capsys.readouterr().err


def test_groups_that_are_named_are_drawn_as_wholes(trained, capsys):
    arguments = ["--text", "body", "--label", "folder"]
    data = table(trained / "other.csv", 30, text="body", label="folder")
    assert main(["evaluate", str(trained / "model"), "--data", data, *arguments, "--group", "sender"]) == 0
    assert "groups 10" in capsys.readouterr().out
    rows = pd.read_csv(data)
    rows.assign(sender="one").to_csv(data, index=False)
    assert main(["evaluate", str(trained / "model"), "--data", data, *arguments, "--group", "sender"]) == 0
    printed = capsys.readouterr()
    assert "all 30 test rows are of the group 'one'; the intervals hold for it alone" in printed.err
    assert "groups" not in printed.out
    scores = json.loads((trained / "model" / "scores.json").read_text(encoding="utf-8"))
    assert 1 < scores["groups"] < scores["n"], "training knew the senders"


def test_files_that_share_a_group_are_refused(body, tmp_path, capsys):
    files = {name: tmp_path / f"{name}.csv" for name in ("train", "validation", "test")}
    for i, (name, path) in enumerate(files.items()):
        rows = pd.DataFrame({"text": [f"w{20 * i + j}" for j in range(20)], "label": ["ham", "spam"] * 10})
        senders = [f"{name} {j // 2}" for j in range(19)] + ["Bea" if name == "validation" else "Ann"]
        rows.assign(sender=senders).to_csv(path, index=False)
    given = ["--validation", str(files["validation"]), "--test", str(files["test"]), "--group", "sender"]
    assert train(body, str(files["train"]), tmp_path / "model", *given) == 2
    said = capsys.readouterr().err
    assert "test.csv' stand in '" in said and "train.csv' too (1 of them, for example 'Ann'); move all rows of" in said
    assert names_in(tmp_path) == ["test.csv", "train.csv", "validation.csv"]


@pytest.mark.parametrize(
    ("rename", "says"),
    [({"body": "content"}, "has no column 'body'; it has content, folder, sender"), ({}, "texts of '")],
)
def test_baselines_need_the_same_columns_and_other_texts(trained, capsys, rename, says):
    data, other = (table(trained / f"{name}.csv", 30, text="body", label="folder") for name in ("new", "other"))
    pd.read_csv(other).rename(columns=rename).to_csv(other, index=False)
    arguments = ["--text", "body", "--label", "folder", "--baselines", other]
    assert main(["evaluate", str(trained / "model"), "--data", data, *arguments]) == 2
    assert says in capsys.readouterr().err


def test_predictions_are_one_json_object_a_row(trained, capsys, monkeypatch):
    data = table(trained / "unseen.csv", 5, text="body")
    assert main(["predict", str(trained / "model"), "--data", data, "--text", "body"]) == 0
    from_file = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = "\n".join(pd.read_csv(data)["body"]) + "\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert main(["predict", str(trained / "model")]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == from_file
    for row in from_file:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)


def test_corpora_and_assets_are_listed(capsys):
    assert main(["corpora"]) == 0
    assert "reviews" in capsys.readouterr().out
    assert main(["corpora", "reviews"]) == 0
    assert "by film" in capsys.readouterr().out
    assert main(["assets"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out


VERBS = (
    *("fetch", "assets", "corpora", "results", "check", "train"),
    *("tune", "evaluate", "predict", "card", "export", "serve"),
)


def test_the_help_names_every_command_in_a_line():
    assert re.findall(r"^    (\w+) +\w", parser().format_help(), flags=re.MULTILINE) == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_helps_with_examples(verb, capsys):
    with pytest.raises(SystemExit) as end:
        parser().parse_args([verb, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    examples = shown.partition("\nexamples:\n")[2].splitlines()
    assert shown.startswith(f"usage: helpers {verb} ") and examples
    assert all(f"helpers {verb}" in line for line in examples), "a verb shows its own and no other's"


def test_rows_of_a_large_file_are_drawn_for_training_alone(body, tmp_path, capsys):
    assert train(body, table(tmp_path / "mail.csv"), tmp_path / "model", "--rows", "40") == 0
    assert "40 train, 20 validation, 20 test; removed" in capsys.readouterr().err
    card = json.loads((tmp_path / "model" / "data_card.json").read_text(encoding="utf-8"))
    assert sum(card["labels"]["train"].values()) == card["rows"]["train"] == 40
    assert card["removed"]["not drawn for training"] == 80


MISTAKES = {
    "more rows than there are": (["--rows", "121"], "there are 120 rows to train on, not 121; draw from 1 to so many"),
    "no rows": (["--rows", "0"], "there are 120 rows to train on, not 0"),
    "no such file": (["--data", "none.csv"], "there is no file 'none.csv'"),
    "no such column": (["--label", "verdict"], "has no column 'verdict'; it has text, label, sender"),
    "a bad recipe": (["--epochs", "0"], "epochs 0 of the recipe must be at least 1"),
    "a word for a number": (["--learning-rate", "fast"], "learning_rate 'fast' of the recipe must lie"),
    "no checkpoint": (["--resume"], "holds no checkpoint to resume from"),
    "no such model": (["--model", "./nowhere"], "nowhere"),
    "a column of another task": (
        ["--prompt", "text"],
        "--prompt is an option of generation and the task is classification; leave it out",
    ),
    "a setting of another task": (["--head", "crf"], "--head is an option of tagging and the task is classification"),
    "a group where rows have none": (
        ["--task", "extraction", "--group", "sender"],
        "--group is an option of classification, multilabel, tagging, generation and the task is extraction; leave it",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(body, tmp_path, capsys, mistake):
    more, sentence = MISTAKES[mistake]
    assert train(body, table(tmp_path / "mail.csv"), tmp_path / "model", *more) == 2
    printed = capsys.readouterr()
    last = printed.err.strip().splitlines()[-1]
    assert last.startswith("helpers: ") and sentence in last
    assert "Traceback" not in printed.err
    assert names_in(tmp_path) == ["mail.csv"], "nothing is left half-written"


def tickets(path, labels: int = 20, count: int = 60) -> str:
    """A spreadsheet's export: its own column names, two kinds of line ends, and fields that run over lines."""
    lines = ["Ticket No.,What is wrong?,Queue\r\n"]
    for i in range(count):
        words = f"w{3 * (i % labels) % 60} w{i}"
        text = [f'"{words}\nRegards, ""w1"""', f'"{words},\r\nw2"', words][i % 3]
        lines.append(f"{i},{text},queue {i % labels:02}" + ("\n", "\r\n")[i % 2])
    path.write_bytes("".join(lines).encode())
    return str(path)


def test_a_spreadsheet_of_other_people_s_with_twenty_classes_is_learnt_and_read(body, tmp_path, capsys):
    data = tickets(tmp_path / "tickets.csv")
    assert train(body, data, tmp_path / "model") == 2
    assert "has no column 'text'; it has Ticket No., What is wrong?, Queue" in capsys.readouterr().err
    columns = ["--text", "What is wrong?", "--label", "Queue"]
    assert train(body, data, tmp_path / "model", *columns) == 0
    card = json.loads((tmp_path / "model" / "data_card.json").read_text(encoding="utf-8"))
    assert card["rows"] == {"train": 20, "validation": 20, "test": 20} and not any(card["removed"].values())
    assert all(counts == {f"queue {i:02}": 1 for i in range(20)} for counts in card["labels"].values())
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "model"), "--data", data, *columns[:2]]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 60 and all(len(row["probabilities"]) == 20 for row in found)


def test_a_class_with_too_few_rows_for_three_splits_is_one_sentence(body, tmp_path, capsys):
    data = tickets(tmp_path / "tickets.csv", count=59)
    assert train(body, data, tmp_path / "model", "--text", "What is wrong?", "--label", "Queue") == 2
    assert "label 'queue 19' (2) of " in (said := capsys.readouterr().err) and "--min-rows 3" in said
    assert names_in(tmp_path) == ["tickets.csv"]


@pytest.mark.slow
def test_of_two_processes_one_saves_scores_and_speaks(body, tmp_path):
    output = tmp_path / "model"
    command = ["-m", "helpers", "train", "--data", table(tmp_path / "mail.csv"), "--model", body]
    done = subprocess.run(
        [*tiny.TWO_PROCESSES, *command, "--output", str(output), "--epochs", "1"],
        capture_output=True,
        text=True,
        env=os.environ | tiny.ON_CPU,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nfine-tuned ") == done.stderr.count(f"model in {output}\n") == 1
    assert len(json.loads((output / "scores.json").read_text(encoding="utf-8"))["ladder"]) == 3
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("model")] == ["model"]


@pytest.mark.parametrize(
    ("mishap", "sentence"),
    [
        (KeyboardInterrupt, "interrupted while scoring; the trained model is in '"),
        (MemoryError, "memory ran out; close"),
    ],
)
def test_a_model_is_saved_before_anything_is_scored(body, tmp_path, capsys, monkeypatch, mishap, sentence):
    def fails(*_):
        raise mishap

    monkeypatch.setattr(baselines, "tfidf", fails)
    arguments = body, table(tmp_path / "mail.csv"), tmp_path / "model", "--epochs", "20"
    assert train(*arguments) == 1
    assert sentence in capsys.readouterr().err
    loaded = saving.load(tmp_path / "model")
    assert loaded.score(tiny.rows(160))["accuracy"] > 0.9, "it is the trained one"


def test_an_output_that_exists_is_refused_before_any_work(body, tmp_path, capsys):
    (tmp_path / "model").mkdir()
    assert train(body, "none.csv", tmp_path / "model") == 2
    assert "exists already" in capsys.readouterr().err
    assert list((tmp_path / "model").iterdir()) == []


def test_a_diverging_run_is_exit_code_1(body, tmp_path, capsys):
    data = table(tmp_path / "mail.csv")
    assert train(body, data, tmp_path / "model", "--learning-rate", "0.9", "--weight-decay", "1e38") == 1
    assert "lower the learning rate" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("content", "code", "sentence"), [(b"", 2, "holds no rows"), (b"Gr\xfc\xdfe\n", 3, "is not UTF-8 (byte 2)")]
)
def test_standard_input_that_cannot_be_read_is_told(trained, capsys, monkeypatch, content, code, sentence):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(["predict", str(trained / "model")]) == code
    assert sentence in "".join(capsys.readouterr())


def test_each_line_in_gives_a_line_out_with_its_row_and_what_is_asked_for(trained, capsys, monkeypatch):
    (trained / "odd.csv").write_text("number,body\n7,w1 w2\n\n9,\n10,w3,w4\n11,w5\n", encoding="utf-8")
    command = ["predict", str(trained / "model"), "--data", str(trained / "odd.csv"), "--text", "body"]
    assert main([*command, "--id", "number", "--keep"]) == 3
    written = capsys.readouterr()
    rows = [json.loads(line) for line in written.out.splitlines()]
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["id"] for row in rows] == ["7", None, "9", None, "11"]
    assert [row["input"].get("body") for row in rows] == ["w1 w2", None, "", None, "w5"]
    assert [row.get("prediction", row.get("label")) is None for row in rows] == [False, True, True, True, False]
    for row, reason in ((1, "is blank"), (2, "is empty"), (3, "has 3 fields and the header 2")):
        assert reason in rows[row]["error"]
    assert "5 rows" in written.err and "3 without an answer" in written.err
    assert main([*command, "--id", "name"]) == 2
    assert "no column 'name' for --id; choose one of number, body" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "w1", "id": 4}\n\nw2\n')))
    assert main(["predict", str(trained / "model"), "--id", "id"]) == 3
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [4, None, None]


HALF = {
    "classification": '{"text": "w1 \\ud800", "label": "ham"}',
    "tagging": '{"tokens": ["w1", "w2\\udfff"], "tags": ["O", "B-x"]}',
    "generation": '{"messages": [{"role": "user", "content": "\\ud83d?"}, {"role": "assistant", "content": "w2"}]}',
    "extraction": '{"question": "\\uDC00?", "context": "w1", "answers": ""}',
}


@pytest.mark.parametrize("task", HALF)
def test_half_a_character_is_one_sentence_in_every_task(task, body, tmp_path, capsys):
    whole = re.sub(r"\\u[dD]\w{3}", r"\\ud83d\\ude00", HALF[task])
    (tmp_path / "rows.jsonl").write_text(f"{whole}\n{HALF[task]}\n", encoding="utf-8")
    assert train(body, str(tmp_path / "rows.jsonl"), tmp_path / "model", "--task", task) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "line 2 of '" in said and "holds half a character (a lone surrogate); write whole ones" in said
    assert names_in(tmp_path) == ["rows.jsonl"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_memory_that_runs_out_while_predicting_is_one_sentence(trained, capsys, monkeypatch, error):
    def fails(*_args, **_options):
        raise error

    monkeypatch.setattr(Classification, "predict", fails)
    assert main(["predict", str(trained / "model"), "--data", str(trained / "mail.csv"), "--text", "body"]) == 1
    assert capsys.readouterr().err == (
        "helpers: memory ran out; close other programs, shorten the longest rows, or take a smaller model\n"
    )


def test_another_error_is_not_taken_for_memory(trained, monkeypatch):
    def fails(*_args, **_options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Classification, "predict", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["predict", str(trained / "model"), "--data", str(trained / "mail.csv"), "--text", "body"])


def test_a_label_that_the_model_does_not_know_is_one_sentence(trained, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("text,label\nw1 w2,phishing\n", encoding="utf-8")
    assert main(["evaluate", str(trained / "model"), "--data", str(tmp_path / "new.csv")]) == 2
    assert "label 'phishing' in row 1" in capsys.readouterr().err


def test_after_ctrl_c_the_same_command_with_resume_goes_on_to_the_same_model(body, tmp_path, capsys, monkeypatch):
    data, save = table(tmp_path / "mail.csv"), checkpoints.save

    def save_and_interrupt(*arguments):
        save(*arguments)
        monkeypatch.setattr(checkpoints, "save", save)
        signal.raise_signal(signal.SIGINT)

    assert train(body, data, tmp_path / "unbroken") == 0
    arguments = body, data, tmp_path / "model", "--checkpoint-steps", "6"
    monkeypatch.setattr(checkpoints, "save", save_and_interrupt)
    assert train(*arguments) == 1
    assert "the same command with --resume goes on" in capsys.readouterr().err
    assert names_in(tmp_path) == ["mail.csv", "model.training", "unbroken"]
    assert checkpoints.newest(tmp_path / "model.training").name == "step-000000007", "the step after the signal"
    assert train(*arguments, "--resume") == 0
    assert names_in(tmp_path) == ["mail.csv", "model", "unbroken"], "the checkpoints are gone"
    unbroken, resumed = (tmp_path / name for name in ("unbroken", "model"))
    assert (unbroken / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()
    steps, again = (pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in (unbroken, resumed))
    pd.testing.assert_frame_equal(steps, again, check_exact=True)


@pytest.mark.slow
def test_ctrl_c_in_a_shell_leaves_a_checkpoint_that_another_recipe_cannot_take(body, tmp_path):
    data, output = table(tmp_path / "mail.csv", 600), tmp_path / "model"
    words = [
        "train",
        "--data",
        data,
        "--model",
        body,
        "--output",
        str(output),
        "--epochs",
        "400",
        "--checkpoint-steps",
        "20",
    ]
    child = subprocess.Popen(
        [sys.executable, "-m", "helpers", *words], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    deadline = time.monotonic() + 200
    while checkpoints.newest(checkpoints.work_folder(output)) is None:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, printed = child.communicate(timeout=100)
    assert child.returncode == 1
    assert printed.strip().splitlines()[-1] == (
        "helpers: interrupted after a complete step; the same command with --resume goes on"
    )
    assert not output.exists()
    work = checkpoints.work_folder(output)
    step = int(checkpoints.newest(work).name.removeprefix("step-"))
    assert 20 <= step < 400 * 15
    assert main([*words, "--resume", "--patience", "1"]) == 2  # another recipe is another run
    assert checkpoints.newest(work).name == f"step-{step:09d}"


def names(path, count: int = 120) -> str:
    """A CoNLL file in which every word of the second half of the vocabulary is a name."""
    lines = []
    for row in tiny.rows(count)["text"]:
        words = row.split()
        lines += [f"{word}\t{'B-x' if int(word[1:]) >= len(tiny.WORDS) // 2 else 'O'}" for word in words] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_tagger_is_trained_scored_and_used_from_the_shell(head, body, tmp_path, capsys, monkeypatch):
    data = names(tmp_path / "names.conll")
    assert train(body, data, tmp_path / "model", "--task", "tagging", "--head", head, "--learning-rate", "1e-2") == 0
    printed = capsys.readouterr().out
    assert "most frequent" in printed and "classical crf" in printed and "span_f1" in printed

    assert main(["evaluate", str(tmp_path / "model"), "--data", data]) == 0
    assert capsys.readouterr().out.startswith("span_f1 ")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"w1 w59 w2\nw58\n")))
    assert main(["predict", str(tmp_path / "model")]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["tokens"] == ["w1", "w59", "w2"] and len(first["tags"]) == 3 and len(second["tags"]) == 1
    for span in first["spans"]:
        assert span["text"] == first["text"][span["start"] : span["end"]]
