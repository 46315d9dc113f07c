"""notes-py: the files of a granted directory, in Python. What it says of itself, and its moments.

It is an example and a test of the contract: it keeps in memory what `before-dump` found, and its configuration can make any
moment fail with any kind of error, or let it write as much as is wanted. `notes` carries the moments out.
"""

import json
import time

from wit_world import exports
from wit_world.exports import moments
from wit_world.imports import types

import notes
from failure import failure

FORMAT = "notes/1"
MOMENTS = ["before-dump", "link-values", "dump", "after-dump", "before-restore", "restore", "after-restore"]
SCHEMA = {
    "type": "object",
    "properties": {
        "directory": {
            "type": "string",
            "pattern": "^/.",
            "description": "The directory, by the path under which it is granted: `/notes`.",
        },
        "chunk": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1048576,
            "default": 262144,
            "description": "How many bytes travel at once.",
        },
        "generate": {
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "For tests: one more entry of so many bytes, which the driver makes up.",
        },
        "fail": {
            "enum": [kind.name.lower().replace("_", "-") for kind in types.ErrorKind],
            "description": "For tests: the error that `fail_in` returns.",
        },
        "fail_in": {"enum": MOMENTS, "default": "dump", "description": "For tests: the moment that fails."},
    },
    "required": ["directory"],
    "additionalProperties": False,
}


def begin(context, moment):
    """The configuration of a moment, which fails where that says so."""
    config = {"chunk": 262144, "generate": 0, "fail_in": "dump", **json.loads(context.config)}
    if config.get("fail") is not None and config["fail_in"] == moment:
        kind = types.ErrorKind[config["fail"].upper().replace("-", "_")]
        raise failure(
            kind,
            f"`{moment}` fails with `{config['fail']}`, as the configuration says",
            hint="take `fail` out of the configuration",
            retryable=kind == types.ErrorKind.UNAVAILABLE,
            context=[("moment", moment)],
        )
    return config


class Memory:
    """What the moments leave to each other. The instance stays as it is between them, and so does what stands in a module; an object
    of `Moments` does not: componentize-py makes one for each call."""

    listed = None
    doomed = None


class Moments(exports.Moments):
    def describe(self):
        def need(capability, reason, optional):
            return moments.Need(capability, "/directory", reason, optional)

        return moments.Description(
            name="notes-py",
            version="0.1.0",
            summary="the files of a directory of notes",
            config_schema=json.dumps(SCHEMA),
            needs=[
                need(moments.Capability.READ_DIRECTORY, "to dump the notes in it", False),
                need(moments.Capability.WRITE_DIRECTORY, "to restore them", True),
            ],
            formats=[FORMAT],
            worth=moments.Worth.INTERVAL,
            has_columns=False,
            has_names=True,
        )

    def before_dump(self, context):
        config = begin(context, "before-dump")
        now = time.time_ns()
        Memory.listed = notes.listed(config["directory"])
        at = types.Timestamp(now // 1_000_000_000, now % 1_000_000_000)
        return moments.PointInTime(moments.Worth.INTERVAL, at, [])

    def link_values(self, context, column, into):
        with into:
            begin(context, "link-values")
            raise failure(types.ErrorKind.UNSUPPORTED, "notes have no columns for a link to start from")

    def dump(self, context, into):
        with into:
            config = begin(context, "dump")
            if Memory.listed is None:
                raise out_of_order("dump")
            notes.dump(config, Memory.listed, into)
            return moments.Outcome(FORMAT, [("notes", str(len(Memory.listed)))])

    def after_dump(self, context, ended):
        Memory.listed = None
        begin(context, "after-dump")

    def before_restore(self, context, source):
        with source:
            config = begin(context, "before-restore")
            Memory.doomed = notes.check_restore(config, context.extra, source)

    def restore(self, context, source):
        with source:
            config = begin(context, "restore")
            if Memory.doomed is None:
                raise out_of_order("restore")
            written = notes.restore(config, Memory.doomed, source)
            return moments.Outcome(FORMAT, [("written", str(written))])

    def after_restore(self, context, ended):
        Memory.doomed = None
        begin(context, "after-restore")


def out_of_order(moment):
    return failure(types.ErrorKind.OTHER, f"`{moment}` was called without the moment before it")
