"""`observe(app)`: the one line for an application of a framework."""

from typing import Any, TypeVar

from activity_emit.middleware.asgi import ActivityMiddleware
from activity_emit.middleware.wsgi import ActivityWSGIMiddleware

App = TypeVar("App")


def observe(app: App, **options: Any) -> App:
    """Record the requests of an application, and return it. `options`: those of ActivityMiddleware.

    Starlette, FastAPI: the middleware stands outside of all others, also of the application's own
    handler of `Exception`, wherever the line stands. Quart and Flask: it wraps `asgi_app`,
    `wsgi_app`. Raises TypeError for any other: wrap that, `app = ActivityMiddleware(app)`.
    """
    found: Any = app
    build = getattr(found, "build_middleware_stack", None)
    if build is not None:
        if getattr(found, "middleware_stack", None) is not None:  # it has served already
            found.middleware_stack = ActivityMiddleware(found.middleware_stack, **options)
        else:
            found.build_middleware_stack = lambda: ActivityMiddleware(build(), **options)
    elif hasattr(found, "asgi_app"):
        found.asgi_app = ActivityMiddleware(found.asgi_app, **options)
    elif hasattr(found, "wsgi_app"):
        found.wsgi_app = ActivityWSGIMiddleware(found.wsgi_app, **options)
    else:
        raise TypeError(
            f"observe() does not know a {type(app).__name__}: use app = ActivityMiddleware(app)"
        )
    return app
