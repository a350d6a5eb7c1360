"""Summaries of docstrings: what the experiment shows the systems, and what needs no model."""

from collections import Counter
from types import SimpleNamespace

from datasets import Dataset

from experiments import summarisation
from helpers.corpora import docstrings

ROWS = Dataset.from_list(
    [
        {"prompt": "One two three four. Five six.\ndef readCsv_file(path, *, rows)", "completion": "Read a file."},
        {"prompt": "Seven eight nine ten eleven.\nclass TableReader(Base)", "completion": "A reader of tables."},
        {"prompt": "A module of many words and no signature.", "completion": "Words and more."},
    ]
)


def test_names_become_words_and_a_module_has_none():
    written = summarisation.name_in_words(ROWS)
    assert written == ["Read csv file.", "Table reader.", "A module of."]


def test_what_takes_sentences_out_never_sees_the_signature():
    for system in ("lead", "lead cut", "central"):
        texts = summarisation.RULES[system](ROWS, ROWS)
        assert len(texts) == len(ROWS) and not any("def " in text or "class " in text for text in texts)
    assert summarisation.lead_cut(ROWS, ROWS)[0] == "One two three"


def test_rules_read_whole_articles_and_not_their_first_lines(monkeypatch):
    articles = ["One here.\nThe red cat. The red dog."] * 201
    news = Dataset.from_dict({"prompt": articles, "completion": ["All of it in six words"] * len(articles)})
    monkeypatch.setattr(summarisation.corpora, "load", lambda name: SimpleNamespace(data={"test": news}))
    found = {about["system"]: make for about, make in summarisation.news_summaries()}
    assert found["lead"]()["texts"][0] == "One here."
    assert found["lead cut"]()["texts"][0] == "One here. The red cat. The"
    assert found["central"]()["texts"][0] == "The red cat."


def test_fewer_words_of_the_prose_leave_the_signature_whole():
    cut = summarisation.cut(ROWS, 2)["prompt"][:]
    assert cut == ["One two\ndef readCsv_file(path, *, rows)", "Seven eight\nclass TableReader(Base)", "A module"]


def test_each_number_of_rows_is_learnt_in_enough_steps():
    steps = {rows: -(-rows // summarisation.RECIPE["batch_rows"]) * n for rows, n in summarisation.PASSES.items()}
    assert steps == {32: 80, 200: 150, 1641: 206}
    assert len(summarisation.rows()["train"]) == max(summarisation.PASSES)


def test_no_result_stands_twice_and_each_fine_tuned_system_has_its_seeds():
    for experiment in summarisation.EXPERIMENTS.values():
        abouts = [about for about, _ in experiment()]
        assert len({str(about) for about in abouts}) == len(abouts)
        tuned = Counter(str(about | {"seed": None}) for about in abouts if about["system"] == "fine-tuned")
        assert set(tuned.values()) == {len(summarisation.SEEDS)}


def test_ablations_take_the_signature_or_the_words_away():
    kinds = {str(about["change"]): about for about, _ in summarisation.docstring_ablations()}
    assert len(kinds) == len(summarisation.CHANGES)
    plain = summarisation.rows(named=False)["validation"]["prompt"][:]
    named = summarisation.rows()["validation"]["prompt"][:]
    assert [docstrings.body(prompt) for prompt in named] == plain != named
