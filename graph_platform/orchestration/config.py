"""What a job may be told, as the Launchpad shows it: the fields of its request, every one with its description.

Nothing is written again here: a config class is derived from a Pydantic model. It has no constraints on purpose, since
a rule in the config would stop the run at its first breach, and validation reports all.
"""

import types
from functools import cache
from typing import Any, Union, get_args, get_origin

from dagster import Config
from pydantic import BaseModel, Field, create_model
from pydantic_core import PydanticUndefined


@cache
def config_of(model: type[BaseModel]) -> type[Config]:
    """The Dagster config class with the fields, descriptions and defaults of a Pydantic model, all the way down.

    Dagster's config knows neither plain models nor tuples: they become config classes and lists.
    """
    fields: dict[str, Any] = {}
    for name, spec in model.model_fields.items():
        default = ... if spec.default is PydanticUndefined else spec.default
        if isinstance(default, tuple):
            default = list(default)
        fields[name] = (_config_type(spec.annotation), Field(default=default, description=spec.description))
    name = model.__name__.removesuffix("Definition") + "Config"
    return create_model(name, __base__=Config, __doc__=model.__doc__, __module__=__name__, **fields)


def _config_type(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return config_of(annotation)
    if get_origin(annotation) is tuple:
        item, _ = get_args(annotation)
        return types.GenericAlias(list, _config_type(item))
    if get_origin(annotation) in {Union, types.UnionType}:
        return Union[tuple(_config_type(choice) for choice in get_args(annotation))]  # noqa: UP007  built at run time
    return annotation
