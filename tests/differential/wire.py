"""What the h11 client and server share: bytes to send, as odd as the law allows."""

import json
import socket
import threading
import time

import h11

LIMIT = 1 << 17  # of a head; h11's own is 16 KiB


class Record:
    """JSON lines, one for each exchange that came to its end."""

    def __init__(self, path):
        self.file = open(path, "a", buffering=1)
        self.lock = threading.Lock()

    def write(self, **exchange):
        with self.lock:
            self.file.write(json.dumps(exchange) + "\n")


class Message:
    """One message through h11, with extensions added to its chunks."""

    def __init__(self, h11_connection, head, plan):
        self.h11 = h11_connection
        self.chunked = any(
            name == b"transfer-encoding" for name, _ in head.headers
        )
        self.plan = plan
        self.head = self.h11.send(head)
        self.size = 0

    def body(self):
        """The body, piece by piece; with the last comes its end."""
        for index, size in enumerate(self.plan["pieces"]):
            data = self.h11.send(h11.Data(data=b"%d" % (index % 10) * size))
            self.size += size
            if self.chunked and self.plan["extensions"]:
                length, rest = data.split(b"\r\n", 1)
                data = length + self.plan["extensions"].encode() + b"\r\n" + rest
            yield data
        trailers = []
        if self.chunked and self.plan["trailers"]:
            trailers = [("X-Trailer", "at last"), ("X-More", "")]
        yield self.h11.send(h11.EndOfMessage(headers=trailers))


def framing(plan):
    """The header that tells where a body ends."""
    if plan["framing"] == "chunked":
        return [("Transfer-Encoding", "chunked")]
    if plan["framing"] == "length":
        return [("Content-Length", str(sum(plan["pieces"])))]
    return []


def fill(plan):
    """A header as large as the plan wants it."""
    return [("X-Fill", "f" * plan["header"])] if plan["header"] else []


class Sender:
    """Writes to a socket, each call a segment of its own, or all together."""

    def __init__(self, sock, dribble):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.dribble = dribble
        self.waiting = b""

    def write(self, data):
        if not self.dribble:
            self.waiting += data
            return
        # The first bytes one by one: nothing of a head is in one call.
        step = self.dribble
        for start in range(0, min(len(data), 40 * step), step):
            self.sock.sendall(data[start : start + step])
            if start < 10 * step:
                time.sleep(0.0005)
        self.sock.sendall(data[40 * step :])

    def flush(self):
        if self.waiting:
            self.sock.sendall(self.waiting)
            self.waiting = b""
