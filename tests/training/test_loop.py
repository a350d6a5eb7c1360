"""The loop: its step, its resumption, its guards. The weights of a run are compared bit by bit, or say why not."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from helpers import Classification, Recipe
from helpers.errors import InputError, TrainingError
from helpers.training import checkpoints, device, job, loop
from helpers.training.optimizer import new_parameters, parameter_groups

KILLABLE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import tiny
from helpers.training import loop

class Slow(type(tiny.TASK)):
    def loss(self, model, batch):
        time.sleep(0.05)  # leaves time to be killed in the middle of a step
        return super().loss(model, batch)

task = Slow(tiny.TASK.labels, tiny.TASK.max_length)
loop.fit(task, tiny.model(), tiny.tokenizer(), tiny.rows(), tiny.rows(40, 1), tiny.recipe(epochs=6),
         output=sys.argv[2], resume=sys.argv[3] == "resume")
"""
DISTRIBUTED = """
import os, sys
sys.path.insert(0, sys.argv[1])
import torch, tiny
from helpers.training import loop
model = tiny.model(dropout=0.0)
model.unused = torch.nn.Parameter(torch.ones(3))  # some families have weights that no output depends on
run = loop.fit(tiny.TASK, model, tiny.tokenizer(), tiny.rows(95), None, tiny.recipe(epochs=1))
del model.unused
if os.environ["RANK"] == "0":
    torch.save({"processes": torch.tensor(run.processes), **tiny.weights(run.model)}, sys.argv[2])
"""
STOPPED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch, tiny
from helpers.training import checkpoints, job, loop

begin = job.seed_step

def stopped(run, step):
    if os.environ["RANK"] == "1" and step == 1:
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    begin(run, step)

job.seed_step = stopped
task, output = tiny.TASK, Path(sys.argv[2]) / "model"
def run(resume):
    recipe = tiny.recipe(epochs=1, checkpoint_steps=1000)
    model = tiny.model(dropout=0.0)
    return loop.fit(task, model, tiny.tokenizer(), tiny.rows(95), None, recipe, output=output, resume=resume)

try:
    run(False)
except KeyboardInterrupt:
    name = checkpoints.newest(checkpoints.work_folder(output)).name
    os.write(1, f"stopped after {name}\\n".encode())  # in one piece: two processes share this pipe
weights = tiny.weights(run(True).model)
if os.environ["RANK"] == "0":
    torch.save(weights, output.with_name("weights.pt"))
"""

LATE_READER = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import tiny
from helpers.training import checkpoints, loop

late, opened, linked = os.environ["RANK"] == sys.argv[3], checkpoints.best, checkpoints._linked

def best(work):
    time.sleep(2 if late else 0)
    return opened(work)

def link(source, target):
    target.unlink(missing_ok=True)
    time.sleep(2 if late else 0)
    linked(source, target)

def run(checkpoint_steps, resume):
    recipe = tiny.recipe(epochs=1, checkpoint_steps=checkpoint_steps)
    rows = tiny.rows(95), tiny.rows(40, 1)
    model = tiny.model(dropout=0.0)
    loop.fit(tiny.TASK, model, tiny.tokenizer(), *rows, recipe, output=sys.argv[2], resume=resume)
    os.write(1, b"the best weights are loaded\\n")

def full(*_):
    raise OSError("no space")

checkpoints.best, checkpoints._linked = best, link
written, checkpoints.save = checkpoints.save, full
run(1000, False)  # leaves no checkpoint, so that the first process removes the folder
checkpoints.save = written
run(1, False)
run(1, True)  # resumed at its last step
"""


def run(model=None, *, data=None, validation=None, task=tiny.TASK, output=None, resume=False, **changes):
    return loop.fit(
        task,
        model or tiny.model(),
        tiny.tokenizer(),
        tiny.rows() if data is None else data,
        validation,
        tiny.recipe(**changes),
        output=output,
        resume=resume,
    )


