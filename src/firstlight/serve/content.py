"""What every visitor gets alike: compressed once, and sent again only if it has changed."""

import gzip
import hashlib
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

WORTH_IT = 0.9  # a compressed size ÷ the size, above which nothing is gained
NOT_MODIFIED = 304


@dataclass(frozen=True)
class Content:
    """A file, or an answer that is the same for all."""

    body: bytes
    gzipped: bytes | None  # the same, compressed; None if that is hardly smaller
    media_type: str
    etag: str  # which changes with the body; browsers send it to ask whether theirs is the newest

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Content":
        gzipped = gzip.compress(body, compresslevel=6, mtime=0)
        is_smaller = len(gzipped) < WORTH_IT * len(body)
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
        return cls(body, gzipped if is_smaller else None, media_type, etag)

    def answer(self, request: Request) -> Response:
        """Return the response: without a body if the browser has the content already."""
        headers = {"cache-control": "no-cache", "etag": self.etag, "vary": "accept-encoding"}
        known = request.headers.get("if-none-match", "").split(",")
        if self.etag in map(str.strip, known):
            return Response(status_code=NOT_MODIFIED, headers=headers)
        if self.gzipped and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(self.gzipped, media_type=self.media_type, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)
