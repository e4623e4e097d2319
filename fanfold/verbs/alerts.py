"""`fanfold alerts`: which alerts of a running core are on, a test of the ways, acknowledging."""

from __future__ import annotations

import time
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from edgecore.history.text import visible
from fanfold.common import output
from fanfold.common.errors import FAILED, MISSING, UserError
from fanfold.localcore import running

WAY_FAILED = 502

_SITE = typer.Argument(None, help="Site; needed only if several cores run here.")


def register(app: typer.Typer) -> None:
    alerts = typer.Typer(
        no_args_is_help=True, help="See, test and acknowledge the alerts of a running core."
    )
    alerts.command("list")(list_alerts)
    alerts.command("test")(send_test)
    alerts.command("acknowledge")(acknowledge)
    app.add_typer(alerts, name="alerts")


def list_alerts(
    site: str | None = _SITE,
    as_json: bool = typer.Option(False, "--json", help="The core's own object."),
) -> None:
    """Show which alerts are on or waiting, and how the ways to people are doing.

    Example: fanfold alerts list demo
    """
    found = running.find(site).get("/api/status").get("alerts") or {}
    if as_json:
        output.print_json({"v": 1, **found})
        return
    if not found.get("rules"):
        output.note("the site has no alert rules (alerts: in its file; docs/guides/alerting.md)")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("alert", "state", "for", "", ""):
        table.add_column(column)
    for alert in found["alerts"]:
        known = "acknowledged" if alert["acknowledged"] else ""
        lasts = f"{max(0.0, time.time() - alert['since']):.0f} s"
        state = "on, being looked at again" if alert.get("unconfirmed") else alert["state"]
        shown = (alert["rule"], state, lasts, alert["text"], known)
        table.add_row(*(Text(visible(str(cell))) for cell in shown))
    if found["alerts"]:
        output.out.print(table)
    else:
        one = found["rules"] == 1
        output.note("the rule is quiet" if one else f"all {found['rules']} rules are quiet")
    for channel in found["channels"]:
        said = f"{channel['name']}: {channel['sent']} sent, {channel['waiting']} waiting"
        said += f", {channel['dropped']} dropped" if channel["dropped"] else ""
        output.note(said + (f"; {visible(channel['problem'])}" if channel["problem"] else ""))
    if found.get("problem"):
        output.warn(visible(found["problem"]))


def send_test(
    site: str | None = _SITE,
    as_json: bool = typer.Option(False, "--json", help="How each way went, as JSON."),
) -> None:
    """Send a test message every way that the site names, with how each went.

    Ends when all have answered, after 20 s at the latest. Exit code 1: a way failed.

    Example: fanfold alerts test demo
    """
    from edgecore.alerts.notifier import TEST_WAIT_S  # with mail and TLS: no other verb pays for it

    answer = running.find(site).act_whole(
        "test-alerts", {}, within_s=TEST_WAIT_S + running.TIMEOUT_S, fine=(200, WAY_FAILED)
    )
    ways = answer.get("ways")
    if ways is None:  # a core of before, or something between it and us
        raise UserError(visible(answer["message"]))
    if as_json:
        output.print_json({"v": 1, "ways": ways})
    else:
        for way in ways:
            output.out.print(f"{way['name']}: {visible(way['problem'] or 'sent')}", markup=False)
    if any(way["problem"] for way in ways):
        raise typer.Exit(FAILED)


def acknowledge(
    alert: str = typer.Argument(help="The alert's name, as `fanfold alerts list` shows it."),
    site: str | None = _SITE,
    as_json: bool = typer.Option(False, "--json", help="The alert as it is now, as JSON."),
) -> None:
    """Acknowledge an alert: it is not sent again while it lasts.

    Example: fanfold alerts acknowledge nothing-inspected demo
    """
    core = running.find(site)
    known = _alerts(core)
    if alert not in known:
        said = ", ".join(sorted(known)) or "none"
        raise UserError(f"alert {alert!r} is not on; on or waiting: {visible(said)}", MISSING)
    message = core.act("acknowledge", {"alert": alert})
    if as_json:
        output.print_json({"v": 1, "message": message, "alert": _alerts(core).get(alert)})
    else:
        output.out.print(message, markup=False)


def _alerts(core: running.RunningCore) -> dict[str, Any]:
    """Those that are on or waiting, by the names of their rules."""
    found = core.get("/api/status").get("alerts") or {}
    return {a["rule"]: a for a in found.get("alerts", [])}
