"""`fanfold drain`: workers finish what they have and get no new work, until told otherwise."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import typer
from rich.table import Table

from fanfold.common import output
from fanfold.common.arguments import SITE_OPTION
from fanfold.common.errors import UserError
from fanfold.localcore import running
from fanfold.localcore.audited import noted
from fanfold.localcore.draining import Picture, chosen, control, picture, seen
from fanfold.localcore.naming import site_and_words
from fanfold.sending.mqtt import Console

#: The splitter reports every second: after so long it has not heard us.
TAKEN_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.25


def register(app: typer.Typer) -> None:
    app.command("drain")(drain)


def drain(
    words: list[str] | None = typer.Argument(
        None, metavar="[SITE] [WORKER]...", help="Workers to drain; all if none is named."
    ),
    site: str | None = SITE_OPTION,
    resume: bool = typer.Option(False, "--resume", help="Dispatch work to them again."),
    wait_s: float = typer.Option(
        60.0,
        "--wait-s",
        "--wait",
        min=0,
        help="Seconds to wait for images in progress; 0: do not wait.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Each worker's state, as one JSON object."),
) -> None:
    """Let workers finish their work, and dispatch no new work to them.

    Images are accepted as before and go to the other workers; with all
    drained they wait. Nothing is lost, and it lasts until `--resume`,
    through restarts of the core too.

    Workers are those that get work from the splitter: with strategy `decoupled`
    the transform functions, with `pool` and `on_demand` the one function
    with all its processes.

    Exit code 1: not drained in time (draining continues); 2: no such worker.
    Example: fanfold drain demo w0 w1 --wait-s 120
    """
    site, workers = site_and_words(words or [], site)
    core = running.find(site)
    group, wished = str(core.info["group"]), not resume
    status = core.get("/api/status")
    before = seen(status, group)
    meant = chosen(workers, status, before)
    view = _View(core, meant, before.t)
    with Console(core, []) as console:
        console.publish(running.topics_of(core).control, control(workers, drain=wished))
        noted(core.state, "drain", {"on": wished, "workers": list(workers)})
        now = _taken(view, group, drain=wished)
    if wished and wait_s:
        now = _emptied(view, now, wait_s)
    left = now.left(drain=wished)
    if as_json:
        output.print_json(_answer(group, now, drain=wished))
    else:
        _show(now, drain=wished)
    if left and wait_s:
        names = " ".join(worker.name for worker in left)
        raise UserError(
            f"not drained within {wait_s:g} s: {', '.join(map(str, left))}. The drain goes on; "
            f"wait again: fanfold drain {names}, or cancel it: fanfold drain {names} --resume"
        )


@dataclass
class _View:
    """The reports of the splitter about some workers, each once; `t`: of the last one."""

    core: running.RunningCore
    names: list[str]
    t: float

    def next(self, deadline: float) -> Picture | None:
        """None when nothing new came until the deadline."""
        while time.monotonic() < deadline:
            found = picture(self.core.get("/api/status"))
            if found is not None and found.t != self.t:
                self.t = found.t
                return found.of(self.names)
            time.sleep(_LOOK_EVERY_S)
        return None


def _taken(view: _View, group: str, *, drain: bool) -> Picture:
    """The first report that shows the splitter acting on the message."""
    deadline, reports = time.monotonic() + TAKEN_WITHIN_S, 0
    while (report := view.next(deadline)) is not None:
        if report.taken(drain=drain):
            return report
        reports += 1
    if not reports:
        raise UserError(
            f"the splitter of {group} has sent no stats for {TAKEN_WITHIN_S:g} s. "
            "See `fanfold status` and `fanfold logs splitter`."
        )
    raise UserError(
        f"the splitter of {group} did not act on its control topic within {TAKEN_WITHIN_S:g} s: "
        "the group has no subscription for it. Render and deploy it again."
    )


def _emptied(view: _View, now: Picture, wait_s: float) -> Picture:
    """The report in which nobody holds an image any more, else the last one in time."""
    deadline, total = time.monotonic() + wait_s, len(now.workers)
    with output.progress() as bar:
        task = bar.add_task("", total=total)
        while left := now.left(drain=True):
            said = f"drained, {sum(worker.inflight for worker in left)} images in progress"
            bar.update(task, completed=total - len(left), description=said)
            report = view.next(deadline)
            if report is None:
                break
            now = report
    return now


def _answer(group: str, now: Picture, *, drain: bool) -> dict[str, object]:
    return {
        "v": 1,
        "site": group,
        "drain": drain,
        "done": not now.left(drain=drain),
        "workers": [asdict(worker) for worker in now.workers],
        "backlog": now.backlog,
    }


def _show(now: Picture, *, drain: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("worker", "state", "in progress"):
        table.add_column(column, justify="right" if column == "in progress" else "left")
    for worker in now.workers:
        table.add_row(worker.name, worker.state, str(worker.inflight))
    output.out.print(table)
    if drain:
        names = " ".join(worker.name for worker in now.workers)
        output.note(
            f"no new work for {names}, until `fanfold drain {names} --resume`; "
            f"images without a result: {now.backlog}"
        )
