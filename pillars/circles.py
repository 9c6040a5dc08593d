#!/usr/bin/env python3
"""Fails if modules that lie beside each other, at any depth of the pillars or of the service, import each other in a circle.

A `pub use` passes a name on: whoever takes that name imports the module that it is from. What a module takes of those around
it, which may use it, is no circle here. Tests are left out.
"""
import graphlib, pathlib, re, sys

USE = re.compile(r"\b(pub(?:\([^)]*\))? )?use ([^;]+);")
PATH = re.compile(r"\b(?:\w+::)+\w+")
DEFINED = re.compile(r"\b(?:fn|struct|enum|trait|type|const|static|union) (\w+)")
HERE = "self"


def leaves(tree):
    """`a::{b, c::d as e}` as the pairs (`a::b`, `b`) and (`a::c::d`, `e`)."""
    while inner := re.search(r"([\w:]*)\{([^{}]*)\}", tree):
        parts = [part.strip() for part in inner[2].split(",") if part.strip()]
        tree = tree.replace(inner[0], ",".join(inner[1] + part for part in parts))
    pairs = [leaf.strip().partition(" as ") for leaf in tree.split(",")]
    return [(path, name or path.rsplit("::", 1)[-1]) for path, _, name in pairs]


def read(root):
    """The code of each module of a crate, by its path."""
    files = {file.relative_to(root.parent).with_suffix("").parts: file for file in root.parent.rglob("*.rs")}
    files = {at: file for at, file in files.items() if at not in [("lib",), ("main",)] and at[-1] != "tests"} | {(): root}
    return {at: re.sub(r"//.*", "", file.read_text().split("#[cfg(test)]\nmod tests")[0]) for at, file in files.items()}


def find(names, at, path, hops=0):
    """The module that holds what `path` names in the module `at`; none if that is in no module of the crate."""
    first, _, rest = path.partition("::")
    inside = {"crate": (), "self": at, "super": at[:-1]}.get(first, (*at, first))
    if inside in names:
        return find(names, inside, rest, hops) if rest else inside
    meant = names[at].get(first)
    if meant in (HERE, None, path) or hops > 9:
        return at if meant == HERE else None
    return find(names, at, meant, hops + 1)


def neighbours(modules):
    """Which modules each one takes something of: those two around both that lie beside each other."""
    names = {at: {name: path for _, tree in USE.findall(code) for path, name in leaves(tree)} for at, code in modules.items()}
    for at, code in modules.items():
        names[at] |= dict.fromkeys(DEFINED.findall(code), HERE)
    graph = {}
    for at, code in modules.items():
        taken = [path for public, tree in USE.findall(code) if not public for path, _ in leaves(tree)]
        for path in taken + PATH.findall(USE.sub("", code)):
            found = find(names, at, path) or ()
            for depth in [depth for depth, (one, other) in enumerate(zip(at, found)) if one != other][:1]:
                graph.setdefault("::".join(at[: depth + 1]), set()).add("::".join(found[: depth + 1]))
    return graph


for crate in sys.argv[1:] or ["pillars/src/lib.rs", "service/src/lib.rs", "service/flaws/main.rs"]:
    graph = neighbours(read(pathlib.Path(crate)))
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        sys.exit(f"{crate}: {' <- '.join(error.args[1])}")
    print(f"{crate}: no circle in {sum(map(len, graph.values()))} imports between neighbours")
