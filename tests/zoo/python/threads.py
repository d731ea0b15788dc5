"""ThreadingHTTPServer: a thread for each connection.

Usage: threads.py PORT [futures]. With `futures`, branches run on a shared pool
of threads.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import blocking
import plan

parallel = ThreadPoolExecutor(16).map if "futures" in sys.argv else map


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write for head and body, as most frameworks do.
    wbufsize = -1

    def do_GET(self):
        request = plan.Request(self.path)
        blocking.handle(request, parallel)
        body = b"done\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        blocking.finish(request)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


blocking.start_background()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
