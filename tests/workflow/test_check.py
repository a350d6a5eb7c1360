"""The ledger of a file closes: every byte, row and token of it is somewhere, and what hinders is told."""

import json

import numpy as np
import pytest
import tiny
import tiny_decoder

from helpers.cli.main import main
from helpers.errors import InputError
from helpers.workflow import check


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoder")
    tiny_decoder.model().save_pretrained(folder)
    tiny_decoder.tokenizer().save_pretrained(folder)
    return str(folder)


def table(path, random, count: int) -> str:
    """Labelled texts of which some stand there twice, with the same label or with another."""
    lines = [f"{' '.join(random.choice(tiny.WORDS, size=random.integers(1, 4)))},{'ab'[i % 2]}" for i in range(count)]
    quoted = [f'"{line.replace(",", chr(10) + chr(34) + ",", 1)}' if random.random() < 0.1 else line for line in lines]
    path.write_text("text,label\n" + "\n".join(quoted) + "\n" * int(random.integers(1, 4)), encoding="utf-8")
    return str(path)


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("seed", range(30))
def test_the_rows_of_made_files_close(tmp_path, seed):
    random = np.random.default_rng(seed)
    path = table(tmp_path / "a.csv", random, int(random.integers(60, 200)))
    corpus, ledger = check.read("classification", path)
    (account,) = ledger.accounts.values()
    assert sum(ledger.rows.values()) == account.rows
    assert sum(account.bytes.values()) == account.size == (tmp_path / "a.csv").stat().st_size
    assert sum(ledger.labels.values()) == sum(map(len, corpus.data.values())) == sum(corpus.card.rows.values())
    assert ledger.rows["duplicate"] > 0 or ledger.rows["same text, other label"] > 0


def test_rows_that_are_lost_are_refused(tmp_path, monkeypatch):
    path = table(tmp_path / "a.csv", np.random.default_rng(0), 90)
    before = check.account
    monkeypatch.setattr(check, "account", lambda *given: check.replace(before(*given), rows=91))
    with pytest.raises(InputError, match=r"90 of the 91 rows of .* are accounted for; look for a quotation mark"):
        check.read("classification", path)


