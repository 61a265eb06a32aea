"""The routes: the page's files, and answers as JSON. The guard (guard.py) stands before them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, ParamSpec, TypedDict, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firstlight import __version__, catalog
from firstlight.errors import FirstlightError, NotFound, UsageError
from firstlight.reading.recognizer import DIGITS_MODEL, Recognizer, recognizer
from firstlight.runs.run import Run
from firstlight.serve import chapter_views, digits, examples, run_views
from firstlight.serve.fields import int_field, int_query, json_body
from firstlight.serve.jobs import JobJson, Jobs
from firstlight.serve.questions import DrawGraph, LayerMaps, LayerMapsJson, Projections, Samples
from firstlight.serve.run_views import MetricsJson, RunFolders, RunSummary
from firstlight.serve.worker import Worker, has_tensorflow

READER_THREADS = 2  # pictures that are read at the same time
WORKER_SECONDS_TO_ANSWER = 100.0  # less than the guard's limit
WORKER_SECONDS_IDLE = 15 * 60.0  # after which the worker process gives its memory back
MAX_MAP_NUMBER = 10**6  # the worker knows how many maps a layer has
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

Handler = Callable[[Request], Any]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class AboutJson(TypedDict):
    version: str
    networks: list[dict[str, Any]]  # those for digits, as `firstlight list` has them
    model: str  # the name of the model that reads
    classes: list[str]  # the classes of that model
    can_train: bool  # whether TensorFlow is installed
    run: str | None  # the run that the page looks inside at first


class RunRow(RunSummary):
    job: JobJson | None


class FollowedMetricsJson(MetricsJson):
    summary: RunSummary
    job: JobJson | None


class Service:
    """What the routes share."""

    def __init__(
        self, *, model: Path | None, root: Path, run: Path | None, trust: bool = False
    ) -> None:
        self.model = model or DIGITS_MODEL
        self.network: Recognizer = recognizer(self.model)
        self.folders = RunFolders(root, run)
        self.jobs = Jobs(self.folders, trust)
        self.worker = Worker(WORKER_SECONDS_TO_ANSWER, WORKER_SECONDS_IDLE, trust)
        self.threads = ThreadPoolExecutor(READER_THREADS, "reader")

    async def in_thread(
        self,
        work: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function that computes or reads files, while the server stays responsive."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, partial(work, *args, **kwargs))


def build(service: Service, page_token: str) -> Starlette:
    """Return the application.

    Args:
        page_token: is put into the page; if it is empty, the page asks the visitor for a token.
    """
    page = page_files()
    routes = [
        Route("/", index_page(page["index.html"], page_token)),
        Route("/page/{name}", static_file(page)),
        Route("/pictures/{chapter}/{name}", chapter_picture),
        Route("/api/about", about),
        Route("/api/chapters", list_chapters),
        Route("/api/chapters/{name}", show_chapter),
        Route("/api/read", read, methods=["POST"]),
        Route("/api/occlusion", occlusion, methods=["POST"]),
        Route("/api/projections", projections, methods=["POST"]),
        Route("/api/runs", list_runs),
        Route("/api/runs/{name}/metrics", run_metrics),
        Route("/api/runs/{name}/weights", run_weights),
        Route("/api/runs/{name}/evaluation", run_evaluation),
        Route("/api/runs/{name}/mistakes", run_mistakes),
        Route("/api/runs/{name}/{action:str}", act_on_run, methods=["POST"]),
        Route("/api/trainings", start_training, methods=["POST"]),
        Route("/api/graph", graph_pictures, methods=["POST"]),
        Route("/api/first-graph/examples/{split}", first_graph_examples),
    ]
    handlers: Any = {
        FirstlightError: on_firstlight_error,
        HTTPException: on_http_error,
        Exception: on_crash,
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.state.service = service
    return app


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    service: Service = app.state.service
    await service.worker.close()
    await service.jobs.close()
    service.threads.shutdown(wait=False, cancel_futures=True)


def page_files() -> dict[str, bytes]:
    """Return all files of the folder page/, by name.

    They are read once, at the start: no path is ever made from a request.
    """
    folder = files(__package__).joinpath("page")
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def index_page(template: bytes, page_token: str) -> Handler:
    """Return the handler of the page itself, with the token in it."""
    html = template.decode().replace("{token}", page_token).encode()

    async def handler(request: Request) -> Response:
        return Response(html, media_type=MEDIA_TYPES["html"])

    return handler


def static_file(contents: dict[str, bytes]) -> Handler:
    """Return the handler of the page's other files."""

    async def handler(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in contents:
            raise HTTPException(404, "no such file")
        media_type = MEDIA_TYPES[name.rpartition(".")[2]]
        headers = {"cache-control": "no-cache"}
        return Response(contents[name], media_type=media_type, headers=headers)

    return handler


async def list_chapters(request: Request) -> Response:
    return JSONResponse({"chapters": await service_of(request).in_thread(chapter_views.rows)})


async def show_chapter(request: Request) -> Response:
    name = request.path_params["name"]
    return JSONResponse({"html": await service_of(request).in_thread(chapter_views.html, name)})


async def chapter_picture(request: Request) -> Response:
    """Return a picture of a chapter. It needs no token: an <img> cannot send one."""
    path = "pictures/{chapter}/{name}".format_map(request.path_params)
    content, media_type = await service_of(request).in_thread(chapter_views.picture, path)
    return Response(content, media_type=media_type)


async def about(request: Request) -> Response:
    """Return what the page needs to know when it starts."""
    service = service_of(request)
    extra = service.folders.extra
    is_own_model = service.model == DIGITS_MODEL
    answer: AboutJson = {
        "version": __version__,
        "networks": [entry.to_json() for entry in catalog.networks() if entry.input == (28, 28, 1)],
        "model": "firstlight's own reader" if is_own_model else service.model.name,
        "classes": list(service.network.classes),
        "can_train": has_tensorflow(),
        "run": extra.name if extra else None,
    }
    return JSONResponse(answer)


async def read(request: Request) -> Response:
    """Read the digits in a picture; `?normalize=off` reads the whole picture as one digit."""
    service = service_of(request)
    body = await request.body()
    if request.query_params.get("normalize") == "off":
        reading = await service.in_thread(digits.read_squashed, body, service.network)
    else:
        reading = await service.in_thread(digits.read_picture, body, service.network, service.model)
    return JSONResponse(reading)


async def occlusion(request: Request) -> Response:
    """Show which part of an image the reader looks at; with a run, its network's layers too."""
    service = service_of(request)
    document = await json_body(request)
    image = digits.decode_image(document.get("image"))
    if document.get("run"):
        run = service.folders.find(str(document["run"]))
        question = LayerMaps(run=str(run.folder), image=document["image"])
        return JSONResponse(await service.worker.ask(question))
    (probabilities,) = service.network.probabilities(image[None])
    label = int(probabilities.argmax())
    predict = service.network.probabilities
    answer: LayerMapsJson = {
        "probabilities": probabilities.round(4).tolist(),
        "occlusion": await service.in_thread(digits.occlusion_map, image, predict, label),
        "layers": [],
    }
    return JSONResponse(answer)


async def projections(request: Request) -> Response:
    """Show what activates a feature map of a run's network."""
    service = service_of(request)
    document = await json_body(request)
    run = service.folders.find(str(document.get("run")))
    number = int_field(document, "number", minimum=0, maximum=MAX_MAP_NUMBER)
    digits.decode_image(document.get("image"))  # refused here, before TensorFlow starts
    question = Projections(
        run=str(run.folder),
        image=document["image"],
        layer=str(document.get("layer")),
        number=number,
    )
    return JSONResponse(await service.worker.ask(question))


async def list_runs(request: Request) -> Response:
    """List all runs, each with its summary and its last job."""
    service = service_of(request)
    ended_at = service.jobs.training_ended_at()
    summaries = await service.in_thread(service.folders.summaries, ended_at)
    rows: list[RunRow] = [
        {**summary, "job": service.jobs.status(summary["name"])} for summary in summaries
    ]
    return JSONResponse({"runs": rows})


async def run_metrics(request: Request) -> Response:
    """Return the logged metrics from line `?after=` on, and a summary; the page polls this."""
    service, run = service_of(request), run_of(request)
    name, start = request.path_params["name"], int_query(request, "after") or 0
    ended_at = service.jobs.training_ended_at().get(name)
    metrics = await service.in_thread(run_views.metrics_from, run, start)
    answer: FollowedMetricsJson = {
        **metrics,
        "summary": await service.in_thread(run_views.run_summary, run.folder, name, ended_at),
        "job": service.jobs.status(name),
    }
    return JSONResponse(answer)


async def run_weights(request: Request) -> Response:
    service, run = service_of(request), run_of(request)
    return JSONResponse(await service.in_thread(run_views.first_weights, run))


async def run_evaluation(request: Request) -> Response:
    service, run = service_of(request), run_of(request)
    return JSONResponse(await service.in_thread(run_views.evaluation_summary, run))


async def run_mistakes(request: Request) -> Response:
    """Return a page of a run's mistakes: all, or those of a `?label=` with a `?predicted=`."""
    service, run = service_of(request), run_of(request)
    label, predicted = int_query(request, "label"), int_query(request, "predicted")
    start = int_query(request, "from") or 0
    page = await service.in_thread(run_views.mistakes_page, run, label, predicted, start)
    return JSONResponse(page)


async def act_on_run(request: Request) -> Response:
    """Stop, resume or evaluate a run, or predict sample images with it."""
    service, run = service_of(request), run_of(request)
    name, action = request.path_params["name"], request.path_params["action"]
    if action == "samples":
        return JSONResponse(await service.worker.ask(Samples(run=str(run.folder))))
    jobs = service.jobs
    actions = {"stop": jobs.stop, "resume": jobs.resume, "evaluate": jobs.evaluate}
    if action not in actions:
        raise HTTPException(404, "not found")
    await actions[action](name)
    return JSONResponse({"name": name})


async def start_training(request: Request) -> Response:
    document = await json_body(request)
    return JSONResponse({"name": await service_of(request).jobs.train(document)})


async def graph_pictures(request: Request) -> Response:
    """Draw both pictures of the graph of a network, or of the first graph."""
    target = (await json_body(request)).get("network")
    names = ["first-graph", *(entry.name for entry in catalog.networks())]
    if not isinstance(target, str) or target not in names:
        raise UsageError(f"no network {target!r}; networks: {', '.join(names)}")
    return JSONResponse(await service_of(request).worker.ask(DrawGraph(target=target)))


async def first_graph_examples(request: Request) -> Response:
    """Return images and labels that the view First graph learns from."""
    split = request.path_params["split"]
    content = await service_of(request).in_thread(examples.as_bytes, split)
    return Response(content, media_type="application/octet-stream")


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def run_of(request: Request) -> Run:
    """Return the run that the path names. Raises NotFound."""
    return service_of(request).folders.find(request.path_params["name"])


async def on_firstlight_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404 if isinstance(error, NotFound) else 400)


async def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    close = {"connection": "close"} if error.status_code in (408, 413) else None
    return JSONResponse({"error": error.detail}, error.status_code, close)


async def on_crash(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "this request failed in the server; others still work"}, 500)