def assert_same(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_learns_what_can_be_learnt():
    found = run(validation=tiny.rows(60, 1), epochs=12)
    assert found.best["validation_accuracy"] > 0.9
    assert found.history["loss"].iloc[-3:].mean() < 0.7 * found.history["loss"].iloc[:3].mean()


def test_eq_normalisation_accumulated_pieces_make_the_same_step_as_one_batch():
    whole = tiny.weights(run(tiny.model(dropout=0.0), epochs=1).model)
    pieces = tiny.weights(run(tiny.model(dropout=0.0), epochs=1, piece_tokens=80).model)
    start = tiny.weights(tiny.model(dropout=0.0))
    for name in whole:  # one step of AdamW moves a weight by up to 3e-3
        torch.testing.assert_close(pieces[name], whole[name], rtol=0, atol=3e-5)  # a GPU's sums: 1.3e-5 apart
    assert any(not torch.allclose(whole[name], start[name], atol=1e-3) for name in whole)


def test_the_loss_of_a_step_is_the_mean_over_its_rows_however_it_is_cut():
    cuts = (10**9, 200, 1)
    losses = [run(tiny.model(dropout=0.0), epochs=1, piece_tokens=n).history["loss"].iloc[0] for n in cuts]
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-6)
    batch = tiny.TASK.collate(tiny.TASK.encode(tiny.tokenizer(), tiny.rows()).to_list(), 0)
    model = tiny.model(dropout=0.0).eval()
    with torch.no_grad():
        every = nn.functional.cross_entropy(model(batch["input_ids"], batch["attention_mask"]).logits, batch["labels"])
    whole = run(tiny.model(dropout=0.0), epochs=1, batch_rows=96).history["loss"].iloc[0]
    assert whole == pytest.approx(every.item(), abs=1e-6)


class Casts(TorchDispatchMode):
    """Counts how often each of a model's weights is cast to bf16."""

    def __init__(self, model):
        super().__init__()
        self.names = {id(weight): name for name, weight in model.named_parameters()}
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        named = named or {}
        if function is torch.ops.aten._to_copy.default and named.get("dtype") == torch.bfloat16:
            self.counts[self.names.get(id(arguments[0]))] += 1
        return function(*arguments, **named)


def test_the_pieces_of_a_step_share_one_bf16_copy_of_each_weight():
    model = tiny.model()
    with Casts(model) as casts:
        steps = len(run(model, epochs=1, precision="bf16", piece_tokens=80).history)
    matrices = [name for name, weight in model.named_parameters() if weight.ndim == 2 and "embeddings" not in name]
    # one for the probe before the first step
    assert matrices and {name: casts.counts[name] for name in matrices} == dict.fromkeys(matrices, steps + 1)


def test_shared_bf16_copies_change_no_bit_of_a_run():
    class InFp32(type(tiny.TASK)):
        def loss(self, model, batch):
            assert not torch.is_autocast_enabled(batch["input_ids"].device.type), "a task's own products stay in fp32"
            return super().loss(model, batch)

    class Apart(type(tiny.TASK)):
        def loss(self, model, batch):
            torch.clear_autocast_cache()
            return super().loss(model, batch)

    shared, apart = (
        run(task=kind(tiny.TASK.labels, tiny.TASK.max_length), epochs=1, precision="bf16", piece_tokens=80)
        for kind in (InFp32, Apart)
    )
    assert shared.history["loss"].tolist() == apart.history["loss"].tolist()
    assert_same(tiny.weights(shared.model), tiny.weights(apart.model))


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_run_inside_of_an_autocast_learns_as_one_outside_of_it(precision):
    recipe = {"precision": precision, "epochs": 4, "learning_rate": 0.03}
    outside = run(validation=tiny.rows(40, 1), **recipe)
    with torch.autocast("cpu", torch.bfloat16):
        inside = run(validation=tiny.rows(40, 1), **recipe)
        assert inside.best["step"] < len(inside.history), "the best weights are put back after the last evaluation"
        said = inside.predict(tiny.rows(40, 2))
        torch.clear_autocast_cache()
        assert np.array_equal(said, inside.predict(tiny.rows(40, 2))), "it answers by the weights that it has"
    assert outside.history["loss"].is_unique, "a run that learns nothing repeats itself"
    assert inside.history["loss"].tolist() == outside.history["loss"].tolist()
    assert_same(tiny.weights(inside.model), tiny.weights(outside.model))


