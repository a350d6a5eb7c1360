"""What every task of the registry keeps to, so that the loop, the shell and the saved folder work with it."""

import json

import numpy as np
import pytest
import tiny
import torch
from cases import CASES
from datasets import Dataset

from helpers import fit, load
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.tasks import registry
from helpers.tasks.base import Predictor, Task
from helpers.text import special_tokens_written

CARD = DataCard("made", "here", "none", "one row", "none", {"train": 8}, {})


@pytest.fixture(params=registry.TASKS)
def case(request):
    """Each task of the registry: a new one must bring its case."""
    return CASES[request.param]


def encoded(case, count: int = 12) -> Dataset:
    return case.task.encode(case.tokenizer(), case.rows(count))


def alike(first, second) -> bool:
    """Whether two predictions are the same, whatever a task predicts: numbers up to rounding."""
    if isinstance(first, np.ndarray | torch.Tensor | float):
        return np.allclose(np.asarray(first), np.asarray(second), atol=1e-5)
    return first == second or (hasattr(first, "margin") and (first.start, first.end) == (second.start, second.end))


def test_a_task_derives_from_the_contract_and_says_what_it_is(case):
    assert isinstance(case.task, Task)
    assert registry.task_class(case.task.name) is type(case.task)
    assert registry.from_dict(case.task.to_dict()) == case.task
    assert case.task.limit.endswith(".") and case.task.pipeline_tag and case.task.fields


def test_padding_changes_neither_loss_nor_outputs(case):
    rows, model = sorted(encoded(case).to_list(), key=lambda row: len(row["input_ids"])), case.model()
    short, long = rows[0], rows[-1]
    assert len(short["input_ids"]) < len(long["input_ids"])
    alone, beside = (case.task.collate(batch, 0) for batch in ([short], [short, long]))
    with torch.no_grad():
        losses = [case.task.loss(model, case.task.collate(batch, 0)) for batch in ([short], [long], [short, long])]
        assert torch.isclose(losses[0] + losses[1], losses[2], rtol=1e-4)
        first, second = case.task.outputs(model, alone)[0], case.task.outputs(model, beside)[0]
    width = np.asarray(first).shape[-1] if np.asarray(first).ndim else None
    second = second if width is None else np.asarray(second)[..., :width]  # a window's logits reach to the padding
    assert np.allclose(np.asarray(first), second, atol=1e-5)


def test_the_loss_of_halves_adds_up_to_the_loss_of_the_whole(case):
    rows, model = encoded(case).to_list(), case.model()
    with torch.no_grad():
        whole, *halves = (
            case.task.loss(model, case.task.collate(part, 0))
            for part in (rows, rows[: len(rows) // 2], rows[len(rows) // 2 :])
        )
    assert whole > 0 and torch.isclose(sum(halves), whole, rtol=1e-4)


def test_each_row_has_terms_and_they_are_counted_row_by_row(case):
    rows = encoded(case)
    terms = case.task.loss_terms(rows)
    assert terms.shape == (len(rows),) and (terms > 0).all()
    assert (case.task.loss_terms(rows.select([3, 1])) == terms[[3, 1]]).all()


def test_predictions_keep_the_order_of_rows_and_do_not_depend_on_the_batch(case):
    rows, model, tokenizer = case.rows(12), case.model(), case.tokenizer()
    order = np.random.default_rng(0).permutation(len(rows))
    plain = case.task.predict(model, case.task.encode(tokenizer, rows))
    mixed = case.task.predict(model, case.task.encode(tokenizer, rows.select(order)), batch_tokens=64)
    assert len(plain) == len(mixed) == len(rows)
    assert all(alike(mixed[place], plain[row]) for place, row in enumerate(order))


def test_one_reference_and_one_value_an_example(case):
    rows, model = encoded(case), case.model()
    predictions, references = case.task.predict(model, rows), case.task.references(rows)
    values = case.task.per_row(predictions, references)
    assert len(predictions) == len(references) == len(values)
    score = case.task.score(predictions, references)[case.task.selection_metric]
    means = values.mean(0)
    assert np.isclose(means if case.task.from_counts is None else case.task.from_counts(means), score)


def test_a_few_rows_are_learned_by_heart(case):
    rows, model = case.rows(8), case.model()
    before = case.task.predict(model, case.task.encode(case.tokenizer(), rows))
    run = fit(case.task, model, case.tokenizer(), rows, recipe=tiny.recipe(**case.recipe))
    references = case.task.references(case.task.encode(case.tokenizer(), rows))
    after = case.task.predict(run.model, run.encode(rows))
    metric = case.task.selection_metric
    assert case.task.score(after, references)[metric] > case.task.score(before, references)[metric]
    assert run.history["loss"].iloc[-1] < 0.1 * run.history["loss"].iloc[0]


def test_a_saved_model_predicts_the_same_and_answers_in_json(case, tmp_path):
    rows = case.rows(8)
    run = fit(case.task, case.model(), case.tokenizer(), rows, recipe=tiny.recipe(epochs=1))
    run.save(tmp_path / "model", CARD)
    loaded = load(tmp_path / "model")
    assert loaded.task == case.task
    first, second = (one.task.predict(one.model, one.encode(rows)) for one in (run, loaded))
    assert all(alike(a, b) for a, b in zip(first, second, strict=True))
    answers = loaded.answers(rows)
    assert len(answers) == len(rows) and all(isinstance(answer, dict) for answer in answers)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_the_mode_of_a_model_comes_back_also_after_an_error(case, training, fails, monkeypatch):
    rows, model = encoded(case, 4), case.model()
    model.train(training)
    if fails:
        monkeypatch.setattr(type(case.task), "outputs", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            case.task.predict(model, rows)
    else:
        case.task.predict(model, rows)
    assert all(module.training == training for module in model.modules())


def test_rows_without_labels_are_predicted_as_labelled_ones(case):
    labelled = case.rows(6)
    targets = {"label", "labels", "tags", "answers", "completion"} & set(labelled.column_names)
    assert targets
    predictor = Predictor(case.task, case.model(), case.tokenizer())
    bare = predictor.predict(labelled.remove_columns(targets))
    assert all(alike(a, b) for a, b in zip(bare, predictor.predict(labelled), strict=True))


def test_a_bad_row_gets_one_sentence_that_names_it(case, tmp_path):
    if isinstance(case.bad, dict):
        rows = Dataset.from_list([*case.rows(2).to_list(), case.bad])
        with pytest.raises(InputError, match="row 3") as error:
            case.task.encode(case.tokenizer(), rows)
    else:
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in case.bad), encoding="utf-8")
        with pytest.raises(InputError, match="row 3") as error:
            registry.wing(case.task.name, "files").read(file)
    assert "\n" not in str(error.value)


def spelling(case, word: str) -> dict:
    """A row without labels whose texts hold a word."""
    columns = [
        name for name in ("text", "tokens", "question", "context", "prompt") if name in case.rows(1).column_names
    ]
    return {name: ["w1", word, "w2"] if name == "tokens" else f"w1 {word} w2" for name in columns}


def test_a_special_token_that_a_text_spells_is_text(case):
    tokenizer = case.tokenizer()
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    rows = [spelling(case, word) for word in ("w3", *tokenizer.all_special_tokens)]
    encoded = case.task.encode(tokenizer, Dataset.from_list(rows))["input_ids"]
    seen = [[token for token in ids if token in special] for ids in encoded]
    assert len(seen) > 2 and all(tokens == seen[0] for tokens in seen)
    texts = [" ".join(map(str, row.values())) for row in rows]
    assert special_tokens_written(tokenizer, texts) == len(rows) - 1
