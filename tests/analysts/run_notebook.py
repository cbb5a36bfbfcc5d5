"""Runs analysts/notebook.py where its libraries are; says on one line what it made. Writes the
pictures to the directory that is given."""

import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "analysts"))
_, made = importlib.import_module("notebook").app.run()
frames = ("days", "latency", "models", "lengths")
pictures = ("requests_chart", "latency_chart", "models_chart", "sessions_chart")
for name in pictures:
    made[name].save(Path(sys.argv[1]) / f"{name}.png")
said = {
    "org": made["org"],
    "until": f"{made['until']:%Y-%m-%d %H:%M:%S}",
    "frames": {name: made[name].rows() for name in frames},
    "drawn": {
        name: [
            list(row.values()) for rows in made[name].to_dict()["datasets"].values() for row in rows
        ]
        for name in pictures
    },
}
print(json.dumps(said, default=str))  # noqa: T201
