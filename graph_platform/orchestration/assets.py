"""The assets that Dagster knows before anything was made: the definitions of the demo's mapping.

What a snapshot of any other mapping materializes shows in the catalog too, once it happened.
"""

from collections.abc import Iterator

from dagster import AssetSpec

from graph_platform.orchestration.config import demo_mapping


def mapping_assets() -> Iterator[AssetSpec]:
    """One asset per node and edge definition, an edge below the nodes that it connects."""
    mapping = demo_mapping()
    name = mapping["name"]
    for node in mapping["node_definitions"]:
        yield AssetSpec(
            key=[name, "nodes", node["label"]],
            description=f"{node['label']} nodes of the graph {name}. {mapping['description']}.",
            group_name=name,
            kinds={"parquet"},
        )
    for edge in mapping["edge_definitions"]:
        ends = dict.fromkeys((edge["from_node"], edge["to_node"]))
        yield AssetSpec(
            key=[name, "edges", edge["type"]],
            deps=[[name, "nodes", label] for label in ends],
            description=f"{edge['type']} edges of the graph {name}, from {edge['from_node']} to {edge['to_node']}.",
            group_name=name,
            kinds={"parquet"},
        )
