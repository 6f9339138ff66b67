"""What all tests share."""

import os

from hypothesis import HealthCheck, settings

# How long a case takes says how busy the machine is, and nothing about the product.
settings.register_profile("ovsflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# In continuous integration the random cases are the same each time, so that a failure repeats;
# elsewhere every run looks at new ones.
settings.register_profile(
    "ci", settings.get_profile("ovsflow"), derandomize=True, database=None, print_blob=True
)
# `.ci/run` names a seed for Rust's cases, and that makes Python's repeat as well.
repeated = os.environ.get("CI") or os.environ.get("PROPTEST_RNG_SEED")
settings.load_profile("ci" if repeated else "ovsflow")
