"""The CRF against enumeration of all tag sequences, against the PyPI package pytorch-crf, and by its properties."""

import itertools

import pytest
import torch
import torchcrf

from helpers.errors import InputError
from helpers.maths import crf
from helpers.maths.losses import IGNORE

EXACT = {"rtol": 0, "atol": 1e-10}
SIZES = list(itertools.product(range(1, 7), range(1, 6)))  # every length up to 6 with every number of tags up to 5
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def _case(length, classes, batch=2, scale=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1000 * length + classes)
    shapes = [(batch, length, classes), (classes,), (classes, classes), (classes,)]
    values = [(torch.randn(s, generator=generator, dtype=dtype) * scale).requires_grad_() for s in shapes]
    return values[0], crf.Transitions(*values[1:])


def _plain_scores(emissions, transitions):
    """The score of every tag sequence of one row, by loops over nothing but the definition."""
    start, between, end = transitions
    sequences = list(itertools.product(range(emissions.shape[1]), repeat=len(emissions)))
    totals = []
    for tags in sequences:
        total = start[tags[0]] + sum(emissions[t, tag] for t, tag in enumerate(tags)) + end[tags[-1]]
        totals.append(total + sum(between[a, b] for a, b in itertools.pairwise(tags)))
    return torch.tensor(sequences), torch.stack(totals)


def _all_scores(emissions, transitions):
    """The same for all rows by `crf.score`, which the first test compares with the loops: (C^T, T) and (B, C^T)."""
    sequences = crf.all_sequences(*emissions.shape[1:])
    rows = [crf.score(row.expand(len(sequences), -1, -1), sequences, transitions) for row in emissions]
    return sequences, torch.stack(rows)


def _gradients(value, emissions, transitions):
    return torch.autograd.grad(value, [emissions, *transitions], allow_unused=True, materialize_grads=True)


def _assert_same(ours, theirs, **tolerance):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize(("length", "classes"), [(1, 1), (1, 3), (2, 2), (3, 3), (4, 2)])
def test_eq_crf_score_equals_the_definition(length, classes):
    emissions, transitions = _case(length, classes)
    sequences, totals = _all_scores(emissions, transitions)
    for row, emission in enumerate(emissions):
        expected_sequences, expected = _plain_scores(emission, transitions)
        assert sequences.equal(expected_sequences)
        torch.testing.assert_close(totals[row], expected, **EXACT)


@pytest.mark.parametrize(("length", "classes"), SIZES)
def test_eq_log_partition_equals_enumeration(length, classes):
    emissions, transitions = _case(length, classes)
    ours = crf.log_partition(emissions, transitions)
    expected = _all_scores(emissions, transitions)[1].logsumexp(1)
    torch.testing.assert_close(ours, expected, **EXACT)
    both = [_gradients(value.sum(), emissions, transitions) for value in (ours, expected)]
    _assert_same(*both, **EXACT)


@pytest.mark.parametrize(("length", "classes"), SIZES)
def test_eq_crf_loss_equals_enumeration(length, classes):
    emissions, transitions = _case(length, classes)
    tags = torch.randint(classes, (2, length), generator=torch.Generator().manual_seed(0))
    ours = crf.negative_log_likelihood(emissions, tags, transitions)
    sequences, totals = _all_scores(emissions, transitions)
    gold = [(sequences == row).all(1).nonzero().item() for row in tags]
    expected = -totals.log_softmax(1)[torch.arange(2), gold]
    torch.testing.assert_close(ours, expected, **EXACT)
    both = [_gradients(value.sum(), emissions, transitions) for value in (ours, expected)]
    _assert_same(*both, **EXACT)


def test_eq_crf_probability_sums_to_one_over_all_sequences():
    emissions, transitions = _case(4, 3, batch=1)
    sequences = crf.all_sequences(4, 3)
    losses = crf.negative_log_likelihood(emissions.expand(len(sequences), -1, -1), sequences, transitions)
    assert (-losses).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("length", "classes"), SIZES)
def test_eq_crf_marginals_equal_enumeration_and_the_gradient(length, classes):
    emissions, transitions = _case(length, classes)
    marginals, pairs = (run(emissions, transitions) for run in (crf.marginals, crf.pair_marginals))
    sequences, totals = _all_scores(emissions, transitions)
    shares = totals.softmax(1)  # (B, C^T)
    at = torch.nn.functional.one_hot(sequences, classes).double()  # (C^T, T, C)
    torch.testing.assert_close(marginals, torch.einsum("bn,ntc->btc", shares, at), **EXACT)
    expected = torch.einsum("bn,nti,ntj->btij", shares, at[:, :-1], at[:, 1:])
    torch.testing.assert_close(pairs, expected, **EXACT)
    gradients = _gradients(crf.log_partition(emissions, transitions).sum(), emissions, transitions)
    ours = [marginals, marginals[:, 0].sum(0), pairs.sum((0, 1)), marginals[:, -1].sum(0)]
    _assert_same(ours, gradients, **EXACT)


