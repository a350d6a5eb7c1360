"""Freed memory is used again where the C library can be told so; processes part in whatever way they end."""

import json
import os
import platform
import socket
import subprocess
import sys

import pytest
import tiny

from helpers.training import device

# How many pages the system must hand out for ten blocks of 64 MB, one after the other, before and after.
PAGES = """
import json, resource, torch
from helpers.training.device import keep_freed

def pages():
    began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - began

before, told, _ = pages(), keep_freed(), pages()
print(json.dumps({"before": before, "told": told, "after": pages()}))
"""


def test_a_freed_block_is_not_asked_for_again():
    done = subprocess.run([sys.executable, "-c", PAGES], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["told"] == (platform.libc_ver()[0] == "glibc")
    assert not found["told"] or found["after"] < found["before"] / 10


def test_elsewhere_nothing_is_told(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not device.keep_freed()


# Two processes that add up numbers; the second one goes its way in between.
PROCESSES = """
import atexit, os, sys
import torch
import torch.distributed as dist

atexit.register(lambda: os.write(1, f"open {dist.is_initialized()}".encode()))  # the first to register is the last

from helpers.errors import InputError
from helpers.training import device
from helpers.training.recipe import Recipe

way = sys.argv[1]
machine, _ = device.accelerator(Recipe())
try:
    for step in range(3):
        if step == 1 and way == "interrupt":
            raise KeyboardInterrupt
        if step == 1 and way == "error" and machine.process_index == 1:
            raise InputError("wrong")
        machine.reduce(torch.ones(1), "sum")
except KeyboardInterrupt:
    sys.exit(1)  # as the shell does; what Python itself would make of it depends on the libraries that are loaded
"""


def two_processes(way: str) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of two processes that nobody watches over, as torchrun would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESSES, way],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | tiny.ON_CPU | shared | {"LOCAL_WORLD_SIZE": "2", "RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in ("0", "1")
    ]
    printed = [process.communicate(timeout=280) for process in started]
    return [(process.returncode, *both) for process, both in zip(started, printed, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize(("way", "code"), [("normal", 0), ("interrupt", 1), ("error", 1)])
def test_processes_end_together_and_close_what_joined_them(way, code):
    for found, out, err in two_processes(way):
        assert found == code, err
        assert out == "open False" and "terminate called" not in err
