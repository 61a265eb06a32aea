"""A network as one HTML file: a sheet to draw a digit on, and what the network says.

    onnx.py ──────────────── the network's ONNX file ┐
    serve/page/*.js ─ the modules of tryout.js ──────┼─ page.html → file
    serve/page/style.css ────────────────────────────┘

The file opens from a disk, without a server and without a network connection: each module is a
`data:` URL in an import map, and the Content-Security-Policy forbids every other address. The
browser computes the network from its ONNX file (serve/page/onnx.js).
"""

import base64
import html
import json
import re
import tempfile
from importlib.resources import files
from pathlib import Path

import jinja2
import keras
import numpy as np

from firstlight.errors import ExportError, UsageError
from firstlight.exports.browser import find_browser, loaded_page
from firstlight.exports.check import Opened
from firstlight.exports.metadata import Metadata
from firstlight.exports.onnx import open_onnx, write_onnx
from firstlight.reading.recognizer import DIGIT_INPUT, NOT_A_DIGIT
from firstlight.runs.documents import ModelInfo
from firstlight.serve.page_modules import IMPORT, PAGE, modules

ENTRIES = ("tryout.js", "onnx.js")  # what the file shows, and what reads the network
BARE = 'from "firstlight/\\1"'  # a name that the import map knows
NETWORK = re.compile(r'id="network">\s*([^<]*)<')
DOCUMENT = re.compile(r"<html[^>]*>(.*)</html>", re.DOTALL)
BATCH_SIZE = 256  # a browser is started for each batch

# It runs after the file's own script, and leaves nothing but the answers.
CHECK = """
<script type="text/plain" id="images">{images}</script>
<script type="module">
import {{ readModel }} from "firstlight/onnx.js";
import {{ decode }} from "firstlight/pixels.js";
const bytes = (id) => decode(document.getElementById(id).textContent);
const answers = {{ logits: [] }};
try {{
  const {{ run }} = readModel(bytes("network"));
  const images = bytes("images");
  for (let i = 0; i < images.length; i += 784)
    answers.logits.push(Array.from(run(images.subarray(i, i + 784)).logits));
  if (!document.querySelector("main .pad")) throw new Error("it shows no sheet to draw on");
}} catch (error) {{
  answers.problem = error.message;
}}
document.documentElement.textContent = JSON.stringify(answers);
</script>
"""


def refuse_html(network: keras.Model, info: ModelInfo) -> None:
    """Refuse what cannot become an HTML file, before anything is written.

    Raises:
        UsageError: the network does not take drawn digits, or has not ten classes.
        ExportError: there is no browser to check the file with.
    """
    digits = [name for name in info.classes if name != NOT_A_DIGIT]
    takes = (network.input_shape[1:], info.image_kind)
    if takes != (DIGIT_INPUT, "digits") or len(digits) != 10:
        size = "×".join(map(str, network.input_shape[1:]))
        raise UsageError(
            f"{info.network} takes {info.image_kind} of {size} and has {len(info.classes)} "
            "classes; an HTML file is for networks of digits, 28×28×1 with ten classes; "
            "export it as onnx"
        )
    find_browser()


def write_html(network: keras.Model, path: Path, metadata: Metadata) -> None:
    """Write the network, its metadata and all that a browser needs for it to an .html file."""
    with tempfile.TemporaryDirectory() as folder:
        onnx_file = Path(folder) / "network.onnx"
        write_onnx(network, onnx_file, metadata)
        onnx_bytes = onnx_file.read_bytes()
    template = files("firstlight.exports").joinpath("page.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    sources = modules(*ENTRIES)
    text = environment.from_string(template).render(
        metadata=metadata,
        network=as_base64(onnx_bytes),
        style=PAGE.joinpath("style.css").read_text("utf-8"),
        imports={f"firstlight/{name}": data_url(source) for name, source in sources.items()},
    )
    path.write_text(text, "utf-8")


def data_url(source: str) -> str:
    """Return a module as an address. From there no file can be imported: it imports bare names."""
    return f"data:text/javascript;base64,{as_base64(IMPORT.sub(BARE, source).encode())}"


def as_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def open_html(path: Path) -> Opened:
    """Open a file that `write_html` wrote; its answers are a browser's that has opened it."""
    page = path.read_text("utf-8")
    network = NETWORK.search(page)
    if not network:
        raise ExportError("it holds no network")
    with tempfile.TemporaryDirectory() as folder:
        onnx_file = Path(folder) / "network.onnx"
        onnx_file.write_bytes(base64.b64decode(network[1]))
        inside = open_onnx(onnx_file)

    def logits(images: np.ndarray) -> np.ndarray:
        """Return what the page computes, with the images added to a copy of the file."""
        body, end, rest = page.rpartition("</body>")
        added = CHECK.format(images=as_base64(images.tobytes()))
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            copy = Path(folder) / "page.html"  # whatever name the user gave it
            copy.write_text(body + added + end + rest, "utf-8")
            return answers_in(loaded_page(copy))

    return Opened(inside.inputs, inside.outputs, logits, BATCH_SIZE)


def answers_in(page: str) -> np.ndarray:
    """Return the logits (N, classes) that CHECK has left in a page. Raises ExportError."""
    document = DOCUMENT.search(page)
    try:
        answers = json.loads(html.unescape(document[1]) if document else "")
    except ValueError:
        raise ExportError(
            "the browser shows no answers: it does not run the file, or cannot open it (a browser "
            "that is a snap opens no hidden folder; install another one)"
        ) from None
    if "problem" in answers:
        raise ExportError(f"in the browser: {answers['problem']}")
    return np.array(answers["logits"], np.float32)
