"""`python -m helpers`, the same as the command `helpers`."""

import sys

from helpers.cli.main import main

sys.exit(main())
