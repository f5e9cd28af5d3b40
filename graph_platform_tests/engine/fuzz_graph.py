"""The small graph that the fuzz of the gate asks: labels, types and properties that are keywords among them."""

from __future__ import annotations

TABLES = (
    "CREATE NODE TABLE Person(id INT64, name STRING, age INT64, score DOUBLE, tags STRING[], born DATE, "
    "`load` INT64, `set` STRING, PRIMARY KEY(id))",
    "CREATE NODE TABLE City(code STRING, name STRING, size INT64, `call` STRING, PRIMARY KEY(code))",
    "CREATE NODE TABLE `Load`(id INT64, `delete` STRING, PRIMARY KEY(id))",
    "CREATE REL TABLE KNOWS(FROM Person TO Person, since INT64, `merge` STRING)",
    "CREATE REL TABLE LIVES(FROM Person TO City, since INT64)",
    "CREATE REL TABLE `CALL`(FROM Person TO `Load`, FROM `Load` TO Person, km DOUBLE)",
    "UNWIND range(1, 12) AS i CREATE (:Person {id: i, name: 'p' + CAST(i AS STRING), age: i * 7 % 50, score: i / 3.0, "
    "tags: ['a', 'b'], born: date('2000-01-01'), `load`: i, `set`: 'x'})",
    "UNWIND range(1, 4) AS i CREATE (:City {code: 'c' + CAST(i AS STRING), name: 'n', size: i})",
    "UNWIND range(1, 3) AS i CREATE (:`Load` {id: i, `delete`: 'd'})",
    "MATCH (a:Person), (b:Person) WHERE (a.id * 5 + b.id) % 7 = 0 CREATE (a)-[:KNOWS {since: a.id}]->(b)",
    "MATCH (a:Person), (b:City) WHERE a.id % 4 + 1 = b.size CREATE (a)-[:LIVES {since: 1}]->(b)",
    "MATCH (a:Person), (b:`Load`) WHERE a.id % 3 + 1 = b.id CREATE (a)-[:`CALL` {km: 1.5}]->(b)",
)
"""What makes the tables, and the little that is in them."""

NODES: dict[str, dict[str, str]] = {
    "Person": {
        "id": "int",
        "name": "string",
        "age": "int",
        "score": "double",
        "tags": "list",
        "born": "date",
        "load": "int",
        "set": "string",
    },
    "City": {"code": "string", "name": "string", "size": "int", "call": "string"},
    "Load": {"id": "int", "delete": "string"},
}
EDGES: dict[str, tuple[str, str, dict[str, str]]] = {
    "KNOWS": ("Person", "Person", {"since": "int", "merge": "string"}),
    "LIVES": ("Person", "City", {"since": "int"}),
    "CALL": ("Person", "Load", {"km": "double"}),
}
