"""What turns the network's score of each tag for each word into a loss, or into tags: a softmax, or a CRF."""

import torch
from torch import Tensor, nn

from helpers.maths import crf


class TransitionScores(nn.Module):
    """The transition scores of a CRF as parameters, zero at first, so that it starts as the softmax head does."""

    def __init__(self, tags: int):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(tags))  # (C,)
        self.between = nn.Parameter(torch.zeros(tags, tags))  # (C, C), from row to column
        self.end = nn.Parameter(torch.zeros(tags))  # (C,)

    def transitions(self) -> crf.Transitions:
        """The scores as `helpers.maths.crf` takes them, in float32."""
        return crf.Transitions(self.start.float(), self.between.float(), self.end.float())


def transitions_of(model: nn.Module) -> crf.Transitions:
    """The transition scores of a model, also where it is wrapped for several processes."""
    return (model.module if hasattr(model, "module") else model).crf.transitions()


def chain_loss(emissions: Tensor, batch: dict[str, Tensor], transitions: crf.Transitions) -> Tensor:
    """-log p(tags) under a CRF, summed over the rows of a batch that have words; scalar.

    A row is a sentence, or the words that one window of it owns. Their probability is then taken given the tag of the
    word before them, so that no transition of the sentence is left out and none counts twice.

    Args:
        emissions: (B, W, C).
        batch: labels and word_mask (B, W); before (B,), the tag before the row or IGNORE where a sentence begins; last
            (B,), whether the row ends its sentence.
    """
    some = batch["word_mask"].any(1)  # a sentence of which the tokenizer leaves nothing has no word
    if not some.any():
        return emissions.sum()
    emissions, labels, mask, before, last = (
        tensor[some] for tensor in (emissions, *(batch[name] for name in ("labels", "word_mask", "before", "last")))
    )
    start, between, end = transitions
    # What a window begins and ends with, as a change of the scores of its first and last word.
    begins = (between[before.clamp(min=0)] - start) * (before >= 0).unsqueeze(1)  # (R, C)
    ends = -end * (last == 0).unsqueeze(1)  # (R, C)
    places = torch.arange(mask.shape[1], device=mask.device)
    final = places == mask.sum(1, keepdim=True) - 1  # (R, W)
    emissions = emissions + begins.unsqueeze(1) * (places == 0).unsqueeze(1) + ends.unsqueeze(1) * final.unsqueeze(2)
    return crf.negative_log_likelihood(emissions, labels, transitions, mask).sum()


def decoding(model: nn.Module, head: str, tags: tuple[str, ...], constrain: bool) -> crf.Transitions:
    """The scores that Viterbi decodes with, on the CPU: the CRF's or zeros, and none for what BIO forbids."""
    if head == "crf":
        chain = crf.Transitions(*(score.detach().cpu().double() for score in transitions_of(model)))
    else:
        count = len(tags)
        chain = crf.Transitions(*(torch.zeros(shape, dtype=torch.double) for shape in (count, (count, count), count)))
    return crf.forbid(chain, crf.bio_allowed(tags)) if constrain else chain
