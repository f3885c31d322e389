"""Inputs made from the model: valid ones, and ones that are wrong in exactly one member."""

import random
import re
import string
from collections.abc import Callable, Iterator

from botocore.model import Shape

from .model import operation, required

UUID = "01234567-89ab-4cde-8f01-23456789abcd"

# A value for each shape whose pattern is not met by plain letters. A shape that is not here gets letters of a length that fits.
SAMPLES = {
    "Arn": "arn:aws:proton:us-east-1:111111111111:environment/sample",
    "AwsAccountId": "111111111111",
    "ClientToken": "sample-token",
    "ComponentDeploymentId": UUID,
    "DeploymentId": UUID,
    "EnvironmentAccountConnectionId": UUID,
    "EmptyNextToken": "",
    "FullTemplateVersionNumber": "1.0",
    "NextToken": "c2FtcGxl",
    "RepositoryName": "example/sample",
    "ResourceName": "sample",
    "ResourceNameOrEmpty": "sample",
    "RoleArn": "arn:aws:iam::111111111111:role/sample",
    "RoleArnOrEmptyString": "arn:aws:iam::111111111111:role/sample",
    "S3Bucket": "sample-bucket",
    "TemplateVersionPart": "1",
}


def sample(shape: Shape):
    """A valid value: required members only, lists with as little as they may have, but one."""
    kind = shape.type_name
    if kind == "structure":
        names = required(shape) or (list(shape.members)[:1] if getattr(shape, "is_tagged_union", False) else [])
        return {name: sample(shape.members[name]) for name in names}
    if kind == "list":
        return [sample(shape.member)] * max(1, shape.metadata.get("min", 1))
    if kind == "string":
        return text(shape)
    if kind in ("integer", "long"):
        return shape.metadata.get("min", 1)
    if kind == "boolean":
        return False
    raise NotImplementedError(f"no sample for {kind}")


def text(shape: Shape) -> str:
    if shape.metadata.get("enum"):
        return shape.metadata["enum"][0]
    value = SAMPLES.get(shape.name, "sample")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.search(pattern, value):
        raise NotImplementedError(f"no sample for {shape.name} matches {pattern}")
    return value


def minimal(name: str) -> dict:
    """A valid input of an operation, with required members only."""
    return sample(operation(name).input_shape)


class Wrong:
    """An input of an operation, valid but for one member."""

    def __init__(self, operation_name: str, path: tuple, rule: str, value, members: dict):
        self.operation, self.path, self.rule, self.value, self.members = operation_name, path, rule, value, members

    @property
    def member(self) -> str:
        """The name that the message has to have."""
        return next(part for part in reversed(self.path) if isinstance(part, str))

    def __str__(self) -> str:
        return f"{self.operation}.{'.'.join(map(str, self.path))}: {self.rule}"


def wrong(name: str) -> Iterator[Wrong]:
    """Every way in which one member of an operation's input can break one rule of the model."""
    shape = operation(name).input_shape
    for path, found in _members(shape, ()):
        for rule, value in _breaking(found):
            yield Wrong(name, path, rule, value, _with(shape, path, value))
    for path, rule, members in _absent(shape, (), lambda inner: inner):
        yield Wrong(name, path, rule, None, members)


def _members(shape: Shape, path: tuple, above: frozenset = frozenset()) -> Iterator[tuple[tuple, Shape]]:
    """Every member at any depth, lists by their first item."""
    if shape.name in above:
        return
    above = above | {shape.name}
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield (*path, name), member
            yield from _members(member, (*path, name), above)
    elif shape.type_name == "list":
        yield (*path, 0), shape.member
        yield from _members(shape.member, (*path, 0), above)


def _breaking(shape: Shape) -> Iterator[tuple[str, object]]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name == "string":
        pattern, enum = shape.metadata.get("pattern"), shape.metadata.get("enum")
        if least:
            yield "shorter than allowed", text(shape)[: least - 1]
        if most is not None:
            yield "longer than allowed", _long(shape, most + 1)
        if pattern:
            yield "not of the pattern", _misfit(shape, pattern)
        if enum:
            yield "not one of the words", "BOGUS"
    elif shape.type_name == "list":
        item = sample(shape.member)
        if least:
            yield "fewer than allowed", [item] * (least - 1)
        if most is not None:
            yield "more than allowed", [item] * (most + 1)
    elif shape.type_name in ("integer", "long"):
        if least is not None:
            yield "less than allowed", least - 1
        if most is not None:
            yield "more than allowed", most + 1


