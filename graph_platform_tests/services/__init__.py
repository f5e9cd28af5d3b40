"""Real servers that tests start by themselves: fetched once into a cache, run on loopback, ended with the session.

A server is a class that starts, stops and is killed, and a pytest fixture that a conftest imports. What a test does
with a server belongs in the test.
"""
