"""Words and sentences are cut by plain rules, and nothing of a text is lost."""

from helpers import text


def test_words_of_chinese_are_its_characters():
    assert text.words("Read the file.") == ["Read", "the", "file."]
    assert text.words("读取 JSON文件。") == ["读", "取", "JSON", "文", "件", "。"]


def test_sentences_keep_all_of_the_text():
    written = 'He said "no." Then, e.g. Monday, it (really!) rained. Mr. X left? Yes'
    assert text.sentences(written) == ['He said "no."', "Then, e.g. Monday, it (really!) rained.", "Mr. X left?", "Yes"]
    assert text.sentences("第一句。第二句。") == ["第一句。", "第二句。"]
    assert text.sentences("") == []