def _long(shape: Shape, length: int) -> str:
    """Too long, but of the pattern where that can be."""
    value = text(shape)
    tail = "0" if value[-1:].isdigit() else "a"
    return value + tail * (length - len(value))


def _misfit(shape: Shape, pattern: str) -> str:
    """Of a length that is allowed, but not of the pattern."""
    least = shape.metadata.get("min", 0)
    for candidate in ("!" * max(least, 3), " " * max(least, 3), "\u00e4" * max(least, 3), "-" * max(least, 3)):
        if not re.search(pattern, candidate):
            return candidate
    raise NotImplementedError(f"everything matches {pattern}")


def _absent(shape: Shape, path: tuple, wrap: Callable) -> Iterator[tuple[tuple, str, dict]]:
    """Inputs that lack one required member."""
    if shape.type_name != "structure":
        return
    for name in required(shape):
        whole = sample(shape)
        del whole[name]
        yield (*path, name), "absent", wrap(whole)
    for name, member in shape.members.items():
        def deeper(inner, name=name):
            return wrap({**sample(shape), name: inner})

        if member.type_name == "structure":
            yield from _absent(member, (*path, name), deeper)
        elif member.type_name == "list" and member.member.type_name == "structure":
            yield from _absent(member.member, (*path, name, 0), lambda inner, deeper=deeper: deeper([inner]))


def _with(shape: Shape, path: tuple, value):
    """A valid input but for the value at the path."""
    if not path:
        return value
    first, *rest = path
    if isinstance(first, int):
        return [_with(shape.member, tuple(rest), value)]
    return {**sample(shape), first: _with(shape.members[first], tuple(rest), value)}


class Chooser:
    """Valid inputs by chance, of names from small pools so that they meet again."""

    def __init__(self, seed: int, pools: dict[str, list]):
        self.random = random.Random(seed)
        self.pools = pools

    def input(self, name: str) -> dict:
        return self._value(operation(name).input_shape, name, "")

    def _value(self, shape: Shape, of: str, member: str):
        pool = self.pools.get(f"{of}.{member}") or self.pools.get(member) or self.pools.get(shape.name)
        if pool and self.random.random() < 0.97:
            return self.random.choice(pool)
        kind = shape.type_name
        if kind == "structure":
            needed = set(required(shape))
            if getattr(shape, "is_tagged_union", False):
                needed = {self.random.choice(list(shape.members))}
            chosen = {
                name for name in shape.members
                if name in needed or (self.random.random() < 0.3 and not getattr(shape, "is_tagged_union", False))
            }
            return {name: self._value(shape.members[name], of, name) for name in shape.members if name in chosen}
        if kind == "list":
            least, most = shape.metadata.get("min", 0), min(shape.metadata.get("max", 3), 3)
            return [self._value(shape.member, of, member) for _ in range(self.random.randint(least, max(least, most)))]
        if kind == "string":
            return self._text(shape)
        if kind in ("integer", "long"):
            return self.random.randint(shape.metadata.get("min", 0), shape.metadata.get("max", 10))
        if kind == "boolean":
            return self.random.random() < 0.5
        raise NotImplementedError(kind)

    def _text(self, shape: Shape) -> str:
        if shape.metadata.get("enum"):
            return self.random.choice(shape.metadata["enum"])
        if shape.name == "EmptyNextToken":
            return ""
        pattern = shape.metadata.get("pattern")
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 40)
        if pattern:
            return SAMPLES[shape.name]
        length = self.random.choice([max(least, 1), self.random.randint(max(least, 1), min(most, 60)), min(most, 500)])
        letters = string.ascii_letters + string.digits + " -_/.:äß水🙂'\"\\<>&{}[]%$\t"
        return "".join(self.random.choice(letters) for _ in range(length))
