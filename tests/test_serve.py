"""The server of the page: what it answers, whom it refuses, what it bears, and its jobs."""

import base64
import gzip
import http.client
import io
import json
import math
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
import uvicorn
from conftest import Answer, built, write_lenet5
from PIL import Image
from starlette.routing import Route

import firstlight as fl
from firstlight import file_types
from firstlight.datasets import Listing, flat, mnist
from firstlight.datasets._folder import list_pictures
from firstlight.errors import DataError, NotFound
from firstlight.evaluation.accuracy import classifier
from firstlight.images.open import PICTURE_FORMATS
from firstlight.reading import read
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.recipe import Recipe
from firstlight.runs import checkpoint, lock
from firstlight.runs.documents import (
    INTERRUPTED,
    Evaluation,
    Mistake,
    ModelInfo,
    RunRecord,
    TrainingResult,
    TrainingStatus,
)
from firstlight.runs.files import write_json
from firstlight.runs.run import Run
from firstlight.serve import addresses, app, chapter_views, guard, run_pictures, run_views, server
from firstlight.serve.jobs import MAX_JOBS, train_arguments
from firstlight.serve.sharing import Sharing, new_token, qr_as_svg
from firstlight.serve.tf_network import stage_names
from firstlight.settings import BALANCED, Settings

Firstlight = Callable[..., Answer]
PGM, PNG, JSON = "image/x-portable-graymap", "image/png", "application/json"
DIGIT = base64.b64encode(mnist.load("test").images[0].tobytes()).decode()


class Response(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A server in a thread; sends it requests as its own page does, or otherwise."""

    def __init__(
        self, token: str = "", host: str = "127.0.0.1", *, read_only: bool = False
    ) -> None:
        self.server, self.listener, self.sharing = server.create_server(
            host, 0, None, token, read_only=read_only
        )
        self.port = self.listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()
        page = self.send("GET", "/").body.decode()
        in_page = page.partition('name="token" content="')[2].partition('"')[0]
        self.token = self.sharing.token or in_page

    def send(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def own_headers(self, content_type: str = JSON, **changed: str | None) -> dict[str, str]:
        """The headers that the page sends, some of them changed or left out."""
        headers: dict[str, str | None] = {
            "Content-Type": content_type,
            "Origin": f"http://{self.host}",
            "Sec-Fetch-Site": "same-origin",
            "X-Firstlight-Token": getattr(self, "token", ""),
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        return {name: value for name, value in headers.items() if value is not None}

    def get(self, path: str) -> Response:
        return self.send("GET", path)

    def post(self, path: str, body: bytes, content_type: str = JSON) -> Response:
        return self.send("POST", path, body, self.own_headers(content_type))

    def ask(self, path: str, **fields: Any) -> Any:
        """The answer to a JSON document, which must be accepted."""
        response = self.post(path, json.dumps(fields).encode())
        assert response.status == 200, response.body
        return response.json

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all; its worker process imports TensorFlow while the first tests run."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("site"))
    running = Site()
    warm_up = threading.Thread(
        target=running.ask, args=("/api/graph",), kwargs={"network": "softmax"}
    )
    warm_up.start()
    yield running
    warm_up.join()
    running.stop()
    os.chdir(before)


@pytest.fixture
def runs(site: Site) -> Iterator[Path]:
    """The folder runs/ of the site, empty before and after the test."""
    folder = Path("runs").absolute()
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


MNIST_INDEX = {"0": 3, "1": 2, "2": 1, "3": 18, "4": 4, "5": 15, "6": 11, "7": 0, "8": 61, "9": 7}


def sheet(text: str) -> np.ndarray:
    """Digits of MNIST's test images side by side, dark on white (300, 400)."""
    test = mnist.load("test")
    page = np.zeros((300, 400), np.uint8)
    for position, digit in enumerate(text):
        index = MNIST_INDEX[digit]
        assert test.labels[index] == int(digit)
        image = Image.fromarray(test.images[index][..., 0])
        left = 10 + 95 * position
        page[100:184, left : left + 84] = image.resize((84, 84), Image.Resampling.BICUBIC)
    return 255 - page


def pgm(pixels: np.ndarray) -> bytes:
    return f"P5 {pixels.shape[1]} {pixels.shape[0]} 255\n".encode() + pixels.tobytes()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


BLANK = pgm(np.full((300, 400), 255, np.uint8))


def wait_until(condition: Callable[[], Any], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.1)


# --- What it answers -------------------------------------------------------------------------


def test_a_drawing_is_read_with_all_that_the_page_shows(site: Site) -> None:
    reading = site.post("/api/read", pgm(sheet("7210")), PGM).json
    assert reading["text"] == "7210" and reading["note"] is None and reading["size"] == [400, 300]
    for digit in reading["digits"]:
        assert len(digit["probabilities"]) == len(reading["classes"])
        assert sum(digit["probabilities"]) == pytest.approx(1, abs=0.01)
        assert len(base64.b64decode(digit["image"])) == 28 * 28


def test_a_photograph_gets_the_answer_of_read(site: Site, tmp_path: Path) -> None:
    pixels = np.asarray(Image.fromarray(sheet("438")).resize((2400, 1800)))
    path = tmp_path / "photo.png"
    path.write_bytes(png(pixels))
    reading, direct = site.post("/api/read", path.read_bytes(), "image/png").json, read(path)
    digits = [digit for line in direct.lines for digit in line.digits]
    assert reading["text"] == direct.text == "438" and reading["size"] == [2400, 1800]
    assert [d["box"] for d in reading["digits"]] == [list(d.box) for d in digits]
    assert [d["confidence"] for d in reading["digits"]] == [round(d.confidence, 4) for d in digits]


def test_a_compressed_drawing_gets_the_same_answer(site: Site) -> None:
    drawing, headers = pgm(sheet("7210")), site.own_headers(PGM, Content_Encoding="gzip")

    def answer(body: bytes) -> Response:
        return site.send("POST", "/api/read", body, headers)

    assert answer(gzip.compress(drawing)).json == site.post("/api/read", drawing, PGM).json
    bomb = gzip.compress(b"P5 9999 9999 255\n" + bytes(100 * 2**20))
    for wrong in (bomb, drawing, b"", gzip.compress(drawing)[:-9], gzip.compress(b"P5 2 2 255\n")):
        refused = answer(wrong)
        assert refused.status == 400 and "drawing" in refused.json["error"]


def test_a_blank_sheet_has_no_digits(site: Site) -> None:
    reading = site.post("/api/read", BLANK, PGM).json
    assert reading["text"] == "" and reading["digits"] == []
    assert reading["note"] == "no digits found"
    assert site.post("/api/read?normalize=off", BLANK, PGM).json["digits"] == []


def test_without_normalisation_the_whole_sheet_is_one_digit(site: Site) -> None:
    reading = site.post("/api/read?normalize=off", pgm(sheet("7210")), PGM).json
    assert len(reading["digits"]) == 1 and reading["digits"][0]["box"] == [0, 0, 400, 300]


def test_occlusion_shows_where_the_reader_looks(site: Site) -> None:
    digit = site.post("/api/read", pgm(sheet("7")), PGM).json["digits"][0]
    answer = site.ask("/api/occlusion", image=digit["image"])
    occlusion = np.array(answer["occlusion"])
    highest = max(answer["probabilities"])
    assert occlusion.shape == (28, 28)
    assert occlusion[0, 0] == pytest.approx(highest, abs=0.01)  # paper covered with paper
    assert occlusion.min() < occlusion[0, 0]


@pytest.mark.large
def test_sixty_four_clients_at_once_each_get_their_own_answer(site: Site) -> None:
    texts = [f"{number:02d}"[::-1] for number in range(64)]

    def text_read(text: str) -> str:
        return str(site.post("/api/read", pgm(sheet(text)), PGM).json["text"])

    one_by_one = {text: text_read(text) for text in texts}
    assert sum(text == answer for text, answer in one_by_one.items()) > 55
    with ThreadPoolExecutor(64) as clients:
        at_once = list(clients.map(text_read, texts))
    assert at_once == list(one_by_one.values())


def test_nothing_is_stored(site: Site) -> None:
    site.post("/api/read", png(sheet("31")), "image/png")
    assert list(Path.cwd().iterdir()) == []


# --- Whom it refuses -------------------------------------------------------------------------


OWN_HOSTS = ("localhost", "127.0.0.1", "[::1]", "LOCALHOST")
FOREIGN_HOSTS = ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil")
FOREIGN_HOSTS += ("[::2]", "10.0.0.1", "evil.example@localhost", "0.0.0.0")


@pytest.mark.parametrize("host", OWN_HOSTS)
@pytest.mark.parametrize("with_port", [True, False])
def test_an_own_host_is_served_with_and_without_its_port(
    site: Site, host: str, with_port: bool
) -> None:
    headers = {"Host": f"{host}:{site.port}" if with_port else host}
    for path in ("/", "/api/about", "/page/main.js"):
        assert site.send("GET", path, headers=headers).status == 200
    assert site.send("GET", "/nowhere", headers=headers).status == 404


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("with_port", [True, False])
def test_a_foreign_host_is_refused(site: Site, host: str, with_port: bool) -> None:
    headers = {"Host": f"{host}:{site.port}" if with_port else host}
    for path in ("/", "/api/about", "/page/main.js", "/nowhere"):
        assert site.send("GET", path, headers=headers).status == 421


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"X_Firstlight_Token": None}, 401),
        ({"X_Firstlight_Token": "guess"}, 401),
        ({"X_Firstlight_Token": "ü"}, 401),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
    ids=str,
)
def test_a_post_that_is_not_the_pages_own_is_refused(site: Site, changed: Any, status: int) -> None:
    for path in ("/api/read", "/api/trainings", "/api/graph", "/nowhere"):
        response = site.send("POST", path, b"{}", site.own_headers(**changed))
        assert response.status == status and "error" in response.json


