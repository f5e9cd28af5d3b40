"""Where servers run: the Protocol, and an adapter per place. What an instance's states are is `instance`'s to say.

An adapter is done when it passes `graph_platform_tests/runtime/test_conformance.py`.
"""
