"""The local page: predictions as the shell gives them, and a clear answer to whatever a request gets wrong."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import tiny
import tiny_extraction
from datasets import Dataset
from starlette.testclient import TestClient

from helpers.cli import server
from helpers.errors import InputError
from helpers.tasks.base import Predictor


@pytest.fixture(scope="module")
def client():
    return TestClient(
        server.app(Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer()), "a <model>"),
        base_url="http://127.0.0.1",
    )


def post(client, content, kind: str = "application/json"):
    return client.post("/predict", content=content, headers={"Content-Type": kind})


def test_a_row_gets_an_answer_and_a_list_gets_a_list(client):
    single, several = (
        client.post("/predict", json={"text": "w1 w2"}),
        client.post("/predict", json=[{"text": "w1 w2"}] * 3),
    )
    assert single.status_code == several.status_code == 200
    assert several.json() == [single.json()] * 3
    p = tiny.TASK.predict(
        tiny.model().eval(), tiny.TASK.encode(tiny.tokenizer(), Dataset.from_dict({"text": ["w1 w2"]}))
    )
    assert list(single.json()["probabilities"].values()) == pytest.approx(p[0].tolist(), abs=1e-5)


def test_answers_are_found_with_their_place():
    finder = Predictor(tiny_extraction.TASK, tiny_extraction.model(), tiny_extraction.tokenizer())
    app = server.app(finder, "finder")
    context = "Zoë went to 👩‍👩‍👧‍👦."
    found = TestClient(app, base_url="http://localhost").post("/predict", json={"question": "Who?", "context": context})
    assert found.json()["answer"] == context[found.json()["start"] : found.json()["end"]]


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"{", 400, "no JSON"),
        (b"\xff\xfe", 400, "no JSON in UTF-8"),
        (b"", 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b"[]", 422, "holds 0 rows; send 1 to 64"),
        (json.dumps([{"text": "a"}] * 65).encode(), 422, "holds 65 rows"),
        (b"3", 422, 'a row must be a JSON object with these fields and no others: {"text": "..."}'),
        (b'{"txt": "a"}', 422, "a row must be a JSON object"),
        (b'{"text": "a", "x": 1}', 422, "a row must be a JSON object"),
        (b'{"text": 3}', 422, "'text' must be a text that is not empty"),
        (b'{"text": "  "}', 422, "'text' must be a text that is not empty"),
        (b'{"text": "\\ud800"}', 422, "lone surrogate"),
        (b'{"text": "' + b"a" * 1_000_001 + b'"}', 413, "larger than 250,000 bytes"),
    ],
)
def test_a_bad_request_gets_a_sentence_and_the_next_one_an_answer(client, content, status, says):
    refused = post(client, content)
    assert refused.status_code == status
    assert says in refused.json()["error"]
    assert client.post("/predict", json={"text": "w1"}).status_code == 200


def test_a_body_of_unknown_length_is_read_no_further_than_the_limit(client):
    sent = []

    def endless():
        while len(sent) < 1000:
            sent.append(1)
            yield b" " * 100_000

    refused = client.post("/predict", content=endless(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 413


@pytest.mark.parametrize("rows", [1, 5])
def test_texts_that_would_hold_the_model_for_long_are_refused(client, rows):
    for size, status in ((server.MOST_CHARACTERS, 200), (server.MOST_CHARACTERS + 1, 413)):
        texts = ["w" * (size // rows)] * (rows - 1)
        texts.append("\u6f22" * (size - sum(map(len, texts))))
        assert post(client, json.dumps([{"text": text} for text in texts])).status_code == status
    found = post(client, json.dumps({"text": "x" * (server.MOST_CHARACTERS + 1)})).json()["error"]
    assert "holds 20,001 characters; send at most 20,000, and more to 'helpers predict'" in found


def test_a_client_that_leaves_in_the_middle_is_no_fault_of_the_server():
    app = server.app(Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer()), "model")
    parts = iter([{"type": "http.request", "body": b'{"te', "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        return next(parts)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 400


def test_other_types_paths_and_methods_are_refused(client):
    assert post(client, b'{"text": "a"}', "text/plain").status_code == 415
    assert client.get("/nothing").json()["error"].startswith("GET /nothing is not served; POST rows to /predict")
    wrong = client.get("/predict")
    assert wrong.status_code == 405 and "POST rows to /predict, or open / in a browser" in wrong.json()["error"]
    assert client.post("/").json()["error"].startswith("POST / is not served")
    assert client.get("/docs").status_code == client.get("/openapi.json").status_code == 404


def test_another_host_s_name_is_refused(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_the_page_asks_for_the_fields_and_loads_nothing_from_elsewhere(client):
    page = client.get("/")
    assert "a &lt;model&gt;" in page.text and '<textarea name="text"' in page.text
    assert "http" not in page.text and "src=" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_concurrent_requests_all_get_their_own_answer_and_too_many_are_told_to_wait(monkeypatch):
    active, most = [], []

    class Slow(Predictor):
        def answers(self, rows):
            active.append(1)
            most.append(len(active))
            time.sleep(0.05)
            active.pop()
            return super().answers(rows)

    slow = Slow(tiny.TASK, tiny.model().eval(), tiny.tokenizer())
    client = TestClient(server.app(slow, "slow"), base_url="http://127.0.0.1")
    start = threading.Barrier(30)

    def ask(i):
        start.wait()
        return client.post("/predict", json={"text": f"w{i}"})

    with client, ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(ask, range(30)))
        good = {i: answer.json() for i, answer in enumerate(answers) if answer.status_code == 200}
        assert {answer.status_code for answer in answers} == {200, 503}
        assert len(good) >= server.MOST_WAITING
        assert "try again" in next(answer for answer in answers if answer.status_code == 503).json()["error"]
        assert all(client.post("/predict", json={"text": f"w{i}"}).json() == found for i, found in good.items())
    assert max(most) == 1, "the model must work on one request at a time"


def test_a_taken_or_impossible_port_is_one_sentence():
    predictor = Predictor(tiny.TASK, tiny.model(), tiny.tokenizer())
    with socket.socket() as taken:
        taken.bind((server.HOST, 0))
        taken.listen()
        with pytest.raises(InputError, match=r"port \d+ cannot be used \(Address already in use\); choose another"):
            server.run(predictor, name="x", port=taken.getsockname()[1])
    with pytest.raises(InputError, match="port 70000 must lie from 1 to 65535"):
        server.run(predictor, name="x", port=70000)


SERVER = """
import sys, tiny
from helpers.cli import server
from helpers.tasks.base import Predictor

predictor = Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer())
server.run(predictor, name="tiny", port=int(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_server_of_its_own_listens_here_alone_and_stops_on_ctrl_c(tmp_path):
    with socket.socket() as probe:
        probe.bind((server.HOST, 0))
        port = probe.getsockname()[1]
    path = [entry for entry in sys.path if entry]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{SERVER}", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "Ctrl-C stops it" in process.stdout.readline()
        for _ in range(100):
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/predict", json={"text": "w1"})
                break
            except httpx.ConnectError:
                time.sleep(0.2)
        assert answer.json()["label"] in ("no", "yes")
        with socket.socket() as raw:  # half a request, and gone
            raw.connect((server.HOST, port))
            raw.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{")
        assert httpx.post(f"http://127.0.0.1:{port}/predict", json={"text": "w1"}).status_code == 200
        addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
        for address in addresses - {"127.0.0.1"}:
            if not address.startswith("127."):
                with pytest.raises(OSError):
                    socket.create_connection((address, port), timeout=1).close()
        process.send_signal(2)
        assert process.wait(20) in (0, 1, -2)
