"""An h11 client: one connection after the other, as a plan tells.

Usage: client.py PORT RECORD PLAN
"""

import json
import socket
import sys
import threading

import h11

from wire import LIMIT, Message, Record, Sender, fill, framing

port = int(sys.argv[1])
record = Record(sys.argv[2])


class Exchange:
    def __init__(self, plan, version):
        self.plan = plan
        self.version = version
        self.h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMIT)
        headers = [("Host", f"127.0.0.1:{port}"), ("X-Plan", json.dumps(plan["answer"]))]
        if plan["expect"]:
            headers.append(("Expect", "100-continue"))
        head = h11.Request(
            method=plan["method"],
            target=plan["target"],
            headers=headers + framing(plan) + fill(plan),
        )
        self.message = Message(self.h11, head, plan)
        self.head = self.message.head
        if version == "1.0":
            self.head = self.head.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\n", 1)

    def send(self, sender, may_go_on):
        sender.write(self.head)
        if self.plan["expect"]:
            sender.flush()
            may_go_on()
        for data in self.message.body():
            sender.write(data)

    def receive(self, sock, already, until):
        """Reads to the first 100 or to the end; returns what came after it."""
        self.h11.receive_data(already) if already else None
        while True:
            event = self.h11.next_event()
            if event is h11.NEED_DATA:
                self.h11.receive_data(sock.recv(65536))
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 100 and until == "continue":
                    return b""
            elif isinstance(event, h11.Response):
                self.status = event.status_code
                self.received = 0
            elif isinstance(event, h11.Data):
                self.received += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return self.h11.trailing_data[0]
            else:
                raise RuntimeError(f"{event} instead of an answer to {self.plan}")

    def write(self, connection):
        record.write(
            side="client",
            connection=connection,
            method=self.plan["method"],
            target=self.plan["target"],
            version=self.version,
            status=self.status,
            request_body=self.message.size,
            response_body=self.received,
        )


def pipeline(sock, sender, exchanges):
    def send():
        for exchange in exchanges:
            exchange.send(sender, lambda: None)
        sender.flush()

    writer = threading.Thread(target=send)
    writer.start()
    rest = b""
    for exchange in exchanges:
        rest = exchange.receive(sock, rest, "end")
    writer.join()


def one_by_one(sock, sender, exchanges):
    for exchange in exchanges:
        exchange.send(sender, lambda: exchange.receive(sock, b"", "continue"))
        sender.flush()
        exchange.receive(sock, b"", "end")


def main():
    for number, plan in enumerate(json.load(open(sys.argv[3]))):
        exchanges = [Exchange(one, plan["version"]) for one in plan["exchanges"]]
        with socket.create_connection(("127.0.0.1", port)) as sock:
            run = pipeline if plan["pipeline"] else one_by_one
            run(sock, Sender(sock, plan["dribble"]), exchanges)
        for exchange in exchanges:
            exchange.write(number)


main()
