#!/usr/bin/python3
"""The application of a VM: it says on port 8080 which machine answered, and what it was asked.

Behind a sidecar, the request's X-Forwarded-Client-Cert header names both ends of the mutual TLS connection.
"""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        lines = [f"This is {socket.gethostname()}.", f"{self.command} {self.path} from {self.client_address[0]}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        page = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


ThreadingHTTPServer(("", 8080), Application).serve_forever()
