"""`vidence capture run`: one session, its frames from here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from vidence.capture.v1 import session_event_pb2, session_pb2
from vidence_cli.capture.plan import chosen_plan, plan_options
from vidence_cli.capture.sources import FrameSource
from vidence_cli.capture.telling import PersonTelling
from vidence_cli.exit_codes import ExitCode
from vidence_cli.output import write_line
from vidence_cli.server import ServerChoice, chosen_server, connect, server_options
from vidence_client import Client, VidenceError
from vidence_client.capture import SessionKey, SessionWatch

_QUIET_S = 3.0
"""Silence after the last frame that means that nothing follows from it."""
Tell = Callable[[session_event_pb2.CaptureEvent], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, and where its pictures go."""

    plan: session_pb2.SessionPlan
    source: FrameSource
    ttl_s: float | None
    save: Path | None


@click.command()
@click.option("--camera", type=click.IntRange(min=0), metavar="N", help="Camera of this machine.")
@click.option("--video", default="", metavar="FILE", help="Video file, or a stream that OpenCV opens.")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Pictures of a folder, by name.",
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Speed of a video or of pictures; 0: as fast as they come.",
)
@plan_options
@click.option("--ttl", type=click.FloatRange(5, 3600), metavar="SECONDS", help="Time that the session has.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write captured pictures there.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")
@server_options
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    camera: int | None,
    video: str,
    images: Path | None,
    fps: float,
    ttl: float | None,
    save: Path | None,
    as_json: bool,
    **_: object,
) -> None:
    """Run a session with frames from a camera, a video or pictures, and tell what happens in it."""
    if (camera is not None) + bool(video) + (images is not None) != 1:
        raise click.UsageError("frames come from one of --camera, --video and --images")
    tell: Tell = PersonTelling(Console()).take
    if as_json or not sys.stdout.isatty():
        tell = write_line
    order = Order(chosen_plan(context.params), FrameSource(camera, video, images, fps), ttl, save)
    state = asyncio.run(_run(chosen_server(context), order, tell))
    completed = state == session_pb2.SESSION_STATE_COMPLETED
    context.exit(ExitCode.FINE if completed else ExitCode.FAILED)


async def _run(choice: ServerChoice, order: Order, tell: Tell) -> session_pb2.SessionState.ValueType:
    """Runs a session to its end and gives the state in which it ended."""
    async with connect(choice) as client:
        created = await client.capture.create_session(order.plan, ttl_s=order.ttl_s)
        key = SessionKey(created.session.id, created.session_token)
        pushing = asyncio.create_task(_push(client, key, order.source), name="frames")
        try:
            async with client.capture.watch_session(key) as watch:
                session = await _tell_all(watch, tell, pushing, partial(_is_read, client, key))
        finally:
            pushing.cancel()
            await asyncio.wait({pushing})
        if not session.HasField("end_time"):
            session = await client.capture.cancel_session(key.session_id, token=key.token)
        if order.save is not None:
            await _save(client, session, key, order.save)
        return session.state


async def _push(client: Client, key: SessionKey, source: FrameSource) -> None:
    await client.capture.push_frames(key, source.frames())


async def _tell_all(
    watch: SessionWatch,
    tell: Tell,
    pushing: asyncio.Task[None],
    is_read: Callable[[], Awaitable[bool]],
) -> session_pb2.Session:
    """Tells events to the end of the session; without more frames, until nothing follows from them."""
    session = session_pb2.Session()
    while True:
        event = asyncio.ensure_future(anext(watch, None))
        await asyncio.wait({event, pushing}, return_when=asyncio.FIRST_COMPLETED)
        if not event.done() and not await _follows(event, pushing, is_read):
            return session
        told = await event
        if told is None:
            return session
        tell(told)
        if told.HasField("session_start"):
            session = told.session_start.session
        if told.HasField("session_end"):
            session = told.session_end.session


async def _follows(
    event: asyncio.Future[session_event_pb2.CaptureEvent | None],
    pushing: asyncio.Task[None],
    is_read: Callable[[], Awaitable[bool]],
) -> bool:
    """Whether another event comes although the frames are over; raises what ended them."""
    pushing.result()
    while True:
        await asyncio.wait({event}, timeout=_QUIET_S)
        if event.done():
            return True
        if not await is_read():
            break
    event.cancel()
    await asyncio.wait({event})
    return False


async def _is_read(client: Client, key: SessionKey) -> bool:
    """Whether the server works on without frames."""
    session = await client.capture.get_session(key.session_id, token=key.token)
    return session.state == session_pb2.SESSION_STATE_PROCESSING


async def _save(client: Client, session: session_pb2.Session, key: SessionKey, folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    for captured in session.captured:
        name = session_pb2.Target.Name(captured.target).removeprefix("TARGET_").lower()
        for suffix, image in (("", captured.image), ("-crop", captured.crop)):
            if not image.id:
                continue
            try:
                content = await client.capture.get_image(image.id, token=key.token)
            except VidenceError as error:
                raise click.ClickException(f"the picture {name} cannot be had: {error}") from error
            ending = image.media_type.rpartition("/")[2].replace("jpeg", "jpg")
            await asyncio.to_thread((folder / f"{name}{suffix}.{ending}").write_bytes, content)