@pytest.mark.slow
@pytest.mark.parametrize("moments", [(2, 7), (5, 13)])
def test_a_run_that_is_killed_twice_and_resumed_ends_with_the_same_bits(tmp_path, moments):
    unbroken = run(validation=tiny.rows(40, 1), epochs=6)
    output = tmp_path / "model"
    for number, moment in enumerate(moments):
        command = [sys.executable, "-c", KILLABLE, str(Path(tiny.__file__).parent), str(output)]
        child = subprocess.Popen([*command, "resume" if number else "start"])
        work, deadline = checkpoints.work_folder(output), time.monotonic() + 200
        while checkpoints.newest(work) is None or checkpoints.newest(work).name < f"step-{moment:09d}":
            assert child.poll() is None and time.monotonic() < deadline, "the run ended before it could be killed"
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
    state = checkpoints.newest(work).name
    resumed = run(validation=tiny.rows(40, 1), epochs=6, output=output, resume=True)
    assert f"step-{moments[-1]:09d}" <= state < "step-000000018"
    assert_same(tiny.weights(resumed.model), tiny.weights(unbroken.model))
    assert resumed.history.drop(columns="seconds").equals(unbroken.history.drop(columns="seconds"))


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_checkpoint_from_which_the_run_goes_on(tmp_path, monkeypatch, kind):
    begin, moments = job.seed_step, [kind]

    def interrupted(run, step):
        if moments:
            os.kill(os.getpid(), moments.pop())
        begin(run, step)

    monkeypatch.setattr(job, "seed_step", interrupted)
    both = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(each) for each in both]  # a shell starts what runs in the background without SIGINT
    with pytest.raises(KeyboardInterrupt):
        run(output=tmp_path / "model", checkpoint_steps=1000)
    assert checkpoints.newest(tmp_path / "model.training").name == "step-000000001"
    resumed = run(output=tmp_path / "model", checkpoint_steps=1000, resume=True)
    assert_same(tiny.weights(resumed.model), tiny.weights(run().model))
    assert [signal.getsignal(each) for each in both] == before, "who had them has them again"


def in_two_processes(folder: Path, script: str, *arguments: str) -> str:
    """What two processes print that run a script; its first argument is the folder of these tests."""
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [*tiny.TWO_PROCESSES, str(file), str(Path(tiny.__file__).parent), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | tiny.ON_CPU,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_interrupt_of_one_process_stops_all_after_the_same_whole_step(tmp_path):
    printed = in_two_processes(tmp_path, STOPPED, str(tmp_path), "SIGTERM")
    assert printed.count("stopped after step-000000002") == 2
    two = torch.load(tmp_path / "weights.pt", weights_only=True)
    one = tiny.weights(run(tiny.model(dropout=0.0), data=tiny.rows(95), epochs=1).model)
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_two_processes_reach_the_weights_of_one(tmp_path):
    in_two_processes(tmp_path, DISTRIBUTED, str(tmp_path / "weights.pt"))
    two = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert two.pop("processes") == 2
    one = tiny.weights(run(tiny.model(dropout=0.0), data=tiny.rows(95), epochs=1).model)
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("late", "01")
def test_no_process_removes_the_best_weights_before_the_other_has_read_them(tmp_path, late):
    printed = in_two_processes(tmp_path, LATE_READER, str(tmp_path / "model"), late)
    assert printed.count("the best weights are loaded") == 2 * 3


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    first, again, other = (run(seed=seed).history["loss"].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_training_leaves_the_global_random_state_and_the_model_s_dropout_alone():
    torch.manual_seed(5)
    before, model = torch.get_rng_state(), tiny.model()
    run(model, dropout=0.5, attention_dropout=0.0)
    assert torch.equal(torch.get_rng_state(), before)
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.1}
    assert {type(m) for m in model.modules() if isinstance(m, nn.Dropout)} == {nn.Dropout}
    assert not model.training


def test_a_loss_that_is_not_finite_stops_the_run_with_step_and_rows_and_the_weights_before(tmp_path):
    class Poisoned(Classification):
        def loss(self, model, batch):
            return super().loss(model, batch) * (float("nan") if len(list(tmp_path.glob("*/step-*2"))) else 1)

    task, model = Poisoned(tiny.TASK.labels, tiny.TASK.max_length), tiny.model()
    with pytest.raises(TrainingError, match=r"the loss of step 3 is nan .* \(rows \d+, .*lower the learning rate"):
        run(model, task=task, output=tmp_path / "model")
    state, weights, _ = checkpoints.load(tmp_path / "model.training", _identity(tmp_path / "model.training"))
    assert state.step == 2
    assert all(torch.equal(weight, weights[name]) for name, weight in tiny.weights(model).items())


CPU_MEMORY = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU_MEMORY), MemoryError()]
)
def test_memory_that_runs_out_is_one_sentence_and_other_errors_stay_as_they_are(error, monkeypatch):
    begun, begin = [], job.seed_step
    monkeypatch.setattr(job, "seed_step", lambda run, step: (begun.append(step), begin(run, step)))

    class Large(Classification):
        def loss(self, model, batch):
            if begun:
                raise error
            return super().loss(model, batch)

    task = Large(tiny.TASK.labels, tiny.TASK.max_length)
    sentence = (
        r"memory ran out in step 1 of 6, with pieces of 100 tokens and rows of up to 22 tokens; lower piece_tokens"
    )
    with pytest.raises(TrainingError, match=sentence):
        run(task=task, piece_tokens=100)
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run(task=task)


