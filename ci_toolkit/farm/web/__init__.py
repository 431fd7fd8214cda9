"""The farm's own web side: its API, its metrics and its pages, as a WSGI application that Twisted serves."""
