"""A small TCP proxy whose connections can be cut, slowed and reset."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import Any

CHUNK = 65536


class Proxy:
    """Passes bytes both ways between a port and a target.

    mode: `open`, `cut` (no byte passes, no connection is refused) or `slow`.
    """

    def __init__(self, port: int, target: int, host: str = "127.0.0.1") -> None:
        self.port, self.target, self.host = port, target, host
        self.mode = "open"
        self.passed = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        self._ready.wait(10)

    def reset(self) -> int:
        """Reset every connection; return their number."""
        number = len(self._writers)
        self._loop.call_soon_threadsafe(self._abort)
        return number

    def _abort(self) -> None:
        for writer in list(self._writers):
            raw: Any = writer.get_extra_info("socket")
            # A linger time of zero makes it a reset.
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._connected, self.host, self.port))
        self._ready.set()
        self._loop.run_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self.host, self.target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, back}
        await asyncio.gather(
            self._pass(reader, back), self._pass(there, writer), return_exceptions=True
        )
        for end in (writer, back):
            self._writers.discard(end)
            end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK if self.mode == "open" else 2048):
                while self.mode == "cut":  # noqa: ASYNC110 - another thread sets the mode
                    await asyncio.sleep(0.05)
                if self.mode == "slow":
                    await asyncio.sleep(0.05)
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
