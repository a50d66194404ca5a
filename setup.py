"""The hot path in C, for those who build; where there is no compiler it is Python's."""

from setuptools import Extension, setup

setup(ext_modules=[Extension("honeytrace._native", ["src/honeytrace/_native.pyx"], optional=True)])
