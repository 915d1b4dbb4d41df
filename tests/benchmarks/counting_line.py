"""A loopback port that carries one connection to another port and counts its bytes."""

import socket
import threading
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536
PATIENCE_S = 30.0


class CountingLine:
    """Use it as a context; `up_bytes` and `down_bytes` are what the connection carried: MQTT without TCP and TLS."""

    def __init__(self, target_port: int) -> None:
        self.up_bytes = self.down_bytes = 0
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._thread.join(PATIENCE_S)

    def _carry(self) -> None:
        near, _ = self._listener.accept()
        with near, socket.create_connection(("127.0.0.1", self._target_port)) as far:
            back = threading.Thread(target=self._pass, args=(far, near, "down_bytes"), daemon=True)
            back.start()
            self._pass(near, far, "up_bytes")
            back.join(PATIENCE_S)

    def _pass(self, source: socket.socket, sink: socket.socket, count: str) -> None:
        try:
            while piece := source.recv(CHUNK_BYTES):
                setattr(self, count, getattr(self, count) + len(piece))
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the edge or the broker was ended: so is the line
