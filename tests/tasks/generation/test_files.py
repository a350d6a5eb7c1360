"""One's own prompts and chats: read, split without leaks, each mistake named; and the shell over them."""

import json

import pytest
import tiny_decoder as tiny
from transformers import AutoModelForCausalLM

from helpers.cli.main import main
from helpers.data import formats
from helpers.errors import InputError
from helpers.tasks.generation import files


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pairs(count=40):
    return [dict(row) for row in tiny.rows(count, seed=3)]


def turns(row):
    answer = {"role": "assistant", "content": row["completion"]}
    return {"messages": [{"role": "user", "content": row["prompt"]}, answer]}


@pytest.mark.parametrize("form", [dict, turns])
def test_rows_are_split_and_no_prompt_stands_in_two_splits(tmp_path, form):
    corpus = files.corpus(write(tmp_path / "rows.jsonl", map(form, pairs())))
    assert corpus.data["train"].column_names[0] == ("prompt" if form is dict else "messages")
    prompts = [
        set(part["prompt"]) if form is dict else {turn[0]["content"] for turn in part["messages"]}
        for part in corpus.data.values()
    ]
    assert sum(map(len, prompts)) == len(set.union(*prompts)) == len({row["prompt"] for row in pairs()})
    assert sum(corpus.card.rows.values()) == sum(map(len, prompts)) and min(corpus.card.rows.values()) > 0


def test_a_group_stays_on_one_side(tmp_path):
    rows = [row | {"who": str(i % 7)} for i, row in enumerate(pairs(60))]
    corpus = files.corpus(write(tmp_path / "rows.jsonl", rows), group="who")
    groups = [set(part["group"]) for part in corpus.data.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 7


@pytest.mark.parametrize("form", [dict, turns])
def test_a_group_in_two_files_is_named_and_else_kept(tmp_path, form):
    rows = list({row["prompt"]: row for row in pairs(40)}.values())
    parts = [[form(row) | {"who": f"{i}"} for row in rows[10 * i : 10 * i + 10]] for i in range(3)]
    paths = [write(tmp_path / f"{i}.jsonl", rows) for i, rows in enumerate(parts)]
    corpus = files.corpus(paths[0], validation=paths[1], test=paths[2], group="who")
    assert set(corpus.data["test"]["group"]) == {"2"}
    write(paths[2], [*parts[2], form({"prompt": "new", "completion": "x"}) | {"who": "1"}])
    with pytest.raises(InputError, match=r"groups of '.*2.jsonl' stand in '.*1.jsonl' too \(1 of them.* '1'\)"):
        files.corpus(paths[0], validation=paths[1], test=paths[2], group="who")


def test_a_prompt_in_two_files_is_named(tmp_path):
    paths = [write(tmp_path / f"{i}.jsonl", rows) for i, rows in enumerate((pairs(9), pairs(9)[3:4], pairs(20)[12:]))]
    with pytest.raises(InputError, match=r"prompts of '.*1.jsonl' stand in '.*0.jsonl' too \(1 of them\), .* row 1"):
        files.corpus(paths[0], validation=paths[1], test=paths[2])


@pytest.mark.parametrize(
    "rows, sentence",
    [
        ([{"prompt": "a", "completion": ""}], "completion in row 1 of .* is empty"),
        ([{"prompt": "a"}], "has no column 'completion'"),
        ([{"messages": [{"role": "user", "content": "a"}]}], "messages in row 1 of .* end without an answer"),
        ([turns(pairs()[0]), {"messages": "hello"}], "messages in row 2 of .* are no list of turns; write"),
        (pairs(2), "holds 2 different prompts; three splits need at least three"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path, rows, sentence):
    with pytest.raises(InputError, match=sentence):
        files.corpus(write(tmp_path / "rows.jsonl", rows))


def test_a_line_that_is_no_json_is_named(tmp_path):
    file = write(tmp_path / "rows.jsonl", pairs(3))
    file.write_text(file.read_text(encoding="utf-8") + "{oops\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 4 of .* is not JSON"):
        files.corpus(file)


@pytest.fixture
def base(tmp_path):
    """A folder with an untrained decoder."""
    tiny.model().save_pretrained(tmp_path / "base")
    tiny.tokenizer().save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.mark.parametrize("form, more", [(dict, []), (turns, ["--lora-rank", "4"])])
def test_the_shell_trains_evaluates_and_predicts(tmp_path, base, capsys, form, more):
    file, output = write(tmp_path / "rows.jsonl", map(form, pairs())), str(tmp_path / "model")
    words = ["train", "--task", "generation", "--data", str(file), "--model", str(base), "--output", output]
    assert main([*words, "--max-new-tokens", "4", "--epochs", "1", *more]) == 0
    shown = capsys.readouterr().out
    assert "chrf" in shown and shown.count("\n") == 5
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["copy", "nearest", "fine-tuned"]
    assert AutoModelForCausalLM.from_pretrained(output).num_parameters() == tiny.model().num_parameters()
    scores = json.loads((tmp_path / "model" / "scores.json").read_text(encoding="utf-8"))
    assert {"chrf", "bleu", "exact_match", "n"} <= scores.keys()
    assert scores["signature"].startswith("nrefs:1|case:mixed")

    assert main(["evaluate", output, "--data", str(file)]) == 0
    assert capsys.readouterr().out.startswith("chrf ")
    assert main(["predict", output, "--data", str(file)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 40 and all(list(line) == ["row", "completion"] for line in lines)


def test_the_shell_says_what_is_wrong_with_a_chat(tmp_path, base, capsys):
    rows = [turns(row) for row in pairs(9)]
    rows[4]["messages"][0]["role"] = "bot"
    file = write(tmp_path / "rows.jsonl", rows)
    words = ["train", "--task", "generation", "--data", str(file), "--model", str(base), "--output"]
    assert main([*words, str(tmp_path / "model")]) == 2
    assert f"role 'bot' in row 5 of '{file}' is not one of system, user, assistant" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"role 'bot' in row 5 of '.*rows.jsonl'"):
        files.unlabelled(formats.parse(file), file)


MORE = [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]


def test_chats_that_end_alike_are_different_prompts(tmp_path):
    rows = [{"messages": [*turns(row)["messages"], *MORE]} for row in pairs(12)]
    corpus = files.corpus(write(tmp_path / "a.jsonl", rows))
    assert sum(corpus.card.rows.values()) == len({row["prompt"] for row in pairs(12)})


def test_an_answer_that_a_chat_has_is_not_shown_when_it_is_asked_for(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"messages": MORE}, {"messages": MORE[:1]}])
    assert files.unlabelled(formats.parse(path), path)["messages"][:] == [MORE[:1]] * 2


def test_a_length_without_room_for_a_prompt_is_refused(tmp_path, capsys):
    data = str(write(tmp_path / "rows.jsonl", pairs()))
    words = ["--task", "generation", "--data", data, "--output", str(tmp_path / "model"), "--max-length", "64"]
    assert main(["train", *words]) == 2
    assert "max_length 64 leaves no token for a prompt beside max_new_tokens 64" in capsys.readouterr().err


def test_a_prompt_that_does_not_fit_is_named_by_its_row_of_the_file(tmp_path, base, capsys):
    rows = pairs()
    rows[32]["prompt"] = "a" * 500
    words = ["--task", "generation", "--model", str(base), "--output", str(tmp_path / "model"), "--epochs", "1"]
    assert main(["train", "--data", str(write(tmp_path / "rows.jsonl", rows)), *words]) == 2
    said = capsys.readouterr().err
    assert "prompt in row 33 needs" in said and "Token indices" not in said
