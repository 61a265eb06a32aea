"""The routes: the page's files, and answers as JSON. The guard (guard.py) stands before them."""

import asyncio
import base64
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
from firstlight.recipe import LIMITS, MAX_LEARNING_RATE
from firstlight.runs.run import Run
from firstlight.serve import (
    chapter_views,
    classifying,
    digits,
    disk,
    public_files,
    run_pictures,
    run_views,
)
from firstlight.serve.content import Content
from firstlight.serve.data_checks import DataChecks
from firstlight.serve.fields import int_field, int_query, json_body
from firstlight.serve.guard import is_loopback, without_port
from firstlight.serve.jobs import JobJson, Jobs
from firstlight.serve.picture_workers import PictureWorkers
from firstlight.serve.questions import (
    ClassifyWithOnnx,
    DrawGraph,
    LayerMaps,
    LayerMapsJson,
    Prepare,
    Projections,
    ReadPicture,
    ReadSquashed,
    Recipes,
    Samples,
)
from firstlight.serve.run_views import MetricsJson, RunFolders, RunSummary
from firstlight.serve.sharing import (
    FIRST_VIEW,
    MAX_QR_LENGTH,
    Sharing,
    check_moment,
    qr_as_svg,
)
from firstlight.serve.worker import Worker, has_tensorflow
from firstlight.settings import MAX_SEED

THREADS = 2  # that read files
# The POST routes that change nothing. A server that is read-only refuses all others.
LOOKING = (
    "/api/read",
    "/api/classify",
    "/api/occlusion",
    "/api/projections",
    "/api/graph",
    "/api/runs/{name}/samples",
    "/api/runs/{name}/prepare",
)
READ_ONLY = "this server is read-only: it starts, stops, continues and evaluates no trainings"
WORKER_SECONDS_TO_ANSWER = 100.0  # less than the guard's limit
WORKER_SECONDS_IDLE = 15 * 60.0  # after which the worker process gives its memory back
MAX_MAP_NUMBER = 10**6  # the worker knows how many maps a layer has
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

OPENAPI = Content.of(files(__package__).joinpath("openapi.json").read_bytes(), "application/json")

Handler = Callable[[Request], Any]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class AboutJson(TypedDict):
    version: str
    networks: list[dict[str, Any]]  # as `firstlight list` has them
    model: str  # the name of the model that reads
    classes: list[str]  # the classes of that model
    has_tensorflow: bool  # without it nothing can be trained
    opens_paths: bool  # whether paths of this machine can be trained on
    limits: dict[str, tuple[float, float]]  # number of a training → smallest, largest
    run: str | None  # the run that the page looks inside at first
    read_only: bool  # whether all requests that start or change a training are refused


class ShareJson(TypedDict):
    link: str
    token: str
    qr: str | None  # of the link, as SVG; None if the link is too long for one


class RunRow(RunSummary):
    job: JobJson | None


class FollowedMetricsJson(MetricsJson):
    summary: RunSummary
    job: JobJson | None


