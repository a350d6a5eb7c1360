"""A made data set reads to the same rows in each public shape as in plain columns."""

import json

import numpy as np
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from helpers.data import conll, files, shapes
from helpers.errors import InputError
from helpers.tasks.classification import files as texts
from helpers.tasks.extraction import files as questions
from helpers.tasks.generation import files as chats
from helpers.tasks.options import FORMAT
from helpers.tasks.tagging import files as tags

FILES, ROWS = 8, 30  # made for each shape
WORDS = ["Anna", "sang", "in", "Paris", "1990", "C++", "é", "😀", "-", "x", "don't", "[1]", "{"]


def write(path, rows: list[dict] | dict):
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def sentence(random, least: int = 1) -> str:
    return " ".join(random.choice(WORDS, size=random.integers(least, 7)))


def same(read: pd.DataFrame, plain: list[dict], columns: tuple[str, ...]):
    assert read[list(columns)].to_dict("records") == [{name: row[name] for name in columns} for row in plain]


@pytest.fixture
def made():
    """Generators of random numbers, one a file."""
    return [np.random.default_rng(seed) for seed in range(FILES)]


def test_alpaca(tmp_path, made):
    for random in made:
        rows = [
            {
                "instruction": sentence(random),
                "input": random.choice(["", sentence(random)]),
                "output": sentence(random),
            }
            for _ in range(ROWS)
        ]
        read = chats.read(write(tmp_path / "a.json", rows))
        assert read.attrs["format"] == "alpaca" and read["completion"].tolist() == [row["output"] for row in rows]
        for prompt, row in zip(read["prompt"], rows, strict=True):
            assert prompt == "\n".join(filter(None, (row["instruction"], row["input"])))
        named = chats.read(tmp_path / "a.json", prompt="instruction", completion="output")
        assert named["prompt"].tolist() == read["prompt"].tolist(), "the input is not dropped in silence"
        alone = chats.read(tmp_path / "a.json", prompt="instruction", completion="output", format="columns")
        assert alone["prompt"].tolist() == [row["instruction"] for row in rows]


def conversation(random) -> list[dict]:
    turns = [{"role": "system", "content": sentence(random)}] if random.random() < 0.3 else []
    for _ in range(random.integers(1, 4)):
        turns += [{"role": "user", "content": sentence(random)}, {"role": "assistant", "content": sentence(random)}]
    return turns


def test_sharegpt(tmp_path, made):
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    for random in made:
        plain = [{"messages": conversation(random)} for _ in range(ROWS)]
        rows = [
            {"conversations": [{"from": names[turn["role"]], "value": turn["content"]} for turn in row["messages"]]}
            for row in plain
        ]
        read = chats.read(write(tmp_path / "a.json", rows))
        assert read.attrs["format"] == "sharegpt"
        same(read, plain, ("messages",))


def test_turns_as_prompt_and_completion(tmp_path, made):
    for random in made:
        plain = [{"messages": conversation(random)} for _ in range(ROWS)]
        rows = [{"prompt": row["messages"][:-1], "completion": row["messages"][-1:]} for row in plain]
        read = chats.read(write(tmp_path / "a.json", rows))
        assert read.attrs["format"] == "turns"
        same(read, plain, ("messages",))


def test_chats_in_the_cells_of_a_table_and_in_parquet(tmp_path, made):
    for random in made:
        plain = [{"messages": conversation(random)} for _ in range(ROWS)]
        frame = pd.DataFrame({"messages": [json.dumps(row["messages"]) for row in plain], "other": "x"})
        frame.to_csv(tmp_path / "a.csv", index=False)
        pd.DataFrame(plain).to_parquet(tmp_path / "a.parquet")
        same(chats.read(tmp_path / "a.csv"), plain, ("messages",))
        same(chats.read(tmp_path / "a.parquet"), plain, ("messages",))


def answered(random) -> dict:
    context = sentence(random, 3)
    words = context.split()
    start = int(random.integers(len(words)))
    place = len(" ".join(words[:start])) + (start > 0)
    answers = (
        {"text": [words[start]], "answer_start": [place]} if random.random() < 0.8 else {"text": [], "answer_start": []}
    )
    return {"question": sentence(random), "context": context, "answers": answers}


def in_pairs(answers: dict) -> list[dict]:
    return [{"text": text, "answer_start": start} for text, start in zip(*answers.values(), strict=True)]


