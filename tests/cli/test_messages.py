"""What the shell says: one sentence for a wrong command line, and sentences that hold whatever happened."""

import pytest
import tiny
import tiny_decoder
from safetensors import SafetensorError

from helpers import Classification, Recipe, __version__, saving
from helpers.cli.main import main
from helpers.data.corpus import text_corpus
from helpers.errors import InputError
from helpers.models import lora
from helpers.tasks import registry
from helpers.tasks.base import Predictor
from helpers.training import checkpoints
from helpers.training.optimizer import parameter_groups


@pytest.fixture(scope="module")
def words(tmp_path_factory, body):
    """A command that trains a tiny model on 60 rows, but for its output."""
    folder = tmp_path_factory.mktemp("rows")
    tiny.rows(60).to_pandas().to_csv(folder / "rows.csv", index=False)
    fast = ["--epochs", "1", "--learning-rate", "1e-3"]
    return ["train", "--data", str(folder / "rows.csv"), "--model", body, *fast, "--output"]


@pytest.mark.parametrize(
    "given, sentence",
    [
        (["train"], "helpers: the following arguments are required: --data, --output; see 'helpers train --help'\n"),
        (["predict", "model", "--prot", "1"], "helpers: unrecognized arguments: --prot 1; see 'helpers --help'\n"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(capsys, given, sentence):
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    assert capsys.readouterr().err == sentence


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"helpers {__version__}\n"


def test_it_says_what_it_does_before_anything_slow(words, tmp_path, capsys):
    assert main([*words, str(tmp_path / "model")]) == 0
    assert capsys.readouterr().err.startswith(f"reading {words[2]}\n")


@pytest.mark.parametrize("length, cut", [("5", True), ("64", False)])
def test_texts_that_are_cut_are_counted(words, tmp_path, capsys, length, cut):
    assert main([*words, str(tmp_path / "model"), "--max-length", length]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "were cut" in line]
    assert len(said) == cut
    if cut:
        count, rows = (int(word) for word in (said[0].split()[0], said[0].split()[2]))
        assert 0 < count <= rows < 60
        assert said[0].endswith("were cut to 5 tokens; raise max_length (--max-length) to keep more")


def test_an_interrupt_before_the_first_step_promises_no_checkpoint(words, tmp_path, capsys, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Classification, "encode", stopped)
    assert main([*words, str(tmp_path / "model")]) == 1
    assert "interrupted before the first checkpoint; the same command begins anew" in capsys.readouterr().err
    monkeypatch.undo()
    assert main([*words, str(tmp_path / "model")]) == 0, "and it does"


def test_a_full_disk_is_one_sentence_and_the_checkpoint_before_stays(words, tmp_path, capsys, monkeypatch):
    written, before = [], checkpoints.save_file

    def full(tensors, path):
        if written:
            raise SafetensorError("No space left on device")
        written.append(path)
        before(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", full)
    assert main([*words, str(tmp_path / "model"), "--batch-rows", "8", "--checkpoint-steps", "1"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith("; here the same command with --resume goes on from step 1")
    assert "(No space left on device); free some space, or take a folder elsewhere; " in said
    assert checkpoints.newest(checkpoints.work_folder(tmp_path / "model")).name == "step-000000001"


def test_a_disk_that_fills_while_a_model_is_saved_is_told(tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise SafetensorError("No space left on device")

    predictor = Predictor(tiny.TASK, tiny.model(), tiny.tokenizer())
    monkeypatch.setattr(type(predictor.model), "save_pretrained", full)
    frame = tiny.rows(4).to_pandas().assign(label=["no", "yes", "no", "yes"])
    card = text_corpus(
        {"train": frame}, ["no", "yes"], name="x", source="y", licence="z", unit="row", split_rule="-"
    ).card
    with pytest.raises(OSError, match=r"No space left on device.*free some space"):
        saving.save(tmp_path / "model", predictor, recipe={}, history=frame, card=card)
    assert not (tmp_path / "model").exists()


def test_a_head_alone_and_lora_exclude_each_other():
    adapted = lora.add(tiny_decoder.model(), 2)
    with pytest.raises(InputError, match="trainable head of the recipe has no meaning with LoRA"):
        parameter_groups(adapted, Recipe(trainable="head"), frozenset())
    assert parameter_groups(adapted, Recipe(), frozenset())


def test_a_task_without_a_command_is_named():
    with pytest.raises(InputError, match=r"the task 'seq2seq' is for Python alone \(helpers\.tasks\.seq2seq\)"):
        registry.wing("seq2seq", "options")
