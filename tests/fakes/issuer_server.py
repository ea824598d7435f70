"""An issuer of tokens that publishes its keys over HTTP, on this machine."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Published:
    """What is answered; a test changes it while others ask."""

    url: str = ""
    content: bytes = b""
    location: str = ""
    """Where an answer leads instead; empty: nowhere."""
    asked: int = 0


@contextmanager
def publishing(content: bytes) -> Iterator[Published]:
    """Serves a key set until the context ends."""
    told = Published(content=content)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked += 1
            self.send_response(302 if told.location else 200)
            if told.location:
                self.send_header("location", told.location)
            self.send_header("content-length", str(len(told.content)))
            self.end_headers()
            self.wfile.write(told.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the library
            """Nothing: it is not what is tested."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
