"""Build of the extension: every kernel source once for each instruction-set tier, with that tier's
flags.
"""

import os
import platform
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import ClassVar

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
SRC = Path("src_c")

# The tiers, slowest first: name, flags. A tier's header is src_c/isa/<name>.h. The scalar one is
# optimized little where there are others, which are compared with it: it is a tenth slower, and
# compiled in two thirds of the time.
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]
TIERS = {
    "x86_64": [
        ("scalar", ["-O1"]),
        ("sse2", ["-msse2"]),
        ("avx2", ["-mavx2", "-mfma"]),
        ("avx512vl", AVX512),
        ("avx512", [*AVX512, "-mprefer-vector-width=512"]),
    ],
    "aarch64": [("scalar", ["-O1"]), ("neon", [])],
}
TIERS["AMD64"], TIERS["arm64"] = TIERS["x86_64"], TIERS["aarch64"]

# Kernel sources: each is compiled for every tier and every dtype it serves.
FLOATS = ["f32", "f64"]
ALL = [*FLOATS, "c64", "c128", "u8", "u16", "u32", "u64", "b8"]
KERNELS = {"filter": ALL, "plane": ALL, "mix": ALL, "dot": ALL, "outer": ALL, "fold": ALL}
KERNELS |= {
    "channels_last": ALL,
    "across": FLOATS,
    "plane_grad": FLOATS,
    "group": FLOATS,
    "twin": FLOATS,
    "winograd": FLOATS,
    "pool_sum": [*FLOATS, "c64", "c128", "u64"],
    "pool_max": [*FLOATS, "u8", "u16", "u32", "u64"],
    "pool_argmax": [*FLOATS, "u64"],
}
KERNELS |= {"shifted": FLOATS, "fused": FLOATS, "convert": FLOATS, "box": FLOATS}
KERNELS |= {"present": FLOATS, "filter_present": FLOATS, "integer": ["f64"], "fourier": FLOATS}
# Kernels whose products are rounded before they are added.
ROUNDED = {"shifted": ["-ffp-contract=off"], "integer": ["-ffp-contract=off"]}

# What a tier takes from the next lower one, for it would gain little: patterns of kernel_dtype.
# Of a dtype, filter and plane go together: they take the same blocks of taps.
LOWER = {
    "sse2": ["*_u32", "*_u64", "*_c64", "*_c128"],
    "avx512vl": ["pool_*", "*_u8", "*_u16", "*_u32", "*_u64", "*_b8", "fold_*", "integer_*"],
    "avx512": ["pool_*", "*_u8", "*_u16", "*_u32", "*_u64", "*_b8", "fold_*", "integer_*"],
}
LOWER["avx512vl"] += ["*_c64", "*_c128", "fused_*", "shifted_*", "box_*"]
LOWER["avx512"] += ["convert_*", "fourier_*", "fused_*", "shifted_*", "box_*"]

# Kernels spell out their vectors and unroll by themselves: more than -O2 takes up to three times as
# long for nothing. With GCC alone -O3 pays for some: complex filters spill less, the shuffles of
# Winograd's kernels take lines of tiles apart, and plain loops become vectors.
OPTIMIZE = "-O2"
OPTIMIZE_GCC = dict.fromkeys(
    ["filter", "filter_present", "plane", "winograd", "present", "fold", "convert"], "-O3"
)
BASE = ["-std=gnu11", "-g0", "-fvisibility=hidden", "-ffp-contract=fast", "-Wall"]
# Predictive commoning carries loaded vectors from one pass of a tap loop to the next and spills the
# taps.
ONLY_GCC = "-fno-predictive-commoning"
# For GCC's sanitizers, with which more optimization takes minutes a kernel. Python's own flags may
# have signed numbers wrap.
SANITIZE = ["-O1", "-g1", "-fno-wrapv", "-fno-omit-frame-pointer", "-fno-sanitize-recover"]
SANITIZE += ["-fsanitize=address,undefined"]

# A process of its own, beside the compiler's.
CYTHON = [sys.executable, "-m", "cython", "-3"]
INCLUDES = [str(SRC / part) for part in (".", "include", "kernels", "isa", "drivers")]

MACHINE = os.environ.get("PYCONVC_MACHINE") or platform.machine()


def tiers():
    return TIERS.get(MACHINE, [("scalar", ["-fno-tree-vectorize"])])


def kernels():
    return [(kernel, dtype) for kernel, dtypes in KERNELS.items() for dtype in dtypes]


def owner(tier, kernel, dtype):
    """The object whose kernel the table of `tier` has."""
    names = [name for name, _ in tiers()]
    at = names.index(tier)
    while any(fnmatch(f"{kernel}_{dtype}", pattern) for pattern in LOWER.get(names[at], [])):
        at -= 1
    if kernel == "fused" and not fuses(tiers()[at][1]):
        kernel = "shifted"  # the same instructions
    return f"{kernel}_{dtype}__{names[at]}"


def fuses(flags):
    """Whether a tier of these flags has fused multiply-adds."""
    return "-mfma" in flags or MACHINE not in ("x86_64", "AMD64")


def accepts(compiler, flags, code="int main(void){return 0;}"):
    """Whether the compiler takes the flags and links the code."""
    with tempfile.TemporaryDirectory() as d:
        source = Path(d, "t.c")
        source.write_text(code)
        command = [*compiler, "-Werror", *flags, str(source), "-o", str(Path(d, "t"))]
        return subprocess.run(command, capture_output=True).returncode == 0