def test_squad_nested_flat_and_in_a_table(tmp_path, made):
    columns = ("question", "context", "answers")
    first = {"question": "Who?", "context": "Anna", "answers": {"text": ["Anna"], "answer_start": [0]}}
    for random in made:
        plain = [first, *(answered(random) for _ in range(ROWS))]
        pairs = [row | {"answers": in_pairs(row["answers"])} for row in plain]
        nested = [
            {"context": row["context"], "qas": [{"question": row["question"], "answers": row["answers"], "id": "1"}]}
            for row in pairs
        ]
        articles = {"version": "2.0", "data": [{"title": "a", "paragraphs": nested[:2]}, {"paragraphs": nested[2:]}]}
        read = questions.read(write(tmp_path / "a.json", articles))
        assert read.attrs["format"] == "squad"
        same(read, plain, columns)
        same(questions.read(write(tmp_path / "b.json", pairs)), plain, columns)
        same(questions.read(write(tmp_path / "c.json", plain)), plain, columns)
        frame = pd.DataFrame([row | {"answers": json.dumps(row["answers"])} for row in plain])
        frame.to_csv(tmp_path / "d.csv", index=False)
        same(questions.read(tmp_path / "d.csv"), plain, columns)


def tagged(random) -> dict:
    """Words of letters alone, some of them spans of one word or two."""
    words = [str(word) for word in random.choice(["Anna", "sang", "in", "Paris", "é"], size=random.integers(2, 8))]
    marks, place = [], 0
    while place < len(words):
        length = min(int(random.integers(1, 3)), len(words) - place)
        name = random.choice(["PER", "LOC", ""])
        marks += [f"{'I' if i else 'B'}-{name}" if name else "O" for i in range(length)]
        place += length
    return {"tokens": words, "tags": [*marks[:-1], "B-END"]}


def spans(row: dict) -> list[list]:
    """The spans of characters of a row whose words are joined by blanks."""
    found, place = [], 0
    for word, tag in zip(row["tokens"], row["tags"], strict=True):
        if tag[0] == "B":
            found.append([place, place + len(word), tag[2:]])
        elif tag[0] == "I":
            found[-1][1] = place + len(word)
        place += len(word) + 1
    return found


def test_doccano(tmp_path, made):
    for random in made:
        plain = [tagged(random) for _ in range(ROWS)]
        rows = [{"id": 7, "text": " ".join(row["tokens"]), "label": spans(row)} for row in plain]
        read = tags.read(write(tmp_path / "a.json", rows))
        assert read.attrs["format"] == "doccano"
        same(read, plain, ("tokens", "tags"))
        entities = [
            {
                "text": row["text"],
                "entities": [
                    dict(zip(("start_offset", "end_offset", "label"), span, strict=True)) for span in row["label"]
                ],
            }
            for row in rows
        ]
        same(tags.read(write(tmp_path / "b.json", entities)), plain, ("tokens", "tags"))


def test_conll_conllu_and_multiconer(tmp_path, made):
    for random in made:
        plain = [tagged(random) for _ in range(ROWS)]
        pairs = [list(zip(row["tokens"], row["tags"], strict=True)) for row in plain]
        blocks = ["".join(f"{word}\t{tag}\n" for word, tag in row) for row in pairs]
        (tmp_path / "a.conll").write_text("\n".join(blocks), encoding="utf-8")
        same(tags.read(tmp_path / "a.conll"), plain, ("tokens", "tags"))
        blocks = [
            "".join([f"# id {place}\tdomain=en\n", *(f"{word} _ _ {tag}\n" for word, tag in row)])
            for place, row in enumerate(pairs)
        ]
        (tmp_path / "b.conll").write_text("\n".join(blocks), encoding="utf-8")
        same(tags.read(tmp_path / "b.conll"), plain, ("tokens", "tags"))
        blocks = [
            "# sent_id = 1\n# text = Anna sang\n1-2\tAnnasang"
            + "\t_" * 8
            + "\n"
            + "".join(f"{at}\t{word}\t_\t{tag}\t_\t_\t0\troot\t_\t_\n" for at, (word, tag) in enumerate(row, start=1))
            for row in pairs
        ]
        (tmp_path / "c.conllu").write_text("\n".join(blocks) + "\n", encoding="utf-8")
        read = tags.read(tmp_path / "c.conllu")
        assert read.attrs["format"] == "conllu"
        same(read, plain, ("tokens", "tags"))
        assert conll.read(tmp_path / "c.conllu", tagged=False)["tokens"].tolist() == [row["tokens"] for row in plain]


