"""`activity forward`: an org's feed to a webhook, until it is stopped."""

import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import httpx
import typer
from prometheus_client import CollectorRegistry, start_http_server

from activity_api.auth.caller import READ
from activity_deploy.errors import UserError
from activity_deploy.history.client import HistoryClient
from activity_deploy.history.forwarder import Forwarder, ForwardMetrics, ProgressFile
from activity_deploy.history.settings import ForwardSettings, HistorySettings, key_of


def forward(
    org: Annotated[str, typer.Option(help="The organisation.")],
    to: Annotated[str, typer.Option(help="Where batches are posted.")],
    state: Annotated[Path, typer.Option(help="A file that keeps how far it is.")],
    begin: Annotated[
        str, typer.Option(help="Of a new state: beginning, now, or a cursor.")
    ] = "beginning",
    metrics_port: Annotated[
        int | None, typer.Option(help="Metrics for Prometheus, on 127.0.0.1.")
    ] = None,
) -> None:
    """Post an org's events to a webhook as they come, signed (Standard Webhooks), at least once.

    A batch that is sent again has the same `webhook-id`. ACTIVITY_FORWARD_SECRET signs.
    """
    settings = ForwardSettings()
    if settings.secret is None:
        raise UserError("set ACTIVITY_FORWARD_SECRET, or ACTIVITY_FORWARD_SECRET_FILE")
    if httpx.URL(to).scheme not in ("http", "https"):
        raise UserError("--to must be an address like https://siem.example/activity")
    stopped, registry = threading.Event(), CollectorRegistry()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    metrics = ForwardMetrics(registry)
    if metrics_port is not None:
        start_http_server(metrics_port, "127.0.0.1", registry)
    with (
        closing(HistoryClient(HistorySettings(), org, READ, stopped=stopped)) as client,
        httpx.Client(timeout=settings.timeout_s) as receiver,
    ):
        Forwarder(
            *(client, receiver, ProgressFile(state)),
            to=to,
            key=key_of(settings.secret),
            metrics=metrics,
            stopped=stopped,
            now=time.time,
            longest_pause_s=settings.longest_pause_s,
            say=lambda line: typer.echo(line, err=True),
        ).run(begin)
