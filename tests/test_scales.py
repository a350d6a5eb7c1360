import pandas as pd
import pytest

from helpers import assets, scales
from helpers.errors import InputError


@pytest.mark.parametrize(
    ("argument", "variable", "expected"),
    [(None, None, "laptop"), (None, "", "laptop"), (None, "gpu", "gpu"), ("laptop", "gpu", "laptop")],
)
def test_the_argument_wins_over_the_environment(monkeypatch, argument, variable, expected):
    monkeypatch.delenv("SFT_SCALE", raising=False)
    if variable is not None:
        monkeypatch.setenv("SFT_SCALE", variable)
    assert scales.current(argument) == expected


def test_an_unknown_scale_is_named_with_where_it_came_from(monkeypatch):
    with pytest.raises(InputError, match=r"^scale is 'huge'; choose one of laptop, gpu$"):
        scales.current("huge")
    monkeypatch.setenv("SFT_SCALE", "GPU")
    with pytest.raises(InputError, match=r"^SFT_SCALE is 'GPU'; choose one of laptop, gpu$"):
        scales.model("encoder")


def test_every_role_and_corpus_has_an_asset_on_a_laptop_and_a_name_on_a_gpu():
    at_hand = {*assets.assets(), "docstrings"}  # which the installed libraries hold
    for table, look_up in ((scales.MODELS, scales.model), (scales.CORPORA, scales.data)):
        for name in table:
            assert look_up(name, "laptop") in at_hand
            assert look_up(name, "gpu") not in assets.assets()


def test_an_unknown_role_or_corpus_lists_what_there_is():
    with pytest.raises(InputError, match=r"^there is no model role 'encodr'; choose one of encoder, .*multilingual$"):
        scales.model("encodr")
    with pytest.raises(InputError, match=r"^there is no corpus 'nwes'; choose one of .*reviews"):
        scales.data("nwes")


def test_a_value_grows_with_the_scale(monkeypatch):
    monkeypatch.delenv("SFT_SCALE", raising=False)
    assert scales.at(500, 5000) == 500 == scales.at(500, 5000, "laptop")
    assert scales.at(1e-4, None, "gpu") is None
    with pytest.raises(InputError, match="scale is 'huge'"):
        scales.at(1, 2, "huge")


def test_the_table_of_models_names_what_each_role_takes_with_its_licence():
    table = pd.DataFrame(scales.models_on_the_hub())
    assert table["name"].is_unique and (table["weights"] > 0).all()
    assert table[["licence", "why"]].map(len).min().min() > 2
    taken = table[table["taken"]].set_index("role")["name"].to_dict()
    assert taken == {role: scales.model(role, "gpu") for role in (*scales.MODELS, *scales.ONLY_GPU)}
    assert (table.groupby("role").size() > 1).all()