def test_ids_with_the_names_that_metadata_hold(tmp_path, made):
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-END"]
    features = Features(
        {"tokens": List(Value("string")), "tags": List(ClassLabel(names=names)), "label": ClassLabel(names=names)}
    )
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "dataset_info.json").write_text(
        json.dumps({"features": features.to_dict()}), encoding="utf-8"
    )
    for random in made:
        plain = [tagged(random) | {"label": names[i]} for i in range(5) for _ in range(ROWS // 5)]
        ids = [
            row | {"tags": [names.index(tag) for tag in row["tags"]], "label": names.index(row["label"])}
            for row in plain
        ]
        Dataset.from_list(ids, features=features).to_parquet(tmp_path / "a.parquet")
        for path in (tmp_path / "a.parquet", write(tmp_path / "named" / "a.json", ids)):
            with pytest.warns(
                UserWarning, match=r"ids in (tags|label) of .* are read as the names in its metadata: O, B-"
            ):
                same(tags.read(path), plain, ("tokens", "tags"))
            assert files.texts(files.read(path), "label", path).tolist() == [row["label"] for row in plain]
    with pytest.raises(
        InputError, match=r"tags in row 1 of .* are numbers, .* write names, or put the dataset_info.json"
    ):
        tags.read(write(tmp_path / "b.json", ids))
    Dataset.from_list([{"text": "a", "label": -1}]).to_json(tmp_path / "named" / "c.jsonl")
    with pytest.raises(InputError, match=r"label -1 in row 1 of '.*' is no id from 0 to 5, .* hide its labels"):
        files.read(tmp_path / "named" / "c.jsonl")


def test_dotted_columns_go_into_lists_and_objects(tmp_path, made):
    for random in made:
        plain = [{"text": sentence(random), "label": str(random.integers(2))} for _ in range(ROWS)]
        rows = [
            {"input": [{"role": "system"}, {"content": row["text"]}], "meta": {"a": {"b": row["label"]}}}
            for row in plain
        ]
        path = write(tmp_path / "a.json", rows)
        same(texts.read(path, "input.1.content", "meta.a.b"), plain, ("text", "label"))
    with pytest.raises(InputError, match=r"row 1 of '.*' has nothing at 'input.2.content'; give a path that all rows"):
        texts.read(path, "input.2.content", "meta.a.b")
    with pytest.raises(InputError, match=r"has no column 'output.1'; it has input, meta"):
        texts.read(path, "output.1", "meta.a.b")


def asked_for(path, wing, **columns) -> list[dict]:
    """The rows of a file as `predict` takes them."""
    return wing.unlabelled(files.read(path), path, **columns).to_list()


def test_rows_without_answers_are_asked_in_the_same_words(tmp_path, made):
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    for random in made:
        rows = [{"instruction": sentence(random), "input": sentence(random), "output": "x"} for _ in range(ROWS)]
        prompts = chats.read(write(tmp_path / "a.json", rows))["prompt"].tolist()
        write(tmp_path / "a.json", [{name: row[name] for name in ("instruction", "input")} for row in rows])
        assert [row["prompt"] for row in asked_for(tmp_path / "a.json", chats)] == prompts
        plain = [conversation(random) for _ in range(ROWS)]
        write(tmp_path / "b.json", [{"prompt": turns[:-1]} for turns in plain])
        said = [[{"from": names[turn["role"]], "value": turn["content"]} for turn in turns] for turns in plain]
        write(tmp_path / "c.json", [{"conversations": turns[:-1]} for turns in said])
        for name in ("b.json", "c.json"):
            asked = asked_for(tmp_path / name, chats)
            assert [[turn["content"] for turn in row["messages"]] for row in asked] == [
                [turn["content"] for turn in turns[:-1]] for turns in plain
            ]
    paragraph = {"context": "Anna", "qas": [{"question": "Who?", "id": "1"}]}
    path = write(tmp_path / "d.json", {"data": [{"paragraphs": [paragraph]}]})
    assert asked_for(path, questions) == [{"question": "Who?", "context": "Anna"}]
    with pytest.raises(InputError, match="has no column 'answers'"):
        questions.read(path)
    paragraph["qas"].insert(0, {"question": "Who?", "answers": []})
    with pytest.raises(InputError, match=r"article 1 of .* is not as in SQuAD \(KeyError 'answers'\)"):
        questions.read(write(path, {"data": [{"paragraphs": [paragraph]}]}))


def test_system_and_history_of_alpaca_make_a_chat(tmp_path):
    row = {"instruction": "b", "input": "c", "output": "d", "system": "s", "history": [["q", "a"]]}
    plain = [{"instruction": "b", "input": "", "output": "d", "system": "", "history": []}]
    read = chats.read(write(tmp_path / "a.json", [row, *plain]))
    assert [[turn["content"] for turn in chat] for chat in read["messages"]] == [
        ["s", "q", "a", "b\nc", "d"],
        ["b", "d"],
    ]


def test_a_role_of_sharegpt_that_no_template_knows_is_refused_by_name(tmp_path):
    said = [{"from": "human", "value": "x"}, {"from": "function_call", "value": "{}"}, {"from": "gpt", "value": "y"}]
    with pytest.raises(InputError, match="role 'function_call' in row 1 of "):
        chats.read(write(tmp_path / "a.json", [{"conversations": said}]))


def test_a_weight_is_a_number_and_arguments_keep_their_numbers(tmp_path):
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "y", "weight": 0, "tool_calls": [{"arguments": {"n": 5, "x": 0.5}}]},
        {"role": "user", "content": "z"},
        {"role": "assistant", "content": "w"},
    ]
    chat = chats.read(write(tmp_path / "a.json", [{"messages": turns}]))["messages"].iloc[0]
    assert chat[1]["weight"] == 0 and json.loads(chat[1]["tool_calls"]) == [{"arguments": {"n": 5, "x": 0.5}}]