def test_memory_of_the_computer_that_runs_out_is_told():
    class Large(Classification):
        def loss(self, model, batch):
            torch.empty(2**60, dtype=torch.uint8)  # more than any address

    with pytest.raises(TrainingError, match=r"memory ran out before the first step, on two rows of up to \d+ tokens"):
        run(task=Large(tiny.TASK.labels, tiny.TASK.max_length))


def _identity(work: Path) -> dict:
    return checkpoints._read_state(checkpoints.newest(work))["identity"]


class Scripted(Classification):
    """Scores that follow a script, whatever the model predicts."""

    def score(self, probabilities, references):
        return {"accuracy": self.script.pop(0)}


def scripted(*script: float) -> Scripted:
    task = Scripted(tiny.TASK.labels, tiny.TASK.max_length)
    object.__setattr__(task, "script", list(script))
    return task


def test_the_weights_of_the_best_evaluation_are_kept():
    best = run(task=scripted(0.5, 0.9, 0.9, 0.1), validation=tiny.rows(8, 1), epochs=4, schedule="constant")
    until = run(validation=None, epochs=2, schedule="constant", warmup=0.0)
    assert best.best["epoch"] == 2
    assert best.history["epoch"].max() == 4
    other = run(task=scripted(0.5, 0.9), validation=tiny.rows(8, 1), epochs=2, schedule="constant", warmup=0.0)
    assert_same(tiny.weights(other.model), tiny.weights(until.model))


def test_training_stops_when_patience_is_out():
    found = run(task=scripted(0.5, 0.4, 0.5, 0.9), validation=tiny.rows(8, 1), epochs=4, patience=2)
    assert found.history["epoch"].max() == 3
    assert found.best["epoch"] == 1


def test_validation_is_scored_as_often_as_the_recipe_says():
    found = run(validation=tiny.rows(8, 1), epochs=2, evaluations=3)
    assert found.history["validation_accuracy"].notna().tolist() == [True] * 6


def test_only_the_layers_that_the_recipe_names_are_trained():
    for trainable, moved in (("head", {"classifier"}), (1, {"classifier", "bert.encoder.layer.1"})):
        model = tiny.model()
        before = tiny.weights(model)
        after = tiny.weights(run(model, trainable=trainable).model)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == {name for name in before if name.startswith(tuple(moved))}
    with pytest.raises(InputError, match="trainable 3 of the recipe is more than the model's 2 layers"):
        run(trainable=3)


def test_the_head_takes_its_own_learning_rate_and_vectors_are_not_decayed():
    model = tiny.model()
    groups = parameter_groups(model, tiny.recipe(head_learning_rate=0.1), new_parameters(model, tiny.TASK))
    found = {(group["lr"], group["weight_decay"]): {p.ndim for p in group["params"]} for group in groups}
    assert found == {(0.003, 0.01): {2}, (0.003, 0.0): {1}, (0.1, 0.01): {2}, (0.1, 0.0): {1}}


def test_bf16_is_used_only_where_the_processor_has_it_and_never_for_weights():
    expected = "bf16" if device.native_bf16(torch.device("cpu")) else "fp32"
    assert run(epochs=1, precision=Recipe().precision).precision == expected
    model = tiny.model()
    forced = run(model, epochs=1, precision="bf16")
    assert forced.precision == "bf16"
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    exact = run(epochs=1, precision="fp32")
    assert forced.history["loss"].iloc[0] != exact.history["loss"].iloc[0]
    assert forced.history["loss"].iloc[0] == pytest.approx(exact.history["loss"].iloc[0], rel=0.02)