def test_every_answer_forbids_what_the_page_does_not_need(site: Site) -> None:
    foreign = {"Origin": "http://evil.example"}
    responses = [site.get(path) for path in ("/", "/page/main.js", "/api/about", "/nowhere")]
    responses += [site.send("GET", "/", headers={"Host": "evil.example"})]
    responses += [site.send("POST", "/api/read", b"", foreign)]
    responses += [site.send("OPTIONS", "/api/read", headers=foreign)]
    responses += [site.post("/api/read", b"no picture", "image/png")]
    for response in responses:
        names = [name.lower() for name in response.headers]
        assert not [name for name in names if name.startswith("access-control")]
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "server" not in names and "set-cookie" not in names


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_no_other_method_is_served(site: Site, method: str) -> None:
    assert site.send(method, "/api/read", headers=site.own_headers()).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/page/../guard.py",
        "/page/%2e%2e%2fguard.py",
        "/page/..%5cguard.py",
        "/page//etc/passwd",
        "/etc/passwd",
        "/page/",
        "/page/main.js%00",
        "/static/main.js",
        "/api/runs/../../x/metrics",
        "/api/runs/%2e%2e/metrics",
        "/api/runs/..%2f..%2fetc/weights",
        "/api/runs/x/mistakes",
        "/api/chapters/10-nothing",
        "/api/chapters/..%2f1-a-first-graph",
        "/pictures/1/nothing.png",
        "/pictures/1/../../1-a-first-graph.md",
        "/pictures/%2e%2e/1-a-first-graph.md",
        "/pictures/..%2f..%2fREADME.md",
        "/pictures/1/..%2f..%2f1-a-first-graph.md",
        "/pictures/1/..%5ccosts.png",
        "/pictures/1/%2fetc%2fpasswd",
        "/pictures/*/costs.png",
    ],
)
def test_no_path_of_a_request_is_opened(site: Site, path: str) -> None:
    response = site.get(path)
    assert response.status == 404 and b"<html" not in response.body


def test_the_chapters_are_served_with_their_pictures(site: Site) -> None:
    rows = site.get("/api/chapters").json["chapters"]
    assert [row["number"] for row in rows] == list(range(1, 10))
    assert all(row["title"] and row["subject"] for row in rows)
    for row in rows:
        html = site.get(f"/api/chapters/{row['name']}").json["html"]
        assert f"{row['number']}. {row['title']}</h2>" in html
        for path in re.findall(r'src="(pictures/[^"]+)"', html):
            response = site.get(f"/{path}")
            kind = "image/svg+xml" if path.endswith(".svg") else "image/png"
            assert (response.status, response.headers["Content-Type"]) == (200, kind)
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]


UNCHANGING = (
    "/page/main.js",
    "/api/chapters/1-a-first-graph",
    "/pictures/1/functional.svg",
    "/pictures/1/costs.png",
    "/data/mnist-val.bin.gz",
)


@pytest.mark.parametrize("path", UNCHANGING)
def test_what_a_browser_has_already_is_not_sent_again(site: Site, path: str) -> None:
    plain = site.get(path)
    zipped = site.send("GET", path, headers={"Accept-Encoding": "gzip, br"})
    assert plain.status == zipped.status == 200 and "Content-Encoding" not in plain.headers
    if path.endswith((".png", ".gz")):  # it is compressed already
        assert zipped.body == plain.body
    else:
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(zipped.body) == plain.body
    known = {"If-None-Match": f'"other", {plain.headers["ETag"]}'}
    again = site.send("GET", path, headers=known)
    assert (again.status, again.body) == (304, b"")
    assert "default-src 'none'" in again.headers["Content-Security-Policy"]
    assert site.send("GET", path, headers={"If-None-Match": '"other"'}).body == plain.body


def test_a_chapter_that_was_changed_is_shown_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter = tmp_path / "1-mine.md"
    monkeypatch.setattr(chapter_views, "paths", lambda: [chapter])
    chapter.write_text("# 1. Mine\n\nold\n")
    before = chapter_views.chapter("1-mine")
    assert b"old" in before.body and chapter_views.chapter("1-mine") is before
    chapter.write_text("# 1. Mine\n\nnew\n")
    os.utime(chapter, ns=(0, 1))
    after = chapter_views.chapter("1-mine")
    assert b"new" in after.body and after.etag != before.etag


def test_a_body_is_cut_off_while_it_streams_in(site: Site) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:  # without a Content-Length to go by
        nonlocal sent
        for _ in range(400):
            sent += 2**18
            yield bytes(2**18)

    with pytest.raises(OSError):  # the server closes the connection, or has answered before that
        response = site.send("POST", "/api/read", endless(), site.own_headers("image/png"))
        assert response.status == 413
        raise OSError
    assert sent < 3 * guard.MAX_PICTURE_BYTES


@pytest.mark.parametrize("content_type", [JSON, "Application/JSON; charset=utf-8", "image/png"])
def test_a_json_document_is_limited_whatever_it_is_sent_as(site: Site, content_type: str) -> None:
    too_long = b" " * (guard.MAX_JSON_BYTES + 1)
    assert site.post("/api/trainings", too_long, content_type).status == 413


# --- For other programs ---------------------------------------------------------------------


def schema_of(document: Any, path: str, method: str) -> Any:
    """The schema of an answer with status 200."""
    answer = document["paths"][path][method]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    return resolved(document, schema)


def resolved(document: Any, schema: Any) -> Any:
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


def check_against(document: Any, schema: Any, answer: Any) -> None:
    """Compare an answer's fields with a schema, also of the objects in it."""
    assert schema["required"] == [*schema["properties"]]
    complete = "further fields" not in schema["description"]
    assert (
        answer.keys() == set(schema["required"])
        if complete
        else answer.keys() >= set(schema["required"])
    )
    for name, of_field in schema["properties"].items():
        if "$ref" in of_field.get("items", {}) and answer[name]:
            check_against(document, resolved(document, of_field["items"]), answer[name][0])


TOKEN = "the words of a test"


@pytest.fixture
def program(here: Path) -> Iterator[Callable[..., Response]]:
    """program("GET", path) sends what a program sends that was given the token."""
    running = Site(TOKEN)

    def send(method: str, path: str, body: bytes | None = None, token: str = TOKEN) -> Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "image/png"
        return running.send(method, path, body, headers)

    yield send
    running.stop()


