"""An installed logmill, and the examples built against it as a third party would: by find_package alone. Standard library only."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ["LOGMILL_BUILD"])


def cached(name: str) -> str:
    """A value of the build's cache: the examples take the same compilers and sanitizers, or they could not be loaded into one process."""
    found = re.search(rf"^{name}:[A-Z]+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def command(*arguments) -> None:
    done = subprocess.run([str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout[-6000:]}")


def install(prefix: pathlib.Path) -> None:
    command("cmake", "--install", BUILD, "--prefix", prefix)


def build_example(name: str, prefix: pathlib.Path, into: pathlib.Path) -> pathlib.Path:
    sanitizers = f"-fsanitize={cached('LOGMILL_SANITIZE')}" if cached("LOGMILL_SANITIZE") else ""
    flags = f"-Wall -Wextra -Wpedantic -Werror {sanitizers}".strip()
    command("cmake", "-G", cached("CMAKE_GENERATOR"), "-S", ROOT / "examples" / name, "-B", into, "--no-warn-unused-cli", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_C_COMPILER={cached('CMAKE_C_COMPILER')}", f"-DCMAKE_CXX_COMPILER={cached('CMAKE_CXX_COMPILER')}",
            f"-DCMAKE_C_FLAGS={flags}", f"-DCMAKE_CXX_FLAGS={flags}",
            f"-DCMAKE_C_COMPILER_LAUNCHER={cached('LOGMILL_CCACHE')}", f"-DCMAKE_CXX_COMPILER_LAUNCHER={cached('LOGMILL_CCACHE')}",
            "-DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF")
    command("cmake", "--build", into)
    return into
