"""`fanfold send`: images of this machine into the running core, as a camera would."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from contract.limits import MESSAGE_BYTES
from contract.topics import ACCEPTED, Topics
from fanfold.common import output
from fanfold.common.arguments import SITE_OPTION
from fanfold.common.errors import FAILED, INVALID, REFUSED, UserError
from fanfold.common.inputs import images_of
from fanfold.common.output import one_line
from fanfold.common.project import read_site, remembered_site
from fanfold.localcore import running
from fanfold.localcore.naming import site_and_words
from fanfold.sending.mqtt import Console
from fanfold.sending.sender import Sender
from fanfold.sending.video import with_frames

#: How long without a single answer before giving up.
SILENCE_S = 60.0
#: Of the 255 bytes of a file's name.
MAX_NAME_BYTES = 200
#: AWS IoT's limit for a message of a device, and so the core's.
MAX_MESSAGE_BYTES = MESSAGE_BYTES.value


@dataclass(frozen=True)
class Event:
    """`name`: the sender's own of the file."""

    id: str
    name: str
    topic: str
    payload: bytes


def register(app: typer.Typer) -> None:
    app.command("send")(send)


def send(
    context: typer.Context,
    words: list[str] = typer.Argument(
        metavar="[SITE] IMAGES...", help="Files, folders of images (searched below), or videos."
    ),
    site: str | None = SITE_OPTION,
    camera: str | None = typer.Option(
        None,
        help="The stream. Default: the folder's name if it is a camera, else the first camera.",
    ),
    job: str | None = typer.Option(None, help="Job that the images belong to; the last ends it."),
    fps: float | None = typer.Option(
        None, min=0.01, help="Of a video: frames a second of the clip. Default: every frame."
    ),
    repeat: int = typer.Option(1, min=1, help="Send the whole set this many times."),
    inline: bool = typer.Option(
        False, help="Send the bytes in the message (≤ 128 KB) instead of a file reference."
    ),
    as_json: bool = typer.Option(False, "--json", help="The counts as one JSON object."),
) -> None:
    """Publish images to the local topic and wait until each is accepted or rejected.

    Files are copied into the images volume first (whole: renamed into place), under their own
    names in a folder of this call, and stay there. What is answered with `busy` is sent again. Of a
    video each frame is an image in order, named by its time: clip.mp4#t=1.200.jpg.
    Exit code 0: all accepted; 4: some rejected.
    Example: fanfold send demo photos/ --camera cam1
    """
    site, images = _site_and_images(words, site)
    core = running.find(site)
    site_topics = running.topics_of(core)
    settings, _ = read_site(remembered_site(core.state))
    cameras = [c.name for c in settings.cameras]
    files = images_of(images) * repeat
    folder = context.with_resource(tempfile.TemporaryDirectory(prefix="fanfold-video-"))
    files = with_frames(files, fps, Path(folder))
    streams = [_stream(file, camera, cameras) for file in files]
    content = _as_bytes if inline else _as_file(Path(settings.volumes.images))
    events = {e.id: e for e in _events(files, streams, site_topics, job, content)}
    sender = Sender(deque(events))
    started = time.monotonic()
    answers = [site_topics.accepted("+"), site_topics.rejected("+")]
    with Console(core, answers) as console:
        _drive(console, sender, events)
    left = "" if inline else str(Path(settings.volumes.images))
    _report(sender, events, time.monotonic() - started, left, as_json=as_json)


def _site_and_images(words: list[str], site: str | None) -> tuple[str | None, list[Path]]:
    """A file or folder that has a site's name is meant where nothing else is named."""
    site, rest = site_and_words(words, site) if len(words) > 1 else (site, words)
    return site, [Path(word) for word in rest]


def _stream(file: Path, camera: str | None, cameras: list[str]) -> str:
    if camera is None:
        return file.parent.name if file.parent.name in cameras else cameras[0]
    if camera not in cameras:
        raise UserError(
            f"camera {camera!r} does not exist at this site; cameras: {', '.join(cameras)}",
            INVALID,
        )
    return camera


