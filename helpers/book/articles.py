"""The recorded results on news, by how their labelled articles were drawn."""

from helpers.book import ledger

NAME = "news-few"
NAMES = {("tf-idf", "all"): "tf-idf, whole", ("tf-idf", 64): "tf-idf, 64 tokens", ("live", 64): "fine-tuned"}
LONG = 256  # tokens of the systems that read more than the others


def drawn(how: str = "random", *, posts: int = 0) -> ledger.Results:
    """Results of labels that were drawn `random` or `balanced`, as many of each section, in the order of the draws.

    What read 256 tokens is left out; TF-IDF has a name for each part of an article that it reads. `posts` is how many
    labelled posts to newsgroups were added to the articles.
    """
    runs = ledger.read(NAME).where(drawn=how, posts=posts).frame
    runs = runs[runs["tokens"] != LONG]
    pairs = zip(runs["system"], runs["tokens"], strict=True)
    runs = runs.assign(system=[NAMES.get(pair, pair[0]) for pair in pairs])
    return ledger.Results(runs.sort_values("seed", kind="stable").reset_index(drop=True))