def test_eq_crf_pair_marginals_sum_to_the_marginals_on_both_sides():
    emissions, transitions = _case(6, 4)
    marginals, pairs = (run(emissions, transitions) for run in (crf.marginals, crf.pair_marginals))
    torch.testing.assert_close(pairs.sum(3), marginals[:, :-1], **EXACT)
    torch.testing.assert_close(pairs.sum(2), marginals[:, 1:], **EXACT)


def test_eq_crf_gradient_is_the_marginal_minus_the_truth():
    emissions, transitions = _case(6, 4)
    tags = torch.randint(4, (2, 6))
    loss = crf.negative_log_likelihood(emissions, tags, transitions).sum()
    gradient = _gradients(loss, emissions, transitions)
    truth = torch.nn.functional.one_hot(tags, 4)
    torch.testing.assert_close(gradient[0], crf.marginals(emissions, transitions) - truth, **EXACT)
    moves = torch.einsum("bti,btj->ij", truth[:, :-1].double(), truth[:, 1:].double())
    expected = crf.pair_marginals(emissions, transitions).sum((0, 1)) - moves
    torch.testing.assert_close(gradient[2], expected, **EXACT)


@pytest.mark.parametrize("sharp", [1, 4])
def test_eq_forward_and_eq_backward_meet_at_every_position(sharp):
    emissions, transitions = _case(6, 4, scale=sharp)
    meeting = crf.forward_scores(emissions, transitions) + crf.backward_scores(emissions, transitions)
    total = crf.log_partition(emissions, transitions)[:, None].expand(2, 6)
    torch.testing.assert_close(meeting.logsumexp(2), total, **EXACT)


def test_eq_forward_sums_over_all_beginnings():
    emissions, transitions = _case(4, 3)
    alpha = crf.forward_scores(emissions, transitions)
    free = transitions._replace(end=torch.zeros(3))
    for t in range(4):
        sequences, totals = _all_scores(emissions[:, : t + 1], free)
        for tag in range(3):
            torch.testing.assert_close(alpha[:, t, tag], totals[:, sequences[:, -1] == tag].logsumexp(1), **EXACT)


def test_eq_backward_sums_over_all_endings():
    emissions, transitions = _case(4, 3)
    beta = crf.backward_scores(emissions, transitions)
    for t in range(3):
        for tag in range(3):
            rest = crf.Transitions(transitions.between[tag], transitions.between, transitions.end)
            totals = _all_scores(emissions[:, t + 1 :], rest)[1]
            torch.testing.assert_close(beta[:, t, tag], totals.logsumexp(1), **EXACT)


def test_eq_log_matrix_product_is_a_product_of_exponentials_in_any_grouping():
    a, b, c = torch.randn(3, 4, 4, dtype=torch.float64)
    product = crf.log_matrix_product(a, b)
    torch.testing.assert_close(product.exp(), a.exp() @ b.exp(), **EXACT)
    late = crf.log_matrix_product(a, crf.log_matrix_product(b, c))
    torch.testing.assert_close(crf.log_matrix_product(product, c), late, **EXACT)


def test_eq_log_matrix_product_chains_to_the_partition():
    emissions, transitions = _case(5, 3, batch=1)
    row = (transitions.start + emissions[:, 0])[None]  # (1, 1, C)
    for t in range(1, 5):
        row = crf.log_matrix_product(row, transitions.between + emissions[:, t])
    total = crf.log_matrix_product(row, transitions.end[:, None]).flatten()
    torch.testing.assert_close(total, crf.log_partition(emissions, transitions), **EXACT)


@pytest.mark.parametrize(("length", "classes"), SIZES)
def test_eq_viterbi_equals_the_best_of_enumeration(length, classes):
    emissions, transitions = _case(length, classes)
    tags, scores = crf.viterbi(emissions, transitions)
    sequences, totals = _all_scores(emissions, transitions)
    torch.testing.assert_close(scores, totals.amax(1), **EXACT)
    assert tags.equal(sequences[totals.argmax(1)])


@pytest.mark.parametrize(("length", "classes"), SIZES)
@pytest.mark.parametrize("k", [1, 2, 7])
def test_eq_k_best_equals_enumeration_in_order(length, classes, k):
    emissions, transitions = _case(length, classes)
    tags, scores = crf.k_best(emissions, transitions, k)
    sequences, totals = _all_scores(emissions, transitions)
    there = min(k, classes**length)
    expected, order = totals.topk(there)
    torch.testing.assert_close(scores[:, :there], expected, **EXACT)
    assert tags[:, :there].equal(sequences[order])
    assert (scores[:, there:] == -torch.inf).all()


