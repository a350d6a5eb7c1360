"""What `make results` computes. One module a chapter, with three names in each:

    CORPUS        the corpus whose hash is recorded, or one for each experiment by its name
    MODEL         the role of the pretrained model whose hash is recorded, likewise
    EXPERIMENTS   by name a function that yields pairs: what identifies a result, and a function that computes it

and, for `python -m experiments.run --stale`, the settings of a result's recipe: `RECIPE`, where all have the same but
for what a result calls its `change`, or a function `recipe` of what identifies the result.

A computed result is a dictionary for `recording.record`; the cheapest results come first.
"""
