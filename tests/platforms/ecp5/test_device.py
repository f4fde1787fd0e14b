import pytest

from platforms.ecp5.device import ecp5


def test_package_and_speed_reach_nextpnr():
    orange_crab = ecp5("25", package="CSFBGA285", speed=8)
    assert orange_crab.nextpnr == ("--25k", "--package", "CSFBGA285", "--speed", "8")
    assert ecp5("45", variant="um5g", speed=8).nextpnr[0] == "--um5g-45k"


def test_rejects_unknown_size():
    with pytest.raises(ValueError, match=r"^ECP5 size must be one of 12, 25, 45, 85, not '35'$"):
        ecp5("35")


def test_rejects_variant_of_the_12f():
    with pytest.raises(ValueError, match=r"^variant of ECP5 12F must be one of \('',\), not 'um'$"):
        ecp5("12", variant="um")


def test_rejects_speed_grade_that_is_not_made():
    with pytest.raises(ValueError, match=r"^speed of ECP5 um5g45F must be one of \(8,\), not 6$"):
        ecp5("45", variant="um5g")
