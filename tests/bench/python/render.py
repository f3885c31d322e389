"""What rendering costs with jinja2, PyYAML (libyaml) and jsonschema: CPU per call, over the same template."""

import json
import pathlib
import sys
import time

import jinja2
import jsonschema
import yaml

folder, least = pathlib.Path(sys.argv[1]), float(sys.argv[2])
schema_text = (folder / "schema.yaml").read_text()
template_text = (folder / "template.yaml").read_text()
context = json.loads((folder / "context.json").read_text())


class Loader(yaml.CSafeLoader):
    """CloudFormation's short forms are kept as what they hold."""


def short_form(loader, _suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node)


Loader.add_multi_constructor("!", short_form)


def validator():
    types = yaml.load(schema_text, Loader)["schema"]["types"]
    return jsonschema.Draft4Validator(types["Bench"])


def engine():
    return jinja2.Environment(undefined=jinja2.StrictUndefined)


def cost(call):
    call()
    began, count = time.process_time(), 0
    while count < 3 or time.process_time() - began < least:
        call()
        count += 1
    return (time.process_time() - began) * 1e6 / count


check, template = validator(), engine().from_string(template_text)
inputs = context["service_instance"]["inputs"]


def warm():
    check.validate(inputs)
    return template.render(context)


def parse():
    yaml.load(warm(), Loader)


def cold():
    validator().validate(inputs)
    yaml.load(engine().from_string(template_text).render(context), Loader)


json.dump(
    {"text": warm(), "warm_us": cost(warm), "parse_us": cost(parse), "cold_us": cost(cold)},
    sys.stdout,
)
