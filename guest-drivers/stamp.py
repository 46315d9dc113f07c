#!/usr/bin/env python3
"""From what a component was built: writes it into the component, and reads it back.

    stamp.py source NAME          the hash of a guest's source
    stamp.py contract             the hash of the contract
    stamp.py write FILE NAME      adds both to a component, as a custom section
    stamp.py check FILE NAME      fails unless the component was built from what stands here now

A custom section (WebAssembly core specification, 5.5.3) is legal at the end of a component and ignored by whoever runs it. Its name
is `dr-host:built-from`, its content one line of JSON. The contract's hash leaves comments out: they change no component.
"""

import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECTION = b"dr-host:built-from"
# What else belongs to the source of a guest in Rust.
SHARED = ["Cargo.toml", "Cargo.lock", "guest"]
NOT_SOURCE = {"README.md", "__pycache__", ".gitignore"}


def files_of(path):
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not NOT_SOURCE & set(file.relative_to(path).parts))


def source(name):
    parts = [name] + (SHARED if (HERE / name / "Cargo.toml").exists() else [])
    hashed = hashlib.sha256()
    for file in [file for part in parts for file in files_of(HERE / part)]:
        hashed.update(f"{file.relative_to(HERE).as_posix()}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return hashed.hexdigest()


def contract():
    lines = [line.strip() for file in files_of(HERE.parent / "wit") for line in file.read_text().splitlines()]
    kept = [line for line in lines if line and not line.startswith("//")]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def leb128(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def read_leb128(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return number, at


def built_from(name):
    return {"guest": name, "source": source(name), "contract": contract()}


def write(file, name):
    content = leb128(len(SECTION)) + SECTION + json.dumps(built_from(name)).encode()
    with open(file, "ab") as component:
        component.write(b"\0" + leb128(len(content)) + content)


def read(file):
    data, at = Path(file).read_bytes(), 8
    while at < len(data):
        kind = data[at]
        size, begin = read_leb128(data, at + 1)
        at = begin + size
        if kind == 0:
            length, begin = read_leb128(data, begin)
            if data[begin : begin + length] == SECTION:
                return json.loads(data[begin + length : at])
    return {}


def check(file, name):
    found, wanted = read(file), built_from(name)
    wrong = [key for key in wanted if found.get(key) != wanted[key]]
    if wrong:
        sys.exit(f"error: `{file}` was built from another {' and another '.join(wrong)}: run guest-drivers/build --keep, and commit it")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["source", name]:
            print(source(name))
        case ["contract"]:
            print(contract())
        case ["write", file, name]:
            write(file, name)
        case ["check", file, name]:
            check(file, name)
        case _:
            sys.exit(__doc__)
