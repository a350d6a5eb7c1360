"""The drawings: each well-formed, within its width, readable in both colour schemes, and true to what it gets."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from helpers.book import diagrams
from helpers.book.diagrams import canvas, strips
from helpers.book.diagrams.groups import LEAST
from helpers.errors import InputError

TOKENS = ["[CLS]", "a", "slick", ",", "engross", "##ing", "mel", "##od", "##rama", ".", "[SEP]"]
ROW = ("A slick, engrossing melodrama.", TOKENS, {"fresh": 0.91, "rotten": 0.09}, "fresh")
BODY = {"layers": 6, "width": 384, "weights": 22.7}
RANDOM = np.random.default_rng(0)
EMISSIONS, TRANSITIONS, PATH = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 3)), [0, 2, 1, 1]
GALLERY = {
    "row": diagrams.way_of_a_row(*ROW, **BODY),
    **{f"row {step}": diagrams.way_of_a_row(*ROW, **BODY, lit=step) for step in diagrams.STEPS},
    "row in part": diagrams.way_of_a_row(*ROW, **BODY, lit=("softmax", "loss")),
    "stages": diagrams.stages(("tokens", "vectors")),
    "layers": diagrams.two_layers(),
    "attention": diagrams.query_key_value(["the", "river", "bank"], -np.eye(3)[:, :2], [np.eye(2)] * 3, 2),
    "heads": diagrams.heads(3),
    "update": diagrams.low_rank_update(576, 1536, 8),
    "groups": diagrams.groups({"rotten": (304, 34, 338), "fresh": (416, 46, 462)}, "outlet"),
    "teaching": diagrams.teaching(6, [0, 2, 5], {"fresh": (0.91, 0.74), "rotten": (0.09, 0.26)}),
    "halving": diagrams.halving(
        [
            {
                "learning_rate": rate,
                "epochs": epochs,
                "steps": 50 * epochs,
                "accuracy": 0.9,
                "chosen": rate == epochs == 1,
            }
            for rate, epochs in ((1e-4, 1), (5e-5, 1), (2e-4, 1), (1e-4, 2), (2e-4, 2), (2e-4, 4))
        ]
    ),
    "decision": diagrams.decision(
        [
            (
                "Can a rule or a table give the answer?",
                "rule, look-up",
                "0.99 of all fields, a model 0.77",
            ),
            ("Do single words tell the label?", "counted words", "as good as a model, and in a second; " * 3),
        ],
        ("fine-tune", "all weights, from some hundred labels on"),
    ),
    "masks": diagrams.masks(["she", "sat", "on", "the", "bank", "of", "the", "river"], 4),
    "chat": diagrams.chat(
        [("user", ["Name", "a", "river"], [False] * 3), ("assistant", ["Rhine", "."], [False, True])]
    ),
    "batches": diagrams.batches([5, 40, 12, 33, 8, 20, 38, 15], 4),
    "windows": diagrams.windows(300, 128, 64, (150, 158)),
    "spans": diagrams.spans(["Mr.", "John", "Hohlbein"], {"gold": ["O", "B-PER", "I-PER"], "said": ["O", "B-LO", "O"]}),
    "readings": diagrams.readings(
        "酒店很好", {"characters": list("酒店很好"), "English": ["[UNK]", "[UNK]"], "many": ["▁", "酒店", "很好"]}
    ),
    "subsequence": diagrams.subsequence(
        {
            "summary": ["Return", "the", "sum", "of", "all", "the", "rows"],
            "reference": ["Compute", "the", "sum", "of", "the", "rows"],
        },
        ["the", "sum", "of", "the", "rows"],
    ),
    "steps": diagrams.five_steps(),
    "step": diagrams.five_steps(3),
    "package": diagrams.way_of_the_data(),
    "time": diagrams.timeline([(2013, "word2vec", "a vector a word"), (2018, "BERT", "sees both sides")]),
    "chains": diagrams.chains("alone", "memm", "crf"),
    "tagged": diagrams.tagged(
        ["Mr.", "John", "Hohlbein", "sat"],
        {"right": ["O", "B-PER", "I-PER", "O"], "said": ["O", "I-PER", "I-PER", "O"]},
    ),
    "subwords": diagrams.subwords(
        ["Mr.", "Kowalczyk", "sat"],
        ["B-PER", "I-PER", "O"],
        ["[CLS]", "mr", ".", "ko", "##wal", "##czy", "##k", "sat", "[SEP]"],
        [None, 0, 0, 1, 1, 1, 1, 2, None],
    ),
    "trellis": diagrams.trellis(["Ann", "runs", "to", "Oslo"], ["O", "B", "I"], EMISSIONS, TRANSITIONS, PATH),
}


def shapes(form: str) -> ElementTree.Element:
    return ElementTree.fromstring(form)


@pytest.mark.parametrize("name", GALLERY)
@pytest.mark.parametrize("form", ["wide", "narrow"])
def test_no_shape_and_no_text_lies_outside(name, form):
    svg = shapes(getattr(GALLERY[name], form))
    _, _, width, height = map(float, svg.get("viewBox").split())
    assert width == {"wide": canvas.WIDE, "narrow": canvas.NARROW}[form]
    for box in svg.iter("rect"):
        x, y, wide, high = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height
    for text in svg.iter("text"):
        size, mono = (13 if {"soft", "mono"} & set(text.get("class").split()) else 15), "mono" in text.get("class")
        long = canvas.span(text.text or "", size, mono=mono)
        left = float(text.get("x")) - {"start": 0, "middle": long / 2, "end": long}[text.get("text-anchor")]
        assert left >= -1 and left + long <= width + 4, text.text
        assert float(text.get("y")) <= height


@pytest.mark.parametrize("name", GALLERY)
def test_a_drawing_says_what_it_shows_and_hides_its_shapes_from_those_who_hear_it(name):
    page = GALLERY[name]._repr_html_()
    assert 'role="img"' in page and len(GALLERY[name].description) > 20
    assert page.count('aria-hidden="true"') == page.count("<svg") == 2


def test_two_drawings_on_a_page_share_no_id():
    ids = [found for drawn in GALLERY.values() for found in re.findall(r'id="(\w+)"', drawn._repr_html_())]
    assert len(ids) == len(set(ids))


def test_a_text_of_a_user_cannot_become_markup():
    page = diagrams.spans(["<script>", "&"], {"<b>": ["B-<i>", "O"]})._repr_html_()
    assert "<script>" not in page and "<b>" not in page and "<i>" not in page


def luminance(colour: str) -> float:
    colour = "".join(2 * digit for digit in colour) if len(colour) == 3 else colour
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_has_contrast_on_every_ground_in_light_and_dark(scheme):
    blocks = re.findall(r"\{(--ink.*?)\}", canvas._STYLE, re.S)
    colours = dict(re.findall(r"--(\w+):#([0-9a-f]+)", blocks[scheme]))
    for ground in ("paper", "token", "body", "new", "goodfill", "badfill", "plumfill"):
        assert contrast(colours["ink"], colours[ground]) >= 4.5
        assert contrast(colours["soft"], colours[ground]) >= 4.5, ground
    assert contrast(colours["newline"], colours["paper"]) >= 4.5


def test_each_step_of_a_row_lights_something_on_a_page_and_on_a_phone():
    for step in diagrams.STEPS:
        for form in ("wide", "narrow"):
            lit = [
                len(re.findall(r'class="[^"]*\blit\b', getattr(GALLERY[name], form))) for name in ("row", f"row {step}")
            ]
            assert lit[0] == 0 < lit[1], (step, form)


def test_a_trellis_lights_the_edges_of_its_path_alone():
    lit = re.findall(r'class="wire lit"', GALLERY["trellis"].wide)
    assert len(lit) == len(PATH) - 1
    assert GALLERY["trellis"].wide.count('class="new"') == len(PATH)


def test_a_trellis_writes_what_a_recursion_keeps():
    kept = RANDOM.normal(size=EMISSIONS.shape)
    drawn = diagrams.trellis(list("abcd"), ["O", "B", "I"], EMISSIONS, TRANSITIONS, kept=kept)
    assert all(f">{value:.2f}</text>" in drawn.wide for value in kept.ravel())
    assert 'class="new"' not in drawn.wide, "without a path nothing is lit"


def test_tags_that_differ_are_marked_and_forbidden_steps_say_so():
    drawn = GALLERY["tagged"].wide
    assert drawn.count('class="token bad"') == 1
    assert drawn.count(">illegal</text>") == 1  # I after O; the second I follows an I


@pytest.mark.parametrize("form", ["wide", "narrow"])
def test_the_first_subword_of_each_word_is_lit_and_an_arrow_leads_to_it(form):
    svg = shapes(getattr(GALLERY["subwords"], form))
    kinds = [box.get("class") for box in svg.iter("rect")]
    assert kinds.count("token new") == 3 and kinds.count("token faint") == 6
    lit = [(float(box.get("x")), float(box.get("y"))) for box in svg.iter("rect") if box.get("class") == "token new"]
    ends = [tuple(map(float, re.findall(r"[\d.]+", path.get("d"))[-2:])) for path in svg.iter("path")
            if path.get("class") == "wire lit"]  # fmt: skip
    assert [(x + 13, y - 3) for x, y in lit] == ends
    assert "Kowalczyk with I-PER becomes ko ##wal ##czy ##k" in GALLERY["subwords"].description


def test_tags_hang_on_the_whole_sentence_and_on_each_other_only_in_a_chain():
    arrows = {kind: diagrams.chains(kind).wide.count('class="wire lit"') for kind in ("alone", "memm", "crf")}
    assert arrows == {"alone": 0, "memm": 3, "crf": 3}
    assert diagrams.chains("crf").wide.count("marker-end") == 0, "a CRF has no direction"


def test_the_shares_of_an_attention_drawing_are_those_of_torch():
    x, weights = RANDOM.normal(size=(4, 2)), [RANDOM.normal(size=(2, 2)) for _ in range(3)]
    drawn = diagrams.query_key_value(list("abcd"), x, weights, 1)
    q, k, _ = (torch.from_numpy(x @ weight) for weight in weights)
    shares = (q[1] @ k.T / 2**0.5).softmax(-1)
    assert [f"{share:.2f}" for share in shares] == re.findall(r"(\d\.\d\d) of", drawn.description)


def test_packing_keeps_every_text_and_no_row_is_longer_than_the_longest():
    for _ in range(50):
        lengths = RANDOM.integers(1, 50, RANDOM.integers(1, 40)).tolist()
        rows = strips._packed(lengths, max(lengths))
        assert sorted(itertools.chain(*rows)) == sorted(lengths)
        assert max(map(sum, rows)) == max(lengths)


def test_spans_are_grouped_as_bio_says():
    tags = ["O", "B-PER", "I-PER", "B-PER", "I-LOC", "O"]
    assert strips._groups(list("abcdef"), tags) == [("", "a"), ("PER", "b c"), ("PER", "d"), ("LOC", "e"), ("", "f")]


def test_windows_hold_an_answer_only_if_it_is_whole():
    described = diagrams.windows(300, 128, 64, (120, 130)).description
    assert described.endswith("stands whole in window 2.")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: diagrams.way_of_a_row(*ROW, **BODY, lit="middle"), "lit is 'middle'"),
        (lambda: diagrams.five_steps(6), "lit is 6"),
        (lambda: diagrams.spans(["a"], {"gold": ["O", "O"]}), "'gold' has 2 tags for 1 words"),
        (lambda: diagrams.tagged(["a"], {"gold": ["O", "O"]}), "'gold' has 2 tags for 1 words"),
        (lambda: diagrams.subwords(["a"], ["O", "O"], ["a"], [0]), "'tags' has 2 tags for 1 words"),
        (lambda: diagrams.chains("hmm"), "there is no chain 'hmm'"),
        (lambda: diagrams.readings("a", {"bytes": []}), "'bytes' has no pieces of the text"),
        (lambda: diagrams.subsequence({"a": ["b", "c"]}, ["c", "b"]), "'a' does not hold 'b' in this order"),
        (lambda: canvas.drawing(" ", lambda _: None), "no description"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(make, said):
    with pytest.raises(InputError, match=re.escape(said)):
        make()


def test_groups_are_as_wide_as_they_are_large_and_small_ones_can_be_read():
    svg = shapes(diagrams.groups({"a": (450, 50, 500), "b": (900, 2, 100)}, "mark").wide)
    widths = [float(box.get("width")) for box in svg.iter("rect")][:6]
    assert widths[0] / widths[2] == pytest.approx(0.9, abs=0.02) and min(widths) == LEAST
    assert sum(widths[:3]) == pytest.approx(sum(widths[3:]) * 1000 / 1002, rel=0.01)
    with pytest.raises(InputError, match="label 'a' has the parts"):
        diagrams.groups({"a": (450, 0, 500)}, "mark")


def test_a_reading_marks_and_counts_what_is_unknown_and_gives_square_letters_their_room():
    reading = diagrams.readings("酒店不错", {"English": ["[UNK]", "b", "[UNK]"], "many": ["酒店不错酒店不错"]})
    boxes = list(shapes(reading.wide).iter("rect"))
    assert [box.get("class").split()[-1] for box in boxes] == ["bad", "token", "bad", "token"]
    assert float(boxes[-1].get("width")) > 8 * canvas.SMALL
    assert "3 pieces, 2 of them unknown" in reading.description and "many, 1 piece." in reading.description


def test_a_subsequence_lights_each_of_its_words_once_and_nothing_else():
    drawn = diagrams.subsequence({"a": ["the", "sum", "of", "the", "rows"], "b": ["of", "the", "the"]}, ["of", "the"])
    boxes = [box.get("class").split()[-1] for box in shapes(drawn.narrow).iter("rect")]
    assert boxes == ["token", "token", "good", "good", "token", "good", "good", "token"]


def test_a_decision_asks_in_order_and_ends_with_what_is_left():
    drawn = diagrams.decision([("Easy?", "do a", "x"), ("Large?", "do b", "y")], ("do c", "z"))
    for form in (drawn.wide, drawn.narrow):
        texts = [text.text for text in shapes(form).iter("text") if text.text not in ("yes", "no")]
        assert [text for text in texts if text in ("Easy?", "Large?", "do a", "do b", "do c")] == [
            "Easy?", "do a", "Large?", "do b", "do c",
        ]  # fmt: skip
        said = [text.text for text in shapes(form).iter("text")]
        assert said.count("yes") == said.count("no") == 2, "each question has both ways out, at every width"
    with pytest.raises(InputError, match="no questions"):
        diagrams.decision([], ("do c", "z"))


def test_a_search_shows_each_trial_once_and_leads_on_from_those_that_went_on():
    trials = [
        {"learning_rate": rate, "epochs": epochs, "steps": 10 * epochs, "accuracy": score, "chosen": score == 0.9}
        for rate, epochs, score in ((1e-4, 3, 0.8), (5e-5, 3, 0.7), (1e-4, 6, 0.9))
    ]
    drawn = diagrams.halving(trials)
    for form in (drawn.wide, drawn.narrow):
        svg = shapes(form)
        assert [box.get("class") for box in svg.iter("rect")] == ["body", "body", "new"]
        assert len([path for path in svg.iter("path") if path.get("class")]) == 1
        texts = [text.text for text in svg.iter("text")]
        assert texts.count("rate 1e-4") == 2 and texts.count("rate 5e-5") == 1
    assert "rate 1e-4 with 6 passes: 0.900, chosen" in drawn.description
    with pytest.raises(InputError, match="without trials"):
        diagrams.halving([])


def test_plain_words_between_spans_are_as_wide_as_the_room_that_is_kept_for_them():
    drawn = diagrams.spans(["now", "in", "New", "England", "."], {"seen": ["O", "O", "B-PLACE", "I-PLACE", "O"]})
    texts = [text for text in shapes(drawn.wide).iter("text") if text.get("textLength")]
    assert [text.text for text in texts] == ["now in", "."]
    assert all(float(text.get("textLength")) == pytest.approx(canvas.span(text.text)) for text in texts)


def test_the_loss_of_a_row_follows_from_the_probability_that_is_printed():
    drawn = diagrams.way_of_a_row(ROW[0], TOKENS, {"fresh": 0.4968, "rotten": 0.5032}, "fresh", **BODY)
    printed, loss = re.search(
        r"log (0\.\d+) = (0\.\d+)", "".join(ElementTree.fromstring(drawn.wide).itertext())
    ).groups()
    assert f"{-np.log(float(printed)):.2f}" == loss
