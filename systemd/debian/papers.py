"""Writes what the package says of its parts.

papers.py copyright METADATA        Debian's copyright file, on standard output
papers.py licences METADATA NOTICES  the licence texts of all crates that are linked, and of
                                    what else is in the package, from the folder NOTICES
papers.py traces NOTICE LIBRARY ARCH fails where a part that NOTICE names is not in LIBRARY
papers.py sbom SBOM METADATA ROOT EPOCH [NAME VERSION FILE URL].. completes cargo cyclonedx's file

METADATA is what "cargo metadata" says for the target.
"""

import datetime
import hashlib
import json
import os
import re
import sys
import uuid

FILES = re.compile(r"(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


def linked(metadata):
    """The crates that are in the program: neither macros, build scripts nor tests."""
    with open(metadata, encoding="utf-8") as file:
        read = json.load(file)
    packages = {package["id"]: package for package in read["packages"]}
    nodes = {node["id"]: node for node in read["resolve"]["nodes"]}
    members = set(read["workspace_members"])
    waiting = [key for key in members if packages[key]["name"] == "signpost"]
    found = {}
    while waiting:
        key = waiting.pop()
        package = packages[key]
        macro = any("proc-macro" in target["kind"] for target in package["targets"])
        if key in found or macro:
            continue
        found[key] = package
        for dependency in nodes[key]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    crates = [package for key, package in found.items() if key not in members]
    return sorted(crates, key=lambda package: (package["name"], package["version"]))


def texts(package):
    """Name and text of each licence file of a crate."""
    folder = os.path.dirname(package["manifest_path"])
    names = sorted(name for name in os.listdir(folder) if FILES.match(name))
    paths = [os.path.join(folder, name) for name in names]
    found = []
    for path in paths:
        if os.path.isdir(path):
            paths.extend(sorted(os.path.join(path, name) for name in os.listdir(path)))
        else:
            with open(path, encoding="utf-8", errors="replace") as file:
                found.append((os.path.basename(path), file.read().replace("\r\n", "\n").strip("\n")))
    if not found:
        sys.exit(f"{package['name']} {package['version']} has no licence text")
    return found


def copyright_file(metadata):
    print(
        """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: signpost
Comment: The program is linked from crates, each under a licence of its own. They are
 listed below; their licence texts and copyright lines are in third-party.txt.gz
 beside this file. A crate's source, also of those under MPL-2.0, is published in
 Rust's registry under its name and version.

Files: *
Copyright: 2026 the signpost maintainers
License: Apache-2.0

Files: usr/lib/signpost/libLiteRt.so
Copyright: The TensorFlow Authors and Google LLC
License: Apache-2.0
Comment: LiteRT 2.1.6, https://github.com/google-ai-edge/LiteRT, unmodified. What is
 linked into it, each part under a licence of its own, is in third-party.txt.gz.

Files: usr/share/signpost/models/hands/*
Copyright: The MediaPipe Authors and Google LLC
License: Apache-2.0
Comment: MediaPipe 0.10.21, https://github.com/google-ai-edge/mediapipe, unmodified."""
    )
    by_licence = {}
    for package in linked(metadata):
        if not package["license"]:
            sys.exit(f"{package['name']} names no licence")
        by_licence.setdefault(package["license"], []).append(package)
    print("\nFiles: usr/bin/signpost\nCopyright: 2026 the signpost maintainers and the crates' authors\nLicense: Apache-2.0")
    print("Comment: Linked into it, by the licence that they name:")
    for licence, packages in sorted(by_licence.items()):
        print(f" {licence}:")
        for package in packages:
            print(f"  {package['name']} {package['version']}")
    print(
        """\
 OFL-1.1:
  the letters of noto-sans-mono-bitmap: Noto Sans Mono, Copyright 2015 Google LLC and
  2022 The Noto Project Authors

License: Apache-2.0
 Licensed under the Apache License, Version 2.0. On Debian systems its text is in
 /usr/share/common-licenses/Apache-2.0."""
    )


def licences(metadata, notices):
    print("Crates that are linked into signpost, with their licence texts.\n")
    users = {}
    for package in linked(metadata):
        for name, text in texts(package):
            users.setdefault(text, []).append(f"{package['name']} {package['version']}: {name}")
    for text, names in users.items():
        print("=" * 78)
        print("\n".join(names))
        print("-" * 78)
        print(text + "\n")
    print("=" * 78)
    print("What is in the package beside these crates.\n")
    for name in sorted(os.listdir(notices)):
        with open(os.path.join(notices, name), encoding="utf-8") as file:
            print("=" * 78)
            print(file.read())


def traces(notice, library, arch):
    with open(notice, encoding="utf-8") as file:
        named = re.findall(r"\[trace(?: on (\w+))?: (.*)\]", file.read())
    with open(library, "rb") as file:
        content = file.read()
    gone = [trace for on, trace in named if on in ("", arch) and trace.encode() not in content]
    if gone or not named:
        sys.exit(f"{notice}: {library} has no trace of {gone}: look anew at what is linked into it")


def sbom(path, metadata, root, epoch, *parts):
    """Takes out this machine's folders and the tests' crates; adds what is no crate."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    read = json.loads(text.replace(f"path+file://{root}", "path+file:///signpost").replace(root, "/signpost"))
    names = {(package["name"], package["version"]) for package in linked(metadata)}
    read["components"] = [
        part for part in read["components"] if (part["name"], part["version"]) in names
    ]
    if len(read["components"]) != len(names):
        sys.exit(f"the list has {len(read['components'])} of {len(names)} linked crates")
    licence = [{"license": {"id": "Apache-2.0"}}]
    for name, version, file_name, url in zip(*[iter(parts)] * 4):
        with open(file_name, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        read["components"].append(
            {
                "type": "library" if name.endswith(".so") else "machine-learning-model",
                "bom-ref": f"file:{name}",
                "name": name,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": licence,
                "externalReferences": [{"type": "website", "url": url}],
            }
        )
    known = {part["bom-ref"] for part in read["components"]}
    known.add(read["metadata"]["component"]["bom-ref"])
    read["dependencies"] = [
        {**entry, "dependsOn": [name for name in entry.get("dependsOn", []) if name in known]}
        for entry in read["dependencies"]
        if entry["ref"] in known
    ]
    # The tool takes both from clock and chance.
    when = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc)
    read["metadata"]["timestamp"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    read.pop("serialNumber", None)
    content = json.dumps(read, sort_keys=True)
    read["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}"
    print(json.dumps(read, indent=1))


if __name__ == "__main__":
    {"copyright": copyright_file, "licences": licences, "traces": traces, "sbom": sbom}[sys.argv[1]](*sys.argv[2:])
