"""What `import helpers` does to a process."""

import os
import subprocess
import sys

import pytest

SEEN = "import helpers, os, sys; print(os.environ[sys.argv[1]], 'torch' in sys.modules)"


@pytest.mark.parametrize(
    ("name", "given", "held"),
    [
        ("OMP_WAIT_POLICY", None, "PASSIVE"),
        ("OMP_WAIT_POLICY", "ACTIVE", "ACTIVE"),
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", None, "32"),
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "1024", "1024"),
    ],
)
def test_what_libraries_read_is_set_unless_the_caller_says_otherwise(name, given, held):
    environment = {other: value for other, value in os.environ.items() if other != name}
    environment |= {} if given is None else {name: given}
    command = [sys.executable, "-c", SEEN, name]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [held, "False"]
