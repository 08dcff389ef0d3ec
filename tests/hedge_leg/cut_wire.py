"""A wire between a client and a server that breaks at a word."""

import contextlib
import socket
from threading import Event, Thread


class CutWire:
    """Forwards every connection from a loopback port to `target`; see `arm`."""

    def __init__(self, target: int) -> None:
        """Listen on a free port."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._word = b""
        self._when, self._keep_server = "", False
        self._muted: socket.socket | None = None
        self._answered = Event()
        self.open = True
        self.cut = Event()
        Thread(target=self._accept, daemon=True).start()

    def arm(self, word: bytes, cut: str, *, keeps_server: bool = False) -> None:
        """Cut the connection whose client says `word` next, when it executes what it has prepared with it.

        `cut`: "before" it reaches the server, "after" the server has answered, or "racing" with the server;
        "silent" and "silent before" let the client wait for ever, with and without the server knowing.
        The server's side closes too, unless it is kept: then the server believes in its client for ever.
        """
        self._word, self._when, self._keep_server = word, cut, keeps_server
        self.cut.clear()
        self._answered.clear()

    def close(self) -> None:
        """Stop everything."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self.open:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                Thread(target=self._pump, args=(server, client), daemon=True).start()
                Thread(target=self._listen, args=(client, server), daemon=True).start()

    def _listen(self, client: socket.socket, server: socket.socket) -> None:
        """Forward what the client says, until the word."""
        said = False
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if said:
                    self._break(data, client, server)
                    return
                if self._word and self._word in data:
                    self._word, said = b"", True
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _break(self, data: bytes, client: socket.socket, server: socket.socket) -> None:
        self._muted = client
        if self._when in ("after", "silent"):
            server.sendall(data)
            self._answered.wait(10)
        if not self._when.startswith("silent"):
            client.shutdown(socket.SHUT_RDWR)
        if self._when == "racing":
            server.sendall(data)
        if not self._keep_server:
            server.shutdown(socket.SHUT_WR)
        self.cut.set()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Forward what the server says, and that it left."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if sink is self._muted:
                    self._answered.set()
                else:
                    sink.sendall(data)
        if sink is not self._muted:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)
