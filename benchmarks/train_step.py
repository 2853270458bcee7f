"""How fast is a training step, next to keras.applications and timm?

    python benchmarks/train_step.py                             # B0, 224 px, batch 32: some 5 minutes on two cores
    python benchmarks/train_step.py --image-size 64
    python benchmarks/train_step.py --variant b4 --rounds 3
    python benchmarks/train_step.py --peers keras keras-onednn

All run on this machine with their default threads, in processes that are all kept warm and take turns: one round is a
few steps of each, so that a noisy neighbour meets them alike. benchmarks/steppers.py says what a step is and how the
peers are set up; timm's environment is made by the first run. The figures are medians over all steps.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.steppers import Stepper, Unavailable

PEERS = ("timm", "keras", "keras-onednn")


def main() -> None:
    """Run the rounds and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", default="b0", help="b0 to b7")
    parser.add_argument("--image-size", type=int, default=224, help="pixels")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=3, help="of each network in a round")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    arguments = parser.parse_args()

    steppers = []
    for name in ["ours", *arguments.peers]:
        try:
            steppers.append(Stepper(name, arguments.variant, arguments.image_size, arguments.batch_size))
        except Unavailable as reason:
            print(f"{name} is left out. {reason}")
    seconds: dict[str, list[float]] = {stepper.name: [] for stepper in steppers}
    peaks: dict[str, int] = {}
    for _ in range(arguments.rounds):
        for stepper in steppers:
            answer = stepper.run(arguments.steps)
            seconds[stepper.name] += answer["seconds"]
            peaks[stepper.name] = answer["peak_bytes"]
    for stepper in steppers:
        stepper.close()

    print(
        f"training step of {arguments.variant} at {arguments.image_size} px, batch {arguments.batch_size}, float32: "
        f"median of {arguments.rounds} x {arguments.steps}"
    )
    median = {name: statistics.median(durations) for name, durations in seconds.items()}
    for name, duration in median.items():
        rate = arguments.batch_size / duration
        print(f"{name:13} {duration:7.3f} s/step {rate:7.1f} images/s, peak memory {peaks[name] / 1e9:5.2f} GB")
    for peer in list(median)[1:]:
        print(f"ratio={peaks[peer] / peaks['ours']:.2f} ours/{peer} (peak memory, inverted)")
    for peer in list(median)[1:]:
        print(f"ratio={median[peer] / median['ours']:.2f} ours/{peer}")


if __name__ == "__main__":
    main()