class Build(build_ext):
    """build_ext that compiles all objects first, in parallel: those of the extensions themselves,
    and those of the C library, which the core is linked with.
    """

    sanitize = False

    def build_extensions(self):
        self.find_flags()
        units = [*map(self.cython_unit, self.extensions), *self.units()]
        objects = iter(self.compile_units(units))
        for extension in self.extensions:
            extension.sources, extension.extra_objects = [], [next(objects)]
        core = self.extensions[0]
        core.extra_objects += objects
        core.extra_link_args = self.openmp
        for extension in self.extensions:
            extension.depends = extension.extra_objects
        super().build_extensions()

    def library(self):
        """The names of the library's objects."""
        self.find_flags()
        return self.compile_units(self.units())

    def find_flags(self):
        """What this compiler takes."""
        # The whole command: CC may have a wrapper such as ccache in front.
        compiler = self.compiler.compiler_so
        gcc = accepts(compiler, [ONLY_GCC])
        self.base = [*BASE, ONLY_GCC] if gcc else BASE
        self.optimize = OPTIMIZE_GCC if gcc else {}
        self.last = SANITIZE if self.sanitize else []
        openmp = accepts(
            compiler,
            ["-fopenmp"],
            "#include <omp.h>\nint main(void){return omp_get_max_threads()<1;}",
        )
        self.openmp = ["-fopenmp"] if openmp else []
        if not openmp:
            print("pyconvc: this compiler has no OpenMP; building a serial library")
        names = " ".join(f"X({name})" for name, _ in tiers())
        self.macros = [("PYCONVC_TIERS(X)", names)]

    def compile_units(self, units):
        """Their objects' names, in the same order."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(lambda unit: self.compile_unit(*unit), units))

    def cython_unit(self, extension):
        """(object name, source, flags, macros, folders of headers) of an extension in Cython."""
        import numpy

        flags = [*extension.extra_compile_args, "-Wno-unused-function"]
        macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
        includes = [str(SRC / "include"), numpy.get_include()]
        return extension.name, Path(extension.sources[0]), flags, macros, includes

    def units(self):
        """(object name, source, flags, macros) of everything in the library, the slowest first."""
        for tier, flags in reversed(tiers()):
            owners = []
            for kernel, dtype in kernels():
                name = f"{kernel}_{dtype}__{tier}"
                owners.append((f"OWNER_{kernel}_{dtype}", owner(tier, kernel, dtype)))
                if owners[-1][1] == name:
                    macros = [("PYCONVC_TIER", tier), ("PYCONVC_DTYPE", dtype)]
                    yield (
                        name,
                        SRC / "kernels" / f"{kernel}.c",
                        [self.optimize.get(kernel, OPTIMIZE), *flags, *ROUNDED.get(kernel, [])],
                        macros,
                    )
            yield f"table__{tier}", SRC / "isa" / "table.c", [], [("PYCONVC_TIER", tier), *owners]
        portable = [*SRC.glob("*.c"), *(SRC / "drivers").glob("*.c")]
        for source in sorted(portable):
            yield (
                f"{source.stem}_{source.parent.name}",
                source,
                ["-O3", *self.openmp],
                self.macros,
            )

    def compile_unit(self, name, source, flags, macros, includes=INCLUDES):
        folder = Path(self.build_temp, "objects", name)
        code, parts = source, SRC.rglob("*.h")
        if source.suffix == ".pyx":
            code = folder / source.with_suffix(".c")
            parts = [*source.parent.rglob("*.px?"), *(SRC / "include").glob("*.h")]
        target = Path(self.compiler.object_filenames([str(code)], output_dir=str(folder))[0])
        newest = max(p.stat().st_mtime for p in [Path("setup.py"), source, *parts])
        if not target.exists() or target.stat().st_mtime < newest:
            code.parent.mkdir(parents=True, exist_ok=True)
            if code != source:
                subprocess.run([*CYTHON, str(source), "-o", str(code)], check=True)
            self.compiler.compile(
                [str(code)],
                output_dir=str(folder),
                macros=macros,
                include_dirs=list(includes),
                extra_postargs=[*self.base, *flags, *self.last],
            )
        return str(target)


class CompareTiers(Build):
    """The library alone, with a program in C that compares its tiers: for machines without Python.

    CC may be a cross compiler; PYCONVC_MACHINE says what for.
    """

    description = "compare the tiers of the C library with the scalar one"
    user_options: ClassVar = [
        *Build.user_options,
        ("run-with=", None, "command that runs the program, such as an emulator"),
        ("sanitize", None, "with GCC's sanitizers of addresses and of undefined behaviour"),
    ]
    boolean_options: ClassVar = [*Build.boolean_options, "sanitize"]

    def initialize_options(self):
        super().initialize_options()
        self.run_with = ""
        self.sanitize = False

    def build_extensions(self):
        objects = self.library()
        objects += self.compiler.compile(
            ["tests/tiers.c"],
            output_dir=self.build_temp,
            include_dirs=[str(SRC / "include")],
            extra_postargs=[*self.base, "-O1", *self.last],
        )
        program = str(Path(self.build_temp, "tiers").absolute())
        flags = [*self.openmp, *self.last]
        self.compiler.link_executable(objects, program, libraries=["m"], extra_postargs=flags)
        subprocess.run([*shlex.split(self.run_with), program], check=True)


core = Extension(
    "pyconvc._core",
    ["pyconvc/_core.pyx"],
    extra_compile_args=["-O1"],  # twice as fast as -O3, and calls are not slower
)
gemm = Extension("pyconvc._gemm", ["pyconvc/_gemm.pyx"], extra_compile_args=["-O2"])

setup(ext_modules=[core, gemm], cmdclass={"build_ext": Build, "compare_tiers": CompareTiers})
