"""The operator's page: history, latest images, traces and actions, served by the core.

Depends on the three protocols of ``ports`` and on nothing else of the core.
"""
