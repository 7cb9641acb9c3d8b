"""The measuring instrument's parts: sockets, TLS, names, parsing, and when bytes came."""
