"""An h11 server: answers as the request's X-Plan header tells.

Usage: server.py PORT RECORD
"""

import json
import os
import signal
import socket
import sys
import threading

import h11

from wire import LIMIT, Message, Record, Sender, fill, framing

record = Record(sys.argv[2])


def serve(sock):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT)
    with sock:
        while True:
            request, size = receive(sock, connection)
            if request is None:
                return
            answer(sock, connection, request, size)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()


def receive(sock, connection):
    """A whole request and the size of its body; (None, 0) at the end."""
    request, size = None, 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                sock.sendall(connection.send(go_on))
            connection.receive_data(sock.recv(65536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            size += len(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return request, size
        else:
            return None, 0


def answer(sock, connection, request, received):
    headers = {name: value for name, value in request.headers}
    plan = json.loads(headers[b"x-plan"])
    sender = Sender(sock, plan["dribble"])
    if request.http_version == b"1.1":
        for status in plan["interim"]:
            interim = h11.InformationalResponse(
                status_code=status, headers=[("Link", "</style.css>; rel=preload")]
            )
            sender.write(connection.send(interim))
    bodiless = request.method == b"HEAD" or plan["status"] in (204, 304)
    head = h11.Response(
        status_code=plan["status"],
        headers=[("Server", "h11")] + framing(plan) + fill(plan),
        reason=plan["reason"].encode(),
    )
    if bodiless:
        plan = dict(plan, pieces=[], trailers=False)
    message = Message(connection, head, plan)
    sender.write(message.head)
    for data in message.body():
        sender.write(data)
    sender.flush()
    record.write(
        side="server",
        method=request.method.decode(),
        target=request.target.decode(),
        version=request.http_version.decode(),
        status=plan["status"],
        request_body=received,
        response_body=message.size,
    )


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


main()