def test_the_history_counts_rows_and_tokens():
    found = run(data=tiny.rows(50), epochs=2)
    lengths = [len(text.split()) + 2 for text in tiny.rows(50)["text"]]
    assert found.history.groupby("epoch")["rows"].sum().tolist() == [50, 50]
    assert found.history.groupby("epoch")["tokens"].sum().tolist() == [sum(lengths)] * 2
    assert found.rows_per_second == pytest.approx(100 / found.seconds)
    assert found.peak_memory_gb > 0.05


def test_weights_in_half_precision_are_refused():
    with pytest.raises(InputError, match=r"weights of '.*' are torch.bfloat16, in which small updates are lost"):
        run(tiny.model().bfloat16())


def test_a_step_without_anything_to_learn_is_refused():
    class Masked(Classification):
        def loss_terms(self, encoded):
            return np.zeros(len(encoded), dtype=int)

    with pytest.raises(InputError, match=r"nothing in the rows \d+, .* of the training data adds to the loss"):
        run(task=Masked(tiny.TASK.labels, tiny.TASK.max_length))


def test_no_rows_is_one_sentence():
    with pytest.raises(InputError, match="hold no rows"):
        run(data=tiny.rows(1).select([]))


# Checkpoints that must not be used


@pytest.fixture
def stopped(tmp_path):
    """The output of a run that was interrupted after one step."""

    begin = job.seed_step

    def interrupted(run, step):
        os.kill(os.getpid(), signal.SIGINT)
        begin(run, step)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(job, "seed_step", interrupted)
        run(output=tmp_path / "model")
    assert checkpoints.newest(tmp_path / "model.training").name == "step-000000001"
    return tmp_path / "model"


def test_a_new_run_does_not_overwrite_an_unfinished_one(stopped):
    with pytest.raises(InputError, match=r"model.training' holds an unfinished run; resume it, or delete"):
        run(output=stopped)
    assert checkpoints.newest(checkpoints.work_folder(stopped)) is not None


@pytest.mark.parametrize("name", [checkpoints.TENSORS, checkpoints.STATE])
def test_a_damaged_checkpoint_is_named_and_left_as_it_is(stopped, name):
    file = checkpoints.newest(checkpoints.work_folder(stopped)) / name
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(damaged)
    with pytest.raises(InputError, match=r"the checkpoint .* (is damaged|cannot be read).*delete"):
        run(output=stopped, resume=True)
    assert file.read_bytes() == damaged


def test_a_checkpoint_of_another_recipe_or_other_rows_is_refused(stopped):
    with pytest.raises(InputError, match=r"made with learning_rate 0.003, not 0.5; use the same settings"):
        run(output=stopped, resume=True, learning_rate=0.5)
    with pytest.raises(InputError, match=r"made with rows '\w+', not"):
        run(output=stopped, resume=True, data=tiny.rows(96, seed=9))


def test_resuming_needs_a_checkpoint(tmp_path):
    with pytest.raises(InputError, match="holds no checkpoint to resume from"):
        run(output=tmp_path / "model", resume=True)
    with pytest.raises(InputError, match="resume needs the output folder"):
        run(resume=True)


def test_a_kill_while_writing_leaves_the_checkpoint_before(monkeypatch, stopped):
    work = checkpoints.work_folder(stopped)
    before = sorted(work.rglob("*"))
    monkeypatch.setattr(Path, "rename", _killed)  # the last thing that makes a checkpoint count
    with pytest.raises(RuntimeError, match="killed"):
        run(output=stopped, resume=True)
    assert [path for path in sorted(work.rglob("*")) if "writing" not in path.parts] == before
    monkeypatch.undo()
    assert_same(tiny.weights(run(output=stopped, resume=True).model), tiny.weights(run().model))


def _killed(*_):
    raise RuntimeError("killed")


def test_discard_removes_the_checkpoints(stopped):
    checkpoints.discard(stopped)
    assert not checkpoints.work_folder(stopped).exists()


def test_peak_memory_grows_with_use():
    before = device.peak_memory_gb(torch.device("cpu"))
    held = np.ones(int((before + 0.3) * 1e9 / 8))
    assert device.peak_memory_gb(torch.device("cpu")) >= held.nbytes / 1e9


def test_training_on_a_processor_keeps_freed_memory(monkeypatch):
    told = []
    monkeypatch.setattr(job, "keep_freed", lambda: told.append(True))
    loop.fit(tiny.TASK, tiny.model(), tiny.tokenizer(), tiny.rows(8), None, tiny.recipe(epochs=1))
    assert told == [True] * (not torch.cuda.is_available())
