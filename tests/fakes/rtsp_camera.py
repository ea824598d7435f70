"""A camera that speaks RTSP on the loopback: Motion JPEG over RTP in the RTSP connection.

RTSP 1.0 (RFC 2326) as far as a player needs it, RTP payload format 26 (RFC 2435).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import cv2

from vidence_server.vision.image import Pixels

_PIECE = 1400
_TYPE_420 = 1
_TABLES_INSIDE = 255
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track0\r\n"


class RtspCamera:
    """Shows one picture again and again to whoever plays it. Knob: `show` changes the picture.

    Threads and blocking sockets: `stop` leaves nothing of either.
    """

    def __init__(self, picture: Pixels, *, fps: float = 20.0) -> None:
        self.show = picture
        self._period_s = 1 / fps
        self._port = 0
        self._listener = socket.socket()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.played = 0
        """How often somebody began to play."""

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/live"

    def start(self) -> None:
        """Listens, on the same port as before."""
        self._listener.close()
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._stopped.clear()
        self._run(self._listen)

    def stop(self) -> None:
        """As a camera whose plug is pulled."""
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        while self._threads:
            self._threads.pop().join()
        for connection in (self._listener, *self._connections):
            connection.close()
        self._connections.clear()

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _listen(self) -> None:
        with suppress(OSError):
            while not self._stopped.is_set():
                connection, _ = self._listener.accept()
                with self._lock:
                    self._connections.append(connection)
                    if self._stopped.is_set():
                        return
                self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        """Answers requests; reports of the player, which begin with a dollar sign, are left unread."""
        known = b""
        with suppress(OSError):
            while (read := connection.recv(4096)) and not self._stopped.is_set():
                known += read
                while b"\r\n\r\n" in known:
                    head, _, known = known.partition(b"\r\n\r\n")
                    method = head.split(b" ", 1)[0].decode("latin-1")
                    connection.sendall(_answer(method, _sequence(head), self.url))
                    if method == "PLAY":
                        self.played += 1
                        self._run(self._play, connection)

    def _play(self, connection: socket.socket) -> None:
        number = frame = 0
        with suppress(OSError):
            while not self._stopped.wait(self._period_s):
                frame += 1
                for payload, last in _payloads(self.show):
                    head = struct.pack(">BBHII", 0x80, 26 | last << 7, number & 0xFFFF, frame * 4500, 7)
                    size = len(head) + len(payload)
                    connection.sendall(struct.pack(">cBH", b"$", 0, size) + head + payload)
                    number += 1


@asynccontextmanager
async def rtsp_camera(picture: Pixels) -> AsyncIterator[RtspCamera]:
    camera = RtspCamera(picture)
    camera.start()
    try:
        yield camera
    finally:
        await asyncio.to_thread(camera.stop)


def _sequence(head: bytes) -> str:
    lines = head.decode("latin-1").lower().split("\r\n")
    return next((line.split(":")[1].strip() for line in lines if line.startswith("cseq")), "0")


def _answer(method: str, sequence: str, url: str) -> bytes:
    lines = ["RTSP/1.0 200 OK", f"CSeq: {sequence}", "Session: 1;timeout=600"]
    body = ""
    match method:
        case "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        case "DESCRIBE":
            body = _SDP
            lines += [
                f"Content-Base: {url}/",
                "Content-Type: application/sdp",
                f"Content-Length: {len(body)}",
            ]
        case "SETUP":
            lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _payloads(picture: Pixels) -> Iterator[tuple[bytes, bool]]:
    """A frame as RTP payloads, each with whether it is the last."""
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    tables, scan = _parts(encoded)
    height, width = picture.shape[:2]
    offset = 0
    while offset < len(scan):
        piece = scan[offset : offset + _PIECE]
        head = struct.pack(">I", offset) + bytes((_TYPE_420, _TABLES_INSIDE, width // 8, height // 8))
        if offset == 0:
            head += struct.pack(">BBH", 0, 0, len(tables)) + tables
        offset += len(piece)
        yield head + piece, offset >= len(scan)


def _parts(encoded: bytes) -> tuple[bytes, bytes]:
    """Quantisation tables and the coded data of a JPEG file (ITU-T T.81, annex B)."""
    tables, at = b"", 2
    while True:
        marker, length = encoded[at + 1], int.from_bytes(encoded[at + 2 : at + 4], "big")
        body = encoded[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xDB:
            tables += b"".join(body[start + 1 : start + 65] for start in range(0, len(body), 65))
        elif marker == 0xDA:
            return tables, encoded[at : encoded.rindex(b"\xff\xd9")]
