"""What can go wrong in the emitter. A service never sees these: the publisher logs and counts."""


class EmitError(OSError):
    """Base of the emitter's own errors; the text says why."""


class NotConnectedError(EmitError):
    """No broker could be reached, so nothing was sent."""


class NotSpooledError(EmitError):
    """There is no disk and no broker: the consumer cannot see these events."""
