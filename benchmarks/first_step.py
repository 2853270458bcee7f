"""How long does a training take to its first step, next to keras.applications?

    python benchmarks/first_step.py                 # B0, 224 px, batch 32: some 3 minutes on two cores
    python benchmarks/first_step.py --image-size 64

Built, traced and executed once, in a fresh process each time; the imports before that are not counted. The two take
turns on the same machine, and the figures are medians. benchmarks/steppers.py says what a step is. Ratios are inverted
times: 2 means half the time.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.steppers import Stepper

NAMES = ("ours", "keras")
PHASES = ("build", "trace", "execute", "total")


def main() -> None:
    """Run the rounds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", default="b0", help="b0 to b7")
    parser.add_argument("--image-size", type=int, default=224, help="pixels")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()

    starts: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
    for _ in range(arguments.rounds):
        for name in NAMES:
            stepper = Stepper(name, arguments.variant, arguments.image_size, arguments.batch_size)
            stepper.close()
            starts[name].append(stepper.start)

    print(
        f"first training step of {arguments.variant} at {arguments.image_size} px, batch {arguments.batch_size}: "
        f"medians of {arguments.rounds}, seconds"
    )
    median = {
        name: {phase: statistics.median(start[phase] for start in starts[name]) for phase in PHASES} for name in NAMES
    }
    for name, phases in median.items():
        print(f"{name:6}", "  ".join(f"{phase} {seconds:6.2f}" for phase, seconds in phases.items()))
    for phase in PHASES[:-1]:
        print(f"ratio={median['keras'][phase] / median['ours'][phase]:.2f} ours/keras ({phase})")
    print(f"ratio={median['keras']['total'] / median['ours']['total']:.2f} ours/keras")


if __name__ == "__main__":
    main()
