"""The hot path as extension modules, where there is a compiler; otherwise it runs interpreted.

HONEYTRACE_SKIP_CYTHON=1 builds none. HONEYTRACE_REQUIRE_CYTHON=1 lets the build fail where one
cannot be built. On an interpreter without the GIL none is built: the modules rely on it.
"""

import os
import runpy
import sysconfig

from setuptools import Extension, setup

ROOT = "src/honeytrace/"


def extensions():
    """The modules that `_base/cython.py` lists, from their `.py` or the `.pyx` beside it."""
    if os.environ.get("HONEYTRACE_SKIP_CYTHON") or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return []
    required = bool(os.environ.get("HONEYTRACE_REQUIRE_CYTHON"))
    try:
        from Cython.Build import cythonize
    except ImportError:
        if required:
            raise
        return []
    modules = []
    for name in runpy.run_path(f"{ROOT}_base/cython.py")["COMPILED"]:
        path = ROOT + name.replace(".", "/")
        modules.append(
            Extension(
                f"honeytrace.{name}",
                [f"{path}.pyx" if os.path.exists(f"{path}.pyx") else f"{path}.py"],
                depends=[file for file in (f"{path}.pxd", f"{path}.h") if os.path.exists(file)],
                include_dirs=[os.path.dirname(path), f"{ROOT}_base"],
                extra_compile_args=[] if os.name == "nt" else ["-g0"],  # a wheel a fifth the size
            )
        )
    directives = {
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
        "annotation_typing": False,
        "binding": False,
        "auto_pickle": False,
    }
    built = cythonize(
        modules, include_path=["src"], build_dir="build/cython", compiler_directives=directives
    )
    for extension in built:
        extension.optional = not required  # which cythonize does not pass on
    return built


setup(ext_modules=extensions())
