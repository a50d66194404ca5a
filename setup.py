"""The hot path in C, for those who build; where there is no compiler it is Python's."""

import os

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "honeytrace._native",
            ["src/honeytrace/_native.pyx"],
            depends=["src/honeytrace/_native.h"],
            extra_compile_args=[] if os.name == "nt" else ["-g0"],  # a wheel a fifth the size
            optional=True,
        )
    ]
)
