"""The console: pages over the verbs of `app`. Read-only, for the user of this machine.

It listens on the loopback address; it has no sign-in and therefore changes nothing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from sen4cap.app.system import System
from sen4cap.errors import ServiceUnavailable
from sen4cap.web.pages import create_app

__all__ = ["HOST", "create_app", "listening", "serve", "serve_until"]

HOST = "127.0.0.1"
LOOK_SECONDS = 0.2


def serve(system: System, port: int, ready: Callable[[], None]) -> None:
    """Serve the console on http://127.0.0.1:`port` until interrupted; `ready` is called once.

    Raises
    ------
    ServiceUnavailable
        If something else listens there.
    """
    import uvicorn

    with listening(port) as opened:
        ready()
        server = uvicorn.Server(uvicorn.Config(create_app(system), log_level="warning"))
        server.run(sockets=[opened])


def serve_until(
    system: System, port: int, stop: threading.Event, ready: Callable[[str], None]
) -> None:
    """Serve the console until `stop`; `ready` is called with its address.

    Raises
    ------
    ServiceUnavailable
        If the port is taken, or the server ends by itself.
    """
    import uvicorn

    config = uvicorn.Config(create_app(system), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with listening(port) as opened:
        thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
        thread.start()
        ready(f"http://{HOST}:{port}")
        while not stop.wait(LOOK_SECONDS):
            if not thread.is_alive():
                raise ServiceUnavailable("The console ended: see its log.")
        server.should_exit = True
        thread.join()


def listening(port: int) -> socket.socket:
    """A socket that listens on the port.

    Raises
    ------
    ServiceUnavailable
        If it is taken.
    """
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError as error:
        opened.close()
        raise ServiceUnavailable(
            f"Port {port} cannot be used ({error.strerror}): give another one (--port for "
            "'sen4cap console', SEN4CAP_PORT for the services)."
        ) from error
    return opened
