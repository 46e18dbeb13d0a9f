"""The console: pages over the verbs of `app`. Read-only, for the user of this machine.

It listens on the loopback address; it has no sign-in and therefore changes nothing.
"""

from __future__ import annotations

from sen4cap.app.system import System
from sen4cap.web.pages import create_app

__all__ = ["create_app", "serve"]


def serve(system: System, port: int) -> None:
    """Serve the console on http://127.0.0.1:`port` until interrupted."""
    import uvicorn

    uvicorn.run(create_app(system), host="127.0.0.1", port=port, log_level="warning")
