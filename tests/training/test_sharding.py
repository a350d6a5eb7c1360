"""Sharding: processes that keep parts of a model reach the weights of one that keeps all of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import tiny_decoder
import torch
from torch import nn

from helpers.errors import InputError
from helpers.models import lora
from helpers.training import checkpoints, loop, sharding

SHARDED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
import test_sharding as cases
from helpers.training import checkpoints, job, loop

kind, folder = sys.argv[2], Path(sys.argv[3])
begin, parts = job.seed_step, set()

def seen(run, step):
    local = sum(p.to_local().numel() for p in run.body.parameters())
    moments = [t.to_local().numel() for own in run.optimizer.state.values() for t in own.values() if t.ndim]
    parts.add((local, sum(moments)))
    if kind == "stopped" and step == 2 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGTERM)
    begin(run, step)

job.seed_step = seen
output = folder / "model"
try:
    run = cases.run(kind, shard=True, output=output)
except KeyboardInterrupt:
    assert checkpoints.newest(checkpoints.work_folder(output)).name == "step-000000003"
    kind = "encoder"
    run = cases.run(kind, shard=True, output=output, resume=True)
torch.save({"processes": run.processes, "parts": sorted(parts), "best": run.best["step"],
            "weights": {n: p.detach() for n, p in run.model.named_parameters()},
            "trains": [p.requires_grad for p in run.model.parameters()]}, folder / f"rank-{os.environ['RANK']}.pt")
"""
KINDS = ("encoder", "decoder", "lora", "stopped")


def run(kind: str, **how):
    """A short run over a tiny encoder, a tiny decoder, or LoRA beside it."""
    changes = {name: how.pop(name) for name in ("shard",) if name in how}
    if kind in ("encoder", "stopped"):
        recipe = tiny.recipe(epochs=2, checkpoint_steps=1000, **changes)
        rows = tiny.rows(95), tiny.rows(40, 1)
        return loop.fit(tiny.TASK, tiny.model(dropout=0.0), tiny.tokenizer(), *rows, recipe, **how)
    model = tiny_decoder.model() if kind == "decoder" else lora.add(tiny_decoder.model(), 4)
    recipe, rows = tiny_decoder.recipe(**changes), (tiny_decoder.rows(23), tiny_decoder.rows(9, 1))
    return loop.fit(tiny_decoder.PLAIN, model, tiny_decoder.tokenizer(), *rows, recipe, **how)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_with_half_a_model_each_reach_the_weights_of_one(tmp_path, kind):
    script = tmp_path / "script.py"
    script.write_text(SHARDED, encoding="utf-8")
    here = Path(__file__).parent
    where = {"PYTHONPATH": os.pathsep.join([str(here), os.getcwd(), str(here.parent)])}
    command = [*tiny.TWO_PROCESSES, str(script), str(here.parent), kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | tiny.ON_CPU | where, timeout=250)
    assert done.returncode == 0, done.stderr
    one = run(kind)
    total = sum(parameter.numel() for parameter in one.model.parameters())
    trained = sum(parameter.numel() for parameter in one.model.parameters() if parameter.requires_grad)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True)
        assert found["processes"] == 2 and found["best"] == one.best["step"]
        assert found["trains"] == [parameter.requires_grad for parameter in one.model.parameters()]
        local = {held for held, _ in found["parts"]}
        assert len(local) == 1 and 0.4 * total < local.pop() < 0.6 * total
        assert max(moments for _, moments in found["parts"]) < 0.6 * 2 * trained
        for name, weight in one.model.named_parameters():
            torch.testing.assert_close(found["weights"][name], weight.detach(), rtol=0, atol=1e-5, msg=name)


MULTI = [
    "--num_processes",
    "2",
    "--num_machines",
    "1",
    "--main_process_port",
    "0",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
]
LAUNCHERS = {
    "torchrun": tiny.TWO_PROCESSES,
    "accelerate": [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        *MULTI,
        "--main_process_port",
        "0",
        "--multi_gpu",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("shard", [[], ["--shard"]], ids=["whole", "sharded"])
def test_launchers_start_the_same_command_and_the_model_is_saved_and_scored_once(tmp_path, launcher, shard):
    done = trained(tmp_path, LAUNCHERS[launcher], *shard)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine-tuned") == 2, "the ladder once, whose last row and last column are named so"
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["shard"] == bool(shard)
    assert done.stderr.count("fp32, 2 processes, at most") == 1
    assert not checkpoints.work_folder(tmp_path / "model").exists()


def trained(folder: Path, launcher: list[str], *more: str) -> subprocess.CompletedProcess:
    """What `helpers train` does in the processes that a launcher starts."""
    folder.mkdir(exist_ok=True)
    tiny.model().save_pretrained(folder / "base")
    tiny.tokenizer().save_pretrained(folder / "base")
    rows = [{"text": row["text"], "label": ("no", "yes")[row["label"]]} for row in tiny.rows(120)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    words = ["-m", "helpers", "train", "--data", str(folder / "rows.jsonl"), "--model", str(folder / "base")]
    words += ["--epochs", "1", "--precision", "fp32", "--output", str(folder / "model"), *more]
    variables = os.environ | tiny.ON_CPU | {"PYTHONPATH": os.getcwd()}
    return subprocess.run([*launcher, *words], capture_output=True, text=True, env=variables, timeout=250)


@pytest.mark.slow
def test_a_launcher_that_starts_fewer_processes_than_it_was_asked_for_is_told(tmp_path):
    alone = [*LAUNCHERS["accelerate"], "--cpu"]  # for which it knows no launcher but MPI
    alone.remove("--multi_gpu")
    done = trained(tmp_path, alone)
    assert done.returncode == 0 and "fp32, 1 process, at most" in done.stderr
    done = trained(tmp_path / "again", alone, "--shard")
    assert done.returncode == 1 and "needs several processes, and there is one" in done.stderr
    assert not (tmp_path / "again" / "model").exists()


def test_one_process_has_nobody_to_share_with():
    with pytest.raises(InputError, match=r"shard of the recipe needs several processes, and there is one; start them"):
        run("encoder", shard=True)


@pytest.mark.parametrize("dtype", ["bf16", "nf4"])
def test_weights_in_fewer_bits_are_not_sharded(dtype):
    with pytest.raises(InputError, match=r"weights that are kept in \w+ cannot be sharded; take base_dtype fp32"):
        sharding.check(lora.add(tiny_decoder.model(), 4, base_dtype=dtype), processes=2)


def test_an_outline_takes_no_memory_and_comes_back_whole_with_its_ties():
    model = tiny_decoder.model()
    plain = sharding.outline(model)
    assert {parameter.device.type for parameter in plain.parameters()} == {"meta"}
    plain = sharding.whole_model(plain, dict(model.named_parameters()))
    ids = torch.tensor([[3, 9, 27]])
    torch.testing.assert_close(plain(ids).logits, model(ids).logits, rtol=0, atol=0)
    assert plain.lm_head.weight is plain.model.embed_tokens.weight
    assert isinstance(plain.lm_head.weight, nn.Parameter)
