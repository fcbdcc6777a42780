"""Training iterations of other libraries, on the data, network, views and batch size of a config.

Each module has a function `prepare(config) -> Trainer`. It is imported only in a process of its own.
"""
