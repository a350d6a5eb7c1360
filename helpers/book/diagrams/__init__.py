"""The drawings of the book: one family of vector drawings, made by code, for light and dark, a page and a phone."""

from helpers.book.diagrams.canvas import Drawing
from helpers.book.diagrams.decisions import decision
from helpers.book.diagrams.flows import FIVE_STEPS, chain, five_steps, timeline, way_of_the_data
from helpers.book.diagrams.groups import groups
from helpers.book.diagrams.halving import halving
from helpers.book.diagrams.layers import heads, low_rank_update, query_key_value, two_layers
from helpers.book.diagrams.readings import readings, subsequence
from helpers.book.diagrams.row import STEPS, stages, way_of_a_row
from helpers.book.diagrams.strips import batches, chat, masks, spans, windows
from helpers.book.diagrams.tags import chains, subwords, tagged, trellis
from helpers.book.diagrams.teaching import teaching

__all__ = [
    "FIVE_STEPS",
    "STEPS",
    "Drawing",
    "batches",
    "chain",
    "chains",
    "chat",
    "decision",
    "five_steps",
    "groups",
    "halving",
    "heads",
    "low_rank_update",
    "masks",
    "query_key_value",
    "readings",
    "spans",
    "stages",
    "subsequence",
    "subwords",
    "tagged",
    "teaching",
    "timeline",
    "trellis",
    "two_layers",
    "way_of_a_row",
    "way_of_the_data",
    "windows",
]
