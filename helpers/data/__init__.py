"""Rows: read from files, cleaned, split without leaks, described by a card, and cut into batches."""

from helpers.data.corpus import Corpus, DataCard, framed, sample

__all__ = ["Corpus", "DataCard", "framed", "sample"]
