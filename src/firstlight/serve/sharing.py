"""How other people open the page: a token, a link that has it, and the link's QR code."""

import io
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import segno

from firstlight.errors import UsageError

# No vowels, so that no words arise; no letters that look like digits or like each other (l, y).
TOKEN_LETTERS = "bcdfghjkmnpqrstvwxz"
TOKEN_LENGTH = 12  # 19 ** 12 tokens: 51 bits
MAX_QR_LENGTH = 1000  # characters of a link: a telephone reads its QR code from a projector
MAX_MOMENT_LENGTH = 16_000  # characters; the link has a drawing in it
FIRST_VIEW = "draw"
# A view, and its state as URLSearchParams writes it.
MOMENT = re.compile(r"[a-z]{1,20}(\?[A-Za-z0-9*._+%&=,-]*)?")
QUIET_ZONE = 4  # white modules around a QR code, as its standard demands
WHITE, ON_BLACK, USUAL_COLOURS = "\x1b[38;5;231m", "\x1b[48;5;16m", "\x1b[0m"


@dataclass(frozen=True)
class Sharing:
    """What people need to open the page; the first of the addresses is the likeliest."""

    urls: tuple[str, ...]
    token: str | None  # that visitors need; None if only this machine can open the page

    @property
    def link(self) -> str:
        return self.link_at(self.urls[0])

    def link_at(self, url: str, moment: str = FIRST_VIEW) -> str:
        """Return a link that opens the page without asking for the token.

        The token stands after the #. Browsers send that part to no server, so it appears in no log
        and in no Referer. The page takes it from there, and removes it from its address.

        Args:
            moment: what the page shows: what follows the # in its address.
        """
        if self.token is None:
            return url
        sign = "&" if "?" in moment else "?"
        return f"{url}#{moment}{sign}token={quote(self.token, safe='')}"

    def to_json(self) -> dict[str, Any]:
        return {
            "url": self.urls[0],
            "urls": list(self.urls),
            "token": self.token,
            "link": self.link,
        }


def new_token() -> str:
    """Return a token that is easy to type, also on a telephone."""
    return "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))


def check_moment(moment: str) -> str:
    """Return what follows the # in an address of the page.

    Raises:
        UsageError: it is too long, or no address that the page writes.
    """
    if len(moment) > MAX_MOMENT_LENGTH:
        raise UsageError(
            f"the address of this moment has {len(moment)} characters, and at most "
            f"{MAX_MOMENT_LENGTH} are shared; draw less, and share it again"
        )
    if not MOMENT.fullmatch(moment):
        raise UsageError("this is no address of a moment: choose Share while the page shows it")
    return moment


def qr_for_terminal(link: str) -> list[str]:
    """Return a QR code as lines of half blocks, black on white whatever the terminal's colours."""
    text = io.StringIO()
    qr_code(link).terminal(text, border=QUIET_ZONE, compact=True)
    *lines, last = text.getvalue().splitlines()  # the last one has a row in its upper half alone
    coloured = [f"{WHITE}{ON_BLACK}{line}{USUAL_COLOURS}" for line in lines]
    return [*coloured, f"{WHITE}{last}{USUAL_COLOURS}"]


def qr_as_svg(link: str) -> str:
    """Return a QR code as SVG, black on white, of no size of its own."""
    image = io.BytesIO()
    options = {"xmldecl": False, "omitsize": True, "svgclass": None, "lineclass": None}
    qr_code(link).save(image, kind="svg", border=QUIET_ZONE, light="#fff", **options)
    return image.getvalue().decode()


def qr_code(link: str) -> segno.QRCode:
    """Return the smallest QR code: on a screen nothing is damaged that it would have to correct."""
    return segno.make_qr(link, error="l")
