"""What `auto` chooses, and that what the user says is taken as it is."""

import pytest

from trainer.fit import devices
from trainer.fit.devices import choose_batch_size, choose_precision, choose_xla

ONE, TWO = ["GPU:0"], ["GPU:0", "GPU:1"]


def fits_up_to(largest: int, tried: list[int]):
    def fits(size: int) -> bool:
        tried.append(size)
        return size <= largest

    return fits


def test_the_largest_power_of_two_that_fits_is_found_from_above():
    tried: list[int] = []
    assert choose_batch_size("auto", 1_000_000, ONE, fits_up_to(300, tried)) == 256
    assert tried == [1024, 512, 256]
    assert choose_batch_size("auto", 1_000_000, TWO, fits_up_to(300, [])) == 512


def test_an_epoch_keeps_twenty_steps_where_it_has_the_images():
    assert choose_batch_size("auto", 2000, ONE, fits_up_to(10_000, [])) == 64
    assert choose_batch_size("auto", 10, ONE, fits_up_to(10_000, [])) == 8


def test_without_a_gpu_nothing_is_tried():
    tried: list[int] = []
    assert choose_batch_size("auto", 1_000_000, [], fits_up_to(0, tried)) == 32
    assert choose_batch_size(48, 10, ONE, fits_up_to(0, tried)) == 48
    assert not tried


def test_a_gpu_that_holds_nothing_says_what_to_do():
    with pytest.raises(MemoryError, match=r"lower model\.image_size"):
        choose_batch_size("auto", 1000, ONE, fits_up_to(4, []))


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [
        ([(9, 0)], "mixed_bfloat16"),
        ([(7, 5)], "mixed_float16"),
        ([(9, 0), (7, 0)], "mixed_float16"),  # the weakest decides
        ([(6, 1)], "float32"),
        ([], "float32"),
    ],
)
def test_precision_follows_the_weakest_gpu(monkeypatch, capabilities, policy):
    config = devices.tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: list(range(len(capabilities))))
    monkeypatch.setattr(
        config.experimental, "get_device_details", lambda number: {"compute_capability": capabilities[number]}
    )
    names = [f"GPU:{number}" for number in range(len(capabilities))]
    assert choose_precision("auto", names) == policy
    assert choose_precision("float32", names) == "float32"


def test_xla_is_for_a_single_gpu():
    assert [choose_xla("auto", names) for names in ([], ONE, TWO)] == [False, True, False]
    assert choose_xla(True, []) is True
    assert choose_xla(False, ONE) is False
