"""The program of a process that draws one page of a PDF file for pdf.py.

    python -m firstlight.images.pdf_worker FILE PAGE

It writes a line of JSON and the page's pixels, RGB, to standard output; or {"error": "…"}.
"""

import json
import os
import sys
from pathlib import Path

from firstlight.errors import DataError
from firstlight.images.pdf import MAX_MEMORY, draw
from firstlight.memory import bound_memory


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    bound_memory(MAX_MEMORY)
    content = b""
    try:
        width, height, image = draw(Path(sys.argv[1]), int(sys.argv[2]))
        document: dict[str, object] = {"page": [width, height], "size": image.size}
        content = image.tobytes()
    except DataError as error:
        document = {"error": str(error)}
    answers.write(json.dumps(document).encode() + b"\n" + content)
    answers.flush()


if __name__ == "__main__":
    main()
