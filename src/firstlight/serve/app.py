"""What there is to ask: the page, and answers as JSON. guard.py stands before all of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firstlight import __version__, catalog
from firstlight.errors import DataError, FirstlightError, NotFound, UsageError
from firstlight.reading.recognizer import DIGITS_MODEL, Recognizer, recognizer
from firstlight.serve import digits, guard, jobs, run_views
from firstlight.serve.jobs import Jobs
from firstlight.serve.run_views import Folders
from firstlight.serve.worker import Worker

READERS = 2  # pictures that are read at the same time
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Service:
    """What the routes share."""

    def __init__(self, model: Path | None, root: Path, run: Path | None = None) -> None:
        self.model = model or DIGITS_MODEL
        self.network: Recognizer = recognizer(self.model)
        self.folders = Folders(root, run)
        self.jobs = Jobs(self.folders)
        self.worker = Worker()
        self.threads = ThreadPoolExecutor(READERS, "reader")

    async def apart(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Work that computes or reads files, so that the server goes on listening."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, partial(work, *arguments))


def build(service: Service, token: str) -> Starlette:
    """The application; `token` is put into the page, empty if the page has to ask for it."""
    routes = [Route("/", page(token)), Route("/page/{name}", piece(files_of_the_page()))]
    routes += [
        Route("/api/about", about),
        Route("/api/read", read, methods=["POST"]),
        Route("/api/occlusion", occlusion, methods=["POST"]),
        Route("/api/runs", table),
        Route("/api/runs/{name}/metrics", metrics),
        Route("/api/runs/{name}/weights", weights),
        Route("/api/runs/{name}/evaluation", evaluation),
        Route("/api/runs/{name}/mistakes", mistakes),
        Route("/api/runs/{name}/{work:str}", work_on_run, methods=["POST"]),
        Route("/api/trainings", train, methods=["POST"]),
        Route("/api/graph", graph, methods=["POST"]),
        Route("/api/first", first, methods=["POST"]),
        Route("/api/step", step, methods=["POST"]),
    ]
    handlers: Any = {FirstlightError: mistake, HTTPException: refused, Exception: failed}
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.state.service = service
    return app


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    service: Service = app.state.service
    await service.worker.close()
    await service.jobs.stop_all()
    service.threads.shutdown(wait=False, cancel_futures=True)


def files_of_the_page() -> dict[str, bytes]:
    """All that lies in page/, read once: no path is ever made of what a request says."""
    return {
        entry.name: entry.read_bytes() for entry in files(__package__).joinpath("page").iterdir()
    }


def page(token: str) -> Callable[[Request], Any]:
    shell = files_of_the_page()["index.html"].decode().replace("{token}", token).encode()

    async def index(request: Request) -> Response:
        return Response(shell, media_type=KINDS["html"])

    return index


def piece(there: dict[str, bytes]) -> Callable[[Request], Any]:
    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in there:
            raise HTTPException(404, "no such file")
        kind = KINDS[name.rpartition(".")[2]]
        return Response(there[name], media_type=kind, headers={"cache-control": "no-cache"})

    return static


async def about(request: Request) -> Response:
    """What the page needs to know at its start."""
    service = serving(request)
    extra = service.folders.extra
    networks = [n.to_json() for n in catalog.networks() if n.input == (28, 28, 1)]
    is_ours = service.model == DIGITS_MODEL
    return JSONResponse(
        {
            "version": __version__,
            "networks": networks,
            "model": "firstlight's own reader" if is_ours else service.model.name,
            "classes": service.network.classes,
            "trains": jobs.can_train(),
            "run": extra and extra.name,  # the run that the page looks inside at first
        }
    )


async def read(request: Request) -> Response:
    """A picture → its digits; `?normalize=off` squashes it, as most tutorials do."""
    service = serving(request)
    body = await request.body()
    if request.query_params.get("normalize") == "off":
        found = await service.apart(digits.read_squashed, body, service.network)
    else:
        found = await service.apart(digits.read, body, service.network, service.model)
    return JSONResponse(found)


async def occlusion(request: Request) -> Response:
    """Where the reader looks, or a run's network: with {"run"} its layers' maps too."""
    service = serving(request)
    asked = await document(request)
    image = digits.pixels(asked.get("image"))
    if asked.get("run"):
        folder = str(service.folders.run(str(asked["run"])).folder)
        question = {"do": "maps", "run": folder, "image": asked["image"]}
        return JSONResponse(await service.worker.ask(question))
    network = service.network
    (probabilities,) = network.probabilities(image[None])
    args = (image, network.probabilities, int(probabilities.argmax()))
    shadows = await service.apart(digits.occlusion, *args)
    told = {"probabilities": probabilities.round(4).tolist(), "occlusion": shadows, "layers": []}
    return JSONResponse(told)


async def table(request: Request) -> Response:
    service = serving(request)
    rows = await service.apart(service.folders.table, service.jobs.trainings())
    return JSONResponse({"runs": [row | {"job": service.jobs.facts(row["name"])} for row in rows]})


async def metrics(request: Request) -> Response:
    """What was logged since, and how the run stands: asked again and again while it trains."""
    service, run = of_run(request)
    name, work = request.path_params["name"], service.jobs
    facts = await service.apart(run_views.metrics, run, number(request, "after") or 0)
    row = await service.apart(run_views.row, run.folder, name, work.trainings().get(name))
    return JSONResponse(facts | {"row": row, "job": work.facts(name)})


async def weights(request: Request) -> Response:
    service, run = of_run(request)
    return JSONResponse(await service.apart(run_views.weights, run))


async def evaluation(request: Request) -> Response:
    service, run = of_run(request)
    return JSONResponse(await service.apart(run_views.evaluation, run))


async def mistakes(request: Request) -> Response:
    service, run = of_run(request)
    chosen = (number(request, name) for name in ("label", "predicted", "from"))
    label, predicted, start = chosen
    found = await service.apart(run_views.mistakes, run, label, predicted, start or 0)
    return JSONResponse(found)


async def work_on_run(request: Request) -> Response:
    """stop, resume or evaluate a run; samples: what it says of some test images."""
    service, run = of_run(request)
    name, work = request.path_params["name"], request.path_params["work"]
    if work == "samples":
        return JSONResponse(await service.worker.ask({"do": "samples", "run": str(run.folder)}))
    at_work = service.jobs
    known = {"stop": at_work.stop, "resume": at_work.resume, "evaluate": at_work.evaluate}
    if work not in known:
        raise HTTPException(404, "not found")
    await known[work](name)
    return JSONResponse({"name": name})


async def train(request: Request) -> Response:
    service = serving(request)
    return JSONResponse({"name": await service.jobs.train(await document(request))})


async def graph(request: Request) -> Response:
    """Both pictures of the graph of a network of ours, or of the first graph."""
    target = (await document(request)).get("network")
    known = ["first-graph", *(entry.name for entry in catalog.networks())]
    if target not in known:
        raise UsageError(f"no network {target!r}; there are: {', '.join(known)}")
    return JSONResponse(await serving(request).worker.ask({"do": "graph", "target": target}))


async def first(request: Request) -> Response:
    """Begin the first graph anew."""
    asked = await document(request)
    size = whole(asked, "batch", 100, 1, 1000)
    seed = whole(asked, "seed", 0, 0, 2**32 - 1)
    rate = asked.get("rate", 0.01)
    if type(rate) not in (int, float) or not 0 < rate < 1000:
        raise UsageError(f"rate {rate!r}: a number above 0")
    question = {"do": "first", "batch": size, "rate": rate, "seed": seed}
    return JSONResponse(await serving(request).worker.ask(question))


async def step(request: Request) -> Response:
    """Run the first graph some more times."""
    asked = await document(request)
    count, after = whole(asked, "count", 1, 1, 1000), whole(asked, "after", 0, 0, 10**9)
    question = {"do": "step", "of": asked.get("lesson"), "count": count, "after": after}
    return JSONResponse(await serving(request).worker.ask(question))


def serving(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def of_run(request: Request) -> tuple[Service, Any]:
    service = serving(request)
    return service, service.folders.run(request.path_params["name"])


async def document(request: Request) -> dict[str, Any]:
    """The JSON object that was sent.

    Raises:
        DataError: it is none.
    """
    body = await request.body()
    if len(body) > guard.MOST_BYTES_OF_JSON:  # sent as a picture, it came past the guard
        raise HTTPException(413, "too large")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise DataError("not a JSON document") from None
    if not isinstance(found, dict):
        raise DataError("not a JSON object")
    return found


def whole(asked: dict[str, Any], name: str, usual: int, least: int, most: int) -> int:
    value = asked.get(name, usual)
    if type(value) is not int or not least <= value <= most:
        raise UsageError(f"{name} {value!r}: a whole number from {least} to {most:,}")
    return value


def number(request: Request, name: str) -> int | None:
    """A small whole number in the query."""
    value = request.query_params.get(name, "")
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise UsageError(f"{name}={value[:20]!r}: a whole number")
    return int(value)


async def mistake(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404 if isinstance(error, NotFound) else 400)


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    close = {"connection": "close"} if error.status_code in (408, 413) else None
    return JSONResponse({"error": error.detail}, error.status_code, close)


async def failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the server failed at this; it goes on"}, 500)
