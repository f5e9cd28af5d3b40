"""Where servers and tasks run: the Protocol, what is started as data, and an adapter per place.

Not here: what an instance's states are (`instance`), and the programs that are started (`server`, `tasks`), which a
runtime knows by their modules' names only. An adapter is done when it passes the conformance suites of
`graph_platform_tests/runtime`.
"""
