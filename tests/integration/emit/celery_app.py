"""A Celery application for a worker to run; its messages are files below `CELERY_FOLDER`."""

import os
from pathlib import Path

from celery import Celery

from activity_emit import activity

FOLDER = Path(os.environ["CELERY_FOLDER"])
app = Celery("service", broker="filesystem://")
app.conf.broker_transport_options = {
    name: str(FOLDER / "messages") for name in ("data_folder_in", "data_folder_out")
} | {"control_folder": str(FOLDER / "control")}
app.conf.broker_connection_retry_on_startup = True


@app.task(name="reports.build")  # type: ignore[untyped-decorator]
@activity.task("reports.build")
def build(org_id: str, number: int) -> None:
    """Leaves a mark, so that the test sees it has run."""
    activity.set(execution_id=f"x{number}", token_usage={"total": number})
    (FOLDER / "done" / str(number)).touch()
    if number == 0:
        raise ValueError("swordfish")
