#!/usr/bin/env python3
"""Turns the compact text form of an OCSF version into a C++ header of constexpr tables.

usage: generate.py ocsf-1.8.0.txt > v1_8_0.hpp
"""
import sys

INTEGER, LONG = {"integer_t", "port_t"}, {"long_t", "timestamp_t"}
KINDS = {"boolean_t": "boolean", "float_t": "floating", "json_t": "json", "object": "json"}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read(path):
    version, types, owners = "", {}, []
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("    "):
            value, caption = line.strip().split(" ", 1)
            owners[-1]["attributes"][-1]["enum"].append((int(value), caption))
        elif line.startswith("  "):
            words = line.split()
            flags = dict(w.split("=", 1) if "=" in w else (w, "") for w in words[2:])
            array = words[0].endswith("[]")
            owners[-1]["attributes"].append({"name": words[0][:-2] if array else words[0], "array": array, "type": words[1], "flags": flags, "enum": []})
        elif line.startswith("version "):
            version = line.split()[1]
        elif line.startswith("type "):
            _, name, base = line.split()
            types[name] = base
        elif line.startswith("object "):
            owners.append({"kind": "object", "name": line.split()[1], "attributes": []})
        elif line.startswith("class "):
            head, caption, category = line.split(" | ")
            words = head.split()
            owners.append({"kind": "class", "name": words[1], "uid": int(words[2]), "category_uid": int(words[3]), "deprecated": "deprecated" in words,
                           "caption": caption, "category": category, "attributes": []})
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

    members, enums, attributes = [], {}, []
    for owner in objects + classes:
        owner["first"] = len(attributes)
        names = [a["name"] for a in owner["attributes"]]
        for i, a in enumerate(owner["attributes"]):
            key = tuple(a["enum"])
            if key not in enums:
                enums[key] = len(members)
                members += a["enum"]
            f = a["flags"]
            sibling = names.index(f["caption"]) - i if "caption" in f else 0
            requirement = "required" if "required" in f else "recommended" if "recommended" in f else "optional"
            attributes.append(f'{{{quoted(a["name"])}, {quoted(a["type"])}, {quoted(f.get("profile", ""))}, {enums[key]}, {len(key)}, '
                              f'{index[a["type"]] if "object" in f else -1}, {sibling}, {f.get("observable", 0)}, Kind::{kind(a)}, '
                              f'Requirement::{requirement}, {str(a["array"]).lower()}, {str("deprecated" in f).lower()}}}')

    short = "v" + "_".join(version.split(".")[:2])
    out = [f"// OCSF {version}. Made by sdk/ocsf/generate.py; do not edit.", "#pragma once", "", "#include <logmill/ocsf/catalogue.hpp>", "",
           f"namespace lm::ocsf::{short} {{", "namespace tables {"]
    out.append("inline constexpr EnumMember members[] = {" + ", ".join(f"{{{v}, {quoted(c)}}}" for v, c in members) + "};")
    out.append("inline constexpr Attribute attributes[] = {\n" + ",\n".join(attributes) + "};")
    out.append("inline constexpr Object objects[] = {\n" + ",\n".join(f'{{{quoted(o["name"])}, {o["first"]}, {len(o["attributes"])}}}' for o in objects) + "};")
    out.append("inline constexpr Class classes[] = {\n" + ",\n".join(
        f'{{{quoted(c["name"])}, {quoted(c["caption"])}, {quoted(c["category"])}, {c["uid"]}, {c["category_uid"]}, {c["first"]}, {len(c["attributes"])}, '
        f'{str(c["deprecated"]).lower()}}}' for c in classes) + "};")
    out.append("}  // namespace tables")
    out.append(f"inline constexpr Catalogue catalogue{{{quoted(version)}, tables::classes, tables::objects, tables::attributes, tables::members}};")
    out += [f'inline constexpr ClassId {c["name"].replace("/", "_")}{{{c["uid"]}}};' for c in classes]
    out.append(f"}}  // namespace lm::ocsf::{short}")
    print("\n".join(out))


main()
