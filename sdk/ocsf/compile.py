#!/usr/bin/env python3
"""Compiles an OCSF schema (resolved JSON: classes, objects, types) into logmill's compact text form.

usage: compile.py ocsf-1.8.0.json > ocsf-1.8.0.txt

It adds what the resolved JSON lacks: the names of the categories, and which attributes are observables. README.md says what the lines mean.
"""
import json
import sys

CATEGORIES = {0: "Uncategorized", 1: "System Activity", 2: "Findings", 3: "Identity & Access Management", 4: "Network Activity", 5: "Discovery",
              6: "Application Activity", 7: "Remediation", 8: "Unmanned Systems"}

# observable.type_id by the type of an attribute, and by object and attribute (OCSF dictionary types and objects marked "observable").
# Ports (11) and process ids (15) are left out: as a value to look for they select nothing.
OBSERVABLE_TYPES = {"hostname_t": 1, "ip_t": 2, "mac_t": 3, "username_t": 4, "email_t": 5, "url_t": 6, "file_name_t": 7, "file_hash_t": 8,
                    "process_name_t": 9, "resource_uid_t": 10, "subnet_t": 12, "file_path_t": 45, "reg_key_path_t": 46}
OBSERVABLE_NAMES = {"cmd_line": 13, "country": 14, "user_agent": 16, "script_content": 36}
OBSERVABLE_MEMBERS = {("cwe", "uid"): 17, ("cve", "uid"): 18, ("user", "credential_uid"): 19, ("session", "credential_uid"): 19,
                      ("programmatic_credential", "uid"): 19, ("fingerprint", "value"): 30, ("user", "uid"): 31, ("group", "name"): 32,
                      ("group", "uid"): 33, ("account", "name"): 34, ("account", "uid"): 35, ("resource_details", "uid"): 10}

# logmill's one extension of OCSF: where in which object an event was read.
LINEAGE = {"uri": "string_t", "etag": "string_t", "offset": "long_t", "length": "long_t", "record": "long_t", "item": "integer_t", "parser": "string_t"}


def sibling(name, attributes):
    """The attribute that holds the caption of an id."""
    special = {"activity_id": "activity_name", "class_uid": "class_name", "category_uid": "category_name", "type_uid": "type_name"}
    other = special.get(name) or (name[:-3] if name.endswith("_id") else None)
    ok = other in attributes and attributes[other]["type"] == "string_t" and not attributes[other].get("array")
    return other if ok else None


def attribute_line(owner, name, a, attributes):
    words = [("  " + name + ("[]" if a.get("array") else "")), a["type"]]
    if a.get("object") and a["type"] != "object":
        words.append("object")
    if a["requirement"] != "optional":
        words.append(a["requirement"])
    if a.get("profile"):
        words.append("profile=" + a["profile"])
    if a.get("deprecated"):
        words.append("deprecated")
    observable = OBSERVABLE_MEMBERS.get((owner, name)) or OBSERVABLE_TYPES.get(a["type"]) or OBSERVABLE_NAMES.get(name)
    if observable and not a.get("object"):
        words.append(f"observable={observable}")
    if "enum" in a and sibling(name, attributes):
        words.append("caption=" + sibling(name, attributes))
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
        out.append(f"object {name}")
        for k, a in sorted(o["attributes"].items()):
            out += attribute_line(name, k, a, o["attributes"])
    for name, c in sorted(schema["classes"].items(), key=lambda item: item[1]["uid"]):
        category = CATEGORIES[c["category_uid"]]
        out.append(f"class {name} {c['uid']} {c['category_uid']} {'deprecated ' if c.get('deprecated') else ''}| {c['caption']} | {category}")
        attributes = dict(c["attributes"])
        attributes["lineage"] = {"type": "lineage", "object": True, "requirement": "optional"}
        for k, a in sorted(attributes.items()):
            out += attribute_line(name, k, a, attributes)
    print("\n".join(out))


main()