class Service:
    """What the routes share."""

    def __init__(
        self,
        *,
        model: Path | None,
        root: Path,
        run: Path | None,
        private: bool = False,
        trust: bool = False,
        read_only: bool = False,
    ) -> None:
        self.read_only = read_only
        self.model = model or DIGITS_MODEL
        self.network: Recognizer = recognizer(self.model)
        self.folders = RunFolders(root, run)
        self.data = DataChecks(private)
        self.jobs = Jobs(self.folders, self.data, trust)
        self.worker = Worker(WORKER_SECONDS_TO_ANSWER, WORKER_SECONDS_IDLE, trust)
        self.pictures = PictureWorkers(self.model)
        self.threads = ThreadPoolExecutor(THREADS, "files")

    def chosen_run(self, request: Request) -> Run | None:
        """Return the run of `?run=`, without it the one that `serve` was given. Raises NotFound."""
        name = request.query_params.get("run")
        if not name:
            return Run(self.folders.extra) if self.folders.extra else None
        return self.folders.find(name)

    async def in_thread(
        self,
        work: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function that computes or reads files, while the server stays responsive."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, partial(work, *args, **kwargs))


def build(service: Service, sharing: Sharing, page_token: str) -> Starlette:
    """Return the application.

    Args:
        sharing: what visitors need to open the page.
        page_token: is put into the page; if it is empty, the page asks the visitor for a token.
    """
    page = page_files()
    routes = [
        Route("/", index_page(page["index.html"].body, page_token)),
        Route("/page/{name}", static_file(page)),
        Route("/pictures/{chapter}/{name}", chapter_picture),
        Route("/data/{name}", public_file),
        Route("/api/about", about),
        Route("/api/share", share),
        Route("/api/chapters", list_chapters),
        Route("/api/chapters/{name}", show_chapter),
        Route("/api/openapi.json", openapi),
        Route("/api/read", read, methods=["POST"]),
        Route("/api/classify", classify, methods=["POST"]),
        Route("/api/occlusion", occlusion, methods=["POST"]),
        Route("/api/projections", projections, methods=["POST"]),
        Route("/api/runs", list_runs),
        Route("/api/runs/{name}/metrics", run_metrics),
        Route("/api/runs/{name}/weights", run_weights),
        Route("/api/runs/{name}/evaluation", run_evaluation),
        Route("/api/runs/{name}/mistakes", run_mistakes),
        Route("/api/runs/{name}/samples", run_samples, methods=["POST"]),
        Route("/api/runs/{name}/pictures", list_pictures),
        Route("/api/runs/{name}/prepare", prepare, methods=["POST"]),
        Route("/api/runs/{name}/{action:str}", act_on_run, methods=["POST"]),
        Route("/api/data", look_at_data, methods=["POST"]),
        Route("/api/recipes", list_recipes),
        Route("/api/trainings", start_training, methods=["POST"]),
        Route("/api/graph", graph_pictures, methods=["POST"]),
    ]
    handlers: Any = {
        FirstlightError: on_firstlight_error,
        HTTPException: on_http_error,
        Exception: on_crash,
    }
    if service.read_only:
        routes = [route if only_looks(route) else refused(route) for route in routes]
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.state.service = service
    app.state.sharing = sharing
    return app


def only_looks(route: Route) -> bool:
    """Return whether a route changes nothing that another visitor sees."""
    return "POST" not in (route.methods or ()) or route.path in LOOKING


def refused(route: Route) -> Route:
    """Return a route of the same path and methods that refuses every request."""

    async def handler(request: Request) -> Response:
        raise HTTPException(403, READ_ONLY)

    return Route(route.path, handler, methods=route.methods)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    service: Service = app.state.service
    await service.worker.close()
    await service.pictures.close()
    await service.jobs.close()
    service.threads.shutdown(wait=False, cancel_futures=True)


def page_files() -> dict[str, Content]:
    """Return all files of the folder page/, by name.

    They are read once, at the start: no path is ever made from a request.
    """
    folder = files(__package__).joinpath("page")
    return {
        file.name: Content.of(file.read_bytes(), MEDIA_TYPES[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
    }


def index_page(template: bytes, page_token: str) -> Handler:
    """Return the handler of the page itself, with the token in it."""
    html = template.decode().replace("{token}", page_token).encode()

    async def handler(request: Request) -> Response:
        return Response(html, media_type=MEDIA_TYPES["html"])

    return handler


def static_file(contents: dict[str, Content]) -> Handler:
    """Return the handler of the page's other files."""

    async def handler(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in contents:
            raise HTTPException(404, "no such file")
        return contents[name].answer(request)

    return handler


async def list_chapters(request: Request) -> Response:
    return JSONResponse({"chapters": await service_of(request).in_thread(chapter_views.rows)})


async def show_chapter(request: Request) -> Response:
    name = request.path_params["name"]
    content = await service_of(request).in_thread(chapter_views.chapter, name)
    return content.answer(request)


async def chapter_picture(request: Request) -> Response:
    """Return a picture of a chapter. It needs no token: an <img> cannot send one."""
    path = "pictures/{chapter}/{name}".format_map(request.path_params)
    content = await service_of(request).in_thread(chapter_views.picture, path)
    return content.answer(request)


async def public_file(request: Request) -> Response:
    """Return a file that the browser computes with."""
    name = request.path_params["name"]
    content = await service_of(request).in_thread(public_files.content, name)
    return content.answer(request)


async def about(request: Request) -> Response:
    """Return what the page needs to know when it starts."""
    service = service_of(request)
    await service.pictures.start()  # whoever opens the page will soon draw
    extra = service.folders.extra
    is_own_model = service.model == DIGITS_MODEL
    answer: AboutJson = {
        "version": __version__,
        "networks": [entry.to_json() for entry in catalog.networks()],
        "model": "firstlight's own reader" if is_own_model else service.model.name,
        "classes": list(service.network.classes),
        "has_tensorflow": has_tensorflow(),
        "opens_paths": not service.data.private,
        "limits": {**LIMITS, "learning_rate": (0, MAX_LEARNING_RATE), "seed": (0, MAX_SEED)},
        "run": extra.name if extra else None,
        "read_only": service.read_only,
    }
    return JSONResponse(answer)


async def share(request: Request) -> Response:
    """Return a link that opens the page for visitors, and its QR code, to be projected.

    It has the address at which the page was opened, if visitors can open that one too. With
    `?moment=`, what follows the # in an address of the page, it opens the page at that moment.
    """
    sharing: Sharing = request.app.state.sharing
    if sharing.token is None:
        raise NotFound("only this machine can open this page: start it with --host 0.0.0.0")
    host = request.headers["host"]
    url = sharing.urls[0] if is_loopback(without_port(host)) else f"http://{host}/"
    link = sharing.link_at(url, check_moment(request.query_params.get("moment", FIRST_VIEW)))
    code = qr_as_svg(link) if len(link) <= MAX_QR_LENGTH else None
    answer: ShareJson = {"link": link, "token": sharing.token, "qr": code}
    return JSONResponse(answer)


async def read(request: Request) -> Response:
    """Read the digits in a picture; `?normalize=off` reads the whole picture as one digit."""
    service = service_of(request)
    body = await request.body()
    if request.headers.get("content-encoding") == "gzip":
        body = digits.decompress_drawing(body)
    is_squashed = request.query_params.get("normalize") == "off"
    question = (ReadSquashed if is_squashed else ReadPicture)(picture=encoded(body))
    return JSONResponse(await service.pictures.ask(question))


async def classify(request: Request) -> Response:
    """Return the classes of a picture: of a run's network, or without `?run=` of the reader."""
    service = service_of(request)
    top = int_query(request, "top") or classifying.TOP
    run = service.chosen_run(request)
    body = await chosen_picture(request, run)
    file = service.model if run is None else classifying.exported_file(run)
    if file is not None:
        question = ClassifyWithOnnx(file=str(file), picture=encoded(body), top=top)
        return JSONResponse(await service.pictures.ask(question))
    assert run is not None
    return JSONResponse(await service.worker.ask(classifying.question(run, body, top)))


async def chosen_picture(request: Request, run: Run | None) -> bytes:
    """Return the picture that was sent, or the run's own one of `?picture=`. Raises NotFound."""
    number = int_query(request, "picture")
    if number is None or run is None:
        return await request.body()
    return await service_of(request).in_thread(run_pictures.content, run, number)


async def list_pictures(request: Request) -> Response:
    """Return some test pictures of a run, to be looked at with its network."""
    service, run = service_of(request), run_of(request)
    return JSONResponse(await service.in_thread(run_pictures.small_pictures, run))


async def prepare(request: Request) -> Response:
    """Return what a run's network gets of a picture: 28×28 pixels."""
    service, run = service_of(request), run_of(request)
    picture = await chosen_picture(request, run)
    question = Prepare(run=str(run.folder), picture=encoded(picture))
    return JSONResponse(await service.pictures.ask(question))


async def openapi(request: Request) -> Response:
    """Return what other programs need to know of these routes, as OpenAPI."""
    return OPENAPI.answer(request)


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


async def run_samples(request: Request) -> Response:
    """Predict sample images with a run."""
    question = Samples(run=str(run_of(request).folder))
    return JSONResponse(await service_of(request).worker.ask(question))


async def act_on_run(request: Request) -> Response:
    """Stop, resume or evaluate a run."""
    run = run_of(request)
    name, action = request.path_params["name"], request.path_params["action"]
    jobs = service_of(request).jobs
    actions = {"stop": jobs.stop, "resume": jobs.resume, "evaluate": jobs.evaluate}
    if action not in actions:
        raise HTTPException(404, "not found")
    if action == "resume":
        disk.refuse_full(run.folder, run.record().settings.network)
    await actions[action](name)
    return JSONResponse({"name": name})


async def look_at_data(request: Request) -> Response:
    """Return what is found in a dataset, or at a path of this machine."""
    document = await json_body(request)
    return JSONResponse(await service_of(request).data.look(document.get("data")))


async def list_recipes(request: Request) -> Response:
    return JSONResponse(await service_of(request).worker.ask(Recipes()))


async def start_training(request: Request) -> Response:
    document = await json_body(request)
    service = service_of(request)
    disk.refuse_full(service.folders.root, document.get("network"))
    return JSONResponse({"name": await service.jobs.train(document)})


async def graph_pictures(request: Request) -> Response:
    """Draw both pictures of the graph of a network, or of the first graph."""
    target = (await json_body(request)).get("network")
    names = ["first-graph", *(entry.name for entry in catalog.networks())]
    if not isinstance(target, str) or target not in names:
        raise UsageError(f"no network {target!r}; networks: {', '.join(names)}")
    return JSONResponse(await service_of(request).worker.ask(DrawGraph(target=target)))


def encoded(picture: bytes) -> str:
    """Return a picture as a question holds it."""
    return base64.b64encode(picture).decode()


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
