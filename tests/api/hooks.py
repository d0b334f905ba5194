"""Bodies that are no JSON: schemathesis sends what it makes up as text."""

import os

import schemathesis

TYPES = [
    "application/sdp",
    "application/trickle-ice-sdpfrag",
    "application/x-pem-file",
    "application/x-tar",
]


def body(_context, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


for media_type in TYPES:
    schemathesis.serializer(media_type)(body)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Revokes every token that it finds but the one that it shows."""
    named = case.path_parameters or {}
    if named.get("name") == os.environ["SIGNPOST_OWN_TOKEN"]:
        named["name"] = "another"
