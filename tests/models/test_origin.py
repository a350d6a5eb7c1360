"""What is known of a pretrained model: from its package, from its card, or not at all."""

import pytest

from helpers import models


def test_a_packaged_model_has_its_licence_and_language():
    assert models.origin("decoder") == {"name": "SmolLM2-135M-Instruct in 4-bit blocks", "licence": "Apache-2.0"} | {
        "language": "English"
    }
    assert "Apache-2.0" in models.origin("encoder")["licence"]
    assert models.origin("multilingual")["language"] == "about 100 languages"


@pytest.mark.parametrize(
    ("readme", "licence", "language"),
    [
        (None, "not stated", "not stated"),
        ("# No metadata", "not stated", "not stated"),
        ("---\nlicense: mit\nlanguage:\n- en\n- de\n---\n# Card", "mit", "en, de"),
        ("---\nlicense: [unclosed\n---\n", "not stated", "not stated"),
    ],
)
def test_a_folder_tells_what_its_card_says(tmp_path, readme, licence, language):
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("")
    if readme is not None:
        (folder / "README.md").write_text(readme)
    assert models.origin(folder) == {"name": "my model", "licence": licence, "language": language}
