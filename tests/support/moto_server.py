"""The S3 server of moto, one request at a time. Run as `… PORT`.

moto looks for a key and puts it in two steps, so two conditional puts at once may both succeed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

_ONE = threading.Lock()


def main(port: int) -> None:
    """Serve until killed."""
    whole = DomainDispatcherApplication(create_backend_app)

    def serve(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with _ONE:
            return list(whole(request, start))

    run_simple("127.0.0.1", port, serve, threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
