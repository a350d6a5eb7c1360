"""Chats as tokens: those of the template's own text, for every kind of tokenizer and template, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tiny_decoder as tiny
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from helpers import Generation
from helpers.errors import InputError
from helpers.tasks.generation.chat import ChatTemplate
from helpers.tasks.generation.likelihood import token_table

CHAT = Generation(max_new_tokens=4)
ZEPHYR = (
    "{% for turn in messages %}{{ '<|' + turn['role'] + '|>\n' + turn['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
LLAMA = (
    "{% for turn in messages %}{% if turn['role'] == 'user' %}{{ '<s>[INST] ' + turn['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + turn['content'] | trim + ' </s>' }}{% endif %}{% endfor %}"
)
GLM = (
    "{% for turn in messages %}{{ '<|' + turn['role'] + '|>\n' + turn['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
TEMPLATES = {"bytes": tiny.TEMPLATE, "zephyr": ZEPHYR, "llama": LLAMA, "glm": GLM}
SPECIAL = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>"]
WORDS = ["fine", "th", "an", "ks", "the", " f", "hi", "\n\n", "IN", "ST", "INST"]


def metaspace(kind: str, template: str) -> PreTrainedTokenizerFast:
    """A sign stands for a blank; `legacy` writes one before each text, as Llama 2, `first` before the first alone."""
    letters = sorted({*"abcdefghijklmnopqrstuvwxyzINST[]/|<>?.,!\u2581", *(f"<0x{i:02X}>" for i in range(256))})
    merges = [("t", "h"), ("a", "n"), ("k", "s"), ("\u2581", "f"), ("h", "i"), ("\u2581", "th"), ("I", "N"), ("S", "T")]
    tokens = [*SPECIAL, *letters, *("".join(pair) for pair in merges)]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    inside = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if kind == "legacy":
        inside.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    else:
        inside.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind, split=False)
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    inside.decoder = decoders.Sequence(steps)
    inside.add_special_tokens(SPECIAL)
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=inside, model_max_length=4096, chat_template=template, **special)


def kinds() -> list:
    """Tokenizers with the name of their template; the special tokens of each stand in its vocabulary."""
    found = [(tiny.tokenizer(TEMPLATES[name], window=4096), name) for name in ("bytes", "zephyr")]
    names = ("zephyr", "llama", "glm")
    return found + [
        (metaspace(kind, TEMPLATES[name]), name) for kind in ("legacy", "first", "always") for name in names
    ]


def texts(seed: int, blanks: bool) -> list[str]:
    """Four contents of letters, words and signs, with or without blanks and line ends at both ends."""
    random, found = np.random.default_rng(seed), []
    for _ in range(4):
        middle = "".join(random.choice([*"abc .,\n", " f", "th", "an", "ks", "fine"], size=6))
        edges = random.choice(["", " ", "\n", "\n\n", "  ", " \n"], size=2) if blanks else ("", "")
        first = random.choice(["x", "f", "th"])  # the last two grow together with a blank before them
        found.append(f"{edges[0]}{first}{middle}y{edges[1]}")
    return found


def chat(contents: list[str]) -> list[dict]:
    roles = ("user", "assistant") * 2
    return [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]


def chats(*rows) -> Dataset:
    return Dataset.from_list([{"messages": list(turns)} for turns in rows])


def rendered(tokenizer, turns: list[dict]) -> str:
    """The template's text up to the end of the last answer."""
    asked = tokenizer.apply_chat_template(turns[:-1], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    assert whole.startswith(asked)
    closed = whole.rstrip("\n") if not whole.endswith(turns[-1]["content"]) else whole
    return closed if closed.endswith((tokenizer.eos_token, "<|end|>")) else whole + tokenizer.eos_token


def rows_of(tokenizer, count: int, blanks: bool) -> tuple[list, list]:
    turns = [chat(texts(seed, blanks)) for seed in range(count)]
    return turns, CHAT.encode(tokenizer, chats(*turns)).to_list()


@pytest.mark.parametrize("blanks", [False, True])
def test_a_row_is_the_text_of_its_template(blanks):
    for tokenizer, name in kinds():
        for turns, row in zip(*rows_of(tokenizer, 25, blanks), strict=True):
            wanted = rendered(tokenizer, turns)
            if name == "glm":  # the next turn ends an answer, and the last gets the end token
                assert wanted.endswith(turns[-1]["content"] + tokenizer.eos_token)
            ids = tokenizer(wanted, add_special_tokens=False)["input_ids"]
            assert tokenizer.decode(row["input_ids"]) == tokenizer.decode(ids), (name, wanted)


def test_the_tokens_are_those_of_the_whole_text_where_an_answer_does_not_begin_inside_one():
    same = total = 0
    for tokenizer, name in kinds():
        for turns, row in zip(*rows_of(tokenizer, 25, False), strict=True):
            ids = tokenizer(rendered(tokenizer, turns), add_special_tokens=False)["input_ids"]
            assert row["input_ids"] == ids, (name, tokenizer.convert_ids_to_tokens(ids))
            same, total = same + 1, total + 1
    assert same == total == 25 * 11


@pytest.mark.parametrize("blanks", [False, True])
def test_the_answers_count_with_their_ends_and_nothing_else(blanks):
    for tokenizer, name in kinds():
        for turns, row in zip(*rows_of(tokenizer, 10, blanks), strict=True):
            counted = [token for token, counts in zip(row["input_ids"], row["counts"], strict=True) if counts]
            text = tokenizer.decode(counted)
            answers = [turn["content"].strip() if name == "llama" else turn["content"] for turn in turns[1::2]]
            places = [text.find(answer) for answer in answers]
            assert 0 <= places[0] < places[1], (name, text, answers)
            rest = text.replace(answers[0], "", 1).replace(answers[1], "", 1)
            assert set(rest.replace(" ", "")) <= set("<|user|></s><|end|>"), rest


@pytest.mark.parametrize("blanks", [False, True])
def test_a_chat_that_is_answered_has_the_tokens_of_the_chat_that_is_learnt(blanks):
    for tokenizer, _ in kinds():
        turns, learnt = rows_of(tokenizer, 10, blanks)
        asked = CHAT.encode(tokenizer, chats(*[each[:-1] for each in turns])).to_list()
        for ask, learn in zip(asked, learnt, strict=True):
            assert ask["input_ids"] == learn["input_ids"][: learn["prompt_tokens"]]
            assert sum(ask["counts"]) == 0


def test_a_special_token_that_a_turn_spells_stays_text():
    for tokenizer, _ in kinds():
        plain = CHAT.encode(tokenizer, chats(chat(["x", "y", "z", "w"])))[0]["input_ids"]
        for word in tokenizer.all_special_tokens:
            row = CHAT.encode(tokenizer, chats(chat([f"x{word}", f"{word}y", f"z{word}z", word])))[0]
            special = set(tokenizer.all_special_ids)
            assert [i for i in row["input_ids"] if i in special] == [i for i in plain if i in special]
            assert tokenizer.decode(row["input_ids"]).count(word) >= 4


def test_every_end_that_training_counts_ends_an_answer():
    for tokenizer, name in kinds():
        ends = set(ChatTemplate(tokenizer, "chat").ends())
        row = rows_of(tokenizer, 1, False)[1][0]
        pairs = zip(row["counts"], [*row["counts"][1:], 0], row["input_ids"], strict=True)
        closings = {token for counts, then, token in pairs if counts and not then}
        assert closings <= ends, name
        assert len(closings) == (2 if name == "glm" else 1)


TURNS = chat(["a", "B", "c", "D"])


def encoded(*turns, template=tiny.TEMPLATE, **changes):
    return replace(CHAT, **changes).encode(tiny.tokenizer(template), chats(*turns))


def counted(row) -> str:
    table = token_table(tiny.tokenizer(), row)
    return "".join(table["token"][table["label"] >= 0])


def test_an_answer_of_weight_0_is_read_and_not_learnt():
    weighted = [TURNS[0], TURNS[1] | {"weight": 0}, TURNS[2], TURNS[3] | {"weight": 1}]
    row, whole = encoded(weighted)[0], encoded(TURNS)[0]
    assert row["input_ids"] == whole["input_ids"] and row["prompt_tokens"] == whole["prompt_tokens"]
    assert counted(row) == "D<|end|>" and counted(whole) == "B<|end|>D<|end|>"
    last = encoded([*TURNS[:3], TURNS[3] | {"weight": 0}])[0]
    assert counted(last) == "B<|end|>" and last["prompt_tokens"] == whole["prompt_tokens"]
    assert "B<|end|>" not in counted(encoded(weighted, supervise="all")[0])


def test_a_content_of_parts_is_its_text():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert (
        encoded([{"role": "user", "content": parts}]).to_list()
        == encoded([{"role": "user", "content": "ab"}]).to_list()
    )


PICTURE = [{"type": "image", "text": None, "url": "x"}]
NO_TOOLS = (
    "{% for turn in messages %}{% if turn['role'] != 'tool' %}<|start|>{{ turn['content'] }}<|end|>{% endif %}"
    "{% endfor %}"
)
AS_USER = (
    "{% for turn in messages %}{{ '<|start|>' ~ ('A' if turn['role'] == 'assistant' else 'U') ~ turn['content'] }}"
)
AS_USER += "<|end|>{% endfor %}"
TOOL = {"role": "tool", "content": "42"}
CALLING = TURNS[1] | {"tool_calls": [{"function": {"name": "add"}}]}


@pytest.mark.parametrize(
    "turns, template, sentence",
    [
        ([TURNS[0], TURNS[1] | {"weight": 0}], tiny.TEMPLATE, "^all answers in row 1 have weight 0, so that"),
        ([TURNS[0], TURNS[1] | {"weight": 0.5}], tiny.TEMPLATE, r"^weight 0\.5 of a turn in row 1 is neither 0 nor 1"),
        ([{"role": "user", "content": PICTURE}], tiny.TEMPLATE, "^a turn in row 1 has a part of the type 'image'"),
        ([{"role": "human", "content": "a"}], tiny.TEMPLATE, "^role 'human' in row 1 is not .*; call it 'user'$"),
        ([{"role": "gpt", "content": "a"}], tiny.TEMPLATE, "^role 'gpt' in row 1 is .*; call it 'assistant'$"),
        ([{"role": "critic", "content": "a"}], tiny.TEMPLATE, "^role 'critic' in row 1 is not one of .*; rename it$"),
        ([TURNS[0], TOOL, TURNS[1]], NO_TOOLS, "has no turns of the role 'tool', as in row 1; leave"),
        ([TURNS[0], TOOL, TURNS[1]], AS_USER, "has no turns of the role 'tool', as in row 1"),
        ([{"role": "developer", "content": "a"}, *TURNS], AS_USER, "has no turns of the role 'developer', as in row 1"),
        ([TURNS[0], CALLING], tiny.TEMPLATE, "does not write the tool_"),
        ([TURNS[0], TURNS[1]], "{{ messages[0]['content'] | upper }}", "has no turns of the role 'user'|leaves out a"),
    ],
)  # fmt: skip
def test_turns_that_cannot_be_learnt_are_one_sentence(turns, template, sentence):
    with pytest.raises(InputError, match=sentence):
        encoded(turns, template=template)


@pytest.mark.parametrize("role", ["tool", "function", "developer"])
def test_a_role_that_the_template_has_passes(role):
    row = encoded([TURNS[0], {"role": role, "content": "42"}, TURNS[1]])[0]
    assert f"<|start|>{role}\n42<|end|>" in tiny.tokenizer().decode(row["input_ids"])
    assert counted(row) == "B<|end|>"


def test_the_calls_of_tools_are_learnt_where_the_template_writes_them():
    calling = (
        "{% for turn in messages %}{{ '<|start|>' + turn['role'] + '\n' + turn['content'] }}"
        "{% for call in turn.tool_calls or [] %}{{ 'CALL ' + call.function.name + call.function.arguments | tojson }}"
        "{% endfor %}{{ '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
    )
    calls = [{"type": "function", "function": {"name": "add", "arguments": json.dumps({"x": 1})}}]
    call = {"role": "assistant", "content": None, "tool_calls": calls}
    row = encoded([TURNS[0], call, TOOL, TURNS[3]], template=calling)[0]
    assert counted(row) == 'CALL add{"x": 1}<|end|>D<|end|>'
    assert counted(encoded([TURNS[0], call], template=calling)[0]) == 'CALL add{"x": 1}<|end|>'
