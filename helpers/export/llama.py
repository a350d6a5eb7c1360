"""llama.cpp, as the package xllamacpp brings it: what an exported decoder makes of turns, token by token."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from urllib.request import ProxyHandler, Request, build_opener

import torch
import xllamacpp

from helpers.errors import InputError
from helpers.export.gguf_file import INSTEAD

RUNTIME = f"llama.cpp in xllamacpp {version('xllamacpp')}"


@dataclass(frozen=True)
class Written:
    """An answer: its tokens, the log-probability of each, and whether the model ended it itself."""

    ids: list[int]
    log_p: list[float]
    text: str
    ended: bool


class Llama:
    """A GGUF file in llama.cpp on the processor, with its own template and stop tokens.

    While it lasts, llama.cpp listens on a free port of this computer, where it tells how it reads a prompt.
    """

    def __init__(self, path: Path, context: int):
        params = xllamacpp.CommonParams()
        params.model.path, params.n_ctx, params.n_parallel = str(path), context, 1
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
        params.verbosity = -1
        try:
            self.server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise InputError(
                f"llama.cpp does not load {path.name} ({error}), so that the model cannot be exported to it; {INSTEAD}"
            ) from error

    def read(self, prompt: str | Sequence[dict]) -> list[int]:
        """The tokens of a prompt, or of turns as the file's template frames them."""
        if not isinstance(prompt, str):
            prompt = self._ask("/apply-template", {"messages": list(prompt)})["prompt"]
        return self._ask("/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"]

    def answer(self, prompt: str | Sequence[dict], limit: int) -> Written:
        """What the model writes after a prompt, or turns, if it takes the likeliest token each time."""
        settings = {"max_tokens": limit, "temperature": 0.0, "cache_prompt": False}
        if isinstance(prompt, str):
            told = self.server.handle_completions({"prompt": prompt, "logprobs": 1, **settings})
        else:
            asked = {"messages": list(prompt), "logprobs": True, "top_logprobs": 1, **settings}
            told = self.server.handle_chat_completions(asked)
        if "choices" not in told:
            raise InputError(f"llama.cpp gives no answer to a prompt ({told.get('error', told)}); {INSTEAD}")
        choice = told["choices"][0]
        tokens = choice["logprobs"]["content"]
        text = choice["text"] if isinstance(prompt, str) else choice["message"]["content"]
        # JSON has no word for what is not a number: llama.cpp writes null.
        log_p = [math.nan if token["logprob"] is None else token["logprob"] for token in tokens]
        return Written([token["id"] for token in tokens], log_p, text, choice["finish_reason"] == "stop")

    def _ask(self, path: str, content: dict) -> dict:
        request = Request(self.server.listening_address + path, json.dumps(content).encode("utf-8"))
        request.add_header("Content-Type", "application/json")
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return json.loads(answer.read())

    def __enter__(self) -> "Llama":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self.server  # which ends llama.cpp's threads
