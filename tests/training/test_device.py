"""Freed memory is used again where the C library can be told so."""

import json
import platform
import subprocess
import sys

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
