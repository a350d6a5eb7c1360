"""Supervised fine-tuning in practice: the package under the book.

Bytes become scores in one direction: assets, corpora, tasks, batching, training, evaluation, ledger, figures.
A module imports only what stands before it on that way.
"""

import warnings

# The book shows plain progress lines; tqdm would complain in every notebook that it cannot draw widgets.
warnings.filterwarnings("ignore", message="IProgress not found")

__version__ = "0.1.0"
