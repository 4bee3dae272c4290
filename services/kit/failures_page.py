"""The page behind a problem's ``type``: every kind of failure, its meaning and what to do.

It is made from `core.failures.KINDS`, so it has every kind that a client can get. One component serves it, like the
API's document.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

from aiohttp import web

from core.failures import KINDS, PAGE, Failure
from core.names import REQUEST_ID_HEADER

_CODE: Final = re.compile(r"`([^`]+)`")
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
section { border-top: 1px solid; padding: .4rem 0; } section:target { outline: 2px solid #0072B2; }
h2 { font-size: 1.1rem; margin: .6rem 0 0; } p { margin: .3rem 0; }
"""


def page() -> str:
    """The page as one self-contained HTML document."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Windtunnel: errors</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>Errors</h1>'
        "<p>Every error from the gateway, a service, the CDN or the object store is a problem detail (RFC 9457,"
        " <code>application/problem+json</code>). <code>code</code> names its kind, <code>errors</code> the wrong"
        f" fields, and <code>trace_id</code> is the request's id (<code>{REQUEST_ID_HEADER}</code>)."
        ' The API itself: <a href="../docs">reference</a>.</p>'
        f"{''.join(_section(kind) for kind in sorted(KINDS, key=lambda kind: (kind.status, kind.code)))}</body></html>"
    )


def _section(kind: type[Failure]) -> str:
    meaning = (kind.__doc__ or "").partition("\n\n")[0]
    done = "Nothing was done." if kind.definite else "Whether anything was done is unknown."
    again = "The same request may succeed later." if kind.retryable else "The same request fails again."
    return (
        f'<section id="{kind.code}"><h2>{kind.status} <code>{kind.code}</code>: {escape(kind.title)}</h2>'
        f"<p>{_words(meaning)} {done} {again}</p><p><b>What to do:</b> {_words(kind.remedy)}</p></section>"
    )


def _words(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text)).replace("``", "")


async def _html(_request: web.Request) -> web.Response:
    return web.Response(text=page(), content_type="text/html", headers={"Cache-Control": "public, max-age=300"})


def use(app: web.Application) -> None:
    """Serve the page."""
    app.router.add_get(PAGE, _html)
