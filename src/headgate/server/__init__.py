"""Headgate over HTTP: one ASGI application for imports, runs, webhooks and what watches over them.

    app.py        puts the parts together
    context.py    what all parts share
    problems.py   every error as RFC 9457 problem details
    access.py     who may do what

A part is a module with ``routes()``; what goes on beside requests (a worker, triggers) is a `Component`.
"""
