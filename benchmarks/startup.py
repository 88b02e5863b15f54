"""How long a user waits before anything happens.

    python benchmarks/startup.py

Bars: `import octavo` takes less than three times what `import numpy` takes; `octavo --help`
answers in less than 0.5 s. Each is the best of several fresh processes, from start to exit,
less what an interpreter alone takes for the two imports.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path


def wall(*command: str) -> float:
    """Seconds from a process's start to its exit."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=15)
    times = parser.parse_args().times
    octavo = str(Path(sys.executable).with_name("octavo"))
    commands = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "import numpy": (sys.executable, "-c", "import numpy"),
        "import octavo": (sys.executable, "-c", "import octavo"),
        "octavo --help": (octavo, "--help"),
    }
    # Taken in turn, so that a busy moment of the machine meets all of them.
    rounds = [{name: wall(*command) for name, command in commands.items()} for _ in range(times)]
    best = {name: min(row[name] for row in rounds) for name in commands}
    for name, seconds in best.items():
        print(f"{name:16} {seconds * 1e3:7.1f} ms")
    bare = best["python -c pass"]
    ratio = (best["import octavo"] - bare) / (best["import numpy"] - bare)
    print(f"import octavo / import numpy = {ratio:.2f}   (bar: < 3)")
    print(f"octavo --help = {best['octavo --help']:.3f} s   (bar: < 0.5 s)")


if __name__ == "__main__":
    main()