@pytest.mark.parametrize(
    "rows, format, sentence",
    [
        (
            [{"text": "ab", "label": [[0, 3, "X"]]}],
            None,
            "label in row 1 of .* 0 to 3 of X overlaps another or is not in",
        ),
        ([{"text": "abc", "label": [[0, 2, "X"], [1, 3, "Y"]]}], None, "1 to 3 of Y overlaps another"),
        ([{"text": "abc", "label": "X"}], "doccano", "is not in the format doccano; its columns are text, label"),
        (
            [{"text": "abc", "label": "X"}],
            "alpaca",
            "format 'alpaca' is not one that this task reads; choose columns, doccano",
        ),
    ],
)
def test_what_is_not_of_a_shape_is_one_sentence(tmp_path, rows, format, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        tags.read(write(tmp_path / "a.json", rows), format=format)
    assert "\n" not in str(error.value)


CONLL = {
    "B_LOC\n": ("Rome B_LOC\nfell O\n", r"tag 'B_LOC' of '.*' marks no span; write B-LOC"),
    "columns": ("Rome NNP B-LOC\nfell O\n", r"line 2 of '.*' has 2 columns and the line above it 3"),
    "order": ("B-LOC Rome\nO fell\n", r"the first column of '.*' holds tags; write the word first"),
    "one block": ("Rome B-LOC\nfell O\n" * 50, r"holds 1 different sentences .*; put a blank line after each sentence"),
    "documents": (
        "".join("-DOCSTART- O\n\n" * (y == 0) + f"{x}{y} B-X\nb O\n\n" for x in "ab" for y in range(9)),
        r"stand in 2 documents",
    ),
}


@pytest.mark.parametrize("case", CONLL)
def test_columns_that_are_not_conll_are_one_sentence(tmp_path, case):
    content, sentence = CONLL[case]
    (tmp_path / "a.conll").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        tags.corpus(tmp_path / "a.conll")


def test_an_empty_token_and_answers_that_are_all_empty_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"tokens in row 1 of .* none of them empty"):
        tags.read(write(tmp_path / "a.json", [{"tokens": ["a", " "], "tags": ["O", "B-X"]}]))
    with pytest.raises(InputError, match=r"no row of .* has an answer, so that nothing can be learnt or scored; fill"):
        questions.read(write(tmp_path / "b.json", [{"question": "Q?", "context": "c", "answers": ""}]))


def test_the_shell_offers_every_shape():
    assert FORMAT.choices == (*shapes.NAMES, *conll.FORMATS)
