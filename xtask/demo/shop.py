"""The shop: one thread per connection, two calls in parallel, then an order.

Plain standard library. Nothing here knows of tracing.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STOCK = f"http://127.0.0.1:{os.environ['STOCK_PORT']}"
PRICES = f"http://127.0.0.1:{os.environ['PRICES_PORT']}"
PAYMENTS = f"http://127.0.0.1:{os.environ['PAYMENTS_PORT']}"


def ask(url, body=None):
    with urllib.request.urlopen(url, data=body, timeout=5) as response:
        return json.load(response)


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        product = self.path.rsplit("/", 1)[-1]
        with ThreadPoolExecutor(2) as pool:
            stock = pool.submit(ask, f"{STOCK}/stock/{product}")
            price = pool.submit(ask, f"{PRICES}/price/{product}")
            self.answer(200, {**stock.result(), **price.result()})

    def do_POST(self):
        order = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        ask(f"{STOCK}/reserve", order)
        try:
            self.answer(201, ask(f"{PAYMENTS}/charge", order))
        except urllib.error.HTTPError as error:
            self.answer(502, {"error": "payment failed", "reason": json.load(error)})

    def answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
