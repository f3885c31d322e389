"""The Proton model as botocore ships it: what clients believe about the API."""

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

OPERATIONS = 87
PAGINATORS = 21
WAITERS = 10


def load() -> ServiceModel:
    model = botocore.session.get_session().get_service_model("proton")
    if len(model.operation_names) != OPERATIONS:
        raise SystemExit(f"botocore's model of Proton has {len(model.operation_names)} operations and not {OPERATIONS}")
    return model


MODEL = load()


def operation(name: str) -> OperationModel:
    return MODEL.operation_model(name)


def declared(name: str) -> list[str]:
    """Names of the errors that an operation declares, in alphabetical order."""
    return sorted(shape.name for shape in operation(name).error_shapes)


def required(shape: Shape) -> list[str]:
    return list(shape.metadata.get("required", ()))


def method(name: str) -> str:
    """What boto3 calls an operation."""
    from botocore import xform_name

    return xform_name(name)


def command(name: str) -> str:
    """What the AWS CLI calls an operation."""
    return method(name).replace("_", "-")
