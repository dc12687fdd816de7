#!/usr/bin/env python3
"""Turns the compact text form of an OCSF version into a C++ header of constexpr tables.

usage: generate.py ocsf-1.8.0.txt v1_8_0.hpp
"""
import sys

INTEGER, LONG = {"integer_t", "port_t"}, {"long_t", "timestamp_t"}
KINDS = {"boolean_t": "boolean", "float_t": "floating", "json_t": "json", "object": "json"}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text):
    return "{" + quoted(text) + f", {len(text.encode())}" + "}"


def read(path):
    version, types, owners = "", {}, []
    with open(path, encoding="utf-8") as file:
        lines = file.readlines()
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith("    "):
            value, caption = line.strip().split(" ", 1)
            owners[-1]["attributes"][-1]["enum"].append((int(value), caption))
        elif line.startswith("  "):
            words = line.split()
            flags = dict(w.split("=", 1) if "=" in w else (w, "") for w in words[2:])
            array = words[0].endswith("[]")
            name = words[0][:-2] if array else words[0]
            owners[-1]["attributes"].append({"name": name, "array": array, "type": words[1], "flags": flags, "enum": []})
        elif line.startswith("version "):
            version = line.split()[1]
        elif line.startswith("type "):
            _, name, base = line.split()
            types[name] = base
        elif line.startswith("object "):
            words = line.split()
            owners.append({"kind": "object", "name": words[1], "deprecated": "deprecated" in words, "constraints": {}, "attributes": []})
        elif line.startswith("constraint "):
            _, rule, *names = line.split()
            owners[-1]["constraints"][rule] = names
        elif line.startswith("class "):
            head, caption, category = line.split(" | ")
            words = head.split()
            owners.append({"kind": "class", "name": words[1], "uid": int(words[2]), "category_uid": int(words[3]),
                           "deprecated": "deprecated" in words, "caption": caption, "category": category, "constraints": {},
                           "attributes": []})
        elif line:
            sys.exit(f"{path}: a line that begins with no known word: {line}")
    return version, types, owners


def main():
    version, types, owners = read(sys.argv[1])
    objects = [o for o in owners if o["kind"] == "object"]
    classes = [o for o in owners if o["kind"] == "class"]
    index = {o["name"]: i for i, o in enumerate(objects)}

    def kind(a):
        t = a["type"]
        if "object" in a["flags"]:
            return "object"
        base = types.get(t, t)
        for name, word in ((INTEGER, "integer"), (LONG, "long_integer")):
            if t in name or base in name:
                return word
        return KINDS.get(t) or KINDS.get(base) or "text"

    members, enums, attributes, constraint_names = [], {}, [], []
    for owner in objects + classes:
        owner["first"] = len(attributes)
        rules = [owner["constraints"].get(rule, []) for rule in ("at_least_one", "just_one")]
        owner["rules"] = f"{len(constraint_names)}, {len(rules[0])}, {len(rules[1])}"
        constraint_names += rules[0] + rules[1]
        names = [a["name"] for a in owner["attributes"]]
        if names != sorted(names):
            sys.exit(f"the attributes of {owner['name']} are not in order, which the lookup needs")
        for a in owner["attributes"]:
            key = tuple(a["enum"])
            if key not in enums:
                enums[key] = len(members)
                members += a["enum"]
            f = a["flags"]
            sibling = owner["first"] + names.index(f["caption"]) if "caption" in f else -1
            requirement = "required" if "required" in f else "recommended" if "recommended" in f else "optional"
            attributes.append(f'{{{literal(a["name"])}, {literal(a["type"])}, {literal(f.get("profile", ""))}, {enums[key]}, {len(key)}, '
                              f'{index[a["type"]] if "object" in f else -1}, {sibling}, {f.get("observable", 0)}, Kind::{kind(a)}, '
                              f'Requirement::{requirement}, {str(a["array"]).lower()}, {str("deprecated" in f).lower()}}}')

    if len(attributes) > 32767 or len(constraint_names) > 65535:
        sys.exit("the tables outgrow their 16-bit indices")

    short = "v" + "_".join(version.split(".")[:2])
    out = [f"// OCSF {version}. Made by sdk/ocsf/generate.py; do not edit.", "#pragma once", "",
           "#include <logmill/ocsf/catalogue.hpp>", "", f"namespace lm::ocsf::{short} {{", "namespace tables {"]
    out.append("inline constexpr EnumMember members[] = {" + ", ".join(f"{{{v}, {quoted(c)}}}" for v, c in members) + "};")
    out.append("inline constexpr Attribute attributes[] = {\n" + ",\n".join(attributes) + "};")
    for o in objects + classes:
        o["common"] = f'{o["first"]}, {len(o["attributes"])}, {o["rules"]}, {str(o["deprecated"]).lower()}'
    out.append("inline constexpr Object objects[] = {\n" + ",\n".join(f'{{{quoted(o["name"])}, {o["common"]}}}' for o in objects) + "};")
    out.append("inline constexpr Class classes[] = {\n" + ",\n".join(
        f'{{{quoted(c["name"])}, {quoted(c["caption"])}, {quoted(c["category"])}, {c["uid"]}, {c["category_uid"]}, {c["common"]}}}'
        for c in classes) + "};")
    out.append("inline constexpr std::string_view names[] = {" + ", ".join(quoted(n) for n in constraint_names) + "};")
    out.append("}  // namespace tables")
    spans = ", ".join("tables::" + table for table in ("classes", "objects", "attributes", "members", "names"))
    out.append(f"inline constexpr Catalogue catalogue{{{quoted(version)}, {spans}}};")
    out += [f'inline constexpr ClassId {c["name"].replace("/", "_")}{{{c["uid"]}}};' for c in classes]
    out.append(f"}}  // namespace lm::ocsf::{short}")
    with open(sys.argv[2], "w", encoding="utf-8") as header:
        header.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
