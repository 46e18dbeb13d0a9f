"""The console: pages over the verbs of `app`. Read-only, for the user of this machine.

It listens on the loopback address; it has no sign-in and therefore changes nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing

from sen4cap.app.system import System
from sen4cap.errors import ServiceUnavailable
from sen4cap.web.pages import create_app

__all__ = ["create_app", "serve"]

HOST = "127.0.0.1"


def serve(system: System, port: int, ready: Callable[[], None]) -> None:
    """Serve the console on http://127.0.0.1:`port` until interrupted; `ready` is called once.

    Raises
    ------
    ServiceUnavailable
        If something else listens there.
    """
    import uvicorn

    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise ServiceUnavailable(
                f"Port {port} cannot be used ({error.strerror}): give another with --port."
            ) from error
        ready()
        server = uvicorn.Server(uvicorn.Config(create_app(system), log_level="warning"))
        server.run(sockets=[listener])
