"""The client's settings file: what we write into it, and how it becomes what it was.

``wanted`` says what belongs there, ``edit`` puts it in and takes it out without touching
anything else, ``files`` reads and writes safely, ``install`` is all of it together.
"""
