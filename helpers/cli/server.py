"""A small page and a JSON endpoint on 127.0.0.1 to try a trained model; needs the extra `serve` (FastAPI, uvicorn).

    GET  /          the page
    POST /predict   {"text": "..."} or a list of such objects, with the fields of the task; a list gets a list

Every mistake of a request is answered with a status and {"error": one sentence}; none stops the server.
"""

import json
import socket
import threading

import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from helpers.cli import page
from helpers.errors import InputError
from helpers.tasks.base import Predictor
from helpers.text import half_character

HOST = "127.0.0.1"
MOST_BYTES = 250_000  # of a request; the characters that it may hold, however JSON escapes them
MOST_CHARACTERS = 20_000  # of a request; a laptop's encoder reads them in about four seconds, while others wait
MOST_ROWS = 64  # of a request
WAYS = "POST rows to /predict, or open / in a browser"
MOST_WAITING = 16  # requests; the model works on one at a time
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def run(predictor: Predictor, *, name: str, port: int) -> None:
    """Serve until Ctrl-C; InputError if the port is in use or out of range."""
    if not 0 < port < 65536:
        raise InputError(f"port {port} must lie from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error
    print(f"http://{HOST}:{port}/ serves {name}; Ctrl-C stops it", flush=True)
    uvicorn.run(app(predictor, name), host=HOST, port=port, log_level="warning", timeout_keep_alive=5)


def app(predictor: Predictor, name: str) -> FastAPI:
    """The application, with one model behind a lock."""
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # A page elsewhere that has its own name point at 127.0.0.1 must not reach the model.
    server.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    task = predictor.task
    slots, lock = threading.Semaphore(MOST_WAITING), threading.Lock()

    def predict(rows: list[dict]) -> list[dict]:
        with lock:
            return predictor.answers(rows)

    @server.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        unknown = error.status_code in (404, 405)  # which the router raises, without a remedy
        told = f"{request.method} {request.url.path} is not served; {WAYS}" if unknown else str(error.detail)
        return _answer({"error": told}, error.status_code)

    @server.get("/", response_class=HTMLResponse)
    async def front() -> HTMLResponse:
        return HTMLResponse(page.html(name, task.name, task.fields), headers=HEADERS)

    @server.post("/predict")
    async def answer(request: Request) -> JSONResponse:
        payload = _parsed(request, await _body(request))
        rows = [task.row(row) for row in _rows(payload, task.fields)]
        if not slots.acquire(blocking=False):
            raise HTTPException(503, f"{MOST_WAITING} requests are waiting already; try again in a moment")
        try:
            answers = await run_in_threadpool(predict, rows)
        except InputError as error:
            raise HTTPException(422, str(error)) from error
        finally:
            slots.release()
        return _answer(answers if isinstance(payload, list) else answers[0])

    return server


async def _body(request: Request) -> bytes:
    """The body; HTTPException 413 if it is longer than `MOST_BYTES`, whatever length the request states."""
    content = bytearray()
    try:
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                raise HTTPException(413, f"the request is larger than {MOST_BYTES:,} bytes; send less at a time")
    except ClientDisconnect as error:  # nobody reads this, but it is no fault of the server
        raise HTTPException(400, "the client left before the end of its request") from error
    return bytes(content)


def _parsed(request: Request, content: bytes):
    # A form on another page cannot send this type without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON, with the header Content-Type: application/json")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the request is no JSON in UTF-8 ({error}); repair it") from error


def _rows(payload, fields: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a request, checked."""
    rows = [_checked(row, fields) for row in (payload if isinstance(payload, list) else [payload])]
    if not 0 < len(rows) <= MOST_ROWS:
        raise HTTPException(422, f"the request holds {len(rows)} rows; send 1 to {MOST_ROWS}")
    size = sum(len(text) for row in rows for text in row.values())
    if size > MOST_CHARACTERS:
        raise HTTPException(
            413,
            f"the request holds {size:,} characters; send at most {MOST_CHARACTERS:,}, and more to 'helpers predict'",
        )
    return rows


def _checked(row, fields: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(row, dict) or set(row) != set(fields):
        wanted = ", ".join(f'"{field}": "..."' for field in fields)
        raise HTTPException(422, f"a row must be a JSON object with these fields and no others: {{{wanted}}}")
    for field, value in row.items():
        if not isinstance(value, str) or not value.strip():
            raise HTTPException(422, f"'{field}' must be a text that is not empty")
        if half_character(value):
            raise HTTPException(422, f"'{field}' holds half a character (a lone surrogate); send whole ones")
    return row


def _answer(content, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status_code=status, headers=HEADERS)
