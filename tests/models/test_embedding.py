"""A text's vector is the mean over its tokens, whatever stands beside it in a batch."""

import numpy as np
import tiny

from helpers.models.embedding import embed


def test_embeddings_are_means_over_tokens_of_length_one_and_ignore_padding():
    body, tokenizer = tiny.model().bert.eval(), tiny.tokenizer()
    texts = list(tiny.rows(20)["text"])
    together = embed(body, tokenizer, texts, batch_tokens=64)
    np.testing.assert_allclose(np.linalg.norm(together, axis=-1), 1, atol=1e-6)
    hidden = body(**tokenizer(texts[3], return_tensors="pt", return_token_type_ids=False)).last_hidden_state[0]
    mean = hidden.mean(0).detach().numpy()
    np.testing.assert_allclose(together[3], mean / np.linalg.norm(mean), atol=1e-6)
