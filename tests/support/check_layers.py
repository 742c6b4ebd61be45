#!/usr/bin/env python3
"""check_layers.py ROOT: every include points down the layers that CMakeLists.txt declares.

- A source of src/LAYER names files of its own layer and of the layers in oslo_layer(... DEPENDS).
- A driver (a folder of src/drivers) knows no other one.
- Public headers belong to a layer too (rpc/*, blocking.hpp, ...; all others are core) and name only
  public headers of their own or a lower layer, never a file of src/.
- core, wire and protocol are free of Asio; wire and protocol also of threads and clocks: bytes and
  time are handed to them.
- tools/, examples/ and python/ use what a user of the library can use: public headers. A tool names its own
  headers from its folder.
"""

import os
import re
import sys

PUBLIC = "oslo/messaging/"
# Public headers above core, by the first part of their path. The umbrella may name everything.
PUBLIC_LAYERS = {"rpc": "rpc", "notify": "notify", "blocking": "blocking", "fibers": "fibers", "testing": "testing"}
UMBRELLAS = {"messaging.hpp"}
# The loop of an application enters the library here, completions return to it, and coroutines are
# told from other handlers.
ASIO_BRIDGES = {"asio.hpp", "callable.hpp", "completion_home.hpp", "to_caller.hpp"}

ASIO = re.compile(r"^boost/asio(\.hpp|/)")
THREADS = {
    "thread",
    "mutex",
    "shared_mutex",
    "condition_variable",
    "future",
    "semaphore",
    "latch",
    "barrier",
    "stop_token",
    "pthread.h",
}
CLOCK = re.compile(
    r"\b(?:system_clock|steady_clock|high_resolution_clock|utc_clock|clock_type)\s*::\s*now\b"
    r"|\b(?:std::)?(?:clock_gettime|gettimeofday|sleep_for|sleep_until|this_thread)\b"
)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT = re.compile(r"//.*|/\*.*?\*/")
LAYER = re.compile(r"^\s*oslo_layer\(\s*(\w+)(?:\s+DEPENDS((?:\s+[a-z_]+)+))?", re.MULTILINE)
SOURCE_ENDINGS = (".hpp", ".cpp", ".h", ".c", ".ipp")


def read_layers(root):
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        found = LAYER.findall(file.read())
    return {name: set(depends.split()) for name, depends in found}


def sources(folder):
    for path, _, names in os.walk(folder):
        for name in sorted(names):
            if name.endswith(SOURCE_ENDINGS):
                yield os.path.join(path, name)


def public_layer(header):
    """The layer of a public header, given below oslo/messaging/; None for an umbrella."""
    if header in UMBRELLAS:
        return None
    first = header.split("/")[0].removesuffix(".hpp")
    return PUBLIC_LAYERS.get(first, "core")


def driver_of(path):
    """The driver whose folder a file is in, if any."""
    match = re.search(r"(?:^|/)drivers/(\w+)/", path)
    return match and match.group(1)


def file_findings(path, layer, layers, public):
    """Yields (line number, sentence). `layer` is None for code that may use any public header."""
    allowed = layers.get(layer, set()) | {layer} if layer else set(layers)
    pure = layer in ("core", "wire", "protocol") and os.path.basename(path) not in ASIO_BRIDGES
    sans_io = layer in ("wire", "protocol")
    folder = os.path.dirname(path)
    own_folders = [folder] if layer else [folder, os.path.dirname(folder)]
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if not match:
                if sans_io and CLOCK.search(COMMENT.sub("", line)):
                    yield number, f"{layer} must not look at a clock or wait"
                continue
            quote, name = match.groups()
            if pure and ASIO.match(name):
                yield number, f"{layer} must not include Asio ({name})"
            if sans_io and name in THREADS:
                yield number, f"{layer} must not use threads ({name})"
            if name.startswith(PUBLIC):
                other = public_layer(name.removeprefix(PUBLIC))
                if other is None and layer:
                    yield number, f"{layer} must not include the umbrella {name}"
                elif other and other not in allowed:
                    yield number, f"{layer} must not include {name}, which belongs to {other}"
                if quote == '"':
                    yield number, f"public headers are included as <{name}>"
            elif name.split("/")[0] in layers and "/" in name:
                other = name.split("/")[0]
                if public:
                    yield number, f"public code must not include {name}, which is internal"
                elif other not in allowed:
                    yield number, f"{layer} must not include {name}: {other} is not below it"
                elif driver_of(path) and driver_of(name) not in (None, driver_of(path)):
                    yield number, f"{driver_of(path)} must not include {name}, another driver's"
            elif (
                quote == '"'
                and public
                and not any(os.path.exists(os.path.join(folder, name)) for folder in own_folders)
            ):
                yield number, f"public code must not include {name}, which is internal"
            elif ".." in name.split("/"):
                yield number, f"includes name their layer, not a relative path ({name})"


def check(root):
    layers = read_layers(root)
    if not layers:
        return [f"{root}/CMakeLists.txt declares no layer"]
    findings = []

    def look_at(path, layer, public):
        for number, sentence in file_findings(path, layer, layers, public):
            findings.append(f"{os.path.relpath(path, root)}:{number}: {sentence}")

    source_root = os.path.join(root, "src")
    for entry in sorted(os.listdir(source_root)):
        if os.path.isdir(os.path.join(source_root, entry)):
            files = list(sources(os.path.join(source_root, entry)))
            if files and entry not in layers:
                findings.append(f"src/{entry}: CMakeLists.txt declares no such layer")
                continue
            for path in files:
                look_at(path, entry, False)
    include_root = os.path.join(root, "include", "oslo", "messaging")
    for path in sources(include_root):
        look_at(path, public_layer(os.path.relpath(path, include_root)), True)
    for folder in ("tools", "examples", "python"):
        for path in sources(os.path.join(root, folder)):
            look_at(path, None, True)
    return findings


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    findings = check(sys.argv[1])
    for finding in findings:
        print(finding)
    print(
        f"{len(findings)} includes against the layers." if findings else "All includes point down."
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
