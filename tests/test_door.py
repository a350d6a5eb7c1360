"""What `import helpers` does to a process."""

import os
import subprocess
import sys

import pytest

SEEN = "import helpers, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"


@pytest.mark.parametrize(("given", "held"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_the_caller_says_otherwise(given, held):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
    done = subprocess.run([sys.executable, "-c", SEEN], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [held, "False"]
