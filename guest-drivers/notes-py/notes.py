"""The moments of notes-py, carried out: lists a directory, copies it into entries, and brings it back to what they hold."""

import os
import re
import stat

from wit_world.exports.moments import Extra
from wit_world.imports import archive, control
from wit_world.imports.types import ErrorKind, Timestamp

from failure import failure, os_failure

PAGE = 500
# The entry that `generate` makes, and the attribute by which a restore knows it again.
GENERATED = "generated.txt"
GENERATED_KEY = "generated"
# 64 bytes, which repeat.
LINE = b"A note that nobody wrote: it is here to see how much is carried\n"
# What a restore names a file before it is whole.
TEMPORARY = re.compile(r"\.dr-host-[0-9a-f]{16}\.tmp")


def check_cancelled():
    if control.cancelled():
        raise failure(ErrorKind.CANCELLED, "cancelled")


def walk(directory, above=""):
    """Names and status of all regular files below a directory, each directory's in their order."""
    check_cancelled()
    path = os.path.join(directory, above)
    try:
        leaves = sorted(os.listdir(path))
    except OSError as why:
        raise os_failure("read the directory", path, why)
    for leaf in leaves:
        name = above + leaf
        try:
            status = os.lstat(os.path.join(directory, name))
        except FileNotFoundError:
            # Gone between the listing of its directory and now: it never was in the inventory.
            continue
        except OSError as why:
            raise os_failure("look at", name, why)
        if stat.S_ISDIR(status.st_mode):
            yield from walk(directory, name + "/")
        elif stat.S_ISREG(status.st_mode):
            yield name, status


def is_temporary(name):
    return TEMPORARY.fullmatch(name.rpartition("/")[2]) is not None


