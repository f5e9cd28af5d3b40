"""What Dagster loads: quickly, without the platform behind it, with every field explained."""

import json
import subprocess
import sys
from typing import Any, get_args

import pytest
from dagster import Config, JobDefinition, validate_run_config
from pydantic import BaseModel

from graph_platform.demo.mapping import DEMO_MAPPING, DEMO_NAME, demo_mapping
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.orchestration.config import config_of
from graph_platform.orchestration.tags import USER_TAG, run_tags
from graph_platform.proving.requests import CreateMapping
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.orchestration.requests import JOBS, REQUESTS

HEAVY = (
    "sqlalchemy",
    "psycopg",
    "psycopg2",
    "duckdb",
    "sqlglot",
    "dagster_postgres",
    "pyarrow",
    "graph_platform.platform",
)


def test_loading_the_definitions_in_a_fresh_interpreter_brings_nothing_heavy_along() -> None:
    program = "import json, sys, graph_platform.definitions; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_job_can_be_launched_with_its_default_config(job: JobDefinition) -> None:
    assert set(validate_run_config(job)["ops"]) == {job.name}


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_job_has_one_op_of_its_name_and_says_what_it_does(job: JobDefinition) -> None:
    assert [node.name for node in job.nodes] == [job.name]
    assert job.description


def _undescribed(kind: Any, path: str) -> list[str]:
    missing = []
    fields = kind.fields if hasattr(kind, "fields") else {}
    for name, field in fields.items():
        if not field.description:
            missing.append(f"{path}.{name}")
        inner = field.config_type
        while getattr(inner, "inner_type", None) is not None:
            inner = inner.inner_type
        missing += _undescribed(inner, f"{path}.{name}")
    return missing


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_field_of_every_config_explains_itself(job: JobDefinition) -> None:
    (node,) = job.nodes
    schema = node.definition.config_schema
    assert schema is not None
    assert _undescribed(schema.config_type, job.name) == []


def _pairs(model: type[BaseModel]) -> dict[str, tuple[str | None, bool]]:
    return {name: (field.description, field.is_required()) for name, field in model.model_fields.items()}


def test_the_mappings_config_is_its_model_field_by_field_all_the_way_down() -> None:
    pending: list[tuple[type[BaseModel], type[Config]]] = [(MappingDefinition, config_of(MappingDefinition))]
    compared = 0
    while pending:
        model, config = pending.pop()
        assert _pairs(model) == _pairs(config)
        compared += 1
        for name, field in model.model_fields.items():
            nested = field.annotation
            inner = config.model_fields[name].annotation
            if get_args(nested) and get_args(nested)[-1] is Ellipsis:
                nested, inner = get_args(nested)[0], get_args(inner)[0]
            if isinstance(nested, type) and issubclass(nested, BaseModel):
                assert isinstance(inner, type)
                assert issubclass(inner, Config)
                pending.append((nested, inner))
    assert compared == 6  # the mapping, a node with key and property, an edge with property


def test_a_config_becomes_the_mapping_that_it_was_written_from() -> None:
    written = MappingDefinition.model_validate(demo_mapping())
    config = config_of(CreateMapping)(mapping=demo_mapping())
    assert CreateMapping.read(config.model_dump()).mapping == written
    assert written.name == DEMO_NAME
    assert DEMO_MAPPING.name == "flights.yaml"


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_job_has_tags_from_its_config(job: JobDefinition) -> None:
    (config,) = job.run_config["ops"].values() if job.run_config else ({},)
    tags = run_tags(REQUESTS[job.name].read(config["config"]), "ana")
    assert tags[USER_TAG] == "ana"
    about = config["config"]
    assert not about or "flights" in {
        value for key, value in tags.items() if key in {"mapping", "snapshot", "instance"}
    }


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_request_arrives_in_its_job_as_it_was_sent(job: JobDefinition) -> None:
    (config,) = job.run_config["ops"].values() if job.run_config else ({},)
    sent = REQUESTS[job.name].read(config["config"])
    validated = validate_run_config(job, {"ops": {job.name: {"config": sent.config()}}})["ops"][job.name]["config"]
    assert REQUESTS[job.name].read(config_of(type(sent))(**validated).model_dump()) == sent


def test_a_mappings_tag_has_no_version() -> None:
    assert run_tags(CreateSnapshot(mapping="flights@3"), "ana")["mapping"] == "flights"


def test_dagsters_own_check_of_the_definitions_passes(tmp_path: Any) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "graph_platform.definitions"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
