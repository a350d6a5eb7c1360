"""The combined system of translations: the memory where it is similar, the decoder elsewhere."""

import numpy as np
import pytest

from experiments import translation


def test_the_memory_answers_from_its_threshold_on_and_the_decoder_below():
    memory, decoder, similarities = ["m0", "m1", "m2"], ["d0", "d1", "d2"], np.array([0.2, 0.5, 1.0])
    assert translation.either(memory, similarities, decoder, 0.5) == ["d0", "m1", "m2"]
    assert translation.either(memory, similarities, decoder, translation.THRESHOLDS[-1]) == decoder


def test_fewer_strings_learn_in_as_many_steps_as_a_thousand():
    steps = {rows: -(-rows // 8) * epochs for rows, epochs in translation.STEPS_OF_1000.items()}
    assert list(steps.values()) == pytest.approx([1000 / 8 * translation.PASSES] * len(steps), rel=0.02)


def test_seeds_of_a_system_follow_each_other_and_no_result_stands_twice():
    results = [about for about, _ in translation.french()]
    keys = [tuple(map(str, about.values())) for about in results]
    assert len(set(keys)) == len(keys)
    kinds = {}
    for about in results:
        kinds.setdefault(str({name: value for name, value in about.items() if name != "seed"}), []).append(
            about["seed"]
        )
    assert all(seeds == sorted(seeds) for seeds in kinds.values())
    assert {tuple(seeds) for seeds in kinds.values()} == {(0,), (0, 1, 2)}
