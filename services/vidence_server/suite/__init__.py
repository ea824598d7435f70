"""The suite in one process: one gRPC server, one engine, the services asked for.

A service's module is imported when the service is started: the bus alone needs neither models nor OpenCV.
"""