def can_be_named(name):
    """Whether an entry can bear this name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\\" not in name


def stamp(status):
    return status.st_size, status.st_mtime_ns


def listed(directory):
    """What a dump copies: names, and what tells that a file changed."""
    found = [(name, stamp(status)) for name, status in walk(directory) if not is_temporary(name)]
    odd = [("name", name.encode(errors="backslashreplace").decode()) for name, _ in found if not can_be_named(name)]
    if odd:
        message = f"{len(odd)} files have names that an archive's entry cannot have: with a backslash, or not UTF-8"
        raise failure(ErrorKind.UNSUPPORTED, message, hint="rename them", context=odd[:10])
    return found


def dump(config, notes, into):
    for number, (name, seen) in enumerate(notes):
        check_cancelled()
        dump_note(config, name, seen, into)
        control.progress(number + 1, len(notes), control.Unit.ENTRIES)
    if config["generate"] > 0:
        generate(config, into)


def dump_note(config, name, seen, into):
    try:
        file = open(os.path.join(config["directory"], name), "rb", buffering=0)
    except FileNotFoundError:
        control.finding(control.FindingKind.VANISHED, name, "it was gone when it was to be copied")
        return
    except OSError as why:
        raise os_failure("read", name, why)
    with file:
        before = os.fstat(file.fileno())
        modified = Timestamp(before.st_mtime_ns // 1_000_000_000, before.st_mtime_ns % 1_000_000_000)
        with into.create(archive.Entry(name, modified, [])) as entry:
            for chunk in chunks(file, name, config["chunk"]):
                entry.write(chunk)
            entry.finish()
        if not stamp(before) == stamp(os.fstat(file.fileno())) == seen:
            control.finding(control.FindingKind.CHANGED, name, "it changed after it was listed")


def chunks(file, name, size):
    while True:
        try:
            chunk = file.read(size)
        except OSError as why:
            raise os_failure("read", name, why)
        if not chunk:
            return
        yield chunk


def pattern(size):
    """`size` bytes of what is made up, and 64 more, so that any offset can be compared."""
    return LINE * (size // 64 + 2)


def generate(config, into):
    made, size, left = pattern(config["chunk"]), config["chunk"], config["generate"]
    whole = made[:size] if size % 64 == 0 else None
    offset = 0
    with into.create(archive.Entry(GENERATED, None, [(GENERATED_KEY, "true")])) as entry:
        while left > 0:
            now = min(size, left)
            at = offset % 64
            entry.write(whole if whole is not None and now == size else made[at : at + now])
            offset += now
            left -= now
        entry.finish()


def each_entry(source):
    with source.entries() as entries:
        while page := entries.next(PAGE):
            for info in page:
                check_cancelled()
                yield info


def is_generated(info):
    return any(key == GENERATED_KEY for key, _ in info.entry.attributes)


def can_be_held(name):
    """Whether a directory can hold a file of this name, and a dump can take it again."""
    segments = name.split("/")
    return "\0" not in name and "\\" not in name and all(
        segment not in ("", ".", "..") and len(segment.encode()) <= 255 for segment in segments
    )


def above(name):
    """The directories above a name."""
    at = name.rfind("/")
    while at >= 0:
        yield name[:at]
        at = name.rfind("/", 0, at)


def shown(name):
    """A name for people: control characters are escaped, as the host escapes them."""
    known = {"\t": "\\t", "\r": "\\r", "\n": "\\n"}
    return "".join(known.get(c, f"\\u{{{ord(c):x}}}") if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in name)


def refuse(kind, message, key, names, hint=None):
    told = [(key, shown(name)) for name in sorted(names)[:10]]
    raise failure(kind, f"{message} ({len(names)})", hint=hint, untouched=True, context=told)


def check_restore(config, extra, source):
    """Checks a restore. Gives what is deleted before it."""
    files, directories, odd = set(), set(), set()
    for info in each_entry(source):
        name = info.entry.name
        if is_generated(info):
            continue
        if not can_be_held(name) or name in files:
            odd.add(name)
        files.add(name)
        directories.update(above(name))
    odd |= files & directories
    if odd:
        refuse(ErrorKind.UNSUPPORTED, "the archive holds names that a directory cannot hold, alone or beside others", "name", odd)
    there = [name for name, _ in walk(config["directory"])] if os.path.lexists(config["directory"]) else []
    leftovers = [name for name in there if is_temporary(name)]
    extras = [name for name in there if name not in files and not is_temporary(name)]
    if extra == Extra.DELETE:
        return leftovers + extras
    in_the_way = {name for name in extras if name in directories or any(directory in files for directory in above(name))}
    if in_the_way:
        hint = "move them away, or let `--extra delete` delete them"
        refuse(ErrorKind.OTHER, "the target holds files in the way of what the archive holds", "in the way", in_the_way, hint)
    if extras and extra == Extra.REFUSE:
        hint = "`--extra keep` leaves such files where they are, `--extra delete` deletes them"
        refuse(ErrorKind.OTHER, "the target holds files that the archive lacks", "extra", extras, hint)
    return leftovers


def restore(config, doomed, source):
    """Restores all entries. Gives how many files were written."""
    for name in doomed:
        delete(config["directory"], name)
    written, total = 0, source.totals().entries
    for number, info in enumerate(each_entry(source)):
        with source.open(info.entry.name) as entry:
            if is_generated(info):
                compare_generated(config, entry)
            else:
                put_note(config, info.entry, entry)
                written += 1
        control.progress(number + 1, total, control.Unit.ENTRIES)
    return written


def delete(directory, name):
    try:
        os.remove(os.path.join(directory, name))
    except FileNotFoundError:
        pass
    except OSError as why:
        raise os_failure("delete", name, why)
    for emptied in above(name):
        try:
            os.rmdir(os.path.join(directory, emptied))
        except OSError:
            return


def put_note(config, entry, content):
    path = os.path.join(config["directory"], entry.name)
    temporary = os.path.join(os.path.dirname(path), f".dr-host-{os.urandom(8).hex()}.tmp")
    try:
        # Nothing is granted above the directory, so that `makedirs` must not go and look there.
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "xb", buffering=0) as file:
            try:
                while (chunk := content.read(config["chunk"])) is not None:
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[file.write(rest) :]
                if entry.modified is not None:
                    set_modified(temporary, entry.modified)
                os.rename(temporary, path)
            except BaseException:
                os.remove(temporary)
                raise
    except OSError as why:
        raise os_failure("write", entry.name, why)


def set_modified(path, modified):
    nanoseconds = modified.seconds * 1_000_000_000 + modified.nanoseconds
    os.utime(path, ns=(nanoseconds, nanoseconds))


def compare_generated(config, entry):
    made, offset = pattern(config["chunk"]), 0
    while (chunk := entry.read(config["chunk"])) is not None:
        at = offset % 64
        if made[at : at + len(chunk)] != chunk:
            raise failure(ErrorKind.CORRUPT, f"`{GENERATED}` is not what the dump made up")
        offset += len(chunk)