def _events(
    files: list[Path],
    streams: list[str],
    topics: Topics,
    job: str | None,
    content: Callable[[Path, str, str], dict[str, str]],
) -> list[Event]:
    """One event per file; ids are unique to this call. `content(file, stream, id)` is the form."""
    call = f"{int(time.time()):x}{secrets.token_hex(2)}"
    ends = _ends(streams)
    events = []
    for index, (file, stream) in enumerate(zip(files, streams, strict=True)):
        event_id = f"{call}-{index:06d}"
        body = {"v": 1, "id": event_id, "ts": time.time(), **content(file, stream, event_id)}
        if job:
            body |= {"job": job, "last": index in ends}
        payload = json.dumps(body).encode()
        if len(payload) > MAX_MESSAGE_BYTES:
            raise UserError(
                f"{file}: {len(payload)} bytes as a message; the limit is {MAX_MESSAGE_BYTES}. "
                "Send it without --inline.",
                INVALID,
            )
        events.append(Event(event_id, str(file), topics.images(stream), payload))
    return events


def _as_file(volume: Path) -> Callable[[Path, str, str], dict[str, str]]:
    """Copies into the images volume, under the sender's own names: by those they are looked for.

    One folder for each call; a name that comes again has another one.
    """
    taken: Counter[tuple[str, str]] = Counter()

    def content(file: Path, stream: str, event_id: str) -> dict[str, str]:
        name, call = _short_name(file), event_id.rpartition("-")[0]
        again = taken[stream, name]
        taken[stream, name] += 1
        relative = f"{stream}/{call}{f'-{again}' if again else ''}/{name}"
        _copy_whole(file, volume / relative)
        return {"file": relative}

    return content


def _short_name(file: Path) -> str:
    """The end of the name, of so many bytes as a file's name may have beside an event's id."""
    whole = one_line(file.name).encode("utf-8", "replace")
    return whole[-MAX_NAME_BYTES:].decode(errors="ignore").replace("\\", "_")


def _as_bytes(file: Path, _stream: str, _event_id: str) -> dict[str, str]:
    """The image in the message itself."""
    return {"image_b64": base64.b64encode(file.read_bytes()).decode()}


def _ends(streams: list[str]) -> set[int]:
    """Index of each stream's last image."""
    return set({stream: index for index, stream in enumerate(streams)}.values())


def _copy_whole(source: Path, target: Path) -> None:
    """Under its name only when it is complete: readers never see half an image."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, beside)
        os.replace(beside, target)  # noqa: PTH105 - same as rename, and says that it replaces
    except OSError as error:
        raise UserError(
            f"{source} → {target}: {error.strerror}. Check free space and permissions."
        ) from error


def _drive(console: Console, sender: Sender, events: dict[str, Event]) -> None:
    last_answer = time.monotonic()
    with output.progress() as bar:
        task = bar.add_task("accepted", total=len(events))
        while not sender.done:
            now = time.monotonic()
            for event_id in sender.due(now):
                console.publish(events[event_id].topic, events[event_id].payload)
            message = console.receive(0.1)
            if message is not None:
                reply, now = message.json(), time.monotonic()
                accepted = message.topic.endswith(f"/{ACCEPTED}")
                if accepted:
                    sender.on_accepted(reply)
                else:
                    sender.on_rejected(reply, now)
                last_answer = now
                bar.update(task, completed=sender.settled)
            elif now - last_answer > SILENCE_S:
                raise UserError(
                    f"no answer from the splitter for {SILENCE_S:g} s; {sender.settled} of "
                    f"{len(events)} settled. See `fanfold status` and `fanfold logs splitter`."
                )


def _report(
    sender: Sender, events: dict[str, Event], elapsed_s: float, left: str, *, as_json: bool
) -> None:
    """`left`: the images volume where copies stay, as a camera's files do; "": there are none."""
    if left:
        size = sum(Path(event.name).stat().st_size for event in events.values())
        output.note(
            f"left {len(events)} copies ({size / 1e6:.1f} MB) below {left}, as a camera's files "
            "are; remove them when their results are there"
        )
    if as_json:
        output.print_json(
            {
                "v": 1,
                "accepted": sender.accepted,
                "duplicates": sender.duplicates,
                "resent": sender.resent,
                "rejected": sender.rejected,
                "elapsed_s": round(elapsed_s, 3),
            }
        )
    else:
        output.out.print(
            f"{sender.accepted} accepted, {len(sender.rejected)} rejected in {elapsed_s:.1f} s"
        )
        for event_id, reason in list(sender.rejected.items())[:20]:
            output.err.print(
                f"{one_line(events[event_id].name)}: {reason}", style="red", markup=False
            )
    if sender.rejected:
        raise typer.Exit(REFUSED if sender.accepted or sender.rejected else FAILED)
