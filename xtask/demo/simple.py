"""A service that answers after a while; `payments` always fails.

Started by a name of its own each time (prices.py, warehouse.py, payments.py).
Nothing here knows of tracing.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.path.basename(sys.argv[0]).removesuffix(".py")
ANSWERS = {
    "prices": (0.015, 200, {"price": 42}),
    "warehouse": (0.008, 200, {"pieces": 3}),
    "payments": (0.005, 500, {"error": "no bank today"}),
}


class Simple(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seconds, status, value = ANSWERS[NAME]
        time.sleep(seconds)
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Simple).serve_forever()
