"""Judges events by the compact text of an OCSF version (sdk/ocsf): attributes, types, arity, enums, what is required, constraints. Standard library only.

    Judge("1.1.0").problems(event)  ->  ["resources: is no array", ...]
"""
import ipaddress
import pathlib
import sys

OCSF = pathlib.Path(__file__).resolve().parent.parent.parent / "sdk/ocsf"
sys.path.insert(0, str(OCSF))
import generate  # noqa: E402

TEXT, NUMBER = str, (int, float)


class Judge:
    def __init__(self, version: str):
        self.version, self.types, owners = generate.read(OCSF / f"ocsf-{version}.txt")
        for owner in owners:
            owner["by_name"] = {a["name"]: a for a in owner["attributes"]}
        self.objects = {o["name"]: o for o in owners if o["kind"] == "object"}
        self.classes = {o["uid"]: o for o in owners if o["kind"] == "class"}

    def problems(self, event: dict) -> list[str]:
        self.said = []
        kind = self.classes.get(event.get("class_uid"))
        if kind is None:
            return [f"class_uid: {event.get('class_uid')} is no class"]
        self.profiles = event.get("metadata", {}).get("profiles", [])
        self.members(kind, event, "")
        for name, wanted in (("category_uid", kind["category_uid"]), ("class_name", kind["caption"]), ("category_name", kind["category"]),
                             ("type_uid", kind["uid"] * 100 + event.get("activity_id", 0))):
            if event.get(name) != wanted:
                self.say(name, f"is {event.get(name)}, should be {wanted}")
        if event.get("metadata", {}).get("version") != self.version:
            self.say("metadata.version", "is another")
        known = {a["flags"].get("profile") for o in [*self.objects.values(), *self.classes.values()] for a in o["attributes"]} | {"datetime"}
        for profile in self.profiles:
            if profile not in known:
                self.say("metadata.profiles", f"{profile} is no profile of the version")
        return self.said

    def say(self, path: str, what: str) -> None:
        self.said.append(f"{path}: {what}")

    def members(self, owner: dict, value: dict, path: str) -> None:
        by_name = owner["by_name"]
        for name, inner in value.items():
            where = f"{path}.{name}" if path else name
            a = by_name.get(name)
            if a is None and name.endswith("_dt") and by_name.get(name[:-3], {}).get("type") == "timestamp_t":
                a = {"type": "datetime_t", "array": False, "flags": {}, "enum": []}
            if a is None:
                self.say(where, "is no attribute")
            elif a["array"] != isinstance(inner, list) and a["type"] != "json_t":
                self.say(where, "is no array" if a["array"] else "is an array")
            else:
                for one in inner if a["array"] else [inner]:
                    self.one(a, one, where)
        for a in owner["attributes"]:
            profile = a["flags"].get("profile")
            if "required" in a["flags"] and a["name"] not in value and (profile is None or profile in self.profiles):
                self.say(path or "(event)", f"lacks {a['name']}, which is required")
        some = owner["constraints"].get("at_least_one")
        if some and not any(self.there(value, name) for name in some):
            self.say(path or "(event)", f"has none of {' '.join(some)}")

    @staticmethod
    def there(value, name: str) -> bool:
        for step in name.split("."):
            if not isinstance(value, dict) or step not in value:
                return False
            value = value[step]
        return True

    def one(self, a: dict, value, where: str) -> None:
        if "object" in a["flags"]:
            if isinstance(value, dict):
                self.members(self.objects[a["type"]], value, where)
            else:
                self.say(where, "is no object")
            return
        base = self.types.get(a["type"], a["type"])
        if base in ("json_t", "object"):
            return
        number = {"integer_t": int, "long_t": int, "float_t": NUMBER}.get(base)
        if base == "boolean_t":
            ok = isinstance(value, bool)
        elif number:
            ok = isinstance(value, number) and not isinstance(value, bool)
            if ok and base == "integer_t" and not -(2**31) <= value < 2**31:
                self.say(where, f"{value} has more than 32 bits")
        else:
            ok = isinstance(value, TEXT)
        if not ok:
            return self.say(where, f"{value!r} is no {a['type']}")
        if a["enum"] and isinstance(value, int) and value not in [number for number, _ in a["enum"]]:
            self.say(where, f"{value} is not in the enum")
        if a["type"] == "ip_t":
            try:
                ipaddress.ip_address(value)
            except ValueError:
                self.say(where, f"{value} is no address")
