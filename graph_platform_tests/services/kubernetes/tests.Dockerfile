# The server's image with what the conformance suite's tasks run.
FROM localhost/graph-platform-server:tests
COPY graph_platform_tests/__init__.py /opt/graph-platform/lib/python3.11/site-packages/graph_platform_tests/__init__.py
COPY graph_platform_tests/runtime/__init__.py graph_platform_tests/runtime/programs.py /opt/graph-platform/lib/python3.11/site-packages/graph_platform_tests/runtime/
