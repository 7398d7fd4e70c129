"""The messages of Jaeger's remote storage, made from the ``.proto`` files beside them.

They come from ``jaeger-idl`` (Apache-2.0, see ``LICENSE``); each says what was changed.
``python -m fleetspan_collector.jaeger.protos`` makes the modules again.
"""
