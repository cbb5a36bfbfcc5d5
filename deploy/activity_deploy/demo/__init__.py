"""The demo service: a small platform of workspaces, apps, endpoints and augmentations, observed.

Everything is in memory and gone after a restart. How a service of one's own carries the middleware
is in `app.py`, how a handler adds facts in `runs.py`.
"""
