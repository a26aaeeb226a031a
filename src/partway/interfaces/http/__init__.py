"""The HTTP server: native API, compatible APIs and the page, on one executor.

app.py        the application: routes, life and middleware
security.py   who may ask: Host, Origin, key, content types; headers of answers
limits.py     how much may be sent, and how slowly
idempotency.py  a request sent again is not computed again
errors.py     typed errors as status codes and JSON
uploads.py    forms and JSON → EditRequest
service.py    check, submit, wait: what every API does with a request
jobs.py       jobs: their facts, their events, how long they are kept
results.py    a result as a file
native.py     /v1/edits, /v1/sweeps, /v1/jobs
about.py      /v1/plan, /v1/models, /v1/styles, /v1/examples, /v1/inspect
sdapi*.py     /sdapi/v1, AUTOMATIC1111's API
openai_*.py   /v1/images, OpenAI's API
fitting.py    a source at the size a client asks for
health.py     /health/live, /health/ready, /metrics
running.py    `partway serve`: sockets, signals, graceful stop
"""
