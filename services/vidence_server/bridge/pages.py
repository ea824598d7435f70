"""The web application, or a plain page where there is none: files with strict headers."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLAIN_PAGES = Path(__file__).parent / "pages"
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
CONTENT_SECURITY_POLICY = "; ".join(_POLICY)
"""Everything from here, nothing from elsewhere, no script in the page."""
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_HASHED = "/assets/"
"""Files below it have their hash in their names."""


class _Application(StaticFiles):
    """Files of a folder; a page that is none of them is the application's own: `index.html`."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            wants_page = "text/html" in Headers(scope=scope).get("accept", "")
            index = Path(str(self.directory)) / "index.html"
            if error.status_code == 404 and wants_page and not Path(path).suffix and index.exists():
                return FileResponse(index)
            return Response(status_code=error.status_code)


class _StrictHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                hashed = _HASHED in scope["path"] and message["status"] == 200
                headers["cache-control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
            await send(message)

        await self._app(scope, receive, sent)


def pages_app(folder: Path | None) -> ASGIApp:
    """Serves a folder, or the plain page."""
    return _StrictHeaders(GZipMiddleware(_Application(directory=folder or PLAIN_PAGES, html=True)))
