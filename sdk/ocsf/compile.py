#!/usr/bin/env python3
"""Compiles an OCSF schema (resolved JSON: classes, objects, types) into logmill's compact text form.

usage: compile.py ocsf-1.8.0.json > ocsf-1.8.0.txt
       compile.py ocsf-1.8.0.json --check ocsf-1.8.0.txt      exits 1 if the text is not what the schema gives

It adds what the resolved JSON lacks: the names of the categories, and which attributes are observables. README.md says what the lines mean.
"""
import json
import sys

CATEGORIES = {0: "Uncategorized", 1: "System Activity", 2: "Findings", 3: "Identity & Access Management", 4: "Network Activity",
              5: "Discovery", 6: "Application Activity", 7: "Remediation", 8: "Unmanned Systems"}

# Which attributes are observables, as observable.type_id. The resolved JSON does not say; ocsf/ocsf-schema does: `observable` in
# dictionary.json (types and attributes) and in objects/*.json, and "Observables" in CHANGELOG.md up to 1.8.0. Where several hold, the
# most general one counts: type, then name, then member ("Defining and Using Observables" of ocsf/ocsf-docs). README.md says what is left
# out.
OBSERVABLE_TYPES = {"hostname_t": 1, "ip_t": 2, "mac_t": 3, "username_t": 4, "email_t": 5, "url_t": 6, "file_name_t": 7, "file_hash_t": 8,
                    "process_name_t": 9, "resource_uid_t": 10, "subnet_t": 12, "file_path_t": 45, "reg_key_path_t": 46}
OBSERVABLE_NAMES = {"cmd_line": 13, "country": 14, "user_agent": 16, "credential_uid": 19, "serial_number": 37, "message_uid": 42}
OBSERVABLE_MEMBERS = {
    ("cwe", "uid"): 17, ("cve", "uid"): 18, ("user", "uid"): 31, ("group", "name"): 32, ("group", "uid"): 33, ("account", "name"): 34,
    ("account", "uid"): 35, ("resource_details", "name"): 38, ("process_entity", "uid"): 39, ("email", "subject"): 40, ("email", "uid"): 41,
    ("reg_value", "name"): 43, ("advisory", "uid"): 44, ("device", "uid"): 47, ("network_endpoint", "uid"): 48,
    # Objects that extend one of the above inherit its observables.
    ("databucket", "name"): 38, ("process", "uid"): 39, ("network_proxy", "uid"): 48,
    # Not marked by OCSF, but the successor of the deprecated user.credential_uid: the same key ids would be lost to a search.
    ("programmatic_credential", "uid"): 19}

# The version that events are made in: nobody looks for observables in the tables of another.
MADE_IN = "1.8.0"

# logmill's one extension of OCSF: where in which object an event was read.
LINEAGE = {"uri": "string_t", "etag": "string_t", "offset": "long_t", "length": "long_t", "record": "long_t", "item": "integer_t",
           "parser": "string_t"}


# What a class says of itself in numbers, and where the caption of the number stands.
CLASS_CAPTIONS = {"class_uid": "class_name", "category_uid": "category_name", "type_uid": "type_name"}


def sibling(name, attributes, in_class):
    """The attribute that holds the caption of an id."""
    if in_class and name in CLASS_CAPTIONS:
        return CLASS_CAPTIONS[name]
    if "enum" not in attributes[name]:
        return None
    other = "activity_name" if name == "activity_id" else name[:-3] if name.endswith("_id") else None
    ok = other in attributes and attributes[other]["type"] == "string_t" and not attributes[other].get("array")
    return other if ok else None


def constraint_lines(owner):
    return [f"constraint {rule} {' '.join(names)}" for rule, names in sorted(owner.get("constraints", {}).items())]


def attribute_lines(owner, name, a, attributes, version, in_class=False):
    words = [("  " + name + ("[]" if a.get("array") else "")), a["type"]]
    if a.get("object") and a["type"] != "object":
        words.append("object")
    if a.get("requirement", "optional") != "optional":
        words.append(a["requirement"])
    if a.get("profile"):
        words.append("profile=" + a["profile"])
    if a.get("deprecated"):
        words.append("deprecated")
    observable = OBSERVABLE_TYPES.get(a["type"]) or OBSERVABLE_NAMES.get(name) or OBSERVABLE_MEMBERS.get((owner, name))
    if observable and not a.get("object") and version == MADE_IN:
        words.append(f"observable={observable}")
    caption = sibling(name, attributes, in_class)
    if caption:
        words.append("caption=" + caption)
    lines = [" ".join(words)]
    enum = a.get("enum", {})
    if all(k.lstrip("-").isdigit() for k in enum):
        lines += [f"    {k} {enum[k]}" for k in sorted(enum, key=int)]
    return lines


def main():
    schema = json.load(open(sys.argv[1], encoding="utf-8"))
    out = [f"version {schema['version']}"]
    for name, base in sorted(schema["types"].items()):
        out.append(f"type {name} {base}")
    objects = dict(schema["objects"])
    objects["lineage"] = {"attributes": {k: {"type": t, "requirement": "optional"} for k, t in LINEAGE.items()}}
    for name, o in sorted(objects.items()):
        out.append(f"object {name}{' deprecated' if o.get('deprecated') else ''}")
        out += constraint_lines(o)
        for k, a in sorted(o["attributes"].items()):
            out += attribute_lines(name, k, a, o["attributes"], schema["version"])
    for name, c in sorted(schema["classes"].items(), key=lambda item: item[1]["uid"]):
        category = CATEGORIES[c["category_uid"]]
        deprecated = "deprecated " if c.get("deprecated") else ""
        out.append(f"class {name} {c['uid']} {c['category_uid']} {deprecated}| {c['caption']} | {category}")
        out += constraint_lines(c)
        attributes = dict(c["attributes"])
        attributes["lineage"] = {"type": "lineage", "object": True, "requirement": "optional"}
        for k, a in sorted(attributes.items()):
            out += attribute_lines(name, k, a, attributes, schema["version"], True)
    text = "\n".join(out) + "\n"
    if sys.argv[2:3] != ["--check"]:
        sys.stdout.write(text)
    elif open(sys.argv[3], encoding="utf-8").read() != text:
        sys.exit(f"{sys.argv[3]} is not what {sys.argv[1]} gives: run compile.py again")


main()