def test_openapi_says_what_a_program_gets(program: Callable[..., Response]) -> None:
    document = program("GET", "/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    write_run(Path("runs/one"))
    for path, methods in document["paths"].items():
        for method in methods:
            body = png(sheet("7210")) if method == "post" else None
            response = program(method.upper(), path, body)
            assert response.status == 200, (path, response.body)
            assert program(method.upper(), path, body, token="").status in (401, 403)
            wrong = program(method.upper(), path, body, token="x" * 20)
            assert wrong.status == 401 and "Authorization: Bearer TOKEN" in wrong.json["error"]
            if path != "/api/openapi.json":
                check_against(document, schema_of(document, path, method), response.json)


def test_a_page_of_another_site_cannot_use_a_token(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.token}", "Content-Type": PGM}
    assert site.send("POST", "/api/read", BLANK, headers).status == 200
    for origin in ("http://evil.example", "null"):
        foreign = site.send("POST", "/api/read", BLANK, headers | {"Origin": origin})
        assert foreign.status == 403 and "Authorization: Bearer" in foreign.json["error"]


def test_a_program_gets_the_classes_that_classify_gives(site: Site, runs: Path) -> None:
    run = Run(write_trained_run(runs / "one"))
    picture = runs / "seven.png"
    picture.write_bytes(png(sheet("7")))

    def classes(query: str) -> Any:
        return site.post(f"/api/classify{query}", picture.read_bytes(), "image/png").json

    def expected(model: Any, top: int) -> Any:
        [classified] = fl.classify(model, picture, top)
        return {"labels": classified.to_json()["labels"]}

    assert classes("") == expected(DIGITS_MODEL, 5)
    of_run = expected(run, 3)
    for got, wanted in zip(classes("?run=one&top=3")["labels"], of_run["labels"], strict=True):
        assert got["label"] == wanted["label"]
        assert got["probability"] == pytest.approx(wanted["probability"], abs=1e-3)
    exported = run.model_file.with_name(f"{run.model_info().network}.onnx")
    shutil.copyfile(DIGITS_MODEL, exported)
    assert classes("?run=one") == expected(DIGITS_MODEL, 5)
    os.utime(exported, (0, 0))  # older than the weights
    assert classes("?run=one&top=3")["labels"][0]["label"] == of_run["labels"][0]["label"]
    assert site.post("/api/classify?run=none", b"", "image/png").status == 404
    wrong = site.post("/api/classify", b"hello", "image/png")
    assert wrong.status == 400 and wrong.json["error"].startswith("the picture: not a picture")
    assert site.post("/api/classify?top=x", b"", "image/png").status == 400


# --- What it bears ---------------------------------------------------------------------------


@pytest.fixture
def impatient(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with short time limits."""
    monkeypatch.setattr(guard, "SECONDS_TO_SEND", 0.3)
    monkeypatch.setattr(server, "SECONDS_TO_BEGIN", 0.3)
    monkeypatch.setattr(server, "SECONDS_KEPT_ALIVE", 0.3)
    running = Site()
    yield running
    running.stop()


def wait_for_hangup(client: socket.socket) -> None:
    while client.recv(99999):
        pass


def test_a_client_that_sends_slowly_is_disconnected(impatient: Site) -> None:
    headers = impatient.own_headers(PGM) | {"Host": impatient.host, "Content-Length": "999"}
    lines = ["POST /api/read HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", "P5"]
    with socket.create_connection(("127.0.0.1", impatient.port), 10) as slow:
        slow.sendall("\r\n".join(lines).encode())
        assert b" 408 " in slow.recv(9999)
        wait_for_hangup(slow)


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_a_client_that_sends_no_request_is_disconnected(impatient: Site, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), 10) as silent:
        silent.sendall(start)
        assert silent.recv(9999) == b""


def test_a_client_that_does_not_finish_its_second_request_is_disconnected(
    impatient: Site,
) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), 10) as slow:
        slow.sendall(f"GET /api/about HTTP/1.1\r\nHost: {impatient.host}\r\n\r\n".encode())
        assert b" 200 " in slow.recv(99999)
        slow.sendall(b"GET /api/about HTTP/1.1\r\nHost: local")
        wait_for_hangup(slow)


def test_too_many_requests_at_once_are_refused_for_now(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_OPEN_REQUESTS", 0)
    assert site.get("/api/about").status == 503
    monkeypatch.undo()
    assert site.get("/api/about").status == 200


def broken_pictures() -> Iterator[bytes]:
    chance = random.Random(7)
    good = png(sheet("31"))
    yield from (b"", b"P5 ", b"P5 0 0 255\n", b"P5 9999 9999 255\n", b"P5 2 2 255\nabc")
    yield from (b"GIF89a", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"%PDF-1.4")
    yield from (good[:500], good[: len(good) // 2])
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    yield bomb.getvalue()
    for _ in range(30):
        yield chance.randbytes(chance.randrange(3000))
    for _ in range(30):  # a picture with some bytes changed
        broken = bytearray(good)
        for _ in range(chance.randrange(1, 20)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        yield bytes(broken)


def test_fuzzed_pictures_are_read_or_refused(site: Site) -> None:
    for body in broken_pictures():
        for path in ("/api/read", "/api/read?normalize=off"):
            response = site.post(path, body, "image/png")
            assert response.status in (200, 400), body[:40]
            assert response.status == 200 or "\n" not in response.json["error"]
    assert site.post("/api/read", pgm(sheet("7")), PGM).json["text"] == "7"


INVALID_EVERYWHERE = (b"", b"{", b"[" * 50_000, b"\xff\xfe", b"[]", b"null", b"3")
INVALID: dict[str, list[dict[str, Any]]] = {
    "occlusion": [{"image": 3}, {"image": "AA=="}, {"image": "ä"}, {"run": 5}, {}],
    "projections": [
        {"image": DIGIT, "run": "nowhere", "layer": "C1", "number": 0},
        {"image": DIGIT, "layer": "C1", "number": 0},
        {},
    ],
    "trainings": [
        {"network": ["softmax"], "recipe": {}},
        {"network": "softmax", "recipe": ["x"]},
        {"network": "softmax", "recipe": "--data"},
        {"network": "--help"},
        *({"network": "softmax", "steps": value} for value in (-1, 0, True, "9", 1e9, [])),
        {"network": "softmax", "seed": -1},
        *({"network": "softmax", "learning_rate": rate} for rate in (0, -1, 1e9, "1", True, [])),
        *({"network": "softmax", "batch_size": size} for size in (0, 1e9, "9", 2.5)),
        {"network": "softmax", "epochs": 1, "steps": 1},
        {"network": "softmax", "recipe": "pictures"},  # MNIST is no folder of pictures
        {"network": "zfnet"},
        *({"network": "softmax", "data": data} for data in ({}, "", " ", 3)),
    ],
    "data": [{}, *({"data": data} for data in (3, "", "/dev/zero", "a\0b", "\ud800", "x" * 5000))],
    "graph": [{"network": ["softmax"]}, {"network": "--help"}, {"network": {}}, {}],
    "runs/x/stop": [{"image": 3}, {}],
}


@pytest.mark.parametrize("path", INVALID)
def test_fuzzed_documents_are_refused(site: Site, path: str) -> None:
    for body in (*INVALID_EVERYWHERE, *(json.dumps(each).encode() for each in INVALID[path])):
        response = site.post(f"/api/{path}", body)
        assert response.status in (400, 404), (body[:80], response.body)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs is '0'; it must be a whole number from 1 to 100,000"),
        ({"batch_size": 10**9}, "it must be a whole number from 1 to 100,000"),
        ({"seed": -1}, "seed is '-1'; it must be a whole number from 0 to 4,294,967,295"),
        ({"learning_rate": 1e9}, "is 1000000000.0; it must be a number above 0 and at most 100"),
        (
            {"recipe": "pictures"},
            "no recipe 'pictures' of softmax for mnist; recipes: default, long",
        ),
        ({"network": "zfnet"}, "no network 'zfnet' for mnist; networks: softmax, "),
        ({"data": "/no/such/folder"}, "there is no folder or file /no/such/folder; datasets: "),
    ],
)
def test_what_cannot_be_trained_is_answered_with_what_can(
    site: Site, fields: dict[str, Any], message: str
) -> None:
    response = site.post("/api/trainings", json.dumps({"network": "softmax"} | fields).encode())
    assert response.status == 400 and message in response.json["error"]


def test_a_training_gets_the_numbers_that_were_changed_and_no_others() -> None:
    data: Any = {"data": "shop", "location": "/shop", "recipes": {"lenet5": ["pictures"]}}
    asked = {"network": "lenet5", "recipe": "pictures", "seed": 3, "epochs": None}
    numbers = {"batch_size": 8, "steps": 2, "learning_rate": 0.5}
    start = ["lenet5", "--data", "/shop", "--recipe", "pictures"]
    assert train_arguments(asked, data) == [*start, "--seed", "3"]
    changed = ["--batch-size", "8", "--steps", "2", "--seed", "3", "--lr", "0.5"]
    assert train_arguments(asked | numbers, data) == [*start, *changed]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        (b"hello", "text/plain", 415, "text/plain cannot be read; send a picture (PNG, JPEG,"),
        (
            b"hello",
            "image/png",
            400,
            "not a picture; PNG, JPEG, WEBP, BMP, GIF, TIFF, AVIF can",
        ),
        (b"%PDF-1.7", "image/png", 400, "a PDF; save its pages as pictures"),
        (b"\0\0\0\x18ftypheic", "image/heic", 400, "save it as JPEG"),
        (b"<svg/>", "image/svg+xml", 400, "an SVG drawing; save it as PNG"),
        (b"", "image/png", 400, "empty file"),
        (png(np.zeros((90, 90), np.uint8))[:-30], "image/png", 400, "damaged picture"),
        (bytes(20 * 2**20), "image/png", 413, "this file has 20 MB, and at most 16 MB are read"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",  # no bytes in a name
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(
    site: Site, body: bytes, content_type: str, status: int, message: str
) -> None:
    response = site.post("/api/read", body, content_type)
    assert response.status == status and message in response.json["error"]


def test_the_page_knows_what_the_server_reads() -> None:
    script = (Path(server.__file__).parent / "page" / "pictures.js").read_text()
    assert f"MAX_MEGABYTES = {guard.MAX_PICTURE_BYTES // 2**20};" in script
    (readable,) = re.findall('READABLE = "(.*)"', script)
    assert set(re.findall(r"\w{3,}", readable.upper())) - {"AND"} == set(PICTURE_FORMATS)
    for start in (b"%PDF-1.7", b"<svg"):
        assert f'"{file_types.describe(start)}.",' in script  # the same words as in the terminal


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=99999999999999", "after=%C2%B2"])
def test_a_query_must_be_a_small_integer(site: Site, runs: Path, query: str) -> None:
    write_run(runs / "one")
    assert site.get(f"/api/runs/one/metrics?{query}").status == 400
    assert site.get("/api/runs/one/metrics?after=7").status == 200


# --- The command line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--host", "192.0.2.1", "--token", "short"], 2, "give at least 12, or leave it out"),
        (["--token", "schlüsselwort"], 2, "letters without accents"),
        (["--token", "a space at its end "], 2, "no space at an end"),
        (["--model", "nowhere.onnx"], 4, "no model at nowhere.onnx"),
        (["--port", "99999"], 2, "--port"),
        (["--host", "no.such.host.invalid", "--token", "long-enough-it-is"], 1, "--port"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    firstlight: Firstlight, flags: list[str], code: int, message: str
) -> None:
    answer = firstlight("serve", *flags)
    assert answer.code == code and message in answer.err and len(answer.err.splitlines()) == 1


def test_a_port_that_is_taken_is_reported(firstlight: Firstlight) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = firstlight("serve", "--port", taken.getsockname()[1])
    assert answer.code == 1 and "give another --port" in answer.err


@pytest.fixture(scope="module")
def shared_site(site: Site) -> Iterator[Site]:
    """A server that others may open, with a token that was made for it, in the site's folder."""
    running = Site(host="0.0.0.0", read_only=True)
    yield running
    running.stop()


def test_beyond_this_machine_everything_needs_the_token(shared_site: Site) -> None:
    site = shared_site
    assert site.token.encode() not in site.get("/").body
    for path in ("about", "chapters", "share"):
        assert site.get(f"/api/{path}").status == 401
        assert site.send("GET", f"/api/{path}", headers=site.own_headers()).status == 200
    assert site.post("/api/read", pgm(sheet("7")), PGM).json["text"] == "7"
    for host, status in (("192.0.2.7", 200), ("evil.example", 421)):
        assert site.send("GET", "/", headers={"Host": host}).status == status


def test_visitors_cannot_explore_the_disk_of_the_server(here: Path) -> None:
    site = Site("correct horse battery", "0.0.0.0")
    try:
        path = json.dumps({"network": "softmax", "data": str(here)}).encode()
        for route in ("data", "trainings"):
            refused = site.post(f"/api/{route}", path)
            assert refused.status == 403 and "opens no path" in refused.json["error"]
        assert site.ask("/api/data", data="mnist")["splits"]["train"] == 55_000
    finally:
        site.stop()


def test_the_printed_addresses_open_the_page(shared_site: Site) -> None:
    assert shared_site.sharing.urls
    for url in shared_site.sharing.urls:
        host, _, port = url.removeprefix("http://").strip("/").rpartition(":")
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()


def test_an_address_that_pupils_reach_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    vpn, cards = "10.8.0.2", ["192.168.1.20", "10.42.0.1", "127.0.0.1", "169.254.7.7"]
    monkeypatch.setattr(addresses, "outgoing_address", lambda family: iter([vpn]))
    monkeypatch.setattr(addresses, "card_addresses", lambda family: iter(cards))
    assert addresses.own_addresses(socket.AF_INET) == ["192.168.1.20", "10.42.0.1", vpn]
    monkeypatch.setattr(addresses, "outgoing_address", lambda family: iter(["10.42.0.1"]))
    assert addresses.own_addresses(socket.AF_INET) == ["10.42.0.1", "192.168.1.20"]
    monkeypatch.setattr(addresses, "own_addresses", lambda family: [])  # without any network
    with server.bind("0.0.0.0", 0) as listener:
        port = listener.getsockname()[1]
        assert addresses.urls("0.0.0.0", listener) == (f"http://127.0.0.1:{port}/",)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_address_of_this_machine_alone_needs_no_token(host: str) -> None:
    with server.bind(host, 0) as listener:
        (url,) = addresses.urls(host, listener)
    assert url.startswith("http://127.0.0.1:")
    assert Sharing((url,), None).link == url


def test_the_link_hides_the_token_from_servers() -> None:
    link = Sharing(("http://192.168.1.20:8000/",), "50 % of a & b = c+d").link
    before, _, after = link.partition("#")
    assert before == "http://192.168.1.20:8000/"
    assert parse_qs(after.partition("?")[2]) == {"token": ["50 % of a & b = c+d"]}


def test_a_token_is_made_that_can_be_typed() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100 and all(re.fullmatch("[b-df-hjkmnp-tv-xz]{12}", t) for t in tokens)


def test_the_link_is_shown_to_visitors_with_its_qr_code(shared_site: Site, site: Site) -> None:
    headers = shared_site.own_headers()
    answer = shared_site.send("GET", "/api/share", headers=headers).json
    assert answer["link"] == shared_site.sharing.link and answer["token"] == shared_site.token
    assert answer["qr"] == qr_as_svg(answer["link"]) and "style" not in answer["qr"]
    opened_at = shared_site.send("GET", "/api/share", headers=headers | {"Host": "192.0.2.7:80"})
    assert opened_at.json["link"] == f"http://192.0.2.7:80/#draw?token={shared_site.token}"
    assert site.get("/api/share").status == 404


def shared_at(site: Site, moment: str) -> Response:
    query = urlencode({"moment": moment})
    return site.send("GET", f"/api/share?{query}", headers=site.own_headers())


def test_a_moment_is_shared_with_the_token(shared_site: Site) -> None:
    url, token = shared_site.sharing.urls[0], shared_site.token
    for moment, sign in (("runs", "?"), ("learn?chapter=5-convolutions&kernel=edges", "&")):
        answer = shared_at(shared_site, moment).json
        assert answer["link"] == f"{url}#{moment}{sign}token={token}"
        assert answer["qr"] == qr_as_svg(answer["link"])
    drawn = shared_at(shared_site, "draw?ink=" + 1000 * "1.2-").json
    assert drawn["qr"] is None and drawn["link"].endswith(f"-&token={token}")


@pytest.mark.parametrize(
    "moment", ["", "?", "draw#", "draw?a b", "draw?<b>", "//evil.example", "é", "draw?a\n"]
)
def test_what_is_no_moment_is_not_shared(shared_site: Site, moment: str) -> None:
    assert shared_at(shared_site, moment).status == 400


def test_a_moment_that_is_too_long_is_not_shared(shared_site: Site) -> None:
    answer = shared_at(shared_site, "draw?ink=" + 16_000 * "1")
    assert answer.status == 400 and "16009 characters" in answer.json["error"]


def test_a_made_token_is_known_in_capital_letters_and_a_given_one_is_not(
    shared_site: Site, here: Path
) -> None:
    given = Site("correct horse battery", "0.0.0.0")
    try:
        for site, status in ((shared_site, 200), (given, 401)):
            headers = site.own_headers(X_Firstlight_Token=site.token.upper())
            assert site.send("GET", "/api/about", headers=headers).status == status
    finally:
        given.stop()


def post_routes(site: Site) -> list[str]:
    routes = site.server.config.app.app.routes
    return [route.path for route in routes if "POST" in route.methods]


def test_a_read_only_server_refuses_every_route_that_changes_something(
    shared_site: Site, runs: Path
) -> None:
    write_trained_run(runs / "one")
    allowed = {"/api/read", "/api/classify", "/api/occlusion", "/api/projections", "/api/graph"}
    allowed |= {"/api/runs/{name}/samples", "/api/runs/{name}/prepare"}
    assert allowed < set(post_routes(shared_site)) and set(app.LOOKING) == allowed
    for path in set(post_routes(shared_site)) - allowed:
        for action in ("stop", "resume", "evaluate", "anything"):
            named = path.replace("{name}", "one").replace("{action:str}", action)
            response = shared_site.post(named, b"{}")
            assert response.status == 403 and "read-only" in response.json["error"], path
    about = shared_site.send("GET", "/api/about", headers=shared_site.own_headers()).json
    assert about["read_only"] is True
    assert [path.name for path in runs.iterdir()] == ["one"]


def test_a_new_post_route_is_refused_until_it_is_allowed() -> None:
    assert app.only_looks(Route("/api/new", app.about))
    assert not app.only_looks(Route("/api/new", app.about, methods=["POST"]))
    assert not app.only_looks(Route("/api/new", app.about, methods=["GET", "POST"]))
    assert not app.only_looks(Route("/api/runs/{name}/{action:str}", app.about, methods=["POST"]))


def test_a_read_only_server_still_reads_and_looks_inside(shared_site: Site) -> None:
    digit = shared_site.post("/api/read", pgm(sheet("7")), PGM).json["digits"][0]
    assert shared_site.ask("/api/occlusion", image=digit["image"])["occlusion"]
    missing = shared_site.post("/api/runs/nothing/samples", b"{}")
    assert missing.status == 404
    assert "no network" in shared_site.post("/api/graph", b"{}").json["error"]


def test_a_server_that_is_not_read_only_says_so(site: Site) -> None:
    assert site.get("/api/about").json["read_only"] is False


def printed_by_serve(
    firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch, *flags: str
) -> Answer:
    """What `serve` prints when it is ready; it is stopped at once."""
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: sockets[0].close())
    return firstlight("serve", "--port", 0, *flags)


def test_a_class_gets_addresses_a_token_and_a_link(
    firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = printed_by_serve(firstlight, monkeypatch, "--host", "0.0.0.0", "--json")
    printed = json.loads(answer.out)
    assert printed["url"] == printed["urls"][0] and "0.0.0.0" not in answer.out
    assert printed["link"] == f"{printed['url']}#draw?token={printed['token']}"
    assert len(printed["token"]) >= 12
    again = json.loads(printed_by_serve(firstlight, monkeypatch, "--host", "::", "--json").out)
    assert again["token"] != printed["token"]
    given = ("--token", "correct horse battery", "--json")
    assert json.loads(printed_by_serve(firstlight, monkeypatch, *given).out)["token"] == given[1]
    alone = json.loads(printed_by_serve(firstlight, monkeypatch, "--json").out)
    assert alone["token"] is None and alone["link"] == alone["url"]


def test_a_terminal_shows_a_qr_code(
    firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = ("--host", "0.0.0.0", "--token", "correct-horse-battery")
    assert "█" not in printed_by_serve(firstlight, monkeypatch, *shared).out
    monkeypatch.setattr("firstlight.cli.use.draws_blocks", lambda: True)
    lines = printed_by_serve(firstlight, monkeypatch, *shared).out.splitlines()
    code = [line for line in lines if "█" in line]
    assert any("#draw?token=correct-horse-battery" in line for line in lines)
    assert len({len(line) for line in code}) == 1 and 2 * len(code) >= len(code[0]) - 30 > 20
    assert all(line.startswith("\x1b[") and line.endswith("\x1b[0m") for line in code)
    assert "█" not in printed_by_serve(firstlight, monkeypatch, *shared, "--json").out
    assert "█" not in printed_by_serve(firstlight, monkeypatch).out  # nobody else can open it


def test_it_starts_without_tensorflow_and_stops_on_ctrl_c(here: Path) -> None:
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2].strip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/api/about")
        assert json.loads(connection.getresponse().read())["networks"]
        connection.close()
        memory_map = Path(f"/proc/{process.pid}/maps")
        assert not memory_map.exists() or "tensorflow" not in memory_map.read_text()
    finally:
        process.send_signal(2)
        assert process.wait(30) == 0
        process.stdout.close()


# --- Jobs ------------------------------------------------------------------------------------


def summary(site: Site, name: str) -> dict[str, Any]:
    """A run's row in the table of runs."""
    (row,) = [row for row in site.get("/api/runs").json["runs"] if row["name"] == name]
    return dict(row)


def wait_for_state(site: Site, name: str, state: str) -> dict[str, Any]:
    wait_until(lambda: summary(site, name)["state"] == state)
    return summary(site, name)


def wait_for_job(site: Site, name: str) -> dict[str, Any]:
    """Wait until the run's job has ended; return the run's row."""
    wait_until(lambda: summary(site, name)["job"]["exit_code"] is not None)
    return summary(site, name)


def logged_lines(site: Site, name: str) -> list[dict[str, Any]]:
    return list(site.get(f"/api/runs/{name}/metrics").json["lines"])


def statuses_at_once(site: Site, path: str, count: int, body: bytes = b"{}") -> list[int]:
    """Send equal requests at the same time; return the sorted statuses."""
    with ThreadPoolExecutor(count) as clients:
        responses = clients.map(lambda _: site.post(path, body), range(count))
        return sorted(response.status for response in responses)


def test_a_training_is_started_stopped_and_continued(site: Site, runs: Path) -> None:
    name = site.ask("/api/trainings", network="softmax", steps=900_000, seed=3)["name"]
    assert name == "softmax-mnist-1"
    wait_for_state(site, name, "running")
    wait_until(lambda: len(logged_lines(site, name)) >= 3)
    assert site.post(f"/api/runs/{name}/resume", b"{}").status == 400  # it is running
    assert site.post(f"/api/runs/{name}/evaluate", b"{}").status == 400
    stops = statuses_at_once(site, f"/api/runs/{name}/stop", 4)  # a second one interrupts nothing
    assert 200 in stops and set(stops) <= {200, 400}
    row = wait_for_state(site, name, "stopped")
    assert row["job"]["exit_code"] == 130 and "--resume" in row["job"]["output"][-1]
    reached = logged_lines(site, name)[-1]["step"]
    assert Run(runs / name).stopped == INTERRUPTED
    assert 0 < row["steps"] <= reached and row["final_cost"] > 0 and row["seconds"] > 0
    weights = site.get(f"/api/runs/{name}/weights").json
    assert weights["shape"] == [10, 28, 28] and len(base64.b64decode(weights["pixels"])) == 7840

    assert statuses_at_once(site, f"/api/runs/{name}/resume", 4) == [200, 400, 400, 400]
    wait_until(lambda: logged_lines(site, name)[-1]["step"] > reached)
    site.ask(f"/api/runs/{name}/stop")
    wait_for_state(site, name, "stopped")


def test_a_training_survives_a_killed_server_and_the_next_one_stops_it(here: Path) -> None:
    """The first server is a process; what it asks is what its page would."""
    name = "softmax-mnist-1"
    document = {"network": "softmax", "steps": 5_000_000}
    code = f"""
import asyncio, time
from pathlib import Path
from firstlight.serve.data_checks import DataChecks
from firstlight.serve.jobs import Jobs
from firstlight.serve.run_views import RunFolders
async def main():
    jobs = Jobs(RunFolders(Path("runs")), DataChecks(private=True))
    await jobs.train({document})
    print("started", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as first:
        assert first.stdout and first.stdout.readline() == b"started\n"
        first.kill()
    run = Run(here / "runs" / name)
    next_server = Site()
    try:
        wait_until(lambda: len(run.metrics()) > 3)
        lines = len(run.metrics())
        wait_until(lambda: len(run.metrics()) > lines)
        assert summary(next_server, name)["state"] == "elsewhere"
        next_server.ask(f"/api/runs/{name}/stop")
        wait_for_state(next_server, name, "stopped")
        assert run.stopped == INTERRUPTED
        wait_until(lambda: lock.holding_process(run.folder) is None)
        assert next_server.post(f"/api/runs/{name}/stop", b"{}").status == 400
    finally:
        next_server.stop()


def test_a_folder_of_pictures_is_looked_at_and_trained_on(site: Site, runs: Path) -> None:
    shop = write_shop(runs.parent / "shop")
    (shop / "kiwi" / "bad.png").write_text("no picture")
    found = site.ask("/api/data", data=f"  {shop} ")
    assert found["location"] == str(shop) and found["pictures"]
    assert found["classes"] == {"apple": 10, "kiwi": 10} and sum(found["splits"].values()) == 20
    assert found["fault_count"] == 1 and found["faults"][0]["file"] == "kiwi/bad.png"
    assert found["recipes"]["lenet5"] == ["pictures"] and "modern" in found["recipes"]["zfnet"]
    of_digits = site.ask("/api/data", data="mnist")["recipes"]
    assert "pictures" not in of_digits["lenet5"] and "zfnet" not in of_digits

    own = site.get("/api/recipes").json["lenet5"]["pictures"]
    assert own["epochs"] == 200 and own["steps"] is None and own["batch_size"] == 32
    asked = {"network": "lenet5", "recipe": "pictures", "data": str(shop), "steps": 2}
    name = site.ask("/api/trainings", **asked, learning_rate=0.02)["name"]
    assert name == "lenet5-shop-1"
    row = wait_for_state(site, name, "done")
    assert row["pictures"] and row["settings"]["learning rate"] == 0.02
    assert site.get(f"/api/runs/{name}/weights").json["shape"] == [6, 5, 5]
    check_pictures_of(site, name, shop)
    shutil.rmtree(shop / "kiwi")
    alone = site.post("/api/data", json.dumps({"data": str(shop)}).encode())
    assert alone.status == 400 and "has one class, apple: a network" in alone.json["error"]
    shutil.rmtree(shop)


def check_pictures_of(site: Site, name: str, shop: Path) -> None:
    """A run's own pictures can be looked at by number, and a visitor's picture as well."""
    path = f"/api/runs/{name}"
    shown = site.get(f"{path}/pictures").json
    assert {picture["label"] for picture in shown["pictures"]} == {"apple", "kiwi"}
    assert shown["input"] == [28, 28, 1]
    number = shown["pictures"][0]["number"]
    labels = site.post(f"/api/classify?run={name}&picture={number}", b"{}").json["labels"]
    assert {label["label"] for label in labels} == {"apple", "kiwi"}
    sent = site.post(f"/api/classify?run={name}", (shop / "apple" / "1.png").read_bytes(), PNG)
    assert sent.json["labels"]
    assert site.post(f"/api/classify?run={name}&picture=99", b"{}").status == 404


def test_no_picture_outside_of_a_runs_folder_is_shown(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    run = Run(write_run(tmp_path / "run", data=str(shop)))
    shutil.copy(shop / "kiwi" / "1.png", tmp_path / "secret.png")
    files = dict.fromkeys(("../secret.png", "kiwi/1.png", "kiwi/gone.png"), "")
    listing = Listing(classes=("apple", "kiwi"), splits={"test": files}, made="", faults=())
    write_json(run.pictures_file, listing.to_json())
    assert [each["number"] for each in run_pictures.small_pictures(run)["pictures"]] == [1]
    for number in (0, 2, 3):
        with pytest.raises(NotFound):
            run_pictures.content(run, number)
    assert run_pictures.content(run, 1) == (shop / "kiwi" / "1.png").read_bytes()


def test_no_more_than_two_jobs_run_at_once(site: Site, runs: Path) -> None:
    body = b'{"network": "softmax", "steps": 900000}'
    statuses = statuses_at_once(site, "/api/trainings", 5, body)
    names = [path.name for path in runs.iterdir()]
    assert statuses == [200] * MAX_JOBS + [400] * (5 - MAX_JOBS) and len(names) == MAX_JOBS
    refused = site.post("/api/trainings", body)
    assert refused.status == 400 and "are already running" in refused.json["error"]
    for name in names:
        site.ask(f"/api/runs/{name}/stop")
    for name in names:
        if (runs / name).exists():  # a training that is stopped early leaves no folder
            wait_for_job(site, name)


def test_a_run_is_evaluated_in_a_process_of_its_own(site: Site, runs: Path) -> None:
    write_trained_run(runs / "good")
    write_trained_run(runs / "broken")
    (runs / "broken" / "model" / "weights.npz").write_bytes(b"no weights")
    site.ask("/api/runs/good/evaluate")
    site.ask("/api/runs/broken/evaluate")  # it waits for the other
    again = site.post("/api/runs/good/evaluate", b"{}")
    assert again.status == 400 and "running" in again.json["error"]
    image = site.ask("/api/runs/good/samples")  # the page's own worker goes on answering
    assert len(image["predicted"]) == 100
    row = wait_for_job(site, "good")
    assert row["evaluated"] and row["state"] == "done"
    assert row["job"] | {"output": []} == {
        "kind": "evaluate",
        "exit_code": 0,
        "output": [],
        "stopping": False,
    }
    assert (runs / "good" / "figures" / "confusion_matrix.png").is_file()
    found = site.get("/api/runs/good/evaluation").json
    assert np.sum(found["confusion"]) == 10_000 and found["mistakes"] == 10_000 - found["correct"]
    label, predicted = np.argwhere(found["confusion"] * (1 - np.eye(10, dtype=int)))[0]
    page = site.get(f"/api/runs/good/mistakes?label={label}&predicted={predicted}").json
    assert page["count"] == found["confusion"][label][predicted]
    for mistake in page["mistakes"]:
        assert mistake["label"] == label and len(base64.b64decode(mistake["image"])) == 784

    row = wait_for_job(site, "broken")
    assert row["job"]["exit_code"] == 1 and "weights.npz" in row["job"]["output"][-1]
    assert not row["evaluated"]


def test_an_evaluation_that_is_stopped_leaves_nothing(site: Site, runs: Path) -> None:
    write_trained_run(runs / "stopped")
    site.ask("/api/runs/stopped/evaluate")
    site.ask("/api/runs/stopped/stop")
    row = wait_for_job(site, "stopped")
    assert row["job"]["exit_code"] == 130 and row["job"]["stopping"]
    assert row["state"] == "done" and not row["evaluated"]
    assert site.post("/api/runs/stopped/stop", b"{}").status == 400


# --- The worker ------------------------------------------------------------------------------


def maps(answer: dict[str, Any]) -> np.ndarray:
    """The numbers that were sent as pictures."""
    pixels = np.frombuffer(base64.b64decode(answer["pixels"]), np.int8)
    return pixels.reshape(answer["shape"]) * (answer["largest"] / 127)


def test_looking_inside_a_run_shows_its_layers(site: Site, runs: Path) -> None:
    write_trained_run(runs / "one")
    answer = site.ask("/api/occlusion", image=DIGIT, run="one")
    (layer,) = answer["layers"]
    assert layer["name"] == "layer1"
    weights = site.get("/api/runs/one/weights").json
    pixels = mnist.load("test").images[0].reshape(784) / 255
    logits = maps(weights).reshape(10, 784) @ pixels + weights["biases"]
    assert np.allclose(logits, maps(layer).reshape(10), atol=0.2)
    assert np.array(answer["occlusion"]).shape == (28, 28)
    (by_classify,) = classifier(Run(runs / "one")).probabilities(mnist.load("test").images[:1])
    assert answer["probabilities"] == pytest.approx(by_classify.tolist(), abs=1e-4)
    samples = site.ask("/api/runs/one/samples")
    assert len(samples["predicted"]) == len(samples["labels"]) == 100
    assert samples["predicted"][0] == logits.argmax()


def pixels_of(encoded: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(encoded), np.uint8)


def test_a_layer_belongs_to_the_stage_that_it_normalises_or_rectifies() -> None:
    names = stage_names(built("convnet", 10))
    assert {name for name, stage in names.items() if stage == "conv2"} == {
        "conv2",
        "conv2_norm",
        "conv2_relu",
    }
    assert names["output"] == "output" and names["flat"] == "flat"


def test_the_layers_and_their_windows_are_named(site: Site, runs: Path) -> None:
    write_lenet5(runs / "lenet5")
    answer = site.ask("/api/occlusion", image=DIGIT, run="lenet5")
    layers = {layer["name"]: layer for layer in answer["layers"]}
    assert list(layers) == ["C1", "S2", "C3", "S4", "C5", "F6", "output"]
    assert all(layer["stage"] == name for name, layer in layers.items())
    windows = {name: layer["window"] for name, layer in layers.items() if layer["window"]}
    assert windows == {"C1": [5, 5], "S2": [2, 2], "C3": [5, 5], "S4": [2, 2], "C5": [5, 5]}
    assert layers["S2"]["strides"] == [2, 2] and layers["S2"]["shape"] == [6, 14, 14]
    assert layers["C5"]["shape"] == [1, 1, 120]  # 120 maps of one value each


def test_the_top_nine_of_a_map_are_those_that_activate_it_most(site: Site, runs: Path) -> None:
    write_lenet5(runs / "lenet5")
    asked = {"run": "lenet5", "layer": "S2", "number": 2}

    def own_map(image: str) -> np.ndarray:
        answer = site.ask("/api/occlusion", image=image, run="lenet5")
        (layer,) = [layer for layer in answer["layers"] if layer["name"] == "S2"]
        return np.asarray(maps(layer)[2])

    answer = site.ask("/api/projections", image=DIGIT, **asked)
    assert answer["searched"] == 2000 and answer["data"] == "mnist"
    drawing, nine = answer["drawing"], answer["top_nine"]
    assert drawing["image"] == DIGIT
    assert answer["place"] == list(np.unravel_index(own_map(DIGIT).argmax(), (14, 14)))
    activations = [each["activation"] for each in nine]
    assert len(nine) == 9 and activations == sorted(activations, reverse=True)
    for each in (drawing, nine[0], nine[8]):
        assert own_map(each["image"]).max() == pytest.approx(each["activation"], abs=0.02)
        top, left, bottom, right = each["region"]
        outside = maps(each)[0].copy()
        outside[top:bottom, left:right] = 0
        assert (bottom - top, right - left) <= (6, 6) and not outside.any()
    val = mnist.load("val")
    row = next(
        i for i in range(2000) if np.array_equal(val.images[i].ravel(), pixels_of(nine[0]["image"]))
    )
    assert nine[0]["label"] == str(val.labels[row])


def test_the_top_nine_of_a_neuron_have_the_largest_sums(site: Site, runs: Path) -> None:
    write_trained_run(runs / "one")
    weights = checkpoint.load(Run(runs / "one").weights)[0]
    images = mnist.load("val").images[:2000]
    sums = flat(images) @ weights["layer1/kernel"][7] + weights["layer1/bias"][7]
    answer = site.ask("/api/projections", run="one", image=DIGIT, layer="layer1", number=7)
    expected = images[np.argsort(-sums, kind="stable")[:9]].reshape(9, -1)
    assert [pixels_of(each["image"]).tolist() for each in answer["top_nine"]] == expected.tolist()
    assert answer["place"] == [] and answer["drawing"]["region"] == [0, 0, 28, 28]


def test_a_map_that_does_not_exist_is_refused(site: Site, runs: Path) -> None:
    write_trained_run(runs / "one")
    right = {"run": "one", "image": DIGIT, "layer": "layer1", "number": 0}
    for field, value, message in (
        ("layer", "C9", "no layer 'C9'; layers: layer1"),
        ("number", 10, "no map 10 in layer1, which has 10: 0 to 9"),
        ("number", -1, "number is '-1'"),
        ("number", "x", "number is 'x'"),
        ("image", "AA==", "28×28 pixels"),
    ):
        response = site.post("/api/projections", json.dumps(right | {field: value}).encode())
        assert response.status == 400 and message in response.json["error"]


def test_the_view_first_graph_gets_images_and_pictures(site: Site) -> None:
    for split, n in (("train", 5000), ("val", 1000)):
        examples = mnist.load(split).first(n)
        file = site.get(f"/data/mnist-{split}.bin.gz").body
        assert len(file) < 0.25 * 785 * n  # pupils' connections are slow
        sent = np.frombuffer(gzip.decompress(file), np.uint8)
        assert np.array_equal(sent[: 784 * n], examples.images[:].reshape(-1))
        assert np.array_equal(sent[784 * n :], examples.labels)
    for name in ("functional", "operations"):
        picture = site.get(f"/pictures/1/{name}.svg")
        assert picture.headers["content-type"] == "image/svg+xml"
        assert picture.body.startswith(b"<svg") and b"cost" in picture.body
    assert site.get("/data/digits.onnx").body == DIGITS_MODEL.read_bytes()
    for missing in ("mnist-test.bin.gz", "..", "mnist-train.bin"):
        assert site.get(f"/data/{missing}").status == 404


def test_the_graph_is_drawn_twice(site: Site) -> None:
    pictures = site.ask("/api/graph", network="first-graph")
    assert set(pictures) == {"functional", "operations"} and "<svg" in pictures["functional"]


# --- Run folders -----------------------------------------------------------------------------


def write_run(folder: Path, data: str = "mnist", result: TrainingResult | None = None) -> Path:
    """A run folder as a training that was killed leaves it, without weights."""
    recipe = Recipe(learning_rate=0.1, batch_size=10, steps=20)
    settings = Settings(network="softmax", data=data, recipe=recipe, seed=0, sha256={})
    record = RunRecord(settings=settings, total_steps=20, versions={}, machine="", result=result)
    folder.mkdir(parents=True)
    Run(folder).write_record(record)
    return folder


def training_result(data: str, test_accuracy: float | None) -> TrainingResult:
    return TrainingResult(
        network="softmax",
        data=data,
        steps=20,
        first_cost=2.3,
        final_cost=0.5,
        test_accuracy=test_accuracy,
        seconds=1.5,
        run=None,
    )


def write_trained_run(folder: Path) -> Path:
    """A run folder as a training leaves it; the weights of a digit are its mean image."""
    write_run(folder, result=training_result("mnist", 0.8))
    val = mnist.load("val")
    means = np.array([flat(val.images[:])[val.labels == digit].mean(0) for digit in range(10)])
    arrays = {"layer1/kernel": means - means.mean(0), "layer1/bias": -(means**2).sum(1) / 20}
    run = Run(folder)
    checkpoint.save(run.weights, {name: array.astype("f4") for name, array in arrays.items()})
    info = ModelInfo("softmax", tuple("0123456789"), "digits")
    write_json(run.model_file, info.to_json())
    return folder


def evaluation(data: str, split: str, mistakes: tuple[Mistake, ...] = ()) -> Evaluation:
    return Evaluation(
        network="softmax",
        data=data,
        split=split,
        examples=10,
        correct=7,
        interval95=(0.4, 0.9),
        confusion=[[3, 2], [1, 4]],
        mistakes=mistakes,
    )


def test_a_stopped_run_may_be_continued_elsewhere(tmp_path: Path) -> None:
    run, now = Run(write_run(tmp_path / "a")), time.time()
    record = replace(run.record(), status=None, result=None)
    os.utime(run.record_file, (now - 400, now - 400))
    run.metrics_file.write_text("")
    assert run_views.run_state(run, record, math.inf) == "running"
    assert run_views.run_state(run, record, now) == "stopped"
    assert run_views.run_state(run, record, now - 30) == "elsewhere"
    assert run_views.run_state(run, record, None) == "elsewhere"
    os.utime(run.metrics_file, (now - 200, now - 200))
    assert run_views.run_state(run, record, now - 300) == "stopped"
    assert run_views.run_state(run, record, None) == "stopped"
    done = replace(record, result=training_result("mnist", 0.9))
    assert run_views.run_state(run, done, None) == "done"


def test_a_run_that_was_interrupted_is_stopped_at_once(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "a"))
    record = replace(run.record(), status=TrainingStatus(step=3, stopped=INTERRUPTED), result=None)
    run.metrics_file.write_text("")  # just now
    assert run_views.run_state(run, record, None) == "stopped"
    assert run_views.run_state(run, record, math.inf) == "running"  # it is being continued


def test_a_runs_accuracy_is_that_on_its_own_test_images(tmp_path: Path) -> None:
    measured = Run(write_run(tmp_path / "a", result=training_result("mnist", 0.9))).record()
    assert run_views.test_accuracy(measured, evaluation("mnist", "train")) == 0.9
    no_test = Run(write_run(tmp_path / "b", result=training_result("shop", None))).record()
    assert run_views.test_accuracy(no_test, evaluation("shop", "val")) == 0.7
    assert run_views.test_accuracy(no_test, evaluation("shop", "train")) is None
    assert run_views.test_accuracy(no_test, evaluation("fair", "val")) is None
    assert run_views.test_accuracy(no_test, None) is None


def test_a_run_folder_is_named_as_one_types_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "runs" / "a b")
    monkeypatch.chdir(tmp_path)
    assert run_views.run_summary(folder, "a b", None)["folder"] == "'runs/a b'"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_views.run_summary(folder, "a b", None)["folder"] == f"'{folder}'"


def test_damaged_run_folders_are_named_and_the_rest_is_shown(site: Site, runs: Path) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", "{}"), ("d", '{"recipe": 3}')):
        (runs / name).mkdir()
        (runs / name / "run.json").write_text(text)
    write_run(runs / "whole")
    states = {row["name"]: row["state"] for row in site.get("/api/runs").json["runs"]}
    assert {name: states[name] for name in "abcd"} == dict.fromkeys("abcd", "damaged")
    assert states["whole"] == "stopped"
    for name in "abcd":
        for what in ("metrics", "weights", "evaluation", "mistakes"):
            assert site.get(f"/api/runs/{name}/{what}").status in (200, 400)
        assert site.post(f"/api/runs/{name}/resume", b"{}").status == 400


@pytest.mark.parametrize(
    ("file", "text", "questions"),
    [
        ("metrics.jsonl", '{"step": 1}\nnothing\n', ["metrics"]),
        ("evaluation.json", "{}", ["evaluation", "mistakes"]),
        ("evaluation.json", "[]", ["evaluation", "mistakes"]),
        ("evaluation.json", '{"mistakes": 3}', ["evaluation", "mistakes"]),
        ("evaluation.json", '{"mistakes": [{}]}', ["evaluation", "mistakes"]),
    ],
)
def test_a_damaged_file_is_named(
    site: Site, runs: Path, file: str, text: str, questions: list[str]
) -> None:
    (write_run(runs / "odd") / file).write_text(text)
    for question in questions:
        response = site.get(f"/api/runs/odd/{question}?label=0")
        assert response.status == 400 and file in response.json["error"]


@pytest.mark.parametrize("content", [b"", b"PK", b"nothing"])
def test_a_damaged_checkpoint_is_named(site: Site, runs: Path, content: bytes) -> None:
    run = Run(write_run(runs / "odd"))
    run.last.parent.mkdir()
    run.last.write_bytes(content)
    response = site.get("/api/runs/odd/weights")
    assert response.status == 400 and "last.npz" in response.json["error"]


def test_the_run_that_is_served_may_lie_anywhere(here: Path) -> None:
    write_run(here / "runs" / "one")
    write_run(here / "runs" / "two")
    write_run(here / "far" / "one")
    folders = run_views.RunFolders(Path("runs"), Path("far/one"))
    assert folders.by_name() == {"one": here / "far" / "one", "two": Path("runs/two")}
    (here / "far" / "one" / "run.json").unlink()  # it is deleted meanwhile
    folders = run_views.RunFolders(Path("runs"), Path("far/one"))
    assert set(folders.by_name()) == {"one", "two"}


def test_a_kernel_is_shown_as_one_picture_per_unit() -> None:
    digits = np.arange(7840).reshape(10, 784)
    assert np.array_equal(run_views.weight_maps(digits)[3].ravel(), digits[3])
    assert np.array_equal(run_views.weight_maps(digits.T)[3].ravel(), digits[3])
    convolution = np.arange(5 * 4 * 3 * 2).reshape(5, 4, 3, 2)
    pictures = run_views.weight_maps(convolution)
    assert np.array_equal(pictures[1], convolution[..., 1].mean(2))
    with pytest.raises(DataError, match="cannot be shown as pictures"):
        run_views.weight_maps(np.zeros((17, 10)))


def write_shop(shop: Path) -> Path:
    """A folder of ten pictures of each of two classes."""
    for i in range(10):
        for name in ("apple", "kiwi"):
            (shop / name).mkdir(parents=True, exist_ok=True)
            picture = np.full((90, 120, 3), (i, 200, 10 * len(name)), np.uint8)
            Image.fromarray(picture).save(shop / name / f"{i}.png")
    return shop


def test_validation_with_class_weights_is_named_the_mean_recall(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "run"))
    record = run.record()
    assert run_views.run_summary(run.folder, "run", None)["validated_by"] == "accuracy"
    run.write_record(replace(record, settings=replace(record.settings, class_weights=BALANCED)))
    assert run_views.run_summary(run.folder, "run", None)["validated_by"] == "mean recall"


def test_mistakes_among_ones_own_pictures_are_shown(site: Site, runs: Path) -> None:
    shop = write_shop(runs.parent / "shop")
    folder = write_run(runs / "shop", str(shop))
    run = Run(folder)
    write_json(run.pictures_file, list_pictures(shop).to_json())
    wrong = Mistake(index=1, label=1, predicted=0, confidence=0.9)
    write_json(run.evaluation_file, evaluation("shop", "test", (wrong,)).to_json())
    path = "/api/runs/shop/mistakes?label=1&predicted=0"
    (mistake,) = site.get(path).json["mistakes"]
    image = np.frombuffer(base64.b64decode(mistake["image"]), np.uint8).reshape(mistake["size"])
    assert image.shape == (56, 56, 3) and (image[..., 1:] == (200, 40)).all()
    samples = site.post("/api/runs/shop/samples", b"{}")
    assert samples.status == 400 and "do not have 28×28 pixels" in samples.json["error"]
    shutil.rmtree(shop)
    assert len(site.get(path).json["mistakes"]) == 1  # without its picture
