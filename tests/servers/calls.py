"""One exchange over a connection for each pair of a sending and a receiving call.

Usage: calls.py PORT. Client and server are two threads of this process.
It ends after the last exchange.
The request is `GET /SEND/RECEIVE`; the response has a body of BODY bytes, which
`sendfile` and `splice` carry where SEND names them (the head goes with `write`).
"""

import os
import socket
import sys
import tempfile
import threading

BODY = 100_000

BUFFERS = {
    "write": lambda s, data: os.write(s.fileno(), data),
    "send": lambda s, data: s.send(data),
    "sendto": lambda s, data: s.sendto(data, s.getpeername()),
    "sendmsg": lambda s, data: s.sendmsg([data[:7], data[7:20], data[20:]]),
    "writev": lambda s, data: os.writev(s.fileno(), [data[:1], data[1:9], data[9:]]),
}
RECEIVE = {
    "read": lambda s, size: os.read(s.fileno(), size),
    "recv": lambda s, size: s.recv(size),
    "recvfrom": lambda s, size: s.recvfrom(size)[0],
    "recvmsg": lambda s, size: s.recvmsg(size)[0],
    "readv": lambda s, size: readv(s.fileno(), size),
    "recv_into": lambda s, size: recv_into(s, size),
    "peek": lambda s, size: (s.recv(size, socket.MSG_PEEK), s.recv(size))[1],
}


def readv(descriptor, size):
    pieces = [bytearray(5), bytearray(size - 5)]
    count = os.readv(descriptor, pieces)
    return b"".join(pieces)[:count]


def recv_into(connection, size):
    buffer = bytearray(size)
    return bytes(buffer[: connection.recv_into(buffer)])


def send_all(connection, call, data):
    while data:
        data = data[call(connection, data) :]


def sendfile(connection, file, size):
    offset = 0
    while offset < size:
        offset += os.sendfile(connection.fileno(), file.fileno(), offset, size - offset)


def splice(connection, file, size):
    reader, writer = os.pipe()
    offset = 0
    while offset < size:
        count = os.splice(file.fileno(), writer, min(size - offset, 65536), offset_src=offset)
        offset += count
        while count:
            count -= os.splice(reader, connection.fileno(), count)
    os.close(reader)
    os.close(writer)


def receive_until(connection, call, done):
    data = b""
    while not done(data):
        piece = call(connection, 4096)
        if not piece:
            raise SystemExit("closed too early")
        data += piece
    return data


def whole_request(data):
    return data.endswith(b"\r\n\r\n")


def whole_response(data):
    head, separator, body = data.partition(b"\r\n\r\n")
    return separator and len(body) == BODY


def serve(listener, file):
    connection, _ = listener.accept()
    while True:
        first = connection.recv(1, socket.MSG_PEEK)
        if not first:
            return
        # The client says over the path which calls to use; look without taking.
        line = connection.recv(100, socket.MSG_PEEK).split(b" ")[1].decode()
        send, receive = line.strip("/").split("/")
        receive_until(connection, RECEIVE[receive], whole_request)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n".encode()
        if send == "sendfile":
            send_all(connection, BUFFERS["write"], head)
            sendfile(connection, file, BODY)
        elif send == "splice":
            send_all(connection, BUFFERS["write"], head)
            splice(connection, file, BODY)
        else:
            send_all(connection, BUFFERS[send], head + b"x" * BODY)


def main():
    port = int(sys.argv[1])
    file = tempfile.TemporaryFile()
    file.write(b"x" * BODY)
    file.flush()
    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=serve, args=(listener, file), daemon=True).start()
        client = socket.create_connection(("127.0.0.1", port))
        for send in [*BUFFERS, "sendfile", "splice"]:
            for receive in RECEIVE:
                request = f"GET /{send}/{receive} HTTP/1.1\r\nHost: calls\r\n\r\n".encode()
                send_all(client, BUFFERS.get(send, BUFFERS["write"]), request)
                receive_until(client, RECEIVE[receive], whole_response)
                print(f"/{send}/{receive}", flush=True)
        client.close()


main()
