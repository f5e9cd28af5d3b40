"""The questions that the demo asks its graph, in Cypher."""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """What is asked, for a person, and the query."""

    text: str
    cypher: str


QUESTIONS = (
    Question(
        "Where do New Yorkers fly to, and how late do they arrive?",
        """
        MATCH (:Airport)-[f:FLIES_TO]->(there:Airport)
        WHERE f.arrived
        RETURN there.faa AS airport, there.name AS name, count(*) AS flights,
               round(avg(f.arrival_delay), 1) AS minutes_late, max(f.miles) AS miles
        ORDER BY flights DESC LIMIT 5
        """,
    ),
    Question(
        "Which planes changed hands during the year?",
        """
        MATCH (seller:Airline)-[before:OPERATES]->(p:Plane)<-[after:OPERATES]-(buyer:Airline)
        WHERE before.last_flight < after.first_flight
        RETURN p.tailnum AS plane, p.manufacturer AS manufacturer, p.model AS model, p.built AS built,
               seller.name AS before, buyer.name AS after, after.first_flight AS since
        ORDER BY since, plane LIMIT 5
        """,
    ),
    Question(
        "Which airports do the planes that serve Honolulu also serve?",
        """
        MATCH (:Airport {faa: 'HNL'})<-[:LANDS_AT]-(p:Plane)-[l:LANDS_AT]->(other:Airport)
        WHERE other.faa <> 'HNL'
        RETURN other.faa AS airport, other.name AS name, count(p.tailnum) AS planes,
               CAST(sum(l.flights) AS INT64) AS flights
        ORDER BY planes DESC, flights DESC LIMIT 5
        """,
    ),
)
