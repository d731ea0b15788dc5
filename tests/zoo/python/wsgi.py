"""A WSGI application, for gunicorn with one or several threads a process."""

import blocking
import plan


class Body:
    def __init__(self, request):
        self.request = request

    def __iter__(self):
        yield b"done\n"

    def close(self):
        """WSGI servers call this when the response has been sent."""
        blocking.finish(self.request)


def application(environ, start_response):
    blocking.start_background()
    request = plan.Request(f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}")
    blocking.handle(request)
    start_response("200 OK", [("Content-Length", "5")])
    return Body(request)