def test_tokens_of_texts_close_and_each_is_marked(tmp_path, body):
    path = tmp_path / "a.csv"
    rows = [f"{' '.join(tiny.WORDS[i % 50 : i % 50 + 2 + i % 9])} n{i},{'ab'[i % 2]}" for i in range(40)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    ledger = check.check("classification", path, settings={"max_length": 6}, model=body)
    corpus, _ = check.read("classification", path)
    whole = [len(ids) for ids in tiny.tokenizer()(corpus.data["train"]["text"][:])["input_ids"]]
    assert sum(ledger.tokens.values()) == sum(whole)
    assert ledger.tokens["cut"] == sum(max(0, length - 6) for length in whole) and ledger.tokens["trained"] == 0
    assert f"{np.mean(np.array(whole) > 6):.1%} of them are cut" in one_line(ledger.text())
    unknown = len(whole) / (sum(whole) - 2 * len(whole))  # n1, n2, ...
    assert f"{unknown:.0%} of the tokens of the training rows are unknown" in one_line(ledger.text())
    assert f"{ledger.tokens['context']:,} read + {ledger.tokens['cut']:,} cut" in one_line(ledger.text())
    assert all(row.endswith(">a<") or row.endswith(">b<") for row in ledger.examples)
    # These numbers are many unknown tokens, and the rows for a test are few.
    assert ledger.ready and ledger.text().endswith("\nready, with 2 cautions above")


def test_tokens_of_pairs_are_trained_in_the_completion_alone(tmp_path, decoder):
    path = tmp_path / "a.jsonl"
    rows = [{"prompt": f"{'ab' * 20} {i}", "completion": f"x{i}"} for i in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    settings = {"template": "plain", "max_new_tokens": 8, "max_length": 32}
    ledger = check.check("generation", path, settings=settings, model=decoder)
    train = check.read("generation", path)[0].data["train"]
    assert ledger.tokens["trained"] == sum(len(text) + 1 for text in train["completion"])  # a token a letter, an end
    assert sum(ledger.tokens.values()) == sum(len(row["prompt"]) + len(row["completion"]) + 1 for row in train)
    assert ledger.tokens["cut"] > 0 and "100.0% of them are cut" in one_line(ledger.text())
    assert all(row.count(">") >= 2 and ">x<" in row for row in ledger.examples)


def test_words_are_trained_at_their_first_token(tmp_path, body):
    path = tmp_path / "a.conll"
    path.write_text("\n".join(f"w1 B-X\nw{i} O\nw2 O\n" for i in range(30)), encoding="utf-8")
    ledger = check.check("tagging", path, model=body)
    rows = ledger.rows["train"]
    assert ledger.tokens == {"trained": 3 * rows, "context": 2 * rows, "cut": 0}  # [CLS] and [SEP] are context
    assert ledger.labels == {"O": 60, "B-X": 30}
    assert "30 sentences" in ledger.text() and ledger.examples[0].startswith("[CLS] >w1< >w")


@pytest.mark.parametrize(
    "content, sentence",
    [
        ("text,label\na,x\nb,x \nc,y\n", "label 'x' (1 times) and label 'x ' (1 times)"),
        ("text,label\na,x\nb,y\n", "labels 'x' (1), 'y' (1) of"),
        ("body,label\na,x\n", "has no column 'text'; it has body, label"),
        ('text,label\n"a,x\nb,y\n"c,z\nd,x\n', "quotes"),
    ],
)
def test_what_is_to_be_changed_ends_the_ledger_and_gives_exit_code_2(tmp_path, body, capsys, content, sentence):
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    assert main(["check", str(tmp_path / "a.csv"), "--model", body]) == 2
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1].startswith("to change: ") and sentence in shown.splitlines()[-1]
    assert f"= {len(content)} bytes" in one_line(shown)


def test_the_shell_says_ready(tmp_path, body, capsys):
    words = [(tiny.WORDS[i], tiny.WORDS[j]) for i in range(20) for j in range(20)]
    rows = [f"{first} {second} {first},{'ab'[number % 2]}" for number, (first, second) in enumerate(words)]
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert main(["check", str(path), "--model", body, "--max-length", "4"]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("\nready\n") and "rows as the model sees them: >trained<, context, ~cut~" in shown
    assert "labels: " in shown and "~w" in shown


def test_special_tokens_columns_that_are_not_read_and_repeated_rows_are_told(tmp_path, body):
    rows = [f"w{i % 30} w{i},{'ab'[i % 2]},7" for i in range(60)]
    paths = {}
    for place, name in enumerate(("train", "validation", "test")):
        own = rows[20 * place : 20 * place + 20] + ([rows[0]] if name == "train" else [])
        own[1] = own[1].replace(",", " [SEP],", 1)
        paths[name] = tmp_path / f"{name}.csv"
        paths[name].write_text("text,label,number\n" + "\n".join(own) + "\n", encoding="utf-8")
    columns = {"text": "text", "label": "label"}
    given = {"validation": paths["validation"], "test": paths["test"], "columns": columns, "model": body}
    ledger = check.check("classification", paths["train"], **given)
    told = " ".join(ledger.facts)
    assert "columns that are not read: number" in told
    assert "1 texts spell a special token of the model, which is read as text" in told
    assert "1 training rows repeat another; given splits stay as they are" in told
    assert ledger.rows == {"train": 21, "validation": 20, "test": 20}


def test_the_shape_that_was_found_is_told(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"instruction": f"a {i}", "input": "b", "output": "c"} for i in range(9)]))
    corpus, ledger = check.read("generation", path)
    assert "the rows are read as alpaca; --format columns takes them as they stand" in ledger.facts
    assert corpus.card.source.endswith("a.json, read as alpaca")
