"""Opening recordings, with failures as a command tells them."""

from __future__ import annotations

from pathlib import Path

import click

from vidence_cli.recordings.format import Recording, RecordingError, read_recording


def load_recording(path: Path) -> Recording:
    """Reads a recording.

    Raises:
        click.ClickException: The file cannot be read, or is no sound recording.
    """
    name = click.format_filename(path)
    try:
        with path.open(encoding="utf-8") as lines:
            return read_recording(lines)
    except RecordingError as error:
        raise click.ClickException(f"{name}: {error}") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{name}: it is no text") from None
    except OSError as error:
        raise click.ClickException(f"{name}: {error.strerror}") from None