def _padded(classes=4):
    emissions, transitions = _case(6, classes, batch=4)
    lengths = torch.tensor([6, 1, 4, 2])
    return emissions, transitions, torch.arange(6) < lengths[:, None], lengths


def test_padding_changes_nothing():
    emissions, transitions, mask, lengths = _padded()
    tags = torch.randint(4, (4, 6))
    tags[~mask] = IGNORE
    loss = crf.negative_log_likelihood(emissions, tags, transitions, mask)
    probs, pairs = (run(emissions, transitions, mask) for run in (crf.marginals, crf.pair_marginals))
    best, score = crf.viterbi(emissions, transitions, mask)
    many, scores = crf.k_best(emissions, transitions, 3, mask)
    for row, n in enumerate(lengths.tolist()):
        alone = emissions[row : row + 1, :n]
        torch.testing.assert_close(
            loss[row : row + 1], crf.negative_log_likelihood(alone, tags[row : row + 1, :n], transitions), **EXACT
        )
        torch.testing.assert_close(probs[row, :n], crf.marginals(alone, transitions)[0], **EXACT)
        torch.testing.assert_close(pairs[row, : n - 1], crf.pair_marginals(alone, transitions)[0], **EXACT)
        assert best[row, :n].equal(crf.viterbi(alone, transitions)[0][0])
        assert many[row, :, :n].equal(crf.k_best(alone, transitions, 3)[0][0])
        torch.testing.assert_close(scores[row], crf.k_best(alone, transitions, 3)[1][0], **EXACT)
    torch.testing.assert_close(score, scores[:, 0], **EXACT)
    assert (probs[~mask] == 0).all() and (pairs[~mask[:, 1:]] == 0).all()
    assert (best[~mask] == IGNORE).all() and (many.transpose(1, 2)[~mask] == IGNORE).all()
    (gradient,) = torch.autograd.grad(loss.sum(), emissions)
    assert (gradient[~mask] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stable_for_scores_of_ten_thousand_and_512_words(dtype):
    emissions, transitions = _case(512, 5, scale=1e4, dtype=dtype)
    tags, best = crf.viterbi(emissions, transitions)
    total = crf.log_partition(emissions, transitions)
    assert total.isfinite().all()
    torch.testing.assert_close(total, best, rtol=1e-6, atol=1e-2)  # among scores so far apart the best is the sum
    loss = crf.negative_log_likelihood(emissions, tags, transitions)
    gradients = _gradients(loss.sum(), emissions, transitions)
    assert all(each.isfinite().all() for each in gradients)
    probs = crf.marginals(emissions, transitions)
    torch.testing.assert_close(probs.sum(2), torch.ones_like(probs[..., 0]), rtol=0, atol=1e-5)
    assert probs.argmax(2).equal(tags)
    assert crf.k_best(emissions, transitions, 3)[1].isfinite().all()


def _forbidden():
    emissions, transitions = _case(5, 5)
    allowed = crf.bio_allowed(TAGS)
    return emissions, crf.forbid(transitions, allowed), transitions, allowed


def _legal(sequence):
    names = ["O", *(TAGS[tag] for tag in sequence)]
    return all(now[0] != "I" or before in (now, "B" + now[1:]) for before, now in itertools.pairwise(names))


def test_forbidden_transitions_leave_the_legal_sequences_alone():
    emissions, hard, soft, _ = _forbidden()
    sequences, totals = _all_scores(emissions, soft)
    legal = torch.tensor([_legal(sequence) for sequence in sequences.tolist()])
    assert 0 < legal.sum() < len(legal)
    expected = totals[:, legal]
    total = crf.log_partition(emissions, hard)
    torch.testing.assert_close(total, expected.logsumexp(1), **EXACT)
    both = [_gradients(value.sum(), emissions, soft) for value in (total, expected.logsumexp(1))]
    _assert_same(*both, **EXACT)
    tags, scores = crf.k_best(emissions, hard, 20)
    torch.testing.assert_close(scores, expected.topk(20)[0], **EXACT)
    assert all(_legal(row) for row in tags.flatten(0, 1).tolist())
    assert crf.viterbi(emissions, hard)[0].equal(tags[:, 0])
    assert not all(_legal(row) for row in crf.k_best(emissions, soft, 20)[0].flatten(0, 1).tolist())


def test_forbidden_pairs_have_no_probability():
    emissions, hard, _, allowed = _forbidden()
    assert (crf.pair_marginals(emissions, hard)[:, :, ~allowed.between] == 0).all()
    assert (crf.marginals(emissions, hard)[:, 0, ~allowed.start] == 0).all()


def test_a_tag_that_nothing_reaches_gives_no_nan():
    emissions, transitions = _case(4, 3)
    nothing = torch.ones(3, 3, dtype=torch.bool)
    nothing[:, 2] = False
    ok = torch.tensor([True, True, False])
    hard = crf.forbid(transitions, crf.Transitions(ok, nothing, torch.ones(3, dtype=torch.bool)))
    total = crf.log_partition(emissions, hard)
    small = crf.Transitions(transitions.start[:2], transitions.between[:2, :2], transitions.end[:2])
    torch.testing.assert_close(total, crf.log_partition(emissions[..., :2], small), **EXACT)
    assert all(each.isfinite().all() for each in _gradients(total.sum(), emissions, transitions))


def test_where_fewer_sequences_are_allowed_than_asked_for_the_rest_scores_minus_infinity():
    emissions, transitions = _case(2, 3, batch=1)
    hard = crf.forbid(transitions, crf.bio_allowed(["O", "B-X", "I-X"]))
    scores = crf.k_best(emissions, hard, 9)[1]
    assert scores.isfinite().sum() == 5  # O O, O B, B O, B B, B I
    assert (scores[0, 5:] == -torch.inf).all()


def test_bio_lets_inside_follow_its_own_name_alone():
    allowed = crf.bio_allowed(TAGS)
    assert allowed.start.tolist() == [True, True, False, True, False]
    assert allowed.end.all()
    to_inside_person = allowed.between[:, TAGS.index("I-PER")]
    assert to_inside_person.tolist() == [False, True, True, False, False]
    assert allowed.between[:, [0, 1, 3]].all()


def _peer(transitions):
    peer = torchcrf.CRF(len(transitions.start), batch_first=True).double()
    for name, value in zip(("start_transitions", "transitions", "end_transitions"), transitions, strict=True):
        getattr(peer, name).data = value.detach().clone()
    return peer


def test_agrees_with_pytorch_crf():
    emissions, transitions, mask, lengths = _padded()
    tags = torch.randint(4, (4, 6))
    peer = _peer(transitions)
    ours = crf.negative_log_likelihood(emissions, tags, transitions, mask)
    theirs = -peer(emissions, tags, mask=mask, reduction="none")
    torch.testing.assert_close(ours, theirs, **EXACT)
    parameters = [emissions, peer.start_transitions, peer.transitions, peer.end_transitions]
    _assert_same(_gradients(ours.sum(), emissions, transitions), torch.autograd.grad(theirs.sum(), parameters), **EXACT)
    best = crf.viterbi(emissions, transitions, mask)[0]
    assert [row[:n].tolist() for row, n in zip(best, lengths, strict=True)] == peer.decode(emissions, mask)


def test_eq_independent_tags_a_chain_without_transitions_is_a_softmax_per_word():
    emissions, transitions = _case(5, 4)
    none = crf.Transitions(*(torch.zeros_like(each) for each in transitions))
    torch.testing.assert_close(crf.marginals(emissions, none), emissions.softmax(2), **EXACT)
    tags = torch.randint(4, (2, 5))
    each = torch.nn.functional.cross_entropy(emissions.flatten(0, 1), tags.flatten(), reduction="none")
    torch.testing.assert_close(crf.negative_log_likelihood(emissions, tags, none), each.view(2, 5).sum(1), **EXACT)


def test_eq_markov_assumption_holds_in_the_chain():
    emissions, transitions = _case(5, 3, batch=1)
    sequences, totals = _all_scores(emissions, transitions)
    shares = totals[0].softmax(0).view([3] * 5)  # the joint probability of the five tags
    beginning = shares.sum((3, 4))  # of the first three
    before = beginning.sum(2, keepdim=True)
    given_all = beginning / before  # third tag given both that stand before it
    given_last = beginning.sum(0) / before.sum(0)
    torch.testing.assert_close(given_all, given_last.expand(3, 3, 3), **EXACT)
    assert len(sequences) == shares.numel()


def test_eq_memm_is_a_softmax_at_each_step_and_sums_to_one():
    emissions, transitions = _case(4, 3, batch=1)
    sequences = crf.all_sequences(4, 3)
    logs = crf.memm_log_probability(emissions.expand(len(sequences), -1, -1), sequences, transitions)
    assert logs.exp().sum().item() == pytest.approx(1, abs=1e-12)
    tags = sequences[50]
    probability = (transitions.start + emissions[0, 0]).softmax(0)[tags[0]]
    for t in range(1, 4):
        probability = probability * (transitions.between[tags[t - 1]] + emissions[0, t]).softmax(0)[tags[t]]
    torch.testing.assert_close(logs[50], probability.log(), **EXACT)


def test_a_mask_with_a_hole_is_named():
    emissions, transitions = _case(3, 2)
    for hole in ([1, 0, 1], [0, 1, 1]):
        with pytest.raises(InputError, match="row 1 of the mask has padding before a word; move"):
            crf.log_partition(emissions, transitions, torch.tensor([[1, 1, 1], hole]))
