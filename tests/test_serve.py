"""The server of the page: whom it refuses, what it bears, and that each gets his own answer."""

import base64
import http.client
import io
import json
import math
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

from firstlight.datasets import _folder as pictures
from firstlight.datasets import mnist
from firstlight.reading import read
from firstlight.runs.run import Run
from firstlight.serve import guard, run_views, server
from firstlight.serve.jobs import MOST_AT_ONCE

Firstlight = Callable[..., Answer]
PGM, JSON = "image/x-portable-graymap", "application/json"


class Told(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A server in a thread, and requests to it as its own page sends them, or otherwise."""

    def __init__(self, token: str = "", host: str = "127.0.0.1") -> None:
        self.server, self.listening = server.prepared(host, 0, None, token)
        self.port = self.listening.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.run, args=([self.listening],))
        self.thread.start()
        page = self.ask("GET", "/").body.decode()
        self.token = token or page.partition('name="token" content="')[2].partition('"')[0]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Told:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Told(response.status, response.headers, response.read())
        finally:
            connection.close()

    def own(self, kind: str = JSON, **changed: str | None) -> dict[str, str]:
        """The headers that the page sends, some of them changed or left out."""
        headers = {
            "Content-Type": kind,
            "Origin": f"http://{self.host}",
            "Sec-Fetch-Site": "same-origin",
            "X-Firstlight-Token": getattr(self, "token", ""),
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}  # type: ignore[misc]
        return {name: value for name, value in headers.items() if value is not None}

    def post(self, path: str, body: bytes, kind: str = JSON) -> Told:
        return self.ask("POST", path, body, self.own(kind))

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("site"))
    running = Site()
    yield running
    running.stop()
    os.chdir(before)


def sheet(text: str) -> np.ndarray:
    """Digits of MNIST side by side, dark on white (300, 400)."""
    images, labels = mnist.load("test")
    page = np.zeros((300, 400), np.uint8)
    for place, digit in enumerate(text):
        plain = {3: 18, 6: 11, 8: 61, 2: 1, 1: 2, 4: 4, 5: 15, 7: 0, 0: 3, 9: 7}[int(digit)]
        assert labels[plain] == int(digit)
        large = Image.fromarray(images[plain, ..., 0]).resize((84, 84), Image.Resampling.BICUBIC)
        page[100:184, 10 + 95 * place :][:, :84] = np.asarray(large)
    return 255 - page


def pgm(pixels: np.ndarray) -> bytes:
    return f"P5 {pixels.shape[1]} {pixels.shape[0]} 255\n".encode() + pixels.tobytes()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


# --- What it answers -------------------------------------------------------------------------


def test_a_drawing_is_read_with_all_that_the_page_shows(site: Site) -> None:
    told = site.post("/api/read", pgm(sheet("7210")), PGM).json
    assert told["text"] == "7210" and told["note"] is None and told["size"] == [400, 300]
    for digit in told["digits"]:
        assert len(digit["probabilities"]) == len(told["classes"])
        assert sum(digit["probabilities"]) == pytest.approx(1, abs=0.01)
        assert len(base64.b64decode(digit["image"])) == 28 * 28


def test_a_photograph_gets_the_answer_of_read(site: Site, tmp_path: Path) -> None:
    pixels = np.asarray(Image.fromarray(sheet("438")).resize((2400, 1800)))
    path = tmp_path / "photo.png"
    path.write_bytes(png(pixels))
    told, direct = site.post("/api/read", path.read_bytes(), "image/png").json, read(path)
    digits = [digit for line in direct.lines for digit in line.digits]
    assert told["text"] == direct.text == "438" and told["size"] == [2400, 1800]
    assert [d["box"] for d in told["digits"]] == [list(d.box) for d in digits]
    assert [d["confidence"] for d in told["digits"]] == [round(d.confidence, 4) for d in digits]


def test_nothing_drawn(site: Site) -> None:
    told = site.post("/api/read", pgm(np.full((300, 400), 255, np.uint8)), PGM).json
    assert told["text"] == "" and told["digits"] == [] and told["note"] == "no digits found"
    squashed = site.post("/api/read?normalize=off", pgm(np.full((300, 400), 255, np.uint8)), PGM)
    assert squashed.json["digits"] == []


def test_without_normalisation_the_whole_sheet_is_one_digit(site: Site) -> None:
    told = site.post("/api/read?normalize=off", pgm(sheet("7210")), PGM).json
    assert len(told["digits"]) == 1 and told["digits"][0]["box"] == [0, 0, 400, 300]


def test_where_the_reader_looks(site: Site) -> None:
    digit = site.post("/api/read", pgm(sheet("7")), PGM).json["digits"][0]
    told = site.post("/api/occlusion", json.dumps({"image": digit["image"]}).encode()).json
    hidden = np.array(told["occlusion"])
    assert hidden.shape == (28, 28) and hidden.min() < hidden[0, 0] == pytest.approx(
        max(told["probabilities"]), abs=0.01
    )


def test_sixty_four_clients_at_once_each_get_their_own_answer(site: Site) -> None:
    texts = [f"{number:02d}"[::-1] for number in range(64)]

    def ask(text: str) -> str:
        return str(site.post("/api/read", pgm(sheet(text)), PGM).json["text"])

    expected = {text: ask(text) for text in texts}
    assert sum(text == answer for text, answer in expected.items()) > 55
    with ThreadPoolExecutor(64) as clients:
        answers = list(clients.map(ask, texts))
    assert answers == list(expected.values())


def test_nothing_is_stored(site: Site) -> None:
    site.post("/api/read", png(sheet("31")), "image/png")
    assert list(Path.cwd().iterdir()) == []


# --- Whom it refuses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[(host, 200) for host in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST")],
        *[(host, 421) for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil")],
        *[(host, 421) for host in ("[::2]", "10.0.0.1", "evil.example@localhost", "0.0.0.0")],
    ],
)
@pytest.mark.parametrize("with_port", [True, False])
def test_the_host_is_checked_without_its_port(
    site: Site, host: str, status: int, with_port: bool
) -> None:
    named = f"{host}:{site.port}" if with_port else host
    for path in ("/", "/api/about", "/page/main.js"):
        assert site.ask("GET", path, headers={"Host": named}).status == status
    assert site.ask("GET", "/nowhere", headers={"Host": named}).status == (404, 421)[status == 421]


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
def test_a_post_that_is_not_the_pages_own(site: Site, changed: Any, status: int) -> None:
    for path in ("/api/read", "/api/trainings", "/api/step", "/nowhere"):
        answer = site.ask("POST", path, b"{}", site.own(**changed))
        assert answer.status == status and "error" in answer.json


def test_every_answer_forbids_what_the_page_does_not_need(site: Site) -> None:
    answers = [site.ask("GET", path) for path in ("/", "/page/main.js", "/api/about", "/nowhere")]
    answers += [site.ask("GET", "/", headers={"Host": "evil.example"})]
    answers += [site.ask("POST", "/api/read", b"", {"Origin": "http://evil.example"})]
    answers += [site.ask("OPTIONS", "/api/read", headers={"Origin": "http://evil.example"})]
    answers += [site.post("/api/read", b"no picture", "image/png")]
    for answer in answers:
        names = [name.lower() for name in answer.headers]
        assert not [name for name in names if name.startswith("access-control")]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "server" not in names and "set-cookie" not in names


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_no_other_method(site: Site, method: str) -> None:
    assert site.ask(method, "/api/read", headers=site.own()).status == 405


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/page/../guard.py",
            "/page/%2e%2e%2fguard.py",
            "/page/..%5cguard.py",
            "/page//etc/passwd",
        ),
        *(
            "/etc/passwd",
            "/page/",
            "/page/main.js%00",
            "/static/main.js",
            "/api/runs/../../x/metrics",
        ),
        *("/api/runs/%2e%2e/metrics", "/api/runs/..%2f..%2fetc/weights", "/api/runs/x/mistakes"),
    ],
)
def test_no_path_of_a_request_is_opened(site: Site, path: str) -> None:
    answer = site.ask("GET", path)
    assert answer.status == 404 and b"<html" not in answer.body


def test_a_body_is_cut_off_while_it_streams_in(site: Site) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:  # no Content-Length to go by
        nonlocal sent
        for _ in range(400):
            sent += 2**18
            yield bytes(2**18)

    with pytest.raises(OSError):  # the server hangs up, or has answered before that
        answer = site.ask("POST", "/api/read", endless(), site.own("image/png"))
        assert answer.status == 413
        raise OSError
    assert sent < 3 * guard.MOST_BYTES
    for kind in (JSON, "Application/JSON; charset=utf-8", "image/png"):
        answer = site.post("/api/trainings", b" " * (guard.MOST_BYTES_OF_JSON + 1), kind)
        assert answer.status == 413


# --- What it bears ---------------------------------------------------------------------------


@pytest.fixture
def impatient(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(guard, "SECONDS_TO_SEND", 0.5)
    monkeypatch.setattr(server, "SECONDS_TO_BEGIN", 0.5)
    monkeypatch.setattr(server, "SECONDS_KEPT", 1)
    running = Site()
    yield running
    running.stop()


def test_a_client_that_sends_slowly_is_not_waited_for(impatient: Site) -> None:
    headers = "".join(f"{k}: {v}\r\n" for k, v in impatient.own(PGM).items())
    request = (
        f"POST /api/read HTTP/1.1\r\nHost: {impatient.host}\r\n{headers}Content-Length: 999\r\n"
    )
    with socket.create_connection(("127.0.0.1", impatient.port), 10) as slow:
        slow.sendall(request.encode() + b"\r\nP5")
        assert b" 408 " in slow.recv(9999)
        while slow.recv(9999):  # until it hangs up
            pass


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_a_client_that_asks_nothing_is_not_waited_for(impatient: Site, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), 10) as silent:
        silent.sendall(start)
        assert silent.recv(9999) == b""


def test_nor_is_one_that_begins_a_second_question(impatient: Site) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), 10) as slow:
        slow.sendall(f"GET /api/about HTTP/1.1\r\nHost: {impatient.host}\r\n\r\n".encode())
        assert b" 200 " in slow.recv(99999)
        slow.sendall(b"GET /api/about HTTP/1.1\r\nHost: local")
        while slow.recv(99999):
            pass


def test_too_many_at_once_are_told_to_come_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MOST_AT_ONCE", 0)
    assert site.ask("GET", "/api/about").status == 503
    monkeypatch.undo()
    assert site.ask("GET", "/api/about").status == 200


def bodies() -> list[bytes]:
    chance = random.Random(7)
    good = png(sheet("31"))
    bomb = Image.new("1", (30_000, 30_000))
    file = io.BytesIO()
    bomb.save(file, "PNG")
    found = [
        b"",
        b"P5 ",
        b"P5 0 0 255\n",
        b"P5 9999 9999 255\n",
        b"P5 2 2 255\nabc",
        file.getvalue(),
    ]
    found += [
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"<svg/>",
        b"%PDF-1.4",
        good[:500],
        good[: len(good) // 2],
    ]
    found += [chance.randbytes(chance.randrange(3000)) for _ in range(30)]
    for _ in range(30):  # a picture with some bytes changed
        broken = bytearray(good)
        for _ in range(chance.randrange(1, 20)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        found.append(bytes(broken))
    return found


def test_fuzzed_pictures(site: Site) -> None:
    for body in bodies():
        for path in ("/api/read", "/api/read?normalize=off"):
            answer = site.post(path, body, "image/png")
            assert answer.status in (200, 400), body[:40]
            assert answer.status == 200 or "\n" not in answer.json["error"]
    assert site.post("/api/read", pgm(sheet("7")), PGM).json["text"] == "7"


@pytest.mark.parametrize(
    "path", ["occlusion", "trainings", "graph", "first", "step", "runs/x/stop"]
)
def test_fuzzed_documents(site: Site, path: str) -> None:
    documents: list[Any] = [
        [],
        None,
        3,
        {"image": 3},
        {"image": "AA=="},
        {"image": "ä"},
        {"run": 5},
    ]
    documents += [{"network": ["softmax"], "recipe": {}}, {"network": "softmax", "recipe": ["x"]}]
    documents += [{"network": "softmax", "steps": value} for value in (-1, 0, True, "9", 1e9, [])]
    documents += [{"network": "--help"}, {"network": "softmax", "recipe": "--data"}]
    documents += [{"batch": -1}, {"rate": "x"}, {"rate": -1}, {"count": 10**9}, {"after": None}]
    texts = [json.dumps(document).encode() for document in documents]
    texts += [b"", b"{", b"[" * 50_000, b"\xff\xfe", b'{"rate": NaN, "count": 0}']
    harmless = {"graph": b'"softmax"', "first": b"{"}.get(path)
    meant = {"first": (b"batch", b"rate")}.get(path, ())
    if harmless:  # an object that says nothing of what this path asks for means its defaults
        texts = [t for t in texts if harmless not in t or any(word in t for word in meant)]
    for text in texts:
        answer = site.post(f"/api/{path}", text)
        assert answer.status in (400, 404), (text[:80], answer.body)


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=99999999999999", "after=%C2%B2"])
def test_numbers_in_a_query(site: Site, query: str) -> None:
    assert site.ask("GET", f"/api/runs/x/metrics?{query}").status == 404


# --- The command line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--host", "0.0.0.0"], 2, "a token has 12 letters or more"),
        (["--host", "192.0.2.1", "--token", "short"], 2, "a token has 12 letters or more"),
        (["--model", "nowhere.onnx"], 4, "no model at nowhere.onnx"),
        (["--port", "99999"], 2, "--port"),
        (["--host", "no.such.host.invalid", "--token", "long-enough-it-is"], 1, "--port"),
    ],
)
def test_what_cannot_be_served(
    firstlight: Firstlight, flags: list[str], code: int, message: str
) -> None:
    answer = firstlight("serve", *flags)
    assert answer.code == code and message in answer.err and len(answer.err.splitlines()) == 1


def test_a_port_that_is_taken(firstlight: Firstlight) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = firstlight("serve", "--port", taken.getsockname()[1])
    assert answer.code == 1 and "give another --port" in answer.err


def test_beyond_this_machine_everything_needs_the_token(here: Path) -> None:
    site = Site("correct horse battery", "0.0.0.0")
    try:
        assert site.token.encode() not in site.ask("GET", "/").body
        assert site.ask("GET", "/api/about").status == 401
        assert site.ask("GET", "/api/about", headers=site.own()).status == 200
        assert site.post("/api/read", pgm(sheet("7")), PGM).json["text"] == "7"
        for host, status in (("192.0.2.7", 200), ("evil.example", 421)):
            assert site.ask("GET", "/", headers={"Host": host}).status == status
    finally:
        site.stop()


def test_it_starts_at_once_without_tensorflow_and_stops_on_ctrl_c(here: Path) -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2].strip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/api/about")
        assert json.loads(connection.getresponse().read())["networks"]
        connection.close()
        assert time.monotonic() - began < 6  # measured: 0.7 s on a machine with nothing else to do
        modules = Path(f"/proc/{process.pid}/maps")
        assert not modules.exists() or "tensorflow" not in modules.read_text()
    finally:
        process.send_signal(2)
        assert process.wait(30) == 0
        process.stdout.close()


# --- Run folders -----------------------------------------------------------------------------


def wait_for(site: Site, name: str, *states: str) -> dict[str, Any]:
    for _ in range(600):
        rows = {row["name"]: row for row in site.ask("GET", "/api/runs").json["runs"]}
        if rows[name]["state"] in states:
            return dict(rows[name])
        time.sleep(0.2)
    raise AssertionError(f"{name} is {rows[name]}")


@pytest.fixture
def workshop(here: Path) -> Iterator[Site]:
    running = Site()
    yield running
    running.stop()


def test_a_training_is_started_stopped_continued_and_evaluated(workshop: Site, here: Path) -> None:
    site = workshop
    wanted = json.dumps({"network": "softmax", "steps": 900_000, "seed": 3}).encode()
    name = site.post("/api/trainings", wanted).json["name"]
    assert name == "softmax-mnist-1"
    wait_for(site, name, "running")
    deadline = time.monotonic() + 90
    while len(site.ask("GET", f"/api/runs/{name}/metrics").json["lines"]) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert site.post(f"/api/runs/{name}/resume", b"{}").status == 400  # it is running
    stops = at_once(site, *[f"/api/runs/{name}/stop"] * 4)  # a second one interrupts nothing
    assert 200 in stops and set(stops) <= {200, 400}
    row = wait_for(site, name, "stopped")
    assert row["job"]["code"] == 130 and "--resume" in row["job"]["said"][-1]
    reached = site.ask("GET", f"/api/runs/{name}/metrics").json["lines"][-1]["step"]
    assert 0 < row["steps"] <= reached and row["final_cost"] > 0 and row["seconds"] > 0
    weights = site.ask("GET", f"/api/runs/{name}/weights").json
    assert weights["shape"] == [10, 28, 28] and len(base64.b64decode(weights["pixels"])) == 7840

    assert at_once(site, *[f"/api/runs/{name}/resume"] * 4) == [200, 400, 400, 400]
    while site.ask("GET", f"/api/runs/{name}/metrics").json["lines"][-1]["step"] <= reached:
        assert time.monotonic() < deadline + 60
        time.sleep(0.2)
    site.post(f"/api/runs/{name}/stop", b"{}")
    wait_for(site, name, "stopped")


def at_once(site: Site, *paths: str, body: bytes = b"{}") -> list[int]:
    """The statuses of questions that are asked at the same time, in their order."""
    with ThreadPoolExecutor(len(paths)) as clients:
        return sorted(
            told.status for told in clients.map(lambda path: site.post(path, body), paths)
        )


def test_no_more_trainings_than_the_machine_bears(workshop: Site, here: Path) -> None:
    wanted = b'{"network": "softmax", "steps": 900000}'
    statuses = at_once(workshop, *["/api/trainings"] * 5, body=wanted)
    assert statuses == [200] * MOST_AT_ONCE + [400] * (5 - MOST_AT_ONCE)
    more = workshop.post("/api/trainings", wanted)
    assert more.status == 400 and "running already" in more.json["error"]
    assert len(list((here / "runs").iterdir())) == MOST_AT_ONCE


def test_a_stopped_run_may_be_gone_on_with_elsewhere(tmp_path: Path) -> None:
    run, now = Run(tmp_path), time.time()
    run.metrics_file.write_text("")
    assert run_views.state(run, False, math.inf) == "running"
    assert run_views.state(run, False, now) == "stopped"
    assert run_views.state(run, False, now - 30) == run_views.state(run, False, None) == "elsewhere"
    os.utime(run.metrics_file, (now - 200, now - 200))
    assert run_views.state(run, False, now - 300) == run_views.state(run, False, None) == "stopped"
    assert run_views.state(run, True, None) == "done"


def whole(told: dict[str, Any]) -> np.ndarray:
    """The numbers that were sent as pictures."""
    pixels = np.frombuffer(base64.b64decode(told["pixels"]), np.int8)
    return pixels.reshape(told["shape"]) * (told["largest"] / 127)


def test_looking_inside_a_run(workshop: Site, here: Path) -> None:
    site = workshop
    name = site.post("/api/trainings", b'{"network": "softmax", "steps": 20}').json["name"]
    wait_for(site, name, "done")
    image = base64.b64encode(mnist.load("test").images[0].tobytes()).decode()
    asked = json.dumps({"image": image, "run": name}).encode()
    told = site.post("/api/occlusion", asked).json
    (layer,) = told["layers"]
    assert layer["name"] == "layer1"
    weights = site.ask("GET", f"/api/runs/{name}/weights").json
    products = whole(weights).reshape(10, 784) @ (mnist.load("test").images[0].reshape(784) / 255)
    assert np.allclose(products + weights["biases"], whole(layer).reshape(10), atol=0.2)
    assert np.array(told["occlusion"]).shape == (28, 28)
    samples = site.post(f"/api/runs/{name}/samples", b"{}").json
    assert len(samples["predicted"]) == len(samples["labels"]) == 100

    assert site.post(f"/api/runs/{name}/evaluate", b"{}").status == 200
    deadline = time.monotonic() + 90
    assert wait_for(site, name, "done")["total"] == 20
    while not wait_for(site, name, "done")["evaluated"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    found = site.ask("GET", f"/api/runs/{name}/evaluation").json
    assert np.sum(found["confusion"]) == 10_000
    cell = site.ask("GET", f"/api/runs/{name}/mistakes?label=3&predicted=5").json
    assert cell["of"] == found["confusion"][3][5]
    for mistake in cell["mistakes"]:
        assert mistake["label"] == 3 and len(base64.b64decode(mistake["image"])) == 784


def test_the_first_graph_is_stepped(workshop: Site) -> None:
    site = workshop
    begun = site.post("/api/first", b'{"rate": 0.01}').json
    assert begun["step"] == 0 and begun["costs"] == []
    asked = json.dumps({"lesson": begun["lesson"], "after": 0, "count": 3}).encode()
    told = site.post("/api/step", asked).json
    assert told["step"] == 3 and len(told["costs"]) == 3
    assert not any(base64.b64decode(begun["learned"]["pixels"])) and told["learned"]["largest"] < 1
    again = site.post("/api/step", asked)
    assert again.status == 400 and "begin again" in again.json["error"]
    site.post("/api/first", b"{}")  # in another tab
    again = site.post("/api/step", asked)
    assert again.status == 400 and "begin again" in again.json["error"]
    pictures = site.post("/api/graph", b'{"network": "first-graph"}').json
    assert set(pictures) == {"functional", "operations"} and "<svg" in pictures["functional"]


def test_a_runs_accuracy_is_that_on_its_own_test_images() -> None:
    trained = {"data": "mnist", "test_accuracy": 0.9}
    assert run_views.accuracy(trained, {"data": "mnist", "split": "train", "accuracy": 0.99}) == 0.9
    no_test = {"data": "shop", "test_accuracy": None}
    assert run_views.accuracy(no_test, {"data": "shop", "split": "val", "accuracy": 0.7}) == 0.7
    assert run_views.accuracy(no_test, {"data": "fair", "split": "val", "accuracy": 0.8}) is None


def test_damaged_run_folders_are_named_and_the_rest_is_shown(workshop: Site, here: Path) -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", "{}"), ("d", '{"recipe": 3}')):
        (here / "runs" / name).mkdir(parents=True)
        (here / "runs" / name / "run.json").write_text(text)
    rows = workshop.ask("GET", "/api/runs").json["runs"]
    assert {row["name"]: row["state"] for row in rows} == dict.fromkeys("abcd", "damaged")
    for name in "abcd":
        for what in ("metrics", "weights", "evaluation", "mistakes"):
            assert workshop.ask("GET", f"/api/runs/{name}/{what}").status in (200, 400)
        assert workshop.post(f"/api/runs/{name}/resume", b"{}").status == 400


@pytest.mark.parametrize(
    ("file", "text", "asked"),
    [
        ("metrics.jsonl", '{"step": 1}\nnothing\n', ["metrics"]),
        ("evaluation.json", "{}", ["evaluation", "mistakes"]),
        ("evaluation.json", "[]", ["evaluation", "mistakes"]),
        ("evaluation.json", '{"mistakes": 3}', ["evaluation", "mistakes"]),
        ("evaluation.json", '{"mistakes": [{}]}', ["evaluation", "mistakes"]),
    ],
)
def test_a_damaged_file_is_named(
    workshop: Site, here: Path, file: str, text: str, asked: list[str]
) -> None:
    folder = a_run(here / "runs" / "odd")
    (folder / file).write_text(text)
    for what in asked:
        answer = workshop.ask("GET", f"/api/runs/odd/{what}?label=0")
        assert answer.status == 400 and file in answer.json["error"]


def test_the_run_that_is_served_may_lie_anywhere(here: Path) -> None:
    a_run(here / "runs" / "one")
    a_run(here / "runs" / "two")
    a_run(here / "far" / "one")
    there = run_views.Folders(Path("runs"), Path("far/one")).there()
    assert there == {"one": here / "far" / "one", "two": Path("runs/two")}
    (here / "far" / "one" / "run.json").unlink()  # it went meanwhile
    assert set(run_views.Folders(Path("runs"), Path("far/one")).there()) == {"one", "two"}


def a_run(folder: Path, data: str = "mnist", **more: Any) -> Path:
    """A run folder as a training leaves it, without weights."""
    recipe = {"learning_rate": 0.1, "batch_size": 10, "steps": 20, "epochs": None}
    settings = {"network": "softmax", "data": data, "seed": 0, "recipe": recipe} | more
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(settings))
    return folder


def test_mistakes_among_ones_own_pictures(workshop: Site, here: Path) -> None:
    for i in range(10):
        for name in ("apple", "kiwi"):
            (here / "shop" / name).mkdir(parents=True, exist_ok=True)
            picture = np.full((90, 120, 3), (i, 200, 10 * len(name)), np.uint8)
            Image.fromarray(picture).save(here / "shop" / name / f"{i}.png")
    folder = a_run(here / "runs" / "shop", str(here / "shop"))
    (folder / "pictures.json").write_text(json.dumps(pictures.listing(here / "shop")))
    wrong = {"index": 1, "label": 1, "predicted": 0, "confidence": 0.9}
    found = {"data": "shop", "split": "test", "mistakes": [wrong]}
    (folder / "evaluation.json").write_text(json.dumps(found))
    asked = "/api/runs/shop/mistakes?label=1&predicted=0"
    (mistake,) = workshop.ask("GET", asked).json["mistakes"]
    shown = np.frombuffer(base64.b64decode(mistake["image"]), np.uint8).reshape(mistake["size"])
    assert shown.shape == (56, 56, 3) and (shown[..., 1:] == (200, 40)).all()
    asked_of_it = workshop.post("/api/runs/shop/samples", b"{}")
    assert asked_of_it.status == 400 and "not of 28×28 pixels" in asked_of_it.json["error"]
    (here / "shop").rename(here / "elsewhere")
    assert len(workshop.ask("GET", asked).json["mistakes"]) == 1  # without its picture
